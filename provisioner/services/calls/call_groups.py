"""Call groups and queues: several users behind one number (R4.4, R7)."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from provisioner.errors import BadInput, Conflict, NotFound
from provisioner.model import CallGroup, CallGroupMember, InternalNumber
from provisioner.model.text import is_plain
from provisioner.services.calls.destinations import checked_destination, checked_users, touch_shown
from provisioner.services.context import Actor, Context, audit
from provisioner.services.directory.call_checks import refuse_loop
from provisioner.services.number_rules import number_plan_changed
from provisioner.services.people.tenants import find_tenant

POLICIES: Final = ("circular", "fixed", "simultaneous", "uniform")
MOST_GROUPS, MOST_MEMBERS = 2_000, 200
_LIMITS: Final = {"rings": (1, 20), "wait": (0, 3_600)}


async def list_groups(context: Context, actor: Actor, *, tenant_id: int) -> Sequence[CallGroup]:
    """The groups of a tenant by name, with their members in order."""
    statement = (
        select(CallGroup)
        .where(CallGroup.tenant_id == actor.everything(tenant_id))
        .options(selectinload(CallGroup.members))
        .order_by(CallGroup.name)
    )
    async with context.store.read() as session:
        return (await session.execute(statement)).scalars().all()


async def get_group(context: Context, actor: Actor, *, group_id: int) -> CallGroup:
    async with context.store.read() as session:
        return await find_group(session, actor, group_id)


async def create_group(
    context: Context, actor: Actor, *, tenant_id: int, name: str, **fields: Any
) -> CallGroup:
    """Make a group; `members` are ids of users in order. BadInput, Conflict, ForwardingLoop."""
    row = CallGroup(
        tenant_id=actor.everything(tenant_id), name="", policy="simultaneous", is_queue=False, rings=4, wait=0,
        overflow="", members=[],
    )  # fmt: skip
    async with context.store.change() as session:
        await find_tenant(session, tenant_id)
        there = await session.execute(select(CallGroup.id).where(CallGroup.tenant_id == tenant_id))
        if len(there.all()) >= MOST_GROUPS:
            raise Conflict(f"A tenant has at most {MOST_GROUPS} call groups; remove one first.")
        await _apply(session, row, {"name": name, **fields})
        session.add(row)
        await _store(session, row)
        audit(session, context, actor, action="group.create", tenant_id=tenant_id, object=row.name)
    return row


async def update_group(context: Context, actor: Actor, *, group_id: int, **fields: Any) -> CallGroup:
    """Change a group; `members` replaces all of them."""
    async with context.store.change() as session:
        row = await find_group(session, actor, group_id)
        before = row.name
        await _apply(session, row, fields)
        await _store(session, row)
        if row.name != before:
            await touch_shown(session, row.tenant_id, InternalNumber.group_id == row.id, is_name_only=True)
        audit(
            session, context, actor, action="group.update", tenant_id=row.tenant_id, object=row.name,
            changed=sorted(fields),
        )  # fmt: skip
    return row


async def delete_group(context: Context, actor: Actor, *, group_id: int) -> None:
    """Remove a group; its extensions go with it, its public numbers stay and ring nobody."""
    async with context.store.change() as session:
        row = await find_group(session, actor, group_id)
        await touch_shown(session, row.tenant_id, InternalNumber.group_id == row.id, is_name_only=False)
        audit(session, context, actor, action="group.delete", tenant_id=row.tenant_id, object=row.name)
        await session.delete(row)
        await session.flush()
        await number_plan_changed(session, row.tenant_id)


async def find_group(session: AsyncSession, actor: Actor, group_id: int) -> CallGroup:
    """The row of a group this actor may see, with its members; NotFound."""
    row = await session.get(CallGroup, group_id, options=[selectinload(CallGroup.members)])
    if row is None or actor.tenant_id not in {None, row.tenant_id} or actor.user_id is not None:
        raise NotFound("There is no such call group.")
    return row


async def _store(session: AsyncSession, row: CallGroup) -> None:
    name = row.name
    try:
        await session.flush()
    except IntegrityError:
        raise Conflict(f"There is a call group “{name}” already.", field="name") from None
    await refuse_loop(session, row.tenant_id, start=f"group {row.id}", field="overflow")


async def _apply(session: AsyncSession, row: CallGroup, fields: dict[str, Any]) -> None:
    for field, value in fields.items():
        if field == "name":
            row.name = checked_name(value)
        elif field == "policy":
            if value not in POLICIES:
                raise BadInput(f"The policy is one of {', '.join(POLICIES)}.", field=field)
            row.policy = value
        elif field == "is_queue":
            row.is_queue = bool(value)
        elif field in _LIMITS:
            setattr(row, field, checked_int(field, value, *_LIMITS[field]))
        elif field == "overflow":
            row.overflow = await checked_destination(session, row.tenant_id, value, field=field)
        elif field == "members":
            await _set_members(session, row, value)
        else:
            raise BadInput(f"A call group has no field “{field[:40]}”.", field=field[:40])
    if row.wait and not row.overflow:
        raise BadInput("Say where the call goes after the wait: an overflow.", field="overflow")


async def _set_members(session: AsyncSession, row: CallGroup, value: Any) -> None:
    user_ids = await checked_users(session, row.tenant_id, value, most=MOST_MEMBERS)
    there = {member.user_id: member for member in row.members}
    row.members = [
        there.get(user_id) or CallGroupMember(tenant_id=row.tenant_id, user_id=user_id, position=0)
        for user_id in user_ids
    ]
    for position, member in enumerate(row.members, 1):
        member.position = position


def checked_name(value: Any) -> str:
    """A name for people; BadInput."""
    name = str(value).strip()
    if not 1 <= len(name) <= 120 or not is_plain(name):
        raise BadInput("A name has 1 to 120 characters and no line breaks.", field="name")
    return name


def checked_int(field: str, value: Any, low: int, high: int) -> int:
    """A whole number between two others; BadInput."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadInput(f"{field} is a whole number from {low} to {high}.", field=field)
    return value
