"""A virtual phone: fetches its files as its vendor's phones do, believes them and nothing else, and registers with what it read."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Sequence

import aiohttp

from provisioner.registrar.agent import Address, SipAgent, Timers
from provisioner.registrar.sip import (
    Request,
    Response,
    parse_params,
    reply,
)
from provisioner.registrar.sip_digest import Credentials
from provisioner.simulator.dialect import Dialect, fill
from provisioner.simulator.fetching import FetchedFile, Fetcher
from provisioner.simulator.reader import FunctionKey, LineSettings, function_keys, lines, store
from provisioner.simulator.registration import LineRegistration
from provisioner.simulator.shared_lines import SharedLine, appearances
from provisioner.simulator.status import Phase, PhoneStatus

log = logging.getLogger(__name__)

Listener = Callable[[PhoneStatus], None]


class VirtualPhone:
    """One phone. `url`, `credentials`: what an installer would type in. `mac`: 12 hexadecimal digits.

    `session` is the caller's (with the caller's trust anchors) and should keep no cookies.
    """

    def __init__(
        self,
        dialect: Dialect,
        session: aiohttp.ClientSession,
        *,
        mac: str,
        url: str,
        credentials: Credentials | None = None,
        model: str = "",
        firmware: str = "",
        local_host: str = "127.0.0.1",
        retry: float = 30.0,
        timers: Timers | None = None,
    ) -> None:
        self.mac = mac.upper()
        self.dialect = dialect
        names = dialect.names(mac, model=model or dialect.model, firmware=firmware or dialect.firmware)
        self._fetcher = Fetcher(session, dialect, url=url, names=names, credentials=credentials)
        self._agent = SipAgent(self._handle, user_agent=fill(dialect.sip_agent, names), timers=timers)
        self._local_host = local_host
        self._retry = retry
        self._instance = f"urn:uuid:00000000-0000-1000-8000-{mac.lower()}"  # RFC 5626 §4.1
        self._stored: dict[str, str] = {}
        self._registrations: dict[int, LineRegistration] = {}
        self.shared: dict[int, SharedLine] = {}  # slot → the shared line that is on it
        self._listeners: list[Listener] = []
        self._resync = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.files: tuple[FetchedFile, ...] = ()  # of the last round

    def listen(self, listener: Listener) -> None:
        """Have `listener` called at every change; it must be quick and must not raise."""
        self._listeners.append(listener)

    async def start(self) -> None:
        """Power on: returns at once, `listen` tells the rest. Raises OSError when there is no free socket."""
        await self._agent.open(self._local_host)
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"phone {self.mac}")

    async def stop(self) -> None:
        """Un-register all lines and power off. May be called twice."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        await self._drop(tuple(self._registrations))
        await self._agent.close()
        self._tell(Phase.STOPPED)

    def resync(self) -> None:
        """Fetch again, as after check-sync."""
        self._resync.set()

    @property
    def lines(self) -> tuple[LineSettings, ...]:
        """The accounts as read from the files, switched on or not."""
        return lines(self._stored, self.dialect)

    @property
    def keys(self) -> tuple[FunctionKey, ...]:
        """The function keys as read from the files."""
        return function_keys(self._stored, self.dialect)

    @property
    def is_registered(self) -> bool:
        """Whether the phone has lines and all of them are registered."""
        return bool(self._registrations) and all(item.is_registered for item in self._registrations.values())

    async def _run(self) -> None:
        while True:
            self._resync.clear()
            try:
                is_complete = await self._boot()
            except Exception as error:
                # a task boundary: a phone with a fault says so and tries again, like one that got no file
                log.exception("A virtual phone failed")
                self._tell(Phase.FETCH_FAILED, detail=type(error).__name__)
                is_complete = False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if is_complete else self._retry):
                    await self._resync.wait()

    async def _boot(self) -> bool:
        """One round of fetching and what follows from it; whether it was complete."""
        self._tell(Phase.FETCHING)
        fetched = await self._fetcher.fetch()
        self.files = fetched.files
        for contents in fetched.contents:
            self._stored = store(self._stored, contents, null=self.dialect.null)
        self._tell(Phase.CONFIGURED if fetched.is_complete else Phase.FETCH_FAILED, detail=fetched.reason)
        if fetched.contents:
            await self._apply()
        return fetched.is_complete

    async def _apply(self) -> None:
        """Register what is new or changed, un-register what is no longer there or switched off."""
        wanted = {line.slot: line for line in self.lines if line.is_active}
        changed = [slot for slot, item in self._registrations.items() if wanted.get(slot) != item.line]
        await self._drop(tuple(changed))
        await self._share([line for line in wanted.values() if line.is_shared])
        for slot, line in wanted.items():
            if slot not in self._registrations:
                registration = LineRegistration(
                    self._agent, line, instance=self._instance, retry=self._retry, tell=self._tell
                )
                self._registrations[slot] = registration
                registration.start()

    async def _share(self, wanted: Sequence[LineSettings]) -> None:
        """Watch the shared lines that are new or have another number of keys."""
        keys = self.keys
        for line in wanted:
            count = appearances(line, keys, self.dialect.line_key)
            known = self.shared.get(line.slot)
            if known is not None and len(known.lamps) != count:
                await self.shared.pop(line.slot).stop()
            if line.slot not in self.shared:
                self.shared[line.slot] = SharedLine(self._agent, line, count=count, retry=self._retry)
                self.shared[line.slot].start()

    async def _drop(self, slots: tuple[int, ...]) -> None:
        await asyncio.gather(*(self.shared.pop(slot).stop() for slot in slots if slot in self.shared))
        await asyncio.gather(*(self._registrations.pop(slot).stop() for slot in slots))

    async def _handle(self, request: Request, source: Address) -> Response | None:
        tag = secrets.token_hex(4)
        if request.method == "ACK":
            return None
        if request.method == "OPTIONS":
            return reply(request, 200, "OK", to_tag=tag)
        event, params = parse_params(request.get("Event") or "")
        for shared in self.shared.values():
            heard = shared.hear(request, event=event.lower(), tag=tag)
            heard = heard or await shared.ring(request, source, tag=tag)
            if heard is not None:
                return heard
        if request.method != "NOTIFY":
            return reply(
                request, 405, "Method Not Allowed", to_tag=tag, headers=(("Allow", "NOTIFY, OPTIONS"),)
            )
        if event.lower() != "check-sync":
            return reply(request, 489, "Bad Event", to_tag=tag)
        if params.get("reboot", "").lower() == "true":
            await self._drop(tuple(self._registrations))
        self._resync.set()
        return reply(request, 200, "OK", to_tag=tag)

    def _tell(self, phase: Phase, line: int = 0, detail: str = "") -> None:
        for listener in self._listeners:
            listener(PhoneStatus(self.mac, phase, line, detail))
