"""Sitting down at a hotdesk device and getting up again, inside a transaction opened with `Store.change` (R3).

The device's line says who sits there, an open HotdeskSession since when; both change together, here alone.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.calling.logout_times import ends_at, parse_time
from provisioner.model import Device, HotdeskSession, Line, RunningCall, SettingValue, User
from provisioner.model.store import touch
from provisioner.services.context import Actor, Context, audit
from provisioner.services.directory_events import tell
from provisioner.services.seats.lines import keep_primary
from provisioner.services.seats.resync import ask

PERSONAL = ("dnd",)
"""Settings of a device that belong to whoever sits there."""


class Result(StrEnum):
    """How it ended, in the words that a PBX is told."""

    LOGGED_IN = "logged_in"
    LOGGED_OUT = "logged_out"
    SWITCHED = "switched"
    DENIED = "denied_pin"
    """Wrong extension, a user without the right, or wrong PIN: nobody is told which."""
    DENIED_DEVICE = "denied_device"
    LOCKED = "locked"
    UNKNOWN_DEVICE = "unknown_device"
    BUSY = "busy"
    """A call is running on the device: the user is logged out when it ends."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a login or logout. `logged_out_device_id`: the device the user left, or that was logged out."""

    result: Result
    device_id: int | None = None
    user_id: int | None = None
    logged_out_device_id: int | None = None
    retry_after: int = 0
    """Seconds, when locked."""


async def seat_line(session: AsyncSession, device_id: int) -> Line:
    """The line of a device that stands for whoever is logged in: the first."""
    statement = select(Line).where(Line.device_id == device_id, Line.position == 1)
    return (await session.execute(statement)).scalar_one()


async def sit(
    session: AsyncSession, context: Context, actor: Actor, *, device: Device, user: User, origin: str
) -> Outcome:
    """Log the user in; whoever sits there is logged out, and so is the user wherever else. Both devices fetch anew."""
    line = await seat_line(session, device.id)
    if line.user_id == user.id:
        return Outcome(Result.LOGGED_IN, device.id, user.id)
    leaving = []
    if line.user_id is not None:
        before = await session.get_one(User, line.user_id)
        leaving.append(_Leaving(device, line, before, "switched"))
    elsewhere = await _elsewhere(session, user, ending="elsewhere")
    if elsewhere is not None:
        leaving.append(elsewhere)
    await _move(session, context, actor, leaving, entering=_Entering(device, line, user, origin[:12]))
    result = Result.SWITCHED if leaving and leaving[0].line is line else Result.LOGGED_IN
    return Outcome(result, device.id, user.id, elsewhere.device.id if elsewhere else None)


async def stand(
    session: AsyncSession, context: Context, actor: Actor, *, device: Device, ending: str
) -> Outcome:
    """Log out whoever sits there; nothing happens when nobody does."""
    line = await seat_line(session, device.id)
    if line.kind != "hotdesk" or line.user_id is None:
        return Outcome(Result.LOGGED_OUT, device.id)
    user = await session.get_one(User, line.user_id)
    await _move(session, context, actor, [_Leaving(device, line, user, ending)])
    return Outcome(Result.LOGGED_OUT, device.id, user.id, device.id)


async def leave_before_going(
    session: AsyncSession, context: Context, actor: Actor, *, user: User, ending: str = "removed"
) -> None:
    """Log a user out wherever it sits, before its right or the user itself is taken away."""
    elsewhere = await _elsewhere(session, user, ending=ending)
    if elsewhere is not None:
        await _move(session, context, actor, [elsewhere])


async def is_calling(session: AsyncSession, context: Context, device_id: int) -> bool:
    """Whether the PBX says that a call is running on the device."""
    statement = select(RunningCall.id).where(
        RunningCall.device_id == device_id, RunningCall.until > context.clock()
    )
    return (await session.execute(statement.limit(1))).first() is not None


@dataclass(frozen=True, slots=True)
class _Leaving:
    device: Device
    line: Line
    user: User
    ending: str


@dataclass(frozen=True, slots=True)
class _Entering:
    device: Device
    line: Line
    user: User
    origin: str


async def _elsewhere(session: AsyncSession, user: User, *, ending: str) -> _Leaving | None:
    statement = (
        select(Line, Device)
        .join(Device, Device.id == Line.device_id)
        .where(Line.kind == "hotdesk", Line.user_id == user.id)
    )
    row = (await session.execute(statement)).one_or_none()
    return _Leaving(row[1], row[0], user, ending) if row else None


async def _move(
    session: AsyncSession,
    context: Context,
    actor: Actor,
    leaving: Sequence[_Leaving],
    *,
    entering: _Entering | None = None,
) -> None:
    """Let some get up and one sit down: lines, history, feed, audit, primary devices, revisions. Many write few statements."""
    for one in leaving:
        one.line.user_id = None
    if entering is None or any(one.line is not entering.line for one in leaving):
        await session.flush()  # the database lets nobody sit twice: those who left must have left before
    if entering is not None:
        entering.line.user_id = entering.user.id
    await session.flush()
    with session.no_autoflush:  # everything that is added goes in at once, at the end
        await _clear(session, context, leaving)
        ends_at = await _end_of_session(session, context, device=entering.device) if entering else None
        for one in leaving:
            _tell(session, context, actor, "logout", one, ending=one.ending)
        people = [one.user.id for one in leaving] + ([entering.user.id] if entering else [])
        for user_id in dict.fromkeys(people):
            await keep_primary(session, context, user_id)
        if entering is not None:
            session.add(_session(context, entering, ends_at=ends_at))
            _tell(session, context, actor, "login", entering, origin=entering.origin)
        devices = [one.device.id for one in leaving] + ([entering.device.id] if entering else [])
        await touch(session, devices)
        await ask(session, context, devices, why="hotdesk")
    await session.flush()


async def _clear(session: AsyncSession, context: Context, leaving: Sequence[_Leaving]) -> None:
    """End the history of those who leave, and what they may have switched at the device: the next one must not find it."""
    for one in leaving:
        await session.execute(
            update(HotdeskSession)
            .where(
                HotdeskSession.ended_at.is_(None),
                or_(HotdeskSession.device_id == one.device.id, HotdeskSession.user_id == one.user.id),
            )
            .values(ended_at=context.clock(), ending=one.ending)
            .execution_options(synchronize_session=False)
        )
    if leaving:
        await session.execute(
            delete(SettingValue)
            .where(
                SettingValue.tenant_id == leaving[0].device.tenant_id,
                SettingValue.scope == "device",
                SettingValue.ref.in_([str(one.device.id) for one in leaving]),
                SettingValue.name.in_(PERSONAL),
            )
            .execution_options(synchronize_session=False)
        )


def _session(context: Context, entering: _Entering, *, ends_at: datetime | None) -> HotdeskSession:
    return HotdeskSession(
        tenant_id=entering.device.tenant_id,
        user_id=entering.user.id,
        device_id=entering.device.id,
        origin=entering.origin,
        started_at=context.clock(),
        ends_at=ends_at,
    )


def _tell(
    session: AsyncSession,
    context: Context,
    actor: Actor,
    what: str,
    move: _Leaving | _Entering,
    **detail: str,
) -> None:
    tell(
        session,
        context,
        tenant_id=move.device.tenant_id,
        kind=f"hotdesk_{what}",
        object=f"device:{move.device.id}",
        account=move.line.account,
        device_id=move.device.id,
        user_id=move.user.id,
        **detail,
    )
    audit(
        session,
        context,
        actor,
        action=f"hotdesk.{what}",
        tenant_id=move.device.tenant_id,
        object=f"{move.user.name} on {move.device.name}",
        **detail,
    )


async def _end_of_session(session: AsyncSession, context: Context, *, device: Device) -> datetime | None:
    values = await _values(
        session, context, device, names=("hotdesk_logout_at", "hotdesk_logout_after", "timezone")
    )
    at, hours = parse_time(values["hotdesk_logout_at"]), int(values["hotdesk_logout_after"])
    if at is None and not hours:
        return None
    # the first look at a time zone reads a file
    zone = await asyncio.to_thread(ZoneInfo, values["timezone"])
    return ends_at(context.clock(), at=at, after=timedelta(hours=hours) if hours else None, zone=zone)


async def _values(
    session: AsyncSession, context: Context, device: Device, *, names: tuple[str, ...]
) -> Mapping[str, Any]:
    """What holds for the device itself, whoever sits there: default, tenant, site, device."""
    places = {("tenant", ""): 0, ("site", str(device.site_id)): 1, ("device", str(device.id)): 2}
    rows = await session.execute(
        select(SettingValue.scope, SettingValue.ref, SettingValue.name, SettingValue.value).where(
            SettingValue.tenant_id == device.tenant_id, SettingValue.name.in_(names)
        )
    )
    known = sorted(
        ((places[row.scope, row.ref], row.name, row.value) for row in rows if (row.scope, row.ref) in places),
        key=lambda found: found[0],
    )
    values = {name: context.catalogue[name].default for name in names}
    for _, name, value in known:
        values[name] = context.catalogue[name].default if value is None else value
    return values
