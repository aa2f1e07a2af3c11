"""`provisioner hotdesk`."""

from dataclasses import asdict
from typing import Any

import click

from provisioner.cli.output import show_done, show_rows, show_thing
from provisioner.cli.user import find_user_by
from provisioner.cli.work import Verb, Work, tenant_option, with_work
from provisioner.errors import BadInput
from provisioner.model import User
from provisioner.services.context import Context
from provisioner.services.devices.assignment import put_line, set_primary
from provisioner.services.devices.enrolment import find_by_mac
from provisioner.services.hotdesk.sessions import (
    Outcome,
    log_in,
    log_out,
    seats,
    set_device_hotdesk,
    set_hotdesk,
    unlock_pin,
)
from provisioner.services.people.tenants import get_tenant


@click.group()
def hotdesk() -> None:
    """Hotdesking: who may log in where, and who sits where. WHO is an extension or a name, MAC a device."""


@hotdesk.command("list", cls=Verb)
@tenant_option
@with_work
async def list_(work: Work, /, *, tenant_key: str | None) -> None:
    """Show who sits where; nobody where the tenant hides it."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        rows = [asdict(seat) for seat in await seats(context, work.actor, tenant_id=tenant.id)]
    empty = "This tenant hides who sits where." if tenant.is_seating_hidden else "There is no hotdesk device."
    columns = ("device_name", "site_name", "extension", "user_name", "since", "ends_at")
    show_rows(work, rows, columns=columns, empty=empty)


@hotdesk.command(cls=Verb)
@click.argument("who")
@tenant_option
@click.option("--off", is_flag=True, help="Take the right and the PIN away, and log the user out.")
@click.option("--ask", is_flag=True, help="Ask for the PIN instead of generating one.")
@with_work
async def pin(work: Work, /, *, who: str, tenant_key: str | None, off: bool, ask: bool) -> None:
    """Let a user log in on hotdesk devices, with a new PIN; it is shown now and never again."""
    chosen = click.prompt("PIN", hide_input=True, confirmation_prompt=True) if ask and not off else None
    async with work.context() as context:
        user = await _user(work, context, who, tenant_key)
        made = await set_hotdesk(context, work.actor, user_id=user.id, enabled=not off, pin=chosen)
    if off:
        show_done(work, f"{user.name} no longer logs in on hotdesk devices.", user=user.name)
    else:
        show_thing(work, {"user": user.name, "pin": made.pin, "code": made.code})


@hotdesk.command(cls=Verb)
@click.argument("mac")
@click.option("--on/--off", "enabled", required=True, help="Users may log in on the device, or no longer.")
@with_work
async def device(work: Work, /, *, mac: str, enabled: bool) -> None:
    """Make a device a hotdesk device, or an ordinary one again."""
    async with work.context() as context:
        found = await find_by_mac(context, work.actor, mac=mac)
        changed = await set_device_hotdesk(context, work.actor, device_id=found.id, enabled=enabled)
    words = "is a hotdesk device" if enabled else "is no hotdesk device any more"
    show_done(work, f"{changed.name} {words}.", device=changed.name, is_hotdesk=changed.is_hotdesk)


@hotdesk.command("login", cls=Verb)
@click.argument("mac")
@click.argument("who")
@with_work
async def login_(work: Work, /, *, mac: str, who: str) -> None:
    """Log a user in on a device, without a PIN."""
    async with work.context() as context:
        found = await find_by_mac(context, work.actor, mac=mac)
        user = await _user(work, context, who, None, tenant_id=found.tenant_id)
        done = await log_in(context, work.actor, device_id=found.id, user_id=user.id, origin="cli")
    _show(work, done, f"{user.name} is logged in on {found.name}.")


@hotdesk.command("logout", cls=Verb)
@click.argument("mac")
@click.option("--now", is_flag=True, help="Even while a call is running.")
@with_work
async def logout_(work: Work, /, *, mac: str, now: bool) -> None:
    """Log out whoever sits at a device; during a call at its end."""
    async with work.context() as context:
        found = await find_by_mac(context, work.actor, mac=mac)
        done = await log_out(context, work.actor, device_id=found.id, origin="cli", ending="admin", now=now)
    if done.result == "busy":
        _show(work, done, f"A call is running on {found.name}: its user is logged out when it ends.")
    else:
        _show(work, done, f"Nobody is logged in on {found.name} now.")


@hotdesk.command(cls=Verb)
@tenant_option
@click.option("--user", "who", metavar="WHO", help="Forget the wrong PINs of this user.")
@click.option("--device", "mac", metavar="MAC", help="Forget the wrong PINs typed on this device.")
@with_work
async def unlock(work: Work, /, *, tenant_key: str | None, who: str | None, mac: str | None) -> None:
    """Unlock after wrong PINs."""
    if who is None and mac is None:
        raise click.UsageError("Say whom: --user, --device or both.")
    async with work.context() as context:
        user = await _user(work, context, who, tenant_key) if who else None
        found = await find_by_mac(context, work.actor, mac=mac) if mac else None
        await unlock_pin(
            context,
            work.actor,
            user_id=user.id if user else None,
            device_id=found.id if found else None,
        )
    names = [thing.name for thing in (user, found) if thing is not None]
    show_done(work, f"Unlocked: {', '.join(names)}.", unlocked=names)


@hotdesk.command(cls=Verb)
@click.argument("mac")
@click.argument("position", type=int)
@click.argument("who", required=False)
@with_work
async def line(work: Work, /, *, mac: str, position: int, who: str | None) -> None:
    """Give line POSITION of a device to a user for good; without WHO the line is emptied."""
    async with work.context() as context:
        found = await find_by_mac(context, work.actor, mac=mac)
        user = await _user(work, context, who, None, tenant_id=found.tenant_id) if who else None
        await put_line(
            context,
            work.actor,
            device_id=found.id,
            position=position,
            user_id=user.id if user else None,
        )
    whose = f"is {user.name}'s" if user else "is empty"
    show_done(work, f"Line {position} of {found.name} {whose}.", device=found.name, position=position)


@hotdesk.command(cls=Verb)
@click.argument("mac")
@with_work
async def primary(work: Work, /, *, mac: str) -> None:
    """Make a device the primary one of its user: the one that queues ring."""
    async with work.context() as context:
        found = await find_by_mac(context, work.actor, mac=mac)
        owner = next((row.user_id for row in found.lines if row.kind == "user"), None)
        if owner is None:
            raise BadInput(
                f"{found.name} is no user's own device: give the user one of its lines first (`hotdesk line`).",
                field="mac",
            )
        user = await set_primary(context, work.actor, user_id=owner, device_id=found.id)
    show_done(work, f"{found.name} is the primary device of {user.name}.", device=found.name, user=user.name)


async def _user(
    work: Work, context: Context, who: str, tenant_key: str | None, *, tenant_id: int | None = None
) -> User:
    tenant = (
        await get_tenant(context, work.actor, tenant_id=tenant_id)
        if tenant_id is not None
        else await work.tenant(context, tenant_key)
    )
    return await find_user_by(work, context, tenant, who)


def _show(work: Work, done: Outcome, sentence: str) -> None:
    facts: dict[str, Any] = {**asdict(done), "result": done.result.value}
    show_done(work, sentence, **facts)
