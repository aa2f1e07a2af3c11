"""`provisioner pbx`."""

import sys
from typing import Any

import click

from provisioner.cli.output import show_done, show_thing
from provisioner.cli.work import Verb, Work, tenant_option, with_work
from provisioner.errors import Unavailable
from provisioner.model import PbxConnection
from provisioner.services.pbx.connections import (
    delete_connection,
    get_connection,
    probe_connection,
    put_connection,
)
from provisioner.services.pbx.links import KINDS


@click.group()
def pbx() -> None:
    """The connection to a tenant's PBX, through which phones are told to fetch."""


@pbx.command(cls=Verb)
@tenant_option
@with_work
async def show(work: Work, /, *, tenant_key: str | None) -> None:
    """Show the connection; its password cannot be shown again."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        show_thing(work, _as_thing(await get_connection(context, work.actor, tenant_id=tenant.id)))


@pbx.command(cls=Verb)
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("address", default="")
@tenant_option
@click.option(
    "--username",
    default="",
    help="Asterisk: manager user. Kamailio: HTTP user, if any. FreeSWITCH: Sofia profile, if not internal.",
)
@click.option(
    "--password-stdin",
    is_flag=True,
    help="Read the password from standard input; without this the stored one stays.",
)
@with_work
async def connect(
    work: Work, /, *, kind: str, address: str, tenant_key: str | None, username: str, password_stdin: bool
) -> None:
    """Connect the PBX. ADDRESS is a URL (kamailio), HOST[:PORT] (asterisk, freeswitch) or left out (direct)."""
    secret = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        stored = await put_connection(
            context,
            work.actor,
            tenant_id=tenant.id,
            kind=kind,
            address=address,
            username=username,
            secret=secret,
        )
    show_thing(work, _as_thing(stored))


@pbx.command(cls=Verb)
@tenant_option
@with_work
async def test(work: Work, /, *, tenant_key: str | None) -> None:
    """Try the connection from this machine; no phone is told anything."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        problem = await probe_connection(context, work.actor, tenant_id=tenant.id)
    if problem:
        raise Unavailable(problem)
    show_done(work, "The connection works.", is_working=True)


@pbx.command(cls=Verb)
@tenant_option
@with_work
async def disconnect(work: Work, /, *, tenant_key: str | None) -> None:
    """Forget the connection: phones come by themselves at their poll interval."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        await delete_connection(context, work.actor, tenant_id=tenant.id)
    show_done(work, "The PBX is disconnected.", tenant=tenant.key)


def _as_thing(row: PbxConnection) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "address": row.address,
        "username": row.username,
        "has_password": bool(row.secret),
    }
