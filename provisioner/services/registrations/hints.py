"""What phones say about themselves through action URLs: hints that fill in where no registrar reports, and never overrule one."""

from datetime import timedelta

from sqlalchemy import select

from provisioner.access.tokens import hash_secret
from provisioner.model import Device, Line, Registration, RegistrationState
from provisioner.model.store import REGISTRATIONS, sequence
from provisioner.services.context import Context

HINT_IS_GOOD_FOR = timedelta(hours=2)
"""A phone that loses power says nothing: its own word for "registered" ends by itself."""

EVENTS = {
    "registered": (RegistrationState.REGISTERED, "said by the phone"),
    "unregistered": (RegistrationState.UNREGISTERED, "said by the phone"),
    "failed": (RegistrationState.FAILED, "the phone says its registration was refused"),
    "register_failed": (RegistrationState.FAILED, "the phone says its registration was refused"),
    "boot": (None, "the phone started"),
    "setup_completed": (None, "the phone started"),
}


async def take_hint(context: Context, *, token: str, event: str) -> tuple[int, int, str] | None:
    """Note what the phone with this action token says; (tenant id, device id, MAC), or None for an unknown token or event.

    Idempotent: saying the same again changes nothing.
    """
    meaning = EVENTS.get(event)
    if meaning is None or len(token) > 64:
        return None
    async with context.store.read() as session:
        row = (
            await session.execute(
                select(Device.tenant_id, Device.id, Device.mac, Line.id)
                .join(Line, (Line.device_id == Device.id) & (Line.position == 1))
                .where(Device.action_hash == hash_secret(token).hex())
            )
        ).first()
        known = await session.get(Registration, row[3]) if row else None
    if row is None:
        return None
    tenant_id, device_id, mac, line_id = row
    state, reason = meaning
    same = known is not None and (
        known.source == "registrar" or (known.state == state and state != RegistrationState.REGISTERED)
    )
    if state is not None and not same:
        await _store(
            context, tenant_id=tenant_id, device_id=device_id, line_id=line_id, state=state, reason=reason
        )
    return tenant_id, device_id, mac


async def _store(
    context: Context, *, tenant_id: int, device_id: int, line_id: int, state: RegistrationState, reason: str
) -> None:
    now = context.clock()
    async with context.store.change(REGISTRATIONS) as session:
        row = await session.get(Registration, line_id)
        if row is None:
            row = Registration(line_id=line_id, tenant_id=tenant_id, device_id=device_id)
            session.add(row)
        elif row.source == "registrar":
            return
        if row.state != state:
            row.state, row.since = state, now
        row.until = now + HINT_IS_GOOD_FOR if state is RegistrationState.REGISTERED else None
        row.reason, row.source, row.seq = reason, "phone", sequence(session)
