"""The tenant's numbers in the public network, and whom each rings: a user, a call group, a menu, or nobody yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.errors import BadInput, Conflict, InUse, NotFound
from provisioner.model import CallGroup, InternalNumber, Menu, PublicNumber, User, parse_public_number
from provisioner.model.quick import AnyRow, AnySelect
from provisioner.services import directory_events
from provisioner.services.calls.internal_numbers import refuse_loop
from provisioner.services.context import Actor, Context, audit
from provisioner.services.people.tenants import find_tenant
from provisioner.services.people.users import MAX_PAGE, PAGE, Page, escape_like

_TARGETS: Final[Mapping[str, tuple[Any, str]]] = {
    "user": (User, "user_id"),
    "group": (CallGroup, "group_id"),
    "menu": (Menu, "menu_id"),
}


@dataclass(frozen=True, slots=True)
class Public:
    """A public number; `kind` is user, group, menu, or "" while it rings nobody."""

    id: int
    tenant_id: int
    number: str
    kind: str
    target_id: int | None
    target: str


async def list_public_numbers(
    context: Context, actor: Actor, *, tenant_id: int, search: str = "", offset: int = 0, limit: int = PAGE
) -> Page[Public]:
    """The public numbers of a tenant in their order; `search` looks in the number and in whom it rings."""
    where: list[Any] = [PublicNumber.tenant_id == actor.everything(tenant_id)]
    if search:
        pattern = f"%{escape_like(search.lower())}%"
        fields = (PublicNumber.number, User.name, CallGroup.name, Menu.name)
        where.append(or_(*(func.lower(field).like(pattern, escape="\\") for field in fields)))
    statement = _rows().where(*where)
    limit, offset = min(max(limit, 1), MAX_PAGE), max(offset, 0)
    async with context.store.read() as session:
        counted = select(func.count()).select_from(statement.subquery())
        total = (await session.execute(counted)).scalar_one()
        rows = await session.execute(statement.order_by(PublicNumber.number).offset(offset).limit(limit))
        return Page([_view(row) for row in rows], total, offset, limit)


async def create_public_number(
    context: Context,
    actor: Actor,
    *,
    tenant_id: int,
    number: str,
    kind: str = "",
    target_id: int | None = None,
) -> Public:
    """Add a number, ringing nobody unless a target is named. Conflict when it is on this server already."""
    row = PublicNumber(tenant_id=actor.everything(tenant_id), number=parse_public_number(number))
    async with context.store.change() as session:
        await find_tenant(session, tenant_id)
        await _aim(session, row, kind, target_id)
        session.add(row)
        try:
            await session.flush()
        except IntegrityError:
            raise Conflict(
                f"{row.number} is in use already; look it up among the public numbers.", field="number"
            ) from None
        await _changed(session, context, actor, row, "public-number.create")
        return await _read(session, row.id)


async def assign_public_number(
    context: Context, actor: Actor, *, public_number_id: int, kind: str, target_id: int | None = None
) -> Public:
    """Let a number ring somebody else; `kind` "" lets it ring nobody."""
    async with context.store.change() as session:
        row = await _find(session, actor, public_number_id)
        await _aim(session, row, kind, target_id)
        await _changed(session, context, actor, row, "public-number.assign")
        return await _read(session, row.id)


async def delete_public_number(context: Context, actor: Actor, *, public_number_id: int) -> None:
    """Remove a number; InUse while internal numbers stand for it."""
    async with context.store.change() as session:
        row = await _find(session, actor, public_number_id)
        pointing = select(InternalNumber.digits).where(InternalNumber.public_number_id == row.id)
        digits = sorted((await session.execute(pointing)).scalars())
        if digits:
            raise InUse(
                f"The internal number {', '.join(digits[:9])} stands for {row.number}; remove or change that first.",
                numbers=digits,
            )
        await _tell(session, context, actor, row, "public-number.delete")
        await session.delete(row)


async def _aim(session: AsyncSession, row: PublicNumber, kind: str, target_id: int | None) -> None:
    if kind and kind not in _TARGETS:
        raise BadInput(
            f"A public number rings a {', a '.join(_TARGETS)} or, with an empty kind, nobody.", field="kind"
        )
    row.user_id = row.group_id = row.menu_id = None
    if not kind:
        return
    table, column = _TARGETS[kind]
    is_id = isinstance(target_id, int) and not isinstance(target_id, bool) and 0 < target_id < 2**31
    target = await session.get(table, target_id) if is_id else None
    if target is None or target.tenant_id != row.tenant_id:
        raise BadInput(f"There is no such {kind} in this tenant.", field="target_id")
    setattr(row, column, target.id)


async def _changed(
    session: AsyncSession, context: Context, actor: Actor, row: PublicNumber, action: str
) -> None:
    await refuse_loop(session, row.tenant_id, row.number)
    await _tell(session, context, actor, row, action)


async def _tell(
    session: AsyncSession, context: Context, actor: Actor, row: PublicNumber, action: str
) -> None:
    """No phone shows public numbers: only the PBX and the audit log hear of it."""
    directory_events.tell(
        session, context, tenant_id=row.tenant_id, kind="changed", object=f"number {row.number}"
    )
    audit(session, context, actor, action=action, tenant_id=row.tenant_id, object=row.number)


async def _find(session: AsyncSession, actor: Actor, public_number_id: int) -> PublicNumber:
    row = await session.get(PublicNumber, public_number_id)
    if row is None or actor.user_id is not None or actor.tenant_id not in {None, row.tenant_id}:
        raise NotFound("There is no such public number.")
    return row


async def _read(session: AsyncSession, public_number_id: int) -> Public:
    await session.flush()
    return _view((await session.execute(_rows().where(PublicNumber.id == public_number_id))).one())


def _rows() -> AnySelect:
    return (
        select(
            PublicNumber.id, PublicNumber.tenant_id, PublicNumber.number, PublicNumber.user_id, User.name.label("user_name"),
            PublicNumber.group_id, CallGroup.name.label("group_name"), PublicNumber.menu_id, Menu.name.label("menu_name"),
        )
        .outerjoin(User, User.id == PublicNumber.user_id)
        .outerjoin(CallGroup, CallGroup.id == PublicNumber.group_id)
        .outerjoin(Menu, Menu.id == PublicNumber.menu_id)
    )  # fmt: skip


def _view(row: AnyRow) -> Public:
    for kind, target, name in (
        ("user", row.user_id, row.user_name),
        ("group", row.group_id, row.group_name),
        ("menu", row.menu_id, row.menu_name),
    ):
        if target is not None:
            return Public(row.id, row.tenant_id, row.number, kind, target, name)
    return Public(row.id, row.tenant_id, row.number, "", None, "")
