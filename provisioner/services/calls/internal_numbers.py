"""Internal numbers and what each stands for: a user, a device, a public or outside number, a group, a menu (R5.1)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.calling.forwarding import find_loop
from provisioner.errors import BadInput, Conflict, InUse, NotFound
from provisioner.model import (
    CallGroup,
    Device,
    InternalNumber,
    Line,
    Menu,
    PublicNumber,
    SharedLine,
    User,
    parse_outside_number,
)
from provisioner.model.quick import AnyRow, AnySelect
from provisioner.model.store import touch
from provisioner.model.text import is_plain
from provisioner.services import directory_events
from provisioner.services.context import Actor, Context, audit
from provisioner.services.directory.forward_loops import read_forwards
from provisioner.services.key_targets import listing_of, showing, showing_user
from provisioner.services.number_rules import (
    KINDS,
    check_digits_free,
    number_plan_changed,
    owner_of,
    owners,
)
from provisioner.services.people.tenants import find_tenant
from provisioner.services.people.users import MAX_PAGE, PAGE, Page, escape_like
from provisioner.services.seats import resync

__all__ = [
    "KINDS",
    "check_digits_free",
    "create_number",
    "delete_number",
    "get_number",
    "list_numbers",
    "update_number",
]

_TARGETS: Final[Mapping[str, tuple[Any, str]]] = {
    "user": (User, "user_id"),
    "device": (Device, "device_id"),
    "public": (PublicNumber, "public_number_id"),
    "shared_line": (SharedLine, "shared_line_id"),
    "group": (CallGroup, "group_id"),
    "menu": (Menu, "menu_id"),
}
"""Kind → its table, and the column that points at it."""
_ONLY_ONE: Final = frozenset({"user", "shared_line"})
"""Kinds that have a number of their own: the one their phones show."""


@dataclass(frozen=True, slots=True)
class Number:
    """An internal number as everybody sees it. `target_id` is None for an outside number; `target` is its name or digits."""

    id: int
    tenant_id: int
    digits: str
    kind: str
    target_id: int | None
    target: str
    label: str


async def list_numbers(
    context: Context,
    actor: Actor,
    *,
    tenant_id: int,
    search: str = "",
    kind: str = "",
    offset: int = 0,
    limit: int = PAGE,
) -> Page[Number]:
    """The internal numbers of a tenant in their order; `search` looks in digits, label and what they stand for."""
    where: list[Any] = [InternalNumber.tenant_id == actor.everything(tenant_id)]
    if kind:
        where.append(_of_kind(kind))
    if search:
        pattern = f"%{escape_like(search.lower())}%"
        fields = (
            InternalNumber.digits, InternalNumber.label, InternalNumber.outside, User.name, Device.name, PublicNumber.number,
            SharedLine.name, CallGroup.name, Menu.name,
        )  # fmt: skip
        where.append(or_(*(func.lower(field).like(pattern, escape="\\") for field in fields)))
    statement = owners().where(*where)
    limit, offset = min(max(limit, 1), MAX_PAGE), max(offset, 0)
    async with context.store.read() as session:
        counted = select(func.count()).select_from(statement.subquery())
        total = (await session.execute(counted)).scalar_one()
        rows = await session.execute(statement.order_by(InternalNumber.digits).offset(offset).limit(limit))
        return Page([_view(row) for row in rows], total, offset, limit)


async def get_number(context: Context, actor: Actor, *, number_id: int) -> Number:
    async with context.store.read() as session:
        row = await _find(session, actor, number_id)
        return await _read(session, row.id)


async def create_number(
    context: Context,
    actor: Actor,
    *,
    tenant_id: int,
    digits: str,
    kind: str,
    target_id: int | None = None,
    number: str = "",
    label: str = "",
) -> Number:
    """Give out an internal number; it works at once. `number` is the outside number, `target_id` any other target.

    BadInput, ExtensionTaken naming whose the digits are, CodeCollision, Conflict for a target that has its number.
    """
    async with context.store.change() as session:
        await find_tenant(session, actor.everything(tenant_id))
        digits = await check_digits_free(session, tenant_id, digits, field="digits")
        row = InternalNumber(tenant_id=tenant_id, digits=digits, label=_label(label))
        await _aim(session, row, kind=kind, target_id=target_id, number=number)
        user = await _user_of(session, row)
        before = await listing_of(session, user) if user else None
        session.add(row)
        await session.flush()
        condition = _shown_on(row)
        if user:
            condition |= showing_user(
                tenant_id, user.id, before=before, after=await listing_of(session, user)
            )
        await _changed(session, context, actor, row=row, action="number.create", devices=condition)
        return await _read(session, row.id)


async def update_number(context: Context, actor: Actor, *, number_id: int, **fields: Any) -> Number:
    """Change digits, label, or what a number stands for (`kind` with `target_id` or `number`).

    Exactly the phones that show the number get a new file. Raises what `create_number` raises, and NotFound.
    """
    if unknown := set(fields) - {"digits", "label", "kind", "target_id", "number"}:
        raise BadInput(f"An internal number has no field “{min(unknown)[:40]}”.", field=min(unknown))
    async with context.store.change() as session:
        row = await _find(session, actor, number_id)
        user = await _user_of(session, row)
        before = await listing_of(session, user) if user else None
        condition = _shown_on(row)
        was = row.digits
        if "digits" in fields:
            row.digits = await check_digits_free(
                session, row.tenant_id, fields["digits"], but=row.id, field="digits"
            )
        if "label" in fields:
            row.label = _label(fields["label"])
        if fields.keys() & {"kind", "target_id", "number"}:
            await _aim_anew(session, row, fields)
        await session.flush()
        if user:
            condition |= showing_user(
                row.tenant_id, user.id, before=before, after=await listing_of(session, user)
            )
        if was != row.digits:
            directory_events.tell(
                session, context, tenant_id=row.tenant_id, kind="changed", object=f"number {was}"
            )
        await _changed(
            session, context, actor, row=row, action="number.update", devices=condition, fields=sorted(fields)
        )
        return await _read(session, row.id)


async def delete_number(context: Context, actor: Actor, *, number_id: int) -> None:
    """Free an internal number; keys that pointed at it stay, and say that their target is gone. InUse for a shared line's, which always has one."""
    async with context.store.change() as session:
        row = await _find(session, actor, number_id)
        if row.shared_line_id is not None:
            raise InUse(
                f"{row.digits} is the number of a shared line, which needs one. Change it there, or remove the shared line."
            )
        user = await _user_of(session, row)
        condition = _shown_on(row)
        if user:
            before = await listing_of(session, user)
            without = type(before)(before.name, "", before.department, before.kind)
            condition |= showing_user(row.tenant_id, user.id, before=before, after=without)
        ids = await _ids(session, condition)
        await session.delete(row)
        await _changed(session, context, actor, row=row, action="number.delete", devices=ids)


async def _changed(
    session: AsyncSession,
    context: Context,
    actor: Actor,
    *,
    row: InternalNumber,
    action: str,
    devices: ColumnElement[bool] | Collection[int],
    **detail: Any,
) -> None:
    """Everybody concerned is told: phones that show the number, the PBX, the audit log."""
    await refuse_loop(session, row.tenant_id, row.digits)
    ids = await _ids(session, devices) if isinstance(devices, ColumnElement) else devices
    await touch(session, ids)
    await resync.ask(session, context, ids, why="internal number")
    is_new_plan = await number_plan_changed(session, row.tenant_id)
    directory_events.tell(
        session, context, tenant_id=row.tenant_id, kind="changed", object=f"number {row.digits}"
    )
    audit(
        session,
        context,
        actor,
        action=action,
        tenant_id=row.tenant_id,
        object=row.digits,
        devices=sorted(ids),
        is_new_plan=is_new_plan,
        **detail,
    )


async def refuse_loop(session: AsyncSession, tenant_id: int, number: str) -> None:
    """Conflict when a call to this internal or public number, as things are now in the transaction, comes back to it."""
    await session.flush()
    forwards = await read_forwards(_Within(session), tenant_id=tenant_id, numbers=[number])
    place = forwards.places.get(number, "")
    if place and find_loop(forwards.edges, place):
        raise Conflict(
            f"Calls to {number} would go round in a circle: what it stands for sends them on to where they came from. "
            "Choose another target, or change the forwarding there first.",
            field="target_id",
        )


@dataclass(frozen=True, slots=True)
class _Within:
    """Reads inside a transaction, where what it has changed can be seen."""

    session: AsyncSession

    async def all(self, statement: AnySelect, **parameters: Any) -> Sequence[AnyRow]:
        return (await self.session.execute(statement, parameters)).all()


async def _ids(session: AsyncSession, condition: ColumnElement[bool]) -> Collection[int]:
    return set((await session.execute(select(Device.id).where(condition))).scalars())


def _shown_on(row: InternalNumber) -> ColumnElement[bool]:
    """The devices with a line whose label is the number, or with a key that follows it."""
    condition = showing(row.tenant_id, number_ids=[row.id])
    lines = [
        column == value
        for column, value in ((Line.user_id, row.user_id), (Line.shared_line_id, row.shared_line_id))
        if value is not None
    ]
    if lines:
        condition |= Device.id.in_(select(Line.device_id).where(*lines))
    return condition


async def _user_of(session: AsyncSession, row: InternalNumber) -> User | None:
    return await session.get(User, row.user_id) if row.user_id is not None else None


async def _find(session: AsyncSession, actor: Actor, number_id: int) -> InternalNumber:
    row = await session.get(InternalNumber, number_id)
    if row is None or actor.user_id is not None or actor.tenant_id not in {None, row.tenant_id}:
        raise NotFound("There is no such internal number.")
    return row


async def _read(session: AsyncSession, number_id: int) -> Number:
    return _view((await session.execute(owners().where(InternalNumber.id == number_id))).one())


def _view(row: AnyRow) -> Number:
    owner = owner_of(row)
    return Number(row.id, row.tenant_id, row.digits, owner.kind, owner.id, owner.name, row.label)


def _of_kind(kind: str) -> ColumnElement[bool]:
    if kind == "outside":
        return InternalNumber.outside != ""
    if kind not in _TARGETS:
        raise BadInput(f"The kind is one of {', '.join(KINDS)}.", field="kind")
    found: ColumnElement[bool] = getattr(InternalNumber, _TARGETS[kind][1]).is_not(None)
    return found


def _label(text: str) -> str:
    label = str(text).strip()
    if len(label) > 120 or not is_plain(label):
        raise BadInput("A label has at most 120 characters and no line breaks.", field="label")
    return label


async def _aim_anew(session: AsyncSession, row: InternalNumber, fields: Mapping[str, Any]) -> None:
    if row.user_id is not None or row.shared_line_id is not None:
        raise Conflict(
            f"{row.digits} is somebody's own number. Take it away there first, then give it to something else.",
            field="kind",
        )
    if "kind" not in fields:
        raise BadInput("Say what the number stands for: the kind, and which one.", field="kind")
    await _aim(
        session,
        row,
        kind=fields["kind"],
        target_id=fields.get("target_id"),
        number=fields.get("number", ""),
    )


async def _aim(
    session: AsyncSession, row: InternalNumber, *, kind: str, target_id: int | None, number: str
) -> None:
    """Point the number at one target of its tenant, and at nothing else."""
    if kind not in KINDS:
        raise BadInput(f"The kind is one of {', '.join(KINDS)}.", field="kind")
    values: dict[str, Any] = {column: None for _, column in _TARGETS.values()} | {"outside": ""}
    if kind == "outside":
        values["outside"] = await _outside(session, row.tenant_id, number)
    else:
        table, column = _TARGETS[kind]
        target = await session.get(table, target_id) if _is_id(target_id) else None
        if target is None or target.tenant_id != row.tenant_id:
            raise BadInput(f"There is no such {KINDS[kind]} in this tenant.", field="target_id")
        if kind in _ONLY_ONE:
            await _refuse_second(session, row, kind, column, target)
        values[column] = target.id
    for column, value in values.items():
        setattr(row, column, value)


async def _refuse_second(
    session: AsyncSession, row: InternalNumber, kind: str, column: str, target: Any
) -> None:
    taken = select(InternalNumber).where(getattr(InternalNumber, column) == target.id)
    own = (await session.execute(taken)).scalar_one_or_none()
    if own is not None and own.id != row.id:
        raise Conflict(
            f"{target.name} has the number {own.digits} already, and a {KINDS[kind]} has one. Change that number instead.",
            field="target_id",
            extension=own.digits,
        )


async def _outside(session: AsyncSession, tenant_id: int, number: str) -> str:
    digits = parse_outside_number(str(number))
    own = select(PublicNumber.id).where(PublicNumber.tenant_id == tenant_id, PublicNumber.number == digits)
    if (await session.execute(own)).scalar_one_or_none() is not None:
        raise Conflict(
            f"{digits} is a number of your own: a call sent out to it comes back in. Choose it as a public number instead.",
            field="number",
        )
    return digits


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31
