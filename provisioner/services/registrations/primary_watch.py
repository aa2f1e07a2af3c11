"""Tells PBXs that a primary device went or came back, after the tenant's grace (R4.4, facts/standards §7.2).

What was told last stands with the user, so a restart neither repeats nor forgets, and of several nodes one tells it.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.errors import ProvisionerError
from provisioner.model import Line, Registration, RegistrationState, Tenant, User
from provisioner.services.context import Context
from provisioner.services.directory_events import tell
from provisioner.services.live import Subscription

log = structlog.get_logger()

FULL_LOOK_SECONDS: Final = 60.0
"""How often everybody is looked at: a changed grace, a changed primary device, and what another node missed."""
_GONE: Final = (RegistrationState.UNREGISTERED, RegistrationState.EXPIRED, RegistrationState.FAILED)

_PRIMARIES: Final = (
    select(
        User.id.label("user_id"),
        User.name,
        User.is_primary_away,
        User.tenant_id,
        Tenant.primary_grace,
        Registration.device_id,
        Registration.state,
        Registration.since,
    )
    .join(Tenant, Tenant.id == User.tenant_id)
    .join(Line, (Line.device_id == User.primary_device_id) & (Line.user_id == User.id))
    .join(Registration, Registration.line_id == Line.id)
)
_OF_INTEREST: Final = (Registration.state.in_(_GONE) & ~User.is_primary_away) | (
    (Registration.state == RegistrationState.REGISTERED) & User.is_primary_away
)


@dataclass(frozen=True, slots=True)
class _Due:
    """A user about whom something is to be told at a moment."""

    user_id: int
    at: datetime


class PrimaryWatch:
    """Sleeps until the next grace ends or a registration changes."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._due: dict[int, datetime] = {}

    async def run(self) -> None:
        """Watch until cancelled; a failing database is tried again."""
        with self._context.hub.subscribe(None) as subscription:
            changed: Sequence[int] | None = None
            while True:
                try:
                    await self.look(changed)
                    wait = min(FULL_LOOK_SECONDS, self._seconds_to_next())
                except (SQLAlchemyError, ProvisionerError, OSError) as error:
                    log.warning("primary devices cannot be looked at yet", error=type(error).__name__)
                    wait = 1.0
                    self._due.clear()
                changed = await _next_devices(subscription, wait)

    async def look(self, device_ids: Sequence[int] | None = None) -> int:
        """Look at these devices (None: at all), and tell what is due; gives back how many events were written."""
        now = self._context.clock()
        async with self._context.store.read() as session:
            for due in await _waiting(session, device_ids):
                self._due[due.user_id] = due.at
        ripe = [user_id for user_id, at in self._due.items() if at <= now]
        for user_id in ripe:
            del self._due[user_id]
        return await self._tell(ripe, now) if ripe else 0

    async def _tell(self, user_ids: Sequence[int], now: datetime) -> int:
        told = 0
        async with self._context.store.change() as session:
            for chunk in _chunks(user_ids):
                rows = (await session.execute(_PRIMARIES.where(User.id.in_(chunk), _OF_INTEREST))).all()
                for row in rows:
                    if _moment(row) <= now:
                        await _write(session, self._context, row)
                        told += 1
        return told

    def _seconds_to_next(self) -> float:
        if not self._due:
            return FULL_LOOK_SECONDS
        return max(0.05, (min(self._due.values()) - self._context.clock()).total_seconds())


async def _waiting(session: AsyncSession, device_ids: Sequence[int] | None) -> Sequence[_Due]:
    statement = _PRIMARIES.where(_OF_INTEREST)
    if device_ids is None:
        rows = (await session.execute(statement)).all()
    else:
        rows = [
            row
            for chunk in _chunks(device_ids)
            for row in (await session.execute(statement.where(User.primary_device_id.in_(chunk)))).all()
        ]
    return [_Due(row.user_id, _moment(row)) for row in rows]


async def _write(session: AsyncSession, context: Context, row: Any) -> None:
    is_away = row.state != RegistrationState.REGISTERED
    await session.execute(update(User).where(User.id == row.user_id).values(is_primary_away=is_away))
    tell(
        session, context, tenant_id=row.tenant_id, kind="primary_unregistered" if is_away else "primary_registered",
        object=row.name, user_id=row.user_id, device_id=row.device_id, since=row.since.timestamp(),
    )  # fmt: skip


def _moment(row: Any) -> datetime:
    """When it is to be told: a device that came back at once, one that went after the grace."""
    grace = 0 if row.state == RegistrationState.REGISTERED else row.primary_grace
    moment: datetime = row.since + timedelta(seconds=grace)
    return moment


async def _next_devices(subscription: Subscription, wait: float) -> Sequence[int] | None:
    """The devices whose registration changed next; empty when the time is over, None when everybody must be looked at."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait
    while (left := deadline - loop.time()) > 0:
        try:
            async with asyncio.timeout(left):
                changes = await subscription.next()
        except TimeoutError:
            break
        if any(change.topic == "reload" for change in changes):
            return None
        devices = {change.device_id for change in changes if change.topic == "registration"}
        if devices:
            return sorted(devices)
    return None if wait >= FULL_LOOK_SECONDS else ()


def _chunks(ids: Iterable[int]) -> Iterable[Sequence[int]]:
    listed = list(ids)
    return [listed[start : start + 500] for start in range(0, len(listed), 500)]
