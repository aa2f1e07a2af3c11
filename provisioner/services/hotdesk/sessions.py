"""Hotdesking: who may log in, logging in and out, and who sits where (R3). Dialogues with a PBX are in dialog.py."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.access.pins import check_pin, hash_pin, new_pin
from provisioner.errors import Conflict, Forbidden, NoHotdeskRight, NotFound
from provisioner.model import Device, HotdeskSession, InternalNumber, Line, SettingValue, Site, User
from provisioner.model.store import touch
from provisioner.services.context import Actor, Context, audit
from provisioner.services.devices.enrolment import find_device, get_device
from provisioner.services.hotdesk.pins import attempt, forget_failures, pin_key
from provisioner.services.people.tenants import find_tenant
from provisioner.services.people.users import find_user
from provisioner.services.seats.resync import ask
from provisioner.services.seats.seating import (
    Outcome,
    Result,
    is_calling,
    leave_before_going,
    seat_line,
    sit,
    stand,
)

__all__ = [
    "NewPin", "Outcome", "Result", "Seat", "hotdesk_code", "log_in", "log_in_with_pin", "log_out", "seat_of", "seats",
    "set_device_hotdesk", "set_hotdesk", "unlock_pin",
]  # fmt: skip

MOST_SEATS = 5_000


@dataclass(frozen=True, slots=True)
class NewPin:
    """A user whose hotdesk right was set. `pin` and the full `code` are shown now and never again; empty when switched off."""

    user: User
    pin: str = field(default="", repr=False)
    code: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Seat:
    """A hotdesk device and who sits there; `user_id` None: nobody."""

    device_id: int
    device_name: str
    site_name: str
    place: str
    user_id: int | None = None
    user_name: str = ""
    extension: str = ""
    since: datetime | None = None
    ends_at: datetime | None = None
    """When the user is logged out without asking; None: never."""


async def log_in_with_pin(
    context: Context, actor: Actor, *, device_id: int, extension: str, pin: str, origin: str
) -> Outcome:
    """Log in on a device with what a person typed. Never raises for a wrong PIN; the result says it (and counts it)."""
    async with context.store.change() as session:
        done = await attempt(
            session, context, actor, device_id=device_id, extension=extension, pin=pin, origin=origin
        )
    await asyncio.sleep(done.pause)
    return done.outcome


async def log_in(context: Context, actor: Actor, *, device_id: int, user_id: int, origin: str) -> Outcome:
    """Log somebody in without a PIN (an admin does). NoHotdeskRight names the user or the device without the right."""
    async with context.store.change() as session:
        device = await find_device(session, actor, device_id)
        actor.everything(device.tenant_id)
        user = await find_user(session, actor, user_id)
        if user.tenant_id != device.tenant_id:
            raise NotFound("There is no such user.")
        if not device.is_hotdesk:
            raise NoHotdeskRight(
                f"{device.name} is no hotdesk device; switch hotdesking on for it first.", field="device_id"
            )
        if not user.is_hotdesk:
            raise NoHotdeskRight(
                f"{user.name} may not log in on other devices; switch hotdesking on for the user first.",
                field="user_id",
            )
        return await sit(session, context, actor, device=device, user=user, origin=origin)


async def log_out(
    context: Context,
    actor: Actor,
    *,
    device_id: int,
    origin: str,
    ending: str = "logout",
    now: bool = False,
) -> Outcome:
    """Log out whoever sits at a device; nobody there is fine.

    A person's own logout (`ending` logout) is done at once: a call that runs is the PBX's and goes on, and the phone is
    not asked to fetch before its end. An admin's waits for the end of a running call (result busy) unless `now`.
    """
    async with context.store.change() as session:
        device = await find_device(session, actor, device_id)
        actor.everything(device.tenant_id)
        if ending != "logout" and not now and await is_calling(session, context, device_id):
            return await _later(session, context, actor, device=device, ending=ending, origin=origin)
        return await stand(session, context, actor, device=device, ending=ending)


async def set_hotdesk(
    context: Context, actor: Actor, *, user_id: int, enabled: bool, pin: str | None = None
) -> NewPin:
    """Give a user the hotdesk right with a new PIN (None generates one), or take it, PIN and seat away.

    The role user may only renew the own PIN. WeakPin, NoHotdeskRight, Forbidden, Conflict for a user without extension.
    """
    async with context.store.change() as session:
        user = await find_user(session, actor, user_id)
        _refuse_own_switch(actor, user, enabled=enabled)
        extension = user.extension.digits if user.extension else ""
        if enabled and not extension:
            raise Conflict(
                f"{user.name} has no extension to log in with; give the user one first.", field="user_id"
            )
        chosen = _chosen(pin, extension) if enabled else ""
        user.is_hotdesk = enabled
        user.pin_hash = hash_pin(pin_key(context), user_id=user.id, pin=chosen) if chosen else ""
        await forget_failures(session, context, user=user)
        if not enabled:
            await leave_before_going(session, context, actor, user=user, ending="admin")
        audit(
            session,
            context,
            actor,
            action="user.hotdesk",
            tenant_id=user.tenant_id,
            object=user.name,
            enabled=enabled,
            generated=pin is None,
        )
        code = await hotdesk_code(session, context, user.tenant_id) if chosen else ""
    return NewPin(user, chosen, f"{code}*{extension}*{chosen}" if chosen else "")


async def unlock_pin(
    context: Context, actor: Actor, *, user_id: int | None = None, device_id: int | None = None
) -> None:
    """Forget the wrong PINs of a user, of a device, or of both."""
    async with context.store.change() as session:
        if user_id is not None:
            user = await find_user(session, actor, user_id)
            actor.everything(user.tenant_id)
            await forget_failures(session, context, user=user)
            _audit_unlock(session, context, actor, user.tenant_id, user.name)
        if device_id is not None:
            device = await find_device(session, actor, device_id)
            actor.everything(device.tenant_id)
            await forget_failures(session, context, device_id=device.id)
            _audit_unlock(session, context, actor, device.tenant_id, device.name)


async def set_device_hotdesk(context: Context, actor: Actor, *, device_id: int, enabled: bool) -> Device:
    """Let users log in on a device, or no longer: then whoever sits there is logged out.

    Conflict while the device is a user's own or its first line a shared one. The accounts of its lines stay.
    """
    async with context.store.change() as session:
        device = await find_device(session, actor, device_id)
        actor.everything(device.tenant_id)
        if device.is_hotdesk != enabled:
            if enabled:
                await _refuse_own_lines(session, device)
            else:
                await stand(session, context, actor, device=device, ending="admin")
            device.is_hotdesk = enabled
            (await seat_line(session, device.id)).kind = "hotdesk" if enabled else "empty"
            await session.flush()
            await touch(session, [device.id])
            await ask(session, context, [device.id], why="hotdesk")
            audit(
                session,
                context,
                actor,
                action="device.hotdesk",
                tenant_id=device.tenant_id,
                object=device.name,
                enabled=enabled,
            )
    return await get_device(context, actor, device_id=device_id)


async def seats(context: Context, actor: Actor, *, tenant_id: int) -> Sequence[Seat]:
    """Who sits where, by site and device; nothing at all where the tenant has hidden it."""
    async with context.store.read() as session:
        tenant = await find_tenant(session, actor.everything(tenant_id))
        if tenant.is_seating_hidden:
            return []
        rows = await session.execute(
            _seats().where(Device.tenant_id == tenant_id).order_by(Site.name, Device.name).limit(MOST_SEATS)
        )
        return [_seat(row) for row in rows]


async def seat_of(context: Context, *, device_id: int) -> Seat:
    """Who sits at one device, for the device itself; NotFound when there is no such hotdesk device."""
    async with context.store.read() as session:
        row = (await session.execute(_seats().where(Device.id == device_id))).first()
    if row is None:
        raise NotFound("There is no such hotdesk device.")
    return _seat(row)


async def hotdesk_code(session: AsyncSession, context: Context, tenant_id: int) -> str:
    """The tenant's hotdesk code, `*35` unless it chose another."""
    statement = select(SettingValue.value).where(
        SettingValue.tenant_id == tenant_id,
        SettingValue.scope == "tenant",
        SettingValue.name == "hotdesk_code",
    )
    value: str | None = (await session.execute(statement)).scalar_one_or_none()
    default: str = context.catalogue["hotdesk_code"].default
    return value or default


def _seats() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Device.id,
            Device.name,
            Site.name,
            Device.place,
            Line.user_id,
            User.name,
            InternalNumber.digits,
            HotdeskSession.started_at,
            HotdeskSession.ends_at,
        )
        .select_from(Device)
        .join(Line, (Line.device_id == Device.id) & (Line.position == 1))
        .outerjoin(Site, Site.id == Device.site_id)
        .outerjoin(User, User.id == Line.user_id)
        .outerjoin(InternalNumber, InternalNumber.user_id == User.id)
        .outerjoin(
            HotdeskSession, (HotdeskSession.device_id == Device.id) & HotdeskSession.ended_at.is_(None)
        )
        .where(Device.is_hotdesk)
    )


def _seat(row: Any) -> Seat:
    device_id, device, site, place, user_id, user, extension, since, ends_at = row
    return Seat(device_id, device, site or "", place, user_id, user or "", extension or "", since, ends_at)


def _chosen(pin: str | None, extension: str) -> str:
    return new_pin(extension=extension) if pin is None else check_pin(pin, extension=extension)


def _refuse_own_switch(actor: Actor, user: User, *, enabled: bool) -> None:
    if actor.user_id is None:
        return
    if not enabled:
        raise Forbidden("Only an administrator switches hotdesking off.")
    if not user.is_hotdesk:
        raise NoHotdeskRight("Hotdesking is not switched on for you; ask your administrator.")


async def _refuse_own_lines(session: AsyncSession, device: Device) -> None:
    for line in device.lines:
        if line.kind == "user" and line.user_id is not None:
            user = await session.get(User, line.user_id)
            raise Conflict(
                f"Line {line.position} of {device.name} is {user.name if user else 'somebody'}'s for good; take it away from the user first.",
                field="device_id",
            )
        if line.position == 1 and line.kind == "shared":
            raise Conflict(
                f"The first line of {device.name} belongs to a shared line; take the device out of that first.",
                field="device_id",
            )


async def _later(
    session: AsyncSession, context: Context, actor: Actor, *, device: Device, ending: str, origin: str
) -> Outcome:
    """Note that the session is over as soon as the running call is; the timer does it."""
    statement = select(HotdeskSession).where(
        HotdeskSession.device_id == device.id, HotdeskSession.ended_at.is_(None)
    )
    sitting = (await session.execute(statement)).scalar_one_or_none()
    if sitting is None:
        return Outcome(Result.LOGGED_OUT, device.id)
    sitting.ends_at, sitting.ending = context.clock(), ending
    audit(
        session,
        context,
        actor,
        action="hotdesk.logout-later",
        tenant_id=device.tenant_id,
        object=device.name,
        origin=origin,
    )
    return Outcome(Result.BUSY, device.id, sitting.user_id)


def _audit_unlock(session: AsyncSession, context: Context, actor: Actor, tenant_id: int, name: str) -> None:
    audit(session, context, actor, action="hotdesk.unlock", tenant_id=tenant_id, object=name)
