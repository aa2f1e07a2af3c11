"""`provisioner token`: tokens of programs, such as a PBX."""

from typing import Any

import click

from provisioner.access.permissions import Role
from provisioner.cli.output import show_done, show_rows, show_thing
from provisioner.cli.work import Verb, Work, with_work
from provisioner.model import ApiToken
from provisioner.services.context import Context
from provisioner.services.people.api_tokens import create_token, list_tokens, revoke_token
from provisioner.services.people.tenant_keys import tenant_by_key
from provisioner.services.people.tenants import list_tenants


@click.group()
def token() -> None:
    """Tokens of programs: for the REST interface, or for a PBX."""


@token.command("list", cls=Verb)
@with_work
async def list_(work: Work) -> None:
    """List the tokens (never their text)."""
    async with work.context() as context:
        keys = await _tenant_keys(work, context)
        rows = [_as_thing(row, keys) for row in await list_tokens(context, work.actor)]
    show_rows(
        work,
        rows,
        columns=("id", "name", "role", "tenant", "last_used_at", "expires_at"),
        empty="There are no tokens.",
    )


@token.command(cls=Verb)
@click.argument("name")
@click.option(
    "--role",
    required=True,
    type=click.Choice([role.value for role in Role if role is not Role.USER]),
    help="What it may do.",
)
@click.option(
    "--tenant", "tenant_key", metavar="KEY", help="Good for this tenant only; needed for admin and installer."
)
@click.option("--days", type=int, help="Ends after so many days.")
@with_work
async def create(work: Work, /, *, name: str, role: str, tenant_key: str | None, days: int | None) -> None:
    """Make a token and show its text this once. NAME says what uses it."""
    async with work.context() as context:
        tenant_id = (await tenant_by_key(context, work.actor, key=tenant_key)).id if tenant_key else None
        made = await create_token(context, work.actor, name=name, role=role, tenant_id=tenant_id, days=days)
        thing = _as_thing(made.row, await _tenant_keys(work, context))
    show_thing(work, {"token": made.text, **thing}, note="The token is shown this once.")


@token.command(cls=Verb)
@click.argument("token_id", type=int, metavar="ID")
@with_work
async def revoke(work: Work, /, *, token_id: int) -> None:
    """End a token for good; `token list` shows the ids."""
    async with work.context() as context:
        await revoke_token(context, work.actor, token_id=token_id)
    show_done(work, f"Token {token_id} is revoked.", id=token_id)


async def _tenant_keys(work: Work, context: Context) -> dict[int, str]:
    return {item.tenant.id: item.tenant.key for item in await list_tenants(context, work.actor)}


def _as_thing(row: ApiToken, keys: dict[int, str]) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "role": row.role,
        "tenant": keys.get(row.tenant_id or 0, ""),
        "created_at": row.created_at,
        "last_used_at": row.last_used_at,
        "expires_at": row.expires_at,
    }
