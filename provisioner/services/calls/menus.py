"""IVR menus as data: the PBX plays them, extensions and keys point at them (R7)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.errors import BadInput, Conflict, NotFound
from provisioner.model import InternalNumber, Menu
from provisioner.model.text import is_plain
from provisioner.services.calls.call_groups import checked_int, checked_name
from provisioner.services.calls.destinations import checked_destination, touch_shown
from provisioner.services.context import Actor, Context, audit
from provisioner.services.directory.call_checks import refuse_loop
from provisioner.services.number_rules import number_plan_changed
from provisioner.services.people.tenants import find_tenant

DIGITS: Final = "0123456789*#"
MOST_MENUS: Final = 500
_LIMITS: Final = {"timeout": (1, 60), "tries": (1, 10)}


async def list_menus(context: Context, actor: Actor, *, tenant_id: int) -> Sequence[Menu]:
    statement = select(Menu).where(Menu.tenant_id == actor.everything(tenant_id)).order_by(Menu.name)
    async with context.store.read() as session:
        return (await session.execute(statement)).scalars().all()


async def get_menu(context: Context, actor: Actor, *, menu_id: int) -> Menu:
    async with context.store.read() as session:
        return await find_menu(session, actor, menu_id)


async def create_menu(context: Context, actor: Actor, *, tenant_id: int, name: str, **fields: Any) -> Menu:
    """Make a menu; `options` are digit → extension or number. BadInput, Conflict, ForwardingLoop."""
    row = Menu(
        tenant_id=actor.everything(tenant_id),
        name="",
        greeting="",
        options={},
        timeout=10,
        fallback="",
        tries=3,
    )
    async with context.store.change() as session:
        await find_tenant(session, tenant_id)
        there = await session.execute(select(Menu.id).where(Menu.tenant_id == tenant_id))
        if len(there.all()) >= MOST_MENUS:
            raise Conflict(f"A tenant has at most {MOST_MENUS} menus; remove one first.")
        await _apply(session, row, {"name": name, **fields})
        session.add(row)
        await _store(session, row)
        audit(session, context, actor, action="menu.create", tenant_id=tenant_id, object=row.name)
    return row


async def update_menu(context: Context, actor: Actor, *, menu_id: int, **fields: Any) -> Menu:
    """Change a menu; `options` replaces all of them."""
    async with context.store.change() as session:
        row = await find_menu(session, actor, menu_id)
        before = row.name
        await _apply(session, row, fields)
        await _store(session, row)
        if row.name != before:
            await touch_shown(session, row.tenant_id, InternalNumber.menu_id == row.id, is_name_only=True)
        audit(
            session, context, actor, action="menu.update", tenant_id=row.tenant_id, object=row.name, changed=sorted(fields)
        )  # fmt: skip
    return row


async def delete_menu(context: Context, actor: Actor, *, menu_id: int) -> None:
    """Remove a menu; its extensions go with it, its public numbers stay and ring nobody."""
    async with context.store.change() as session:
        row = await find_menu(session, actor, menu_id)
        await touch_shown(session, row.tenant_id, InternalNumber.menu_id == row.id, is_name_only=False)
        audit(session, context, actor, action="menu.delete", tenant_id=row.tenant_id, object=row.name)
        await session.delete(row)
        await session.flush()
        await number_plan_changed(session, row.tenant_id)


async def find_menu(session: AsyncSession, actor: Actor, menu_id: int) -> Menu:
    """The row of a menu this actor may see; NotFound."""
    row = await session.get(Menu, menu_id)
    if row is None or actor.tenant_id not in {None, row.tenant_id} or actor.user_id is not None:
        raise NotFound("There is no such menu.")
    return row


async def _store(session: AsyncSession, row: Menu) -> None:
    name = row.name
    try:
        await session.flush()
    except IntegrityError:
        raise Conflict(f"There is a menu “{name}” already.", field="name") from None
    await refuse_loop(session, row.tenant_id, start=f"menu {row.id}", field="fallback")


async def _apply(session: AsyncSession, row: Menu, fields: dict[str, Any]) -> None:
    for field, value in fields.items():
        if field == "name":
            row.name = checked_name(value)
        elif field == "greeting":
            row.greeting = _greeting(value)
        elif field == "options":
            row.options = await _options(session, row.tenant_id, value)
        elif field == "fallback":
            row.fallback = await checked_destination(session, row.tenant_id, value, field=field)
        elif field in _LIMITS:
            setattr(row, field, checked_int(field, value, *_LIMITS[field]))
        else:
            raise BadInput(f"A menu has no field “{field[:40]}”.", field=field[:40])


async def _options(session: AsyncSession, tenant_id: int, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise BadInput("Options are digit → extension or number.", field="options")
    for digit in value:
        if not isinstance(digit, str) or len(digit) != 1 or digit not in DIGITS:
            raise BadInput(
                f"“{str(digit)[:10]}” is no key of a phone; an option is one of {' '.join(DIGITS)}.",
                field="options",
            )
    chosen = {
        digit: await checked_destination(session, tenant_id, value[digit], field="options")
        for digit in sorted(value)
    }
    empty = [digit for digit, number in chosen.items() if not number]
    if empty:
        raise BadInput(f"Option {empty[0]} leads nowhere; give it a number or leave it out.", field="options")
    return chosen


def _greeting(value: Any) -> str:
    text = str(value).strip()
    if len(text) > 120 or not is_plain(text):
        raise BadInput(
            "The greeting is the name of an announcement, at most 120 characters.", field="greeting"
        )
    return text
