"""The green tick: what registrars report, applied in any order, any number of times, and its end exact to the second."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError, StatementError

from provisioner.errors import ProvisionerError, Unavailable
from provisioner.model import Line, Registration, RegistrationState
from provisioner.model.store import REGISTRATIONS, sequence
from provisioner.services.alarm import Alarm
from provisioner.services.context import Actor, Context
from provisioner.services.registrations.account_book import AccountBook
from provisioner.services.registrations.rows import load_accounts, save_accounts
from provisioner.services.registrations.truth import ENDINGS
from provisioner.services.registrations.words import Account, Contact, RegistrationEvent, conclude, hear

__all__ = [
    "Contact", "ExpiryTimer", "RegistrationEvent", "RegistrationQueue", "apply_events", "expire_due", "reconcile", "states_of",
]  # fmt: skip

log = structlog.get_logger()

CAPACITY = 200_000
BATCH = 4_000
COLLECTING_SECONDS = 0.1
"""What comes so soon after a batch waits for the next one; a single event is applied at once."""
SETTLING_SECONDS = 0.2
"""The timer looks again so long after a batch: in a storm there is one every few milliseconds."""
DRAIN_SECONDS = 30.0
BREATHER = 200
"""After so many accounts others may run: a batch is worked on while phones wait for their files."""


_EARLIEST: Final = select(func.min(Registration.until)).where(
    Registration.state == RegistrationState.REGISTERED
)


class RegistrationQueue:
    """Takes events at once and applies them in batches; the registrar never waits for the database."""

    def __init__(self, context: Context, on_applied: Callable[[], None]) -> None:
        self._context = context
        self._on_applied = on_applied
        self._events: deque[RegistrationEvent] = deque()
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._book = AccountBook()
        self._idle.set()
        self.applied = 0
        self.left_out = 0

    def put(self, events: Sequence[RegistrationEvent]) -> None:
        """Queue events; Unavailable when too many wait, so that the registrar keeps them and comes back."""
        if len(self._events) + len(events) > CAPACITY:
            raise Unavailable(
                "Too many registration events are waiting; send them again in a moment.", retry_after=1
            )
        self._events.extend(events)
        self._idle.clear()
        self._arrived.set()

    async def run(self) -> None:
        """Apply until cancelled. What fails is kept, in order, and tried again."""
        loop, rested = asyncio.get_running_loop(), 0.0
        while True:
            await self._arrived.wait()
            await asyncio.sleep(max(0.0, rested - loop.time()))
            self._arrived.clear()
            try:
                # a transaction that is cut off would keep the database locked: the last `flush` waits for it
                await asyncio.shield(self.flush())
            except (SQLAlchemyError, ProvisionerError, OSError) as error:
                log.warning(
                    "registration events wait for the database",
                    error=type(error).__name__,
                    waiting=len(self._events),
                )
                self._arrived.set()
                await asyncio.sleep(0.5)
            rested = loop.time() + COLLECTING_SECONDS

    async def flush(self) -> None:
        """Apply everything that waits now; what cannot be applied yet waits on."""
        async with self._flushing:
            await self._flush()

    async def _flush(self) -> None:
        while self._events:
            batch = list(islice(self._events, BATCH))
            try:
                await apply_events(self._context, batch, book=self._book)
            except _UNFIT as error:
                if _may_pass(error):
                    raise
                await self._apply_singly(batch)
            for _ in batch:
                self._events.popleft()
            self.applied += len(batch)
            self._on_applied()
        self._idle.set()

    async def drained(self) -> None:
        """Wait until everything put so far is applied; Unavailable when the database takes too long."""
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._idle.wait()
        except TimeoutError:
            raise Unavailable(
                "Earlier events still wait for the database; try again in a moment.", retry_after=5
            ) from None

    async def _apply_singly(self, batch: Sequence[RegistrationEvent]) -> None:
        """One event that the database cannot take must not hold up all others for ever."""
        for event in batch:
            try:
                await apply_events(self._context, [event])
            except _UNFIT as error:
                if _may_pass(error):
                    raise
                log.error(  # noqa: TRY400 - the trace would quote the event
                    "a registration event cannot be stored and is left out",
                    kind=event.kind,
                    error=type(error).__name__,
                )
                self.left_out += 1


_UNFIT = (StatementError, ValueError)
"""What an event that the database cannot take is refused with; ValueError stands for text that is none."""


def _may_pass(error: Exception) -> bool:
    """Whether trying again may help: the fault lies with the database, not with the event."""
    return isinstance(error, OperationalError | InterfaceError) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    )


async def apply_events(
    context: Context, events: Sequence[RegistrationEvent], *, book: AccountBook | None = None
) -> int:
    """Apply events in one transaction; gives back how many concerned a known account."""
    book = AccountBook() if book is None else book
    async with context.store.change(REGISTRATIONS) as session:
        accounts = await book.open(session, {event.account for event in events})
        known = 0
        heard: dict[int, Account] = {}
        for event in events:
            account = accounts.get(event.account)
            if account is None or event.tenant_id not in {None, account.tenant_id}:
                continue
            known += 1
            hear(account, event)
            heard[account.line_id] = account
        now, grace = context.clock(), timedelta(seconds=context.settings.registration_grace)
        for number, account in enumerate(heard.values(), 1):
            conclude(account, now=now, grace=grace)
            if number % BREATHER == 0:
                await asyncio.sleep(0)
        await save_accounts(session, heard.values())
    book.close(accounts, seq=sequence(session))
    return known


async def reconcile(
    context: Context, actor: Actor, *, at: datetime, contacts: Mapping[str, Sequence[Contact]]
) -> int:
    """Take the registrar's whole state: account → contacts. Accounts it does not list are not registered.

    Only this actor's tenant is touched. Events newer than `at` win. Gives back how many accounts changed state.
    """
    statement = select(Line.account)
    if actor.tenant_id is not None:
        statement = statement.where(Line.tenant_id == actor.tenant_id)
    async with context.store.read() as session:
        mine = set((await session.execute(statement)).scalars())
        live = set(
            (
                await session.execute(
                    select(Line.account)
                    .join(Registration, Registration.line_id == Line.id)
                    .where(Registration.state == RegistrationState.REGISTERED)
                )
            ).scalars()
        )
    concerned = sorted((mine & set(contacts)) | (mine & live))
    changed = 0
    for start in range(0, len(concerned), BATCH):
        chunk = concerned[start : start + BATCH]
        async with context.store.change(REGISTRATIONS) as session:
            accounts = await load_accounts(session, set(chunk))
            now, grace = context.clock(), timedelta(seconds=context.settings.registration_grace)
            for name in chunk:
                account = accounts.get(name)
                if account is None:  # removed a moment ago
                    continue
                before = account.registration.state if account.registration else RegistrationState.NEVER
                hear(
                    account,
                    RegistrationEvent(
                        kind="unlisted", account=name, at=at, contacts=tuple(contacts.get(name, ()))
                    ),
                )
                conclude(account, now=now, grace=grace)
                changed += account.registration is not None and account.registration.state != before
            await save_accounts(session, accounts.values())
    return changed


async def states_of(
    context: Context, actor: Actor, *, device_ids: Sequence[int]
) -> Mapping[int, Registration]:
    """The newest registration of each device's first line; a device never seen is not in the answer."""
    statement = (
        select(Registration)
        .join(Line, Line.id == Registration.line_id)
        .where(Registration.device_id.in_(device_ids), Line.position == 1)
    )
    if actor.tenant_id is not None:
        statement = statement.where(Registration.tenant_id == actor.tenant_id)
    async with context.store.read() as session:
        return {row.device_id: row for row in (await session.execute(statement)).scalars()}


async def expire_due(context: Context) -> int:
    """Turn registrations whose time (with grace) is over into expired; gives back how many."""
    due = context.clock() - timedelta(seconds=context.settings.registration_grace)
    condition = (Registration.state == RegistrationState.REGISTERED) & (Registration.until <= due)
    async with context.store.read() as session:
        until = (await (await session.connection()).execute(_EARLIEST)).scalar_one_or_none()
    if until is None or until > due:
        return 0
    async with context.store.change(REGISTRATIONS) as session:
        result = await session.execute(
            update(Registration)
            .where(condition)
            .values(
                state=RegistrationState.EXPIRED,
                since=Registration.until,
                until=None,
                reason=ENDINGS["expired"][1],
                seq=sequence(session),
            )
        )
        count: int = result.rowcount  # type: ignore[attr-defined]  # an UPDATE always answers with a cursor
        return count


class ExpiryTimer(Alarm):
    """Sleeps until the next registration ends."""

    trouble = "expiry cannot be written yet"
    retry = 1.0
    settling = SETTLING_SECONDS

    async def _act(self) -> None:
        await expire_due(self._context)

    async def _seconds_to_next(self) -> float:
        async with self._context.store.read() as session:
            until = (await (await session.connection()).execute(_EARLIEST)).scalar_one_or_none()
        if until is None:
            return 60.0
        end = until + timedelta(seconds=self._context.settings.registration_grace)
        return min(60.0, max(0.05, (end - self._context.clock()).total_seconds()))
