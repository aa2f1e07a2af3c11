"""Shared lines: one number that appears on several devices (R6). One object, from which phones and PBX get all they need."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from provisioner.errors import BadInput, Conflict, NotFound
from provisioner.model import (
    Device,
    InternalNumber,
    SharedLine,
)
from provisioner.model.store import touch
from provisioner.model.text import is_plain
from provisioner.services import directory_events
from provisioner.services.context import Actor, Context, audit
from provisioner.services.key_targets import showing
from provisioner.services.number_rules import check_digits_free, number_plan_changed
from provisioner.services.people.tenants import find_tenant
from provisioner.services.seats import resync
from provisioner.services.shared_lines.members import Wish, check_can, devices_of, free_lines, put_members
from provisioner.services.shared_lines.views import Shared, views_of

MODES = ("sca", "blf")
MOST_APPEARANCES = 10
MOST_REPEAT = 600
"""Seconds between two warning tones."""
FIELDS = (
    "mode",
    "appearances",
    "is_barge_in",
    "is_barge_tone",
    "barge_tone_repeat",
    "is_private_hold",
)


async def list_shared_lines(context: Context, actor: Actor, *, tenant_id: int) -> Sequence[Shared]:
    """The shared lines of a tenant by name."""
    statement = (
        select(SharedLine)
        .where(SharedLine.tenant_id == actor.everything(tenant_id))
        .order_by(func.lower(SharedLine.name), SharedLine.id)
        .options(selectinload(SharedLine.members))
    )
    async with context.store.read() as session:
        rows = (await session.execute(statement)).scalars().all()
        return await views_of(session, rows)


async def get_shared_line(context: Context, actor: Actor, *, shared_line_id: int) -> Shared:
    """One shared line; NotFound."""
    async with context.store.read() as session:
        row = await _find(session, actor, shared_line_id)
        return (await views_of(session, [row]))[0]


async def create_shared_line(
    context: Context,
    actor: Actor,
    *,
    tenant_id: int,
    name: str,
    number: str,
    members: Sequence[Wish],
    **fields: Any,
) -> Shared:
    """Make a shared line with all its members, or nothing. `fields`: FIELDS.

    Raises BadInput, Conflict, ExtensionTaken, CodeCollision, CannotShareLine.
    """
    async with context.store.change() as session:
        tenant = await find_tenant(session, actor.everything(tenant_id))
        row = SharedLine(
            tenant_id=tenant.id,
            name="",
            account="",
            mode="sca",
            created_at=context.clock(),
            members=[],
        )
        _apply(row, fields)
        row.name = await _free_name(session, row, name)
        session.add(row)
        await session.flush()
        digits = await _put_number(session, row, number)
        devices = await put_members(session, context, row, members)
        await _changed(
            session, context, actor, row=row, digits=digits, devices=devices, action="shared-line.create"
        )
        return (await views_of(session, [row]))[0]


async def update_shared_line(context: Context, actor: Actor, *, shared_line_id: int, **fields: Any) -> Shared:
    """Change name, number, members (all of them, in order) or any of FIELDS; the phones concerned fetch anew.

    Raises NotFound and what `create_shared_line` raises.
    """
    async with context.store.change() as session:
        row = await _find(session, actor, shared_line_id)
        devices = {member.device_id for member in row.members}
        changed = sorted(fields)
        if "name" in fields:
            row.name = await _free_name(session, row, fields.pop("name"))
        members = fields.pop("members", None)
        number = fields.pop("number", None)
        _apply(row, fields)
        digits = (
            await _put_number(session, row, number) if number is not None else await _number(session, row)
        )
        if members is not None:
            devices |= await put_members(session, context, row, members)
        elif "mode" in fields:
            await _check_all_can(session, context, row)
        devices |= await _showing(session, row)
        await _changed(
            session,
            context,
            actor,
            row=row,
            digits=digits,
            devices=devices,
            action="shared-line.update",
            fields=changed,
        )
        return (await views_of(session, [row]))[0]


async def delete_shared_line(context: Context, actor: Actor, *, shared_line_id: int) -> None:
    """Remove a shared line and its number; the lines it had on devices become empty."""
    async with context.store.change() as session:
        row = await _find(session, actor, shared_line_id)
        devices = {member.device_id for member in row.members} | await _showing(session, row)
        digits = await _number(session, row)
        await free_lines(session, row.members)
        await session.flush()
        await _changed(
            session, context, actor, row=row, digits=digits, devices=devices, action="shared-line.delete"
        )
        await session.delete(row)
        await number_plan_changed(session, row.tenant_id)


async def preset_boss_assistant(
    context: Context,
    actor: Actor,
    *,
    tenant_id: int,
    boss_device_id: int,
    assistant_device_ids: Sequence[int],
    number: str,
    name: str = "",
    **fields: Any,
) -> Shared:
    """The boss's line on the assistants' phones in one call: two appearances, no barging in, holding in private.

    `name` empty takes the boss's device; `fields` overrule the preset.
    """
    wishes = [Wish(boss_device_id, role="boss")]
    wishes += [Wish(device_id, role="assistant") for device_id in assistant_device_ids]
    if len(wishes) < 2:
        raise BadInput("Choose at least one assistant's device.", field="assistant_device_ids")
    if not name.strip():
        async with context.store.read() as session:
            found = await devices_of(session, actor.everything(tenant_id), wishes[:1])
        name = found[boss_device_id].name
    preset = {"appearances": 2, "is_barge_in": False, "is_private_hold": True}
    return await create_shared_line(
        context, actor, tenant_id=tenant_id, name=name, number=number, members=wishes, **(preset | fields)
    )


async def _find(session: AsyncSession, actor: Actor, shared_line_id: int) -> SharedLine:
    statement = (
        select(SharedLine).where(SharedLine.id == shared_line_id).options(selectinload(SharedLine.members))
    )
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None or actor.user_id is not None or actor.tenant_id not in {None, row.tenant_id}:
        raise NotFound("There is no such shared line.")
    return row


def _apply(row: SharedLine, fields: dict[str, Any]) -> None:
    values = {"appearances": 2, "is_barge_in": False, "is_barge_tone": True, "barge_tone_repeat": 0,
              "is_private_hold": False}  # fmt: skip
    for name, value in values.items():
        if getattr(row, name) is None:
            setattr(row, name, value)
    for name, value in fields.items():
        if name not in FIELDS:
            raise BadInput(f"A shared line has no field “{name[:40]}”.", field=name)
        setattr(row, name, value)
    if row.mode not in MODES:
        raise BadInput(
            "The mode is sca (shared call appearances) or blf (lamps, pick-up and park).", field="mode"
        )
    if not 1 <= row.appearances <= MOST_APPEARANCES:
        raise BadInput(f"A shared line has 1 to {MOST_APPEARANCES} appearances.", field="appearances")
    if not 0 <= row.barge_tone_repeat <= MOST_REPEAT:
        raise BadInput(
            f"The warning tone is repeated every 1 to {MOST_REPEAT} seconds; 0 plays it once.",
            field="barge_tone_repeat",
        )


async def _free_name(session: AsyncSession, row: SharedLine, name: str) -> str:
    text = name.strip()
    if not 1 <= len(text) <= 120 or not is_plain(text):
        raise BadInput("A name has 1 to 120 characters and no line breaks.", field="name")
    statement = select(SharedLine.id).where(SharedLine.tenant_id == row.tenant_id, SharedLine.name == text)
    taken = (await session.execute(statement)).scalar_one_or_none()
    if taken is not None and taken != row.id:
        raise Conflict(f"There is a shared line “{text}” already: choose another name.", field="name")
    return text


async def _put_number(session: AsyncSession, row: SharedLine, number: str) -> str:
    """Give the line this number; BadInput, ExtensionTaken with whose it is, CodeCollision."""
    own = (
        await session.execute(select(InternalNumber).where(InternalNumber.shared_line_id == row.id))
    ).scalar_one_or_none()
    digits = await check_digits_free(
        session, row.tenant_id, number, but=own.id if own else None, field="number"
    )
    if own is None:
        session.add(InternalNumber(tenant_id=row.tenant_id, digits=digits, shared_line_id=row.id))
    else:
        own.digits = digits
    row.account = digits
    await number_plan_changed(session, row.tenant_id)
    return digits


async def _number(session: AsyncSession, row: SharedLine) -> str:
    statement = select(InternalNumber.digits).where(InternalNumber.shared_line_id == row.id)
    return (await session.execute(statement)).scalar_one_or_none() or ""


async def _check_all_can(session: AsyncSession, context: Context, row: SharedLine) -> None:
    ids = [Wish(member.device_id) for member in row.members]
    for device in (await devices_of(session, row.tenant_id, ids)).values():
        check_can(context, device, mode=row.mode)


async def _showing(session: AsyncSession, row: SharedLine) -> set[int]:
    """Devices with a key that follows the line's number."""
    number = select(InternalNumber.id).where(InternalNumber.shared_line_id == row.id)
    number_ids = (await session.execute(number)).scalars().all()
    found = await session.execute(select(Device.id).where(showing(row.tenant_id, number_ids=number_ids)))
    return set(found.scalars())


async def _changed(
    session: AsyncSession,
    context: Context,
    actor: Actor,
    *,
    row: SharedLine,
    digits: str,
    devices: set[int],
    action: str,
    **detail: Any,
) -> None:
    """Everybody concerned is told: the phones, the PBX and the audit log."""
    await session.flush()
    await touch(session, devices)
    await resync.ask(session, context, devices, why="shared line")
    directory_events.tell(
        session, context, tenant_id=row.tenant_id, kind="changed", object=f"number {digits}"
    )
    audit(
        session,
        context,
        actor,
        action=action,
        tenant_id=row.tenant_id,
        object=f"{row.name} {digits}",
        devices=sorted(devices),
        **detail,
    )
