"""`provisioner group`."""

from collections.abc import Sequence
from typing import Any

import click

from provisioner.cli.named import by_name
from provisioner.cli.output import show_done, show_rows, show_thing
from provisioner.cli.tenant import given
from provisioner.cli.user import find_user_by
from provisioner.cli.work import Verb, Work, tenant_option, with_work
from provisioner.model import CallGroup, Tenant
from provisioner.services.calls.call_groups import (
    POLICIES,
    create_group,
    delete_group,
    list_groups,
    update_group,
)
from provisioner.services.context import Context
from provisioner.services.people.users import get_user

_FIELDS = ("name", "policy", "is_queue", "rings", "wait", "overflow")


@click.group()
def group() -> None:
    """Call groups and queues: several users behind one number."""


def _fields(command: Any) -> Any:
    for option in (
        click.option("--policy", type=click.Choice(POLICIES), help="Whom a call rings next."),
        click.option("--queue/--no-queue", "is_queue", default=None, help="Only primary devices ring."),
        click.option("--rings", type=int, help="The next member after so many rings."),
        click.option("--wait", type=int, help="Seconds until the overflow; 0 is never."),
        click.option("--overflow", help="Extension or number that gets the call then."),
        click.option("--members", help="Extensions or names of users in order, separated by commas."),
    ):
        command = option(command)
    return command


@group.command("list", cls=Verb)
@tenant_option
@with_work
async def list_(work: Work, /, *, tenant_key: str | None) -> None:
    """List the call groups of a tenant."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        found = await list_groups(context, work.actor, tenant_id=tenant.id)
        rows = [await _as_thing(work, context, row) for row in found]
    show_rows(work, rows, columns=(*_FIELDS, "members"), empty="This tenant has no call groups.")


@group.command(cls=Verb)
@click.argument("name")
@tenant_option
@_fields
@with_work
async def add(
    work: Work, /, *, name: str, tenant_key: str | None, members: str | None, **fields: Any
) -> None:
    """Make a call group."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        values = given({**fields, "members": await _users(work, context, tenant, members)})
        made = await create_group(context, work.actor, tenant_id=tenant.id, name=name, **values)
        show_thing(work, await _as_thing(work, context, made))


@group.command(cls=Verb)
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
    members: str | None,
    **fields: Any,
) -> None:
    """Change a call group; what is not given stays."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        found = by_name(await list_groups(context, work.actor, tenant_id=tenant.id), name, noun="call group")
        values = given({"name": new_name, **fields, "members": await _users(work, context, tenant, members)})
        changed = await update_group(context, work.actor, group_id=found.id, **values)
        show_thing(work, await _as_thing(work, context, changed))


@group.command(cls=Verb)
@click.argument("name")
@tenant_option
@with_work
async def remove(work: Work, /, *, name: str, tenant_key: str | None) -> None:
    """Remove a call group and its extensions."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        found = by_name(await list_groups(context, work.actor, tenant_id=tenant.id), name, noun="call group")
        await delete_group(context, work.actor, group_id=found.id)
    show_done(work, f"The call group {name} is removed.", name=name)


async def _users(work: Work, context: Context, tenant: Tenant, members: str | None) -> list[int] | None:
    if members is None:
        return None
    names: Sequence[str] = [part.strip() for part in members.split(",") if part.strip()]
    return [(await find_user_by(work, context, tenant, who)).id for who in names]


async def _as_thing(work: Work, context: Context, row: CallGroup) -> dict[str, Any]:
    users = [await get_user(context, work.actor, user_id=member.user_id) for member in row.members]
    members = [user.extension.digits if user.extension else user.name for user in users]
    return {**{name: getattr(row, name) for name in _FIELDS}, "members": members}
