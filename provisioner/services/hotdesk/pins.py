"""Logging in with extension and PIN inside a transaction: who it is, what counts as wrong, and when nothing is answered any more."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.access.pins import REMEMBERED, locked_until, pin_matches, recent, subject_of
from provisioner.model import Device, InternalNumber, PinFailure, User
from provisioner.services.context import Actor, Context, audit
from provisioner.services.seats.seating import Outcome, Result, sit

SLOWER = 0.2
"""Seconds by which each wrong PIN delays the answer to the next wrong one."""
_EXTENSION = re.compile(r"[0-9]{1,10}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of a login with a PIN. `pause`: seconds to let pass before it is answered, outside the transaction."""

    outcome: Outcome
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Lock:
    """Wrong PINs of a device and an extension. `until` None: not locked."""

    until: datetime | None
    failures: int

    def seconds(self, now: datetime) -> int:
        return max(1, ceil((self.until - now).total_seconds())) if self.until else 0


def pin_key(context: Context) -> bytes:
    """What PINs are hashed with: from the key ring, never in the database."""
    return context.keyring.derive("hotdesk pins")


async def attempt(
    session: AsyncSession,
    context: Context,
    actor: Actor,
    *,
    device_id: int | None,
    extension: str,
    pin: str,
    origin: str,
) -> Attempt:
    """Log in with a PIN. A wrong one is a result, no exception: the caller's transaction must commit what was counted.

    An unknown extension, a user without the right and a wrong PIN take the same queries, the same hash, the same row.
    """
    device = await session.get(Device, device_id) if device_id is not None else None
    if device is None or actor.tenant_id not in {None, device.tenant_id}:
        return Attempt(Outcome(Result.UNKNOWN_DEVICE))
    if not device.is_hotdesk:
        return Attempt(Outcome(Result.DENIED_DEVICE, device.id))
    digits = extension if _EXTENSION.fullmatch(extension) else ""
    key = pin_key(context)
    subject = subject_of(key, tenant_id=device.tenant_id, extension=digits)
    user = await _user_at(session, device.tenant_id, digits)
    stored = user.pin_hash if user is not None and user.is_hotdesk else ""
    is_right = pin_matches(key, user_id=user.id if user else 0, pin=pin, stored=stored)
    lock = await lock_of(session, context, device_id=device.id, subject=subject)
    if lock.until is not None:
        return Attempt(Outcome(Result.LOCKED, device.id, retry_after=lock.seconds(context.clock())))
    if user is None or not is_right:
        _count(session, context, actor, device=device, user=user, subject=subject)
        return Attempt(Outcome(Result.DENIED, device.id), pause=SLOWER * (lock.failures + 1))
    if lock.failures:
        await _forgive(session, subject)
    return Attempt(await sit(session, context, actor, device=device, user=user, origin=origin))


async def lock_of(session: AsyncSession, context: Context, *, device_id: int, subject: str) -> Lock:
    """Whether PINs are locked now for the device, or for the extension behind `subject`."""
    now = context.clock()
    rows = await session.execute(
        select(PinFailure.device_id, PinFailure.subject, PinFailure.at).where(
            PinFailure.at > now - REMEMBERED,
            or_(PinFailure.device_id == device_id, PinFailure.subject == (subject or "-")),
        )
    )
    by_device: list[datetime] = []
    by_subject: list[datetime] = []
    for row in rows:
        if row.device_id == device_id:
            by_device.append(row.at)
        if row.subject == subject:
            by_subject.append(row.at)
    return _lock((by_device, by_subject), now)


async def forget_failures(
    session: AsyncSession, context: Context, *, user: User | None = None, device_id: int | None = None
) -> None:
    """An admin unlocks a user or a device, or the user got a new PIN."""
    if device_id is not None:
        await session.execute(delete(PinFailure).where(PinFailure.device_id == device_id))
    if user is not None:
        digits = user.extension.digits if user.extension else ""
        subject = subject_of(pin_key(context), tenant_id=user.tenant_id, extension=digits)
        await session.execute(
            delete(PinFailure).where(or_(PinFailure.user_id == user.id, PinFailure.subject == subject))
        )


def _lock(counts: Sequence[Sequence[datetime]], now: datetime) -> Lock:
    ends = [end for times in counts if (end := locked_until(times, now=now)) is not None]
    return Lock(max(ends, default=None), max(recent(times, now=now) for times in counts))


async def _user_at(session: AsyncSession, tenant_id: int, digits: str) -> User | None:
    statement = (
        select(User)
        .join(InternalNumber, InternalNumber.user_id == User.id)
        .where(InternalNumber.tenant_id == tenant_id, InternalNumber.digits == digits)
    )
    return (await session.execute(statement)).unique().scalar_one_or_none()


def _count(
    session: AsyncSession,
    context: Context,
    actor: Actor,
    *,
    device: Device,
    user: User | None,
    subject: str,
) -> None:
    session.add(
        PinFailure(
            tenant_id=device.tenant_id,
            user_id=user.id if user else None,
            device_id=device.id,
            subject=subject,
            at=context.clock(),
        )
    )
    audit(
        session,
        context,
        actor,
        action="hotdesk.denied",
        tenant_id=device.tenant_id,
        object=device.name,
    )


async def _forgive(session: AsyncSession, subject: str) -> None:
    """The right PIN clears the user's count, not the device's: who has one PIN must not go on guessing others."""
    await session.execute(
        update(PinFailure).where(PinFailure.subject == subject).values(subject="", user_id=None)
    )
