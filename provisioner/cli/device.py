"""`provisioner device`."""

from typing import Any

import click

from provisioner.cli.device_resync import resync
from provisioner.cli.device_table import export, import_, preview
from provisioner.cli.output import say, show_done, show_rows, show_thing
from provisioner.cli.site import find_site_by_name
from provisioner.cli.tenant import given
from provisioner.cli.user import find_user_by
from provisioner.cli.work import Verb, Work, site_option, tenant_option, with_work
from provisioner.model import Mac, RegistrationState
from provisioner.services.context import Context
from provisioner.services.devices.device_list import DeviceRow, list_devices
from provisioner.services.devices.enrolment import (
    Enrolled,
    enrol,
    find_by_mac,
    open_claim_window,
    remove_device,
    replace_device_password,
    unlock_device,
    update_device,
)
from provisioner.services.people.tenants import get_tenant
from provisioner.services.people.users import MAX_PAGE

_LIST = ("mac", "name", "model", "extension", "user", "site", "state")


@click.group()
def device() -> None:
    """Devices: phones with their own credentials. MAC in any spelling."""


@device.command("list", cls=Verb)
@click.option("--tenant", "tenant_key", metavar="KEY", help="Only this tenant.")
@click.option("--search", default="", help="Part of a name, MAC, model, user, extension or note.")
@click.option(
    "--state",
    type=click.Choice([state.value for state in RegistrationState]),
    help="Only in this registration state.",
)
@with_work
async def list_(work: Work, /, *, tenant_key: str | None, search: str, state: str | None) -> None:
    """List devices with their registration."""
    async with work.context() as context:
        tenant_id = (await work.tenant(context, tenant_key)).id if tenant_key else None
        rows: list[dict[str, Any]] = []
        while True:
            page = await list_devices(
                context,
                work.actor,
                tenant_id=tenant_id,
                search=search,
                state=state or "",
                offset=len(rows),
                limit=MAX_PAGE,
            )
            rows += [_as_thing(item) for item in page.items]
            if len(rows) >= page.total or not page.items:
                break
    show_rows(work, rows, columns=_LIST, empty="No device found.")


@device.command(cls=Verb)
@click.argument("mac")
@with_work
async def show(work: Work, /, *, mac: str) -> None:
    """Show one device; its password cannot be shown again."""
    async with work.context() as context:
        show_thing(work, await _thing(work, context, mac))


@device.command(cls=Verb)
@click.argument("mac")
@click.argument("model", metavar="PROFILE/MODEL")
@tenant_option
@click.option("--user", "who", metavar="WHO", help="Whose phone it is: an extension or a name.")
@click.option("--name", default="", help="Name for people; made from model and user when left out.")
@site_option
@click.option("--username", help="Device configuration user name; made when left out.")
@click.option("--password", help="Device configuration password; made when left out, which is better.")
@click.option("--policy", default="", help="Credential policy of this device alone.")
@click.option("--note", default="", help="Anything worth knowing.")
@with_work
async def add(
    work: Work,
    /,
    *,
    mac: str,
    model: str,
    tenant_key: str | None,
    who: str | None,
    site_name: str | None,
    **fields: Any,
) -> None:
    """Register a device and show its credentials this once. `provisioner profile list` shows the models."""
    profile, _, model_id = model.partition("/")
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        places: dict[str, Any] = {
            "user_id": (await find_user_by(work, context, tenant, who)).id if who else None,
            "site_id": (await find_site_by_name(work, context, tenant, site_name)).id if site_name else None,
        }
        enrolled = await enrol(
            context,
            work.actor,
            tenant_id=tenant.id,
            profile=profile,
            model=model_id,
            mac=mac,
            **places,
            **fields,
        )
        thing = await _thing(work, context, mac)
    for warning in enrolled.warnings:
        say(work, f"Warning: {warning}")
    show_thing(
        work, thing | _credentials(enrolled) | {"warnings": list(enrolled.warnings)}, note=_once(enrolled)
    )


@device.command(cls=Verb)
@click.argument("mac")
@click.option("--new-mac", "mac_", help="Another address: the phone was replaced.")
@click.option("--model", metavar="PROFILE/MODEL", help="Another model.")
@click.option("--user", "who", metavar="WHO", help="Another user; empty for nobody.")
@click.option("--name", help="Another name.")
@site_option
@click.option("--policy", help="Credential policy; empty takes the site's or the tenant's.")
@click.option("--note", help="Note.")
@with_work
async def update(
    work: Work,
    /,
    *,
    mac: str,
    mac_: str | None,
    model: str | None,
    who: str | None,
    site_name: str | None,
    **fields: Any,
) -> None:
    """Change a device; what is not given stays."""
    changes = given({"mac": mac_, **fields})
    if model:
        changes["profile"], _, changes["model"] = model.partition("/")
    async with work.context() as context:
        found = await find_by_mac(context, work.actor, mac=mac)
        if who is not None or site_name is not None:
            tenant = await get_tenant(context, work.actor, tenant_id=found.tenant_id)
            if who is not None:
                changes["user_id"] = (await find_user_by(work, context, tenant, who)).id if who else None
            if site_name is not None:
                changes["site_id"] = (
                    (await find_site_by_name(work, context, tenant, site_name)).id if site_name else None
                )
        _, warnings = await update_device(context, work.actor, device_id=found.id, **changes)
        thing = await _thing(work, context, mac_ or mac)
    for warning in warnings:
        say(work, f"Warning: {warning}")
    show_thing(work, thing | {"warnings": list(warnings)})


@device.command(cls=Verb)
@click.argument("mac")
@click.option("--reason", default="", help="Why, for the audit log.")
@with_work
async def remove(work: Work, /, *, mac: str, reason: str) -> None:
    """Remove a device for good: its credentials and SIP accounts never work again."""
    async with work.context() as context:
        found = await find_by_mac(context, work.actor, mac=mac)
        await remove_device(context, work.actor, device_id=found.id, reason=reason)
    show_done(work, f"{Mac(found.mac).pretty} is removed.", mac=Mac(found.mac).pretty)


@device.command(cls=Verb)
@click.argument("mac")
@click.option("--password", "chosen", help="The new password; made when left out, which is better.")
@click.option("--at-once", is_flag=True, help="Refuse the old password immediately: the phone was stolen.")
@with_work
async def password(work: Work, /, *, mac: str, chosen: str | None, at_once: bool) -> None:
    """Replace the device configuration password and show it this once."""
    async with work.context() as context:
        found = await find_by_mac(context, work.actor, mac=mac)
        enrolled = await replace_device_password(
            context, work.actor, device_id=found.id, password=chosen, at_once=at_once
        )
    show_thing(
        work,
        {"mac": Mac(found.mac).pretty, "name": found.name} | _credentials(enrolled),
        note=_once(enrolled),
    )


@device.command(cls=Verb)
@click.argument("mac")
@click.option("--minutes", type=int, default=15, show_default=True, help="How long, 1 to 1440.")
@with_work
async def window(work: Work, /, *, mac: str, minutes: int) -> None:
    """Open a claim window: the phone may fetch once without credentials (policies with `window`)."""
    async with work.context() as context:
        found = await find_by_mac(context, work.actor, mac=mac)
        opened = await open_claim_window(context, work.actor, device_id=found.id, minutes=minutes)
    show_done(
        work,
        f"The window of {found.name} is open for {minutes} minutes.",
        mac=Mac(found.mac).pretty,
        until=opened.window_until,
    )


@device.command(cls=Verb)
@click.argument("mac")
@with_work
async def unlock(work: Work, /, *, mac: str) -> None:
    """Forget the wrong passwords that locked a device."""
    async with work.context() as context:
        found = await find_by_mac(context, work.actor, mac=mac)
        await unlock_device(context, work.actor, device_id=found.id)
    show_done(work, f"{found.name} is unlocked.", mac=Mac(found.mac).pretty)


for verb in (preview, import_, export, resync):
    device.add_command(verb)


async def _thing(work: Work, context: Context, mac: str) -> dict[str, Any]:
    found = await find_by_mac(context, work.actor, mac=mac)
    page = await list_devices(context, work.actor, device_ids=[found.id])
    return _as_thing(page.items[0])


def _as_thing(item: DeviceRow) -> dict[str, Any]:
    row, seen = item.device, item.sighting
    return {
        "mac": Mac(row.mac).pretty,
        "name": row.name,
        "model": f"{row.profile}/{row.model}",
        "extension": item.extension,
        "user": item.user.name if item.user else "",
        "site": item.site_name,
        "state": item.state.value,
        "reason": item.registration.reason if item.registration else "",
        "since": item.registration.since if item.registration else None,
        "username": row.username,
        "policy": row.policy,
        "firmware": row.firmware,
        "seen_at": seen.seen_at if seen else None,
        "seen_from": seen.seen_from if seen else "",
        "served_at": seen.served_at if seen else None,
        "revision": row.revision,
        "note": row.note,
    }


def _credentials(enrolled: Enrolled) -> dict[str, Any]:
    shown = {"password": enrolled.password} if enrolled.was_generated else {}
    return {"username": enrolled.device.username} | shown


def _once(enrolled: Enrolled) -> str:
    return "The password is shown this once." if enrolled.was_generated else ""
