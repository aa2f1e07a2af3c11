"""`provisioner tenant`."""

from typing import Any

import click

from provisioner.cli.output import show_done, show_rows, show_thing
from provisioner.cli.work import Verb, Work, with_work
from provisioner.model import Tenant
from provisioner.services.people.tenant_keys import tenant_by_key
from provisioner.services.people.tenants import create_tenant, delete_tenant, list_tenants, update_tenant

_FIELDS = (
    "key",
    "name",
    "sip_domain",
    "main_number",
    "is_premium",
    "policy",
    "networks",
    "password_minimum",
    "is_clear_text_allowed",
    "watch_registrar",
    "is_seating_hidden",
    "primary_grace",
    "created_at",
)


@click.group()
def tenant() -> None:
    """Tenants: the companies that own users and devices."""


def _fields(command: Any) -> Any:
    for option in (
        click.option("--main-number", help="Main telephone number, like +31201234567."),
        click.option(
            "--premium/--no-premium", "is_premium", default=None, help="Several devices for each user."
        ),
        click.option("--policy", help="Credential policy of its devices; empty takes the server's."),
        click.option("--networks", help="Networks of its offices, separated by blanks or commas."),
        click.option("--password-minimum", type=int, help="Shortest device configuration password, 6 to 40."),
        click.option(
            "--clear-text/--no-clear-text",
            "is_clear_text_allowed",
            default=None,
            help="Allow secrets over plain http in its networks.",
        ),
        click.option(
            "--hide-seating/--show-seating",
            "is_seating_hidden",
            default=None,
            help="Show nobody who sits at which hotdesk device.",
        ),
        click.option(
            "--primary-grace",
            type=int,
            help="Seconds for which a primary device that went still counts as registered, 0 to 600.",
        ),
        click.option(
            "--watch-registrar",
            help="HOST[:PORT] of a registrar that reports nothing by itself: it is asked (RFC 3680). Empty: off.",
        ),
    ):
        command = option(command)
    return command


@tenant.command("list", cls=Verb)
@with_work
async def list_(work: Work) -> None:
    """List the tenants."""
    async with work.context() as context:
        rows = [
            as_thing(item.tenant) | {"users": item.users, "devices": item.devices}
            for item in await list_tenants(context, work.actor)
        ]
    show_rows(
        work,
        rows,
        columns=("key", "name", "sip_domain", "is_premium", "users", "devices"),
        empty="There is no tenant yet.",
    )


@tenant.command(cls=Verb)
@click.argument("key")
@with_work
async def show(work: Work, /, *, key: str) -> None:
    """Show one tenant."""
    async with work.context() as context:
        show_thing(work, as_thing(await tenant_by_key(context, work.actor, key=key)))


@tenant.command(cls=Verb)
@click.argument("key")
@click.option("--name", required=True, help="Name for people.")
@click.option(
    "--sip-domain", required=True, help="Domain of its SIP addresses, also the realm of their digests."
)
@_fields
@with_work
async def add(work: Work, /, *, key: str, name: str, sip_domain: str, **fields: Any) -> None:
    """Make a tenant. KEY stands in addresses of pages: small letters, digits, dashes."""
    async with work.context() as context:
        made = await create_tenant(
            context, work.actor, key=key, name=name, sip_domain=sip_domain, **given(fields)
        )
    show_thing(work, as_thing(made))


@tenant.command(cls=Verb)
@click.argument("key")
@click.option("--name", help="Name for people.")
@click.option("--sip-domain", help="Domain of its SIP addresses; every phone registers anew.")
@_fields
@with_work
async def update(work: Work, /, *, key: str, **fields: Any) -> None:
    """Change a tenant; what is not given stays."""
    async with work.context() as context:
        found = await tenant_by_key(context, work.actor, key=key)
        show_thing(
            work, as_thing(await update_tenant(context, work.actor, tenant_id=found.id, **given(fields)))
        )


@tenant.command(cls=Verb)
@click.argument("key")
@with_work
async def remove(work: Work, /, *, key: str) -> None:
    """Remove a tenant that has no devices any more."""
    async with work.context() as context:
        found = await tenant_by_key(context, work.actor, key=key)
        await delete_tenant(context, work.actor, tenant_id=found.id)
    show_done(work, f"The tenant {key} is removed.", key=key)


def as_thing(row: Tenant) -> dict[str, Any]:
    """The tenant's fields."""
    return {name: getattr(row, name) for name in _FIELDS}


def given(fields: dict[str, Any]) -> dict[str, Any]:
    """The options that were given on the command line."""
    return {name: value for name, value in fields.items() if value is not None}
