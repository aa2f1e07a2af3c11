"""`provisioner site`."""

from typing import Any

import click

from provisioner.cli.output import show_done, show_rows, show_thing
from provisioner.cli.tenant import given
from provisioner.cli.work import Verb, Work, tenant_option, with_work
from provisioner.errors import NotFound
from provisioner.model import Site, Tenant
from provisioner.services.context import Context
from provisioner.services.people.tenants import create_site, delete_site, list_sites, update_site

_FIELDS = ("name", "address", "emergency_caller_id", "policy", "networks")


@click.group()
def site() -> None:
    """Sites: the places of a tenant."""


def _fields(command: Any) -> Any:
    for option in (
        click.option("--address", help="Where it is, in one line."),
        click.option("--emergency-caller-id", help="Number that emergency services call back."),
        click.option("--policy", help="Credential policy; empty takes the tenant's."),
        click.option("--networks", help="Its networks, separated by blanks or commas."),
    ):
        command = option(command)
    return command


@site.command("list", cls=Verb)
@tenant_option
@with_work
async def list_(work: Work, /, *, tenant_key: str | None) -> None:
    """List the sites of a tenant."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        rows = [_as_thing(row) for row in await list_sites(context, work.actor, tenant_id=tenant.id)]
    show_rows(work, rows, columns=_FIELDS, empty="This tenant has no sites.")


@site.command(cls=Verb)
@click.argument("name")
@tenant_option
@with_work
async def show(work: Work, /, *, name: str, tenant_key: str | None) -> None:
    """Show one site."""
    async with work.context() as context:
        show_thing(
            work,
            _as_thing(await find_site_by_name(work, context, await work.tenant(context, tenant_key), name)),
        )


@site.command(cls=Verb)
@click.argument("name")
@tenant_option
@_fields
@with_work
async def add(work: Work, /, *, name: str, tenant_key: str | None, **fields: Any) -> None:
    """Make a site."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        show_thing(
            work,
            _as_thing(
                await create_site(context, work.actor, tenant_id=tenant.id, name=name, **given(fields))
            ),
        )


@site.command(cls=Verb)
@click.argument("name")
@tenant_option
@click.option("--rename", "new_name", help="New name.")
@_fields
@with_work
async def update(
    work: Work, /, *, name: str, tenant_key: str | None, new_name: str | None, **fields: Any
) -> None:
    """Change a site; what is not given stays."""
    async with work.context() as context:
        found = await find_site_by_name(work, context, await work.tenant(context, tenant_key), name)
        changes = given({"name": new_name, **fields})
        show_thing(work, _as_thing(await update_site(context, work.actor, site_id=found.id, **changes)))


@site.command(cls=Verb)
@click.argument("name")
@tenant_option
@with_work
async def remove(work: Work, /, *, name: str, tenant_key: str | None) -> None:
    """Remove a site; its devices and users stay, without a site."""
    async with work.context() as context:
        found = await find_site_by_name(work, context, await work.tenant(context, tenant_key), name)
        await delete_site(context, work.actor, site_id=found.id)
    show_done(work, f"The site {name} is removed.", name=name)


async def find_site_by_name(work: Work, context: Context, tenant: Tenant, name: str) -> Site:
    """The site with this name in any case; NotFound names those there are."""
    sites = await list_sites(context, work.actor, tenant_id=tenant.id)
    for row in sites:
        if row.name.casefold() == name.casefold():
            return row
    names = ", ".join(row.name for row in sites) or "none"
    raise NotFound(f"{tenant.name} has no site “{name}”; there are: {names}.")


def _as_thing(row: Site) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _FIELDS}
