"""The table of phones that should fetch: which are due, who takes them (several nodes share one database), what came of it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.model import (
    Binding,
    Line,
    Registration,
    RegistrationState,
    Resync,
    RunningCall,
    Sighting,
    Tenant,
)
from provisioner.services.context import Context
from provisioner.services.pbx.links import Errand
from provisioner.services.registrations.truth import living

WAITING, SENT, FETCHED, GAVE_UP = "waiting", "sent", "fetched", "gave-up"
NOT_REGISTERED: Final = "The phone is not registered, so it cannot be told."
NO_CONNECTION: Final = "The PBX is not connected, so the phone cannot be told."
PAUSES: Final = (5.0, 15.0, 60.0, 300.0, 300.0)
"""Seconds after each attempt until the next look; after the last the phone's own poll interval is all there is."""
MOST_CONTACTS: Final = 3
"""Bindings of one phone that are told, the newest: after a restart of the phone a dead one may be left."""
CHUNK: Final = 500

Told = tuple[int, int]
"""Tenant and device."""


@dataclass(frozen=True, slots=True)
class Due:
    """A row as it was seen: `next_at` and `attempts` together say whether somebody else was quicker."""

    device_id: int
    tenant_id: int
    attempts: int
    next_at: datetime
    is_fetched: bool


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a phone is. `is_known` false: no registrar ever spoke of it."""

    errand: Errand
    is_known: bool


def _due(now: datetime) -> ColumnElement[bool]:
    return Resync.next_at <= now


def _in_a_call(now: datetime) -> ColumnElement[bool]:
    return exists().where(RunningCall.device_id == Resync.device_id, RunningCall.until > now)


async def settle(context: Context, device_ids: Collection[int]) -> Sequence[Told]:
    """Close the rows of phones that have fetched what they were asked for; gives them back."""
    found: list[Told] = []
    ids = sorted(device_ids)
    async with context.store.read() as session:
        for start in range(0, len(ids), CHUNK):
            rows = await session.execute(
                select(Resync.tenant_id, Resync.device_id)
                .join(Sighting, Sighting.device_id == Resync.device_id)
                .where(Resync.device_id.in_(ids[start : start + CHUNK]), Resync.result != FETCHED)
                .where(Sighting.served_revision >= Resync.revision)
            )
            found += [(tenant_id, device_id) for tenant_id, device_id in rows]
    if found:
        async with context.store.write() as session:
            for _, device_id in sorted(found, key=lambda told: told[1]):
                await _close(session, device_id)
    return found


async def _close(session: AsyncSession, device_id: int) -> None:
    """Unless it was asked again meanwhile."""
    served = select(Sighting.served_revision).where(Sighting.device_id == device_id).scalar_subquery()
    await session.execute(
        update(Resync)
        .where(Resync.device_id == device_id, Resync.revision <= served)
        .values(result=FETCHED, next_at=None, detail="")
        .execution_options(synchronize_session=False)
    )


async def revive(context: Context, device_ids: Collection[int], *, at: datetime) -> bool:
    """Phones that could not be told because they were away, and are registered again: due at `at`."""
    ids = sorted(device_ids)
    back: list[int] = []
    async with context.store.read() as session:
        for start in range(0, len(ids), CHUNK):
            rows = await session.execute(
                select(Resync.device_id)
                .join(Registration, Registration.device_id == Resync.device_id)
                .where(Resync.device_id.in_(ids[start : start + CHUNK]))
                .where(Resync.result.in_((WAITING, GAVE_UP)), Resync.detail == NOT_REGISTERED)
                .where(Registration.state == RegistrationState.REGISTERED)
            )
            back += rows.scalars()
    if back:
        async with context.store.write() as session:
            for device_id in sorted(back):
                await session.execute(
                    update(Resync)
                    .where(Resync.device_id == device_id, Resync.detail == NOT_REGISTERED)
                    .values(result=WAITING, next_at=at, attempts=0, detail="")
                    .execution_options(synchronize_session=False)
                )
    return bool(back)


async def are_awaited(session: AsyncSession) -> bool:
    """Whether some phone has not fetched what it was asked for, told or not."""
    found = await session.execute(select(Resync.device_id).where(Resync.result != FETCHED).limit(1))
    return found.first() is not None


async def tenants_with_due(session: AsyncSession, now: datetime) -> Sequence[int]:
    rows = await session.execute(
        select(Resync.tenant_id).where(_due(now), ~_in_a_call(now)).distinct().order_by(Resync.tenant_id)
    )
    return rows.scalars().all()


async def due_rows(session: AsyncSession, *, tenant_id: int, now: datetime, most: int) -> Sequence[Due]:
    """At most so many, those never tried first: a phone that does not answer holds up nobody."""
    rows = await session.execute(
        select(
            Resync.device_id,
            Resync.tenant_id,
            Resync.attempts,
            Resync.next_at,
            func.coalesce(Sighting.served_revision, 0) >= Resync.revision,
        )
        .outerjoin(Sighting, Sighting.device_id == Resync.device_id)
        .where(_due(now), ~_in_a_call(now), Resync.tenant_id == tenant_id)
        .order_by(Resync.attempts > 0, Resync.next_at, Resync.device_id)
        .limit(most)
    )
    return [
        Due(device_id, owner, attempts, next_at, bool(is_fetched))
        for device_id, owner, attempts, next_at, is_fetched in rows
        if next_at is not None
    ]


async def seconds_to_next(session: AsyncSession, now: datetime, *, at_most: float) -> float:
    """Until a row falls due, or until one that a running call holds up is looked at again."""
    blocked = await session.execute(select(Resync.device_id).where(_due(now), _in_a_call(now)).limit(1))
    if blocked.first() is not None:
        at_most = min(at_most, CALL_PAUSE)
    earliest = await session.execute(select(func.min(Resync.next_at)).where(Resync.next_at > now))
    next_at = earliest.scalar_one_or_none()
    return at_most if next_at is None else max(0.0, min(at_most, (next_at - now).total_seconds()))


CALL_PAUSE: Final = 1.0
"""Seconds between two looks at a phone that is in a call."""


async def whereabouts(
    session: AsyncSession, context: Context, device_ids: Iterable[int]
) -> Mapping[int, Whereabouts]:
    """Where each of these phones registered last, on the first of its lines that is registered."""
    now, grace = context.clock(), timedelta(seconds=context.settings.registration_grace)
    rows = await session.execute(
        select(Line.device_id, Line.id, Line.account, Tenant.sip_domain, Registration.source)
        .join(Tenant, Tenant.id == Line.tenant_id)
        .outerjoin(Registration, Registration.line_id == Line.id)
        .where(Line.device_id.in_(sorted(device_ids)))
        .order_by(Line.device_id, Line.position)
    )
    lines = rows.all()
    words: dict[int, list[Binding]] = {}
    for word in (
        await session.execute(select(Binding).where(Binding.line_id.in_([line.id for line in lines])))
    ).scalars():
        words.setdefault(word.line_id, []).append(word)
    found: dict[int, Whereabouts] = {}
    for line in lines:
        live = living(words.get(line.id, []), now=now, grace=grace)
        known = found.get(line.device_id)
        if known is None or (live and not known.errand.contacts):
            is_known = line.source == "registrar" or (known is not None and known.is_known)
            found[line.device_id] = Whereabouts(_errand(line, live), is_known)
    return found


def _errand(line: Any, live: Sequence[Binding]) -> Errand:
    # a registrar that lists several contacts says the source of one of them only
    source = live[0].source if len(live) == 1 else ""
    contacts = tuple(word.contact for word in live[:MOST_CONTACTS])
    return Errand(line.device_id, line.account, line.sip_domain, contacts, source)


async def take(session: AsyncSession, row: Due, *, now: datetime, **values: Any) -> datetime | None:
    """Take a due row before anybody acts on it: when it falls due again, None when another node was quicker.

    `values` are written with it. After the last attempt the row is closed as given up.
    """
    is_over = row.attempts >= len(PAUSES)
    again = None if is_over else now + timedelta(seconds=PAUSES[row.attempts])
    fresh = (
        {"result": GAVE_UP, "next_at": None} if is_over else {"next_at": again, "attempts": row.attempts + 1}
    )
    taken = await session.execute(
        update(Resync)
        .where(
            Resync.device_id == row.device_id,
            Resync.next_at == row.next_at,
            Resync.attempts == row.attempts,
        )
        .values({**fresh, **values})
        .execution_options(synchronize_session=False)
    )
    count: int = taken.rowcount  # type: ignore[attr-defined]  # an UPDATE always answers with a cursor
    return again if count else None


async def note_outcome(
    session: AsyncSession, device_id: int, *, taken_until: datetime, result: str, detail: str
) -> None:
    """What became of a message, unless the phone was asked anew or has fetched meanwhile."""
    await session.execute(
        update(Resync)
        .where(Resync.device_id == device_id, Resync.next_at == taken_until)
        .values(result=result, detail=detail[:200])
        .execution_options(synchronize_session=False)
    )
