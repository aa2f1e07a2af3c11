"""`provisioner login`: the people who may log in."""

import secrets
import sys
from typing import Any

import click

from provisioner.access.permissions import Role
from provisioner.cli.init import admin_url
from provisioner.cli.output import show_done, show_rows, show_thing
from provisioner.cli.user import find_user_by
from provisioner.cli.work import Verb, Work, with_work
from provisioner.errors import NotFound
from provisioner.model import Login
from provisioner.services.context import Context
from provisioner.services.people.logins import LANGUAGES, Doorkeeper, list_logins, make_reset, set_blocked
from provisioner.services.people.tenant_keys import tenant_by_key


@click.group()
def login() -> None:
    """People's logins."""


@login.command("list", cls=Verb)
@with_work
async def list_(work: Work) -> None:
    """List the logins."""
    async with work.context() as context:
        rows = [_as_thing(row) for row in await list_logins(context, work.actor)]
    show_rows(work, rows, columns=("name", "role", "display_name", "is_blocked", "last_login_at"))


@login.command(cls=Verb)
@click.argument("name")
@click.option(
    "--role",
    required=True,
    type=click.Choice([role.value for role in Role if role is not Role.PBX]),
    help="What the person may do.",
)
@click.option("--tenant", "tenant_key", metavar="KEY", help="Tenant of the person; an operator has none.")
@click.option("--user", "who", metavar="WHO", help="For the role user: extension or name of the user.")
@click.option("--display-name", default="", help="Name for people.")
@click.option(
    "--language", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Language of the pages."
)
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of making one."
)
@with_work
async def create(
    work: Work,
    /,
    *,
    name: str,
    role: str,
    tenant_key: str | None,
    who: str | None,
    display_name: str,
    language: str,
    password_stdin: bool,
) -> None:
    """Let a person in; a password is made and shown this once."""
    chosen = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    password = chosen if chosen is not None else "-".join(secrets.token_hex(2) for _ in range(5))
    async with work.context() as context:
        tenant = await tenant_by_key(context, work.actor, key=tenant_key) if tenant_key else None
        user = await find_user_by(work, context, tenant, who) if tenant and who else None
        doorkeeper = Doorkeeper(context)
        try:
            made = await doorkeeper.create_login(
                work.actor,
                name=name,
                role=role,
                password=password,
                tenant_id=tenant.id if tenant else None,
                user_id=user.id if user else None,
                display_name=display_name,
                language=language,
            )
        finally:
            doorkeeper.close()
    shown = {} if password_stdin else {"password": password}
    show_thing(
        work, _as_thing(made) | shown, note="" if password_stdin else "The password is shown this once."
    )


@login.command(cls=Verb)
@click.argument("name")
@with_work
async def reset(work: Work, /, *, name: str) -> None:
    """Make a link with which the person sets a new password: good once, for a day."""
    async with work.context() as context:
        found = await _find(work, context, name)
        link = (
            f"{admin_url(context.settings)}reset/{await make_reset(context, work.actor, login_id=found.id)}"
        )
    show_thing(
        work,
        {"name": found.name, "link": link},
        note="Hand the link to the person; whoever has it can set the password.",
    )


@login.command(cls=Verb)
@click.argument("name")
@with_work
async def block(work: Work, /, *, name: str) -> None:
    """Keep a person out, at once."""
    await _block(work, name, is_blocked=True)


@login.command(cls=Verb)
@click.argument("name")
@with_work
async def unblock(work: Work, /, *, name: str) -> None:
    """Let a blocked person in again."""
    await _block(work, name, is_blocked=False)


async def _block(work: Work, name: str, *, is_blocked: bool) -> None:
    async with work.context() as context:
        found = await _find(work, context, name)
        await set_blocked(context, work.actor, login_id=found.id, is_blocked=is_blocked)
    show_done(
        work,
        f"{found.name} is {'blocked' if is_blocked else 'no longer blocked'}.",
        name=found.name,
        is_blocked=is_blocked,
    )


async def _find(work: Work, context: Context, name: str) -> Login:
    for row in await list_logins(context, work.actor):
        if row.name == name.strip().lower():
            return row
    raise NotFound(f"There is no login “{name}”.")


def _as_thing(row: Login) -> dict[str, Any]:
    names = (
        "id",
        "name",
        "display_name",
        "role",
        "tenant_id",
        "language",
        "is_blocked",
        "created_at",
        "last_login_at",
    )
    return {name: getattr(row, name) for name in names}
