"""The task that tells phones to fetch again: through their PBX at once, again with growing pauses, until the fetch is seen.

A phone is told with NOTIFY check-sync, never to restart, never while a call runs on it. What it answers counts for nothing:
success is that it fetches. Where nothing helps, the phone's own poll interval is the safety net.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.errors import BadSeal, KeyMissing, ProvisionerError
from provisioner.registrar.check_sync import CheckSyncResult, Reach
from provisioner.services.context import Context
from provisioner.services.live import Change, Subscription
from provisioner.services.pbx.connections import find_connection
from provisioner.services.pbx.links import KNOWS_CONTACTS, Errand, Links, Pbx
from provisioner.services.pbx.resync_rows import (
    FETCHED,
    GAVE_UP,
    NO_CONNECTION,
    NOT_REGISTERED,
    SENT,
    WAITING,
    Due,
    Whereabouts,
    are_awaited,
    due_rows,
    note_outcome,
    revive,
    seconds_to_next,
    settle,
    take,
    tenants_with_due,
    whereabouts,
)

log = structlog.get_logger()

T = TypeVar("T")

REVIVED: Final = timedelta(seconds=1)
"""A phone that registers again has mostly just fetched: its fetch is noted before it would be told."""
IDLE_SECONDS: Final = 30.0
FAULT_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Taken:
    """A row that is ours until `until`."""

    errand: Errand
    tenant_id: int
    until: datetime


class Resyncs:
    """The background task that tells phones; one per node, any number of nodes on one database.

    `wake` after anything that may have made a phone due. `look` is one round, for `run` and for tests.
    """

    def __init__(self, context: Context, *, links: Links | None = None) -> None:
        self._context = context
        self._links = links or Links()
        self._pace = _Pace(context.settings.resync_rate)
        self._woken = asyncio.Event()
        self._fetched: set[int] = set()
        self._registered: set[int] = set()
        self._is_quiet = False
        """No phone is awaited: fetches and registrations, hundreds in a second, concern nobody here."""
        self._sending: set[asyncio.Task[None]] = set()
        self._writing: set[asyncio.Task[Any]] = set()

    def wake(self) -> None:
        """Look again now."""
        self._is_quiet = False
        self._woken.set()

    async def run(self) -> None:
        """Tell phones until cancelled."""
        with self._context.hub.subscribe(None) as news:
            listening = asyncio.create_task(self._listen(news))
            try:
                while True:
                    await self._wait(await self._whole(self._try_to_look()))
            finally:
                await asyncio.gather(*self._writing, return_exceptions=True)
                tasks = [listening, *self._sending]
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await asyncio.gather(*self._writing, return_exceptions=True)
                await self._links.close()

    async def look(self) -> float:
        """Take what is due and begin to send it; seconds until there may be more."""
        self._woken.clear()
        context, now = self._context, self._context.clock()
        fetched, self._fetched = self._fetched, set()
        registered, self._registered = self._registered, set()
        try:
            if fetched:
                self._publish(await settle(context, fetched))
            if registered:
                await revive(context, registered, at=now + REVIVED)
        except BaseException:
            self._fetched |= fetched
            self._registered |= registered
            raise
        is_more = False
        async with context.store.read() as session:
            tenants = await tenants_with_due(session, now)
        for tenant_id in tenants:
            try:
                is_more |= await self._tell_tenant(tenant_id, now)
            except (BadSeal, KeyMissing) as error:  # this tenant's phones only
                log.error("the password of a PBX cannot be read", tenant_id=tenant_id, why=error.type)  # noqa: TRY400 - a trace adds nothing
        async with context.store.read() as session:
            is_awaiting = await are_awaited(session)
            if not self._woken.is_set():  # else somebody was asked to fetch since this was read
                self._is_quiet = not is_awaiting
            return await seconds_to_next(session, now, at_most=self._pace.gap if is_more else IDLE_SECONDS)

    async def finish(self) -> None:
        """Wait until every message under way has its outcome."""
        await asyncio.gather(*self._sending)

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
        """What writes is ended whatever happens: a transaction that is cut off would keep the database locked."""
        task = asyncio.create_task(work)
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return await asyncio.shield(task)

    async def _try_to_look(self) -> float:
        try:
            return await self.look()
        except (SQLAlchemyError, ProvisionerError, OSError) as error:
            log.warning("phones cannot be told yet", error=type(error).__name__)
            return FAULT_SECONDS

    async def _wait(self, seconds: float) -> None:
        # not wait_for: up to Python 3.11 it forgets a cancellation that meets the wake, and the server never stops
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    async def _listen(self, news: Subscription) -> None:
        while True:
            for change in await news.next():
                if self._is_quiet:
                    continue
                if change.topic == "fetch":
                    self._fetched.add(change.device_id)
                elif change.topic == "registration":
                    self._registered.add(change.device_id)
            if self._fetched or self._registered:
                self.wake()

    async def _tell_tenant(self, tenant_id: int, now: datetime) -> bool:
        """Take as many of a tenant's rows as its pace allows; whether there may be more at once."""
        context = self._context
        room = self._pace.room(tenant_id, now)
        if not room:
            return True
        async with context.store.read() as session:
            rows = await due_rows(session, tenant_id=tenant_id, now=now, most=room)
            pbx = await find_connection(session, context, tenant_id)
            places = await whereabouts(session, context, [row.device_id for row in rows])
        # by id, as everybody who writes several of these rows; one that has no place was removed since they were read
        known = sorted((row for row in rows if row.device_id in places), key=lambda row: row.device_id)
        async with context.store.write() as session:
            taken = {
                row.device_id: await _take(session, row, pbx, places[row.device_id], now=now) for row in known
            }
        ours = [item for row in rows if (item := taken.get(row.device_id)) is not None]
        self._pace.spend(tenant_id, len(ours))
        self._publish([(row.tenant_id, row.device_id) for row in rows])
        if pbx is not None and ours:
            task = asyncio.create_task(self._send(pbx, ours))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        return len(rows) == room

    async def _send(self, pbx: Pbx, taken: Sequence[_Taken]) -> None:
        """Send, and write down what became of it; a row whose outcome is lost falls due again by itself."""
        results = await self._links.send(pbx, [item.errand for item in taken])
        await self._whole(self._note(taken, results))
        self._publish([(item.tenant_id, item.errand.device_id) for item in taken])

    async def _note(self, taken: Sequence[_Taken], results: Mapping[int, CheckSyncResult]) -> None:
        try:
            async with self._context.store.write() as session:
                for item in sorted(taken, key=lambda item: item.errand.device_id):
                    result, detail = _outcome(results.get(item.errand.device_id))
                    await note_outcome(
                        session, item.errand.device_id, taken_until=item.until, result=result, detail=detail
                    )
        except (SQLAlchemyError, ProvisionerError, OSError) as error:
            log.warning("what became of messages to phones is not noted", error=type(error).__name__)

    def _publish(self, told: Iterable[tuple[int, int]]) -> None:
        for tenant_id, device_id in told:
            self._context.hub.publish(Change("resync", tenant_id, device_id))


async def _take(
    session: AsyncSession, row: Due, pbx: Pbx | None, place: Whereabouts, *, now: datetime
) -> _Taken | None:
    """Take a due row; None when there is nothing to send for it, or another node was quicker."""
    if row.is_fetched:
        await take(session, row, now=now, result=FETCHED, next_at=None, detail="")
        return None
    if pbx is None:
        await take(session, row, now=now, result=GAVE_UP, next_at=None, detail=NO_CONNECTION)
        return None
    is_away = not place.errand.contacts and (place.is_known or pbx.kind not in KNOWS_CONTACTS)
    if is_away:
        await take(session, row, now=now, detail=NOT_REGISTERED)
        return None
    until = await take(session, row, now=now)
    return _Taken(place.errand, row.tenant_id, until) if until else None


def _outcome(result: CheckSyncResult | None) -> tuple[str, str]:
    """Result and sentence for people."""
    if result is None:
        return WAITING, "The PBX did not say what became of the message."
    sentence = _SENTENCES.get(result.reach, result.detail)
    return (WAITING if result.reach is Reach.FAILED else SENT), sentence


_SENTENCES: Final[Mapping[Reach, str]] = {
    Reach.SENT: "",
    Reach.ANSWERED: "",
    Reach.CHALLENGED: "The phone wants a SIP password before it takes such a message.",
    Reach.REFUSED: "The phone takes no such messages.",
    Reach.SILENT: "The phone did not answer.",
}


class _Pace:
    """How many phones of each tenant may be told now: at most `rate` in a second, and as many at once."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._left: dict[int, tuple[float, datetime]] = {}

    @property
    def gap(self) -> float:
        """Seconds until there is room for one more."""
        return 1.0 / self._rate

    def room(self, tenant_id: int, now: datetime) -> int:
        left, since = self._left.get(tenant_id, (float(self._rate), now))
        left = min(float(self._rate), left + max(0.0, (now - since).total_seconds()) * self._rate)
        self._left[tenant_id] = (left, now)
        return int(left + 1e-6)

    def spend(self, tenant_id: int, count: int) -> None:
        left, since = self._left[tenant_id]
        self._left[tenant_id] = (left - count, since)
