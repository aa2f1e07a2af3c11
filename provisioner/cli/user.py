"""`provisioner user`."""

from collections.abc import Sequence
from typing import Any

import click

from provisioner.cli.output import show_done, show_rows, show_thing
from provisioner.cli.site import find_site_by_name
from provisioner.cli.tenant import given
from provisioner.cli.work import Verb, Work, site_option, tenant_option, with_work
from provisioner.errors import BadInput, NotFound
from provisioner.model import Tenant, User, UserKind
from provisioner.services.context import Context
from provisioner.services.people.users import (
    MAX_PAGE,
    create_user,
    delete_user,
    list_users,
    public_numbers,
    update_user,
)


@click.group()
def user() -> None:
    """Users: whom a call can reach, with their extension. WHO is an extension or a name."""


def _fields(command: Any) -> Any:
    for option in (
        click.option("--extension", help="Internal number, 2 to 4 digits."),
        click.option("--email", help="E-mail address."),
        click.option("--department", help="Department."),
        click.option(
            "--kind",
            type=click.Choice([kind.value for kind in UserKind]),
            help="What kind of destination it is.",
        ),
        site_option,
    ):
        command = option(command)
    return command


@user.command("list", cls=Verb)
@tenant_option
@click.option("--search", default="", help="Part of a name, extension or e-mail address.")
@with_work
async def list_(work: Work, /, *, tenant_key: str | None, search: str) -> None:
    """List the users of a tenant."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        rows: list[dict[str, Any]] = []
        while True:
            page = await list_users(
                context, work.actor, tenant_id=tenant.id, search=search, offset=len(rows), limit=MAX_PAGE
            )
            rows += await _things(work, context, page.items)
            if len(rows) >= page.total or not page.items:
                break
    show_rows(
        work, rows, columns=("extension", "name", "kind", "email", "department"), empty="No user found."
    )


@user.command(cls=Verb)
@click.argument("who")
@tenant_option
@with_work
async def show(work: Work, /, *, who: str, tenant_key: str | None) -> None:
    """Show one user."""
    async with work.context() as context:
        found = await find_user_by(work, context, await work.tenant(context, tenant_key), who)
        show_thing(work, (await _things(work, context, [found]))[0])


@user.command(cls=Verb)
@click.argument("name")
@tenant_option
@_fields
@with_work
async def add(
    work: Work, /, *, name: str, tenant_key: str | None, site_name: str | None, **fields: Any
) -> None:
    """Make a user."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        if site_name:
            fields["site_id"] = (await find_site_by_name(work, context, tenant, site_name)).id
        made = await create_user(context, work.actor, tenant_id=tenant.id, name=name, **given(fields))
        show_thing(work, (await _things(work, context, [made]))[0])


@user.command(cls=Verb)
@click.argument("who")
@tenant_option
@click.option("--rename", "new_name", help="New name.")
@click.option(
    "--number",
    "numbers",
    multiple=True,
    help="Public number, like +31201234567; may be repeated, replaces all.",
)
@_fields
@with_work
async def update(
    work: Work,
    /,
    *,
    who: str,
    tenant_key: str | None,
    new_name: str | None,
    numbers: Sequence[str],
    site_name: str | None,
    **fields: Any,
) -> None:
    """Change a user; what is not given stays. An empty --extension takes it away."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        found = await find_user_by(work, context, tenant, who)
        changes = given({"name": new_name, "numbers": list(numbers) or None, **fields})
        if site_name is not None:
            changes["site_id"] = (
                (await find_site_by_name(work, context, tenant, site_name)).id if site_name else None
            )
        changed = await update_user(context, work.actor, user_id=found.id, **changes)
        show_thing(work, (await _things(work, context, [changed]))[0])


@user.command(cls=Verb)
@click.argument("who")
@tenant_option
@with_work
async def remove(work: Work, /, *, who: str, tenant_key: str | None) -> None:
    """Remove a user who has no device."""
    async with work.context() as context:
        found = await find_user_by(work, context, await work.tenant(context, tenant_key), who)
        await delete_user(context, work.actor, user_id=found.id)
    show_done(work, f"{found.name} is removed.", name=found.name)


async def find_user_by(work: Work, context: Context, tenant: Tenant, who: str) -> User:
    """The user with this extension, else with this name; NotFound, or BadInput when several have the name."""
    page = await list_users(context, work.actor, tenant_id=tenant.id, search=who, limit=MAX_PAGE)
    for row in page.items:
        if row.extension is not None and row.extension.digits == who.strip():
            return row
    named = [row for row in page.items if row.name.casefold() == who.strip().casefold()]
    if len(named) > 1:
        raise BadInput(f"{len(named)} users are called {who}: say which by the extension.", field="user")
    if not named:
        raise NotFound(f"{tenant.name} has no user with the extension or the name “{who}”.")
    return named[0]


async def _things(work: Work, context: Context, rows: Sequence[User]) -> list[dict[str, Any]]:
    numbers = await public_numbers(context, work.actor, user_ids=[row.id for row in rows])
    return [
        {
            "id": row.id,
            "extension": row.extension.digits if row.extension else "",
            "name": row.name,
            "kind": row.kind,
            "email": row.email,
            "department": row.department,
            "numbers": numbers[row.id],
        }
        for row in rows
    ]
