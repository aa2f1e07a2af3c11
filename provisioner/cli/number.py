"""`provisioner number`."""

from dataclasses import asdict
from typing import Any

import click

from provisioner.cli.output import show_done, show_rows, show_thing
from provisioner.cli.tenant import given
from provisioner.cli.work import Verb, Work, tenant_option, with_work
from provisioner.errors import NotFound
from provisioner.model import Tenant
from provisioner.services.calls.call_groups import list_groups
from provisioner.services.calls.internal_numbers import (
    KINDS,
    Number,
    create_number,
    delete_number,
    list_numbers,
    update_number,
)
from provisioner.services.calls.menus import list_menus
from provisioner.services.calls.public_numbers import list_public_numbers
from provisioner.services.context import Context
from provisioner.services.devices.device_list import list_devices
from provisioner.services.people.users import MAX_PAGE, list_users
from provisioner.services.shared_lines.shared_lines import list_shared_lines

_COLUMNS = ("digits", "kind", "target", "label")


@click.group()
def number() -> None:
    """Internal numbers: extensions, and what each stands for."""


def _target_options(command: Any) -> Any:
    for option in (
        click.option("--kind", type=click.Choice(list(KINDS)), help="What it stands for."),
        click.option(
            "--for", "target", help="Name of the user, device, group …; or the public or outside number."
        ),
        click.option("--label", help="Text for people, where the target has no name of its own."),
    ):
        command = option(command)
    return command


@number.command("list", cls=Verb)
@tenant_option
@click.option("--search", default="", help="Part of the digits, the label or what it stands for.")
@click.option("--kind", type=click.Choice(list(KINDS)), default=None, help="Only this kind.")
@with_work
async def list_(work: Work, /, *, tenant_key: str | None, search: str, kind: str | None) -> None:
    """List the internal numbers of a tenant."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        rows: list[dict[str, Any]] = []
        while True:
            page = await list_numbers(
                context, work.actor, tenant_id=tenant.id, search=search, kind=kind or "", offset=len(rows), limit=MAX_PAGE
            )  # fmt: skip
            rows += [asdict(row) for row in page.items]
            if not page.items or len(rows) >= page.total:
                break
    show_rows(work, rows, columns=_COLUMNS, empty="This tenant has no internal numbers.")


@number.command(cls=Verb)
@click.argument("digits")
@tenant_option
@_target_options
@with_work
async def add(
    work: Work,
    /,
    *,
    digits: str,
    tenant_key: str | None,
    kind: str | None,
    target: str | None,
    label: str | None,
) -> None:
    """Give out an internal number; it works at once."""
    if not kind or not target:
        raise click.UsageError("Say what the number stands for: --kind and --for.")
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        aim = await _aim(work, context, tenant, kind, target)
        made = await create_number(
            context, work.actor, tenant_id=tenant.id, digits=digits, label=label or "", **aim
        )
    show_thing(work, asdict(made))


@number.command(cls=Verb)
@click.argument("digits")
@tenant_option
@click.option("--digits", "new_digits", help="New digits.")
@_target_options
@with_work
async def change(
    work: Work,
    /,
    *,
    digits: str,
    tenant_key: str | None,
    new_digits: str | None,
    kind: str | None,
    target: str | None,
    label: str | None,
) -> None:
    """Change an internal number; what is not given stays."""
    if (kind is None) != (target is None):
        raise click.UsageError("Another target takes both --kind and --for.")
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        found = await _find(work, context, tenant, digits)
        aim = await _aim(work, context, tenant, kind, target) if kind and target else {}
        changes = given({"digits": new_digits, "label": label})
        changed = await update_number(context, work.actor, number_id=found.id, **changes, **aim)
    show_thing(work, asdict(changed))


@number.command(cls=Verb)
@click.argument("digits")
@tenant_option
@with_work
async def remove(work: Work, /, *, digits: str, tenant_key: str | None) -> None:
    """Free an internal number; keys that pointed at it stay, without a target."""
    async with work.context() as context:
        found = await _find(work, context, await work.tenant(context, tenant_key), digits)
        await delete_number(context, work.actor, number_id=found.id)
    show_done(work, f"The number {digits} is free.", digits=digits)


async def _find(work: Work, context: Context, tenant: Tenant, digits: str) -> Number:
    page = await list_numbers(context, work.actor, tenant_id=tenant.id, search=digits, limit=MAX_PAGE)
    for found in page.items:
        if found.digits == digits:
            return found
    raise NotFound(f"{tenant.name} has no internal number {digits}.")


async def _aim(work: Work, context: Context, tenant: Tenant, kind: str, target: str) -> dict[str, Any]:
    """The target by its name, as `create_number` wants it; NotFound."""
    if kind == "outside":
        return {"kind": kind, "number": target}
    for target_id, name in await _named(work, context, tenant, kind, target):
        if name.casefold() == target.casefold():
            return {"kind": kind, "target_id": target_id}
    raise NotFound(f"{tenant.name} has no {KINDS[kind]} “{target}”.")


async def _named(
    work: Work, context: Context, tenant: Tenant, kind: str, search: str
) -> list[tuple[int, str]]:
    one: dict[str, Any] = {"tenant_id": tenant.id}
    some: dict[str, Any] = {**one, "search": search, "limit": MAX_PAGE}
    if kind == "user":
        return [(row.id, row.name) for row in (await list_users(context, work.actor, **some)).items]
    if kind == "device":
        devices = (await list_devices(context, work.actor, **some)).items
        return [(row.device.id, row.device.name) for row in devices]
    if kind == "public":
        return [
            (row.id, row.number) for row in (await list_public_numbers(context, work.actor, **some)).items
        ]
    if kind == "shared_line":
        return [(row.id, row.name) for row in await list_shared_lines(context, work.actor, **one)]
    if kind == "group":
        return [(row.id, row.name) for row in await list_groups(context, work.actor, **one)]
    return [(row.id, row.name) for row in await list_menus(context, work.actor, **one)]
