"""`provisioner menu`."""

from collections.abc import Sequence
from typing import Any

import click

from provisioner.cli.named import by_name
from provisioner.cli.output import show_done, show_rows, show_thing
from provisioner.cli.tenant import given
from provisioner.cli.work import Verb, Work, tenant_option, with_work
from provisioner.errors import BadInput
from provisioner.model import Menu
from provisioner.services.calls.menus import create_menu, delete_menu, list_menus, update_menu

_FIELDS = ("name", "greeting", "options", "timeout", "fallback", "tries")


@click.group()
def menu() -> None:
    """IVR menus as data: the PBX plays them."""


def _fields(command: Any) -> Any:
    for option in (
        click.option("--greeting", help="Name of the announcement."),
        click.option("--option", "options", multiple=True, metavar="KEY=NUMBER", help="1=201; repeat it."),
        click.option("--timeout", type=int, help="Seconds without a key before it is asked again."),
        click.option("--fallback", help="Extension or number for no key or a wrong one."),
        click.option("--tries", type=int, help="How often it is asked."),
    ):
        command = option(command)
    return command


@menu.command("list", cls=Verb)
@tenant_option
@with_work
async def list_(work: Work, /, *, tenant_key: str | None) -> None:
    """List the menus of a tenant."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        rows = [_as_thing(row) for row in await list_menus(context, work.actor, tenant_id=tenant.id)]
    show_rows(work, rows, columns=_FIELDS, empty="This tenant has no menus.")


@menu.command(cls=Verb)
@click.argument("name")
@tenant_option
@_fields
@with_work
async def add(
    work: Work, /, *, name: str, tenant_key: str | None, options: Sequence[str], **fields: Any
) -> None:
    """Make a menu."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        values = given({**fields, "options": _options(options)})
        show_thing(
            work,
            _as_thing(await create_menu(context, work.actor, tenant_id=tenant.id, name=name, **values)),
        )


@menu.command(cls=Verb)
@click.argument("name")
@tenant_option
@click.option("--rename", "new_name", help="New name.")
@_fields
@with_work
async def update(
    work: Work,
    /,
    *,
    name: str,
    tenant_key: str | None,
    new_name: str | None,
    options: Sequence[str],
    **fields: Any,
) -> None:
    """Change a menu; what is not given stays, options replace all of them."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        found = by_name(await list_menus(context, work.actor, tenant_id=tenant.id), name, noun="menu")
        values = given({"name": new_name, **fields, "options": _options(options)})
        show_thing(work, _as_thing(await update_menu(context, work.actor, menu_id=found.id, **values)))


@menu.command(cls=Verb)
@click.argument("name")
@tenant_option
@with_work
async def remove(work: Work, /, *, name: str, tenant_key: str | None) -> None:
    """Remove a menu and its extensions."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        found = by_name(await list_menus(context, work.actor, tenant_id=tenant.id), name, noun="menu")
        await delete_menu(context, work.actor, menu_id=found.id)
    show_done(work, f"The menu {name} is removed.", name=name)


def _options(pairs: Sequence[str]) -> dict[str, str] | None:
    if not pairs:
        return None
    split = [pair.partition("=") for pair in pairs]
    wrong = next((key for key, equals, _ in split if not equals), None)
    if wrong is not None:
        raise BadInput(f"An option is written KEY=NUMBER, not “{wrong[:40]}”.", field="options")
    return {key: number for key, _, number in split}


def _as_thing(row: Menu) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _FIELDS}
