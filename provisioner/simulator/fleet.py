"""Many virtual phones at once: a ramp, progress, and a summary that says what went wrong how often."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from provisioner.simulator.phone import VirtualPhone
from provisioner.simulator.status import Phase, PhoneStatus


@dataclass(frozen=True, slots=True)
class FleetProgress:
    """Phones by what they have reached. `failed` may shrink again: phones try again."""

    total: int
    started: int
    registered: int
    failed: int


@dataclass(frozen=True, slots=True)
class FleetSummary:
    """`seconds` from the first start to the last change that counted; `reasons`: trouble → number of phones."""

    total: int
    registered: int
    failed: int
    seconds: float
    reasons: Mapping[str, int] = field(default_factory=dict)


class Fleet:
    """Starts phones one after another and watches them. The phones stay on until `stop`."""

    def __init__(
        self, phones: Sequence[VirtualPhone], *, on_progress: Callable[[FleetProgress], None] | None = None
    ) -> None:
        self._phones = {phone.mac: phone for phone in phones}
        self._on_progress = on_progress
        self._started = 0
        self._registered: set[str] = set()
        self._troubles: dict[str, str] = {}
        self._settled = asyncio.Event()
        self._last = 0.0
        for phone in phones:
            phone.listen(self._heard)

    async def run(self, *, rate: float = 50.0, patience: float = 60.0) -> FleetSummary:
        """Start `rate` phones a second; return when each is registered or in trouble, or `patience` seconds after the last start."""
        begin = self._last = time.monotonic()
        for number, phone in enumerate(self._phones.values()):
            await asyncio.sleep(max(0.0, begin + number / rate - time.monotonic()))
            try:
                await phone.start()
            except OSError as error:
                self._troubles[phone.mac] = f"no socket: {error.strerror}"
            self._started += 1
            self._changed()
        try:
            async with asyncio.timeout(patience):
                await self._settled.wait()
        except TimeoutError:
            for mac in self._phones.keys() - self._registered - self._troubles.keys():
                self._troubles[mac] = "did not finish in time"
        return self._summary(begin)

    async def stop(self) -> None:
        """Un-register and switch off every phone, a hundred at a time, so that each gets its answer in time."""
        places = asyncio.Semaphore(100)

        async def switch_off(phone: VirtualPhone) -> None:
            async with places:
                await phone.stop()

        await asyncio.gather(*(switch_off(phone) for phone in self._phones.values()))

    def _heard(self, status: PhoneStatus) -> None:
        phone = self._phones[status.mac]
        if status.phase is Phase.REFUSED:
            self._troubles[status.mac] = f"refused: {status.detail}"
            self._registered.discard(status.mac)
        elif status.phase is Phase.FETCH_FAILED and not phone.is_registered:
            self._troubles[status.mac] = f"fetch failed: {_statuses(phone)}"
        elif status.phase is Phase.CONFIGURED and not any(line.is_active for line in phone.lines):
            self._troubles[status.mac] = "no line in the configuration"
        elif status.phase is Phase.REGISTERED and phone.is_registered:
            self._registered.add(status.mac)
            self._troubles.pop(status.mac, None)
        elif status.phase is Phase.UNREGISTERED:
            self._registered.discard(status.mac)
        self._changed()

    def _changed(self) -> None:
        failed = len(self._troubles)
        progress = FleetProgress(len(self._phones), self._started, len(self._registered), failed)
        if self._on_progress is not None:
            self._on_progress(progress)
        self._last = time.monotonic()
        if self._started == len(self._phones) and len(self._registered | self._troubles.keys()) == len(
            self._phones
        ):
            self._settled.set()

    def _summary(self, begin: float) -> FleetSummary:
        return FleetSummary(
            total=len(self._phones),
            registered=len(self._registered),
            failed=len(self._troubles),
            seconds=self._last - begin,
            reasons=dict(Counter(self._troubles.values())),
        )


def _statuses(phone: VirtualPhone) -> str:
    """The answers of the last round without paths, so that phones with the same trouble count together."""
    return ", ".join(item.detail or str(item.status) for item in phone.files)
