"""`provisioner shared-line`."""

from collections.abc import Sequence
from typing import Any

import click

from provisioner.cli.output import show_done, show_rows, show_thing
from provisioner.cli.tenant import given
from provisioner.cli.work import Verb, Work, tenant_option, with_work
from provisioner.errors import NotFound
from provisioner.model import Tenant
from provisioner.services.context import Context
from provisioner.services.devices.enrolment import find_by_mac
from provisioner.services.shared_lines.members import Wish
from provisioner.services.shared_lines.shared_lines import (
    create_shared_line,
    delete_shared_line,
    list_shared_lines,
    preset_boss_assistant,
    update_shared_line,
)
from provisioner.services.shared_lines.views import Shared

_FIELDS = (
    "name", "number", "mode", "appearances", "is_barge_in", "is_barge_tone", "barge_tone_repeat", "is_private_hold", "account", "members",
)  # fmt: skip


@click.group("shared-line")
def shared_line() -> None:
    """Shared lines: one number that appears on several devices."""


def _fields(command: Any) -> Any:
    for option in (
        click.option("--private-hold/--no-private-hold", "is_private_hold", default=None, help="Members can hold a call so that only they can take it back."),
        click.option("--tone-repeat", "barge_tone_repeat", type=int, help="Seconds between two warning tones; 0 plays it once."),
        click.option("--tone/--no-tone", "is_barge_tone", default=None, help="Warn the speakers when a member barges in."),
        click.option("--barge-in/--no-barge-in", "is_barge_in", default=None, help="Members can join each other's calls."),
        click.option("--appearances", type=click.IntRange(1, 10), help="Calls that run at once."),
        click.option("--mode", type=click.Choice(["sca", "blf"]), help="sca: shared call appearances; blf: lamps, pick-up and parking for registrars without."),
    ):  # fmt: skip
        command = option(command)
    return command


@shared_line.command("list", cls=Verb)
@tenant_option
@with_work
async def list_(work: Work, /, *, tenant_key: str | None) -> None:
    """List the shared lines of a tenant."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        found = await list_shared_lines(context, work.actor, tenant_id=tenant.id)
    columns = ("name", "number", "mode", "appearances", "members")
    show_rows(
        work, [_as_thing(line) for line in found], columns=columns, empty="This tenant has no shared lines."
    )


@shared_line.command(cls=Verb)
@click.argument("name")
@tenant_option
@with_work
async def show(work: Work, /, *, name: str, tenant_key: str | None) -> None:
    """Show one shared line."""
    async with work.context() as context:
        show_thing(work, _as_thing(await _find(work, context, await work.tenant(context, tenant_key), name)))


@shared_line.command(cls=Verb)
@click.argument("name")
@click.argument("number")
@click.argument("macs", nargs=-1, required=True)
@tenant_option
@_fields
@with_work
async def add(
    work: Work, /, *, name: str, number: str, macs: tuple[str, ...], tenant_key: str | None, **fields: Any
) -> None:
    """Make a shared line on the devices with these MAC addresses, in this order. MAC@3 takes line 3 of the device."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        made = await create_shared_line(
            context,
            work.actor,
            tenant_id=tenant.id,
            name=name,
            number=number,
            members=await _wishes(work, context, macs),
            **given(fields),
        )
        show_thing(work, _as_thing(made))


@shared_line.command(cls=Verb)
@click.argument("number")
@click.argument("boss")
@click.argument("assistants", nargs=-1, required=True)
@click.option("--name", default="", help="Name of the line; empty takes the boss's device.")
@tenant_option
@_fields
@with_work
async def boss(
    work: Work,
    /,
    *,
    number: str,
    boss: str,
    assistants: tuple[str, ...],
    name: str,
    tenant_key: str | None,
    **fields: Any,
) -> None:
    """Share a boss's line with assistants, whose devices are named by MAC address: boss first."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        wishes = await _wishes(work, context, (boss, *assistants))
        made = await preset_boss_assistant(
            context,
            work.actor,
            tenant_id=tenant.id,
            boss_device_id=wishes[0].device_id,
            assistant_device_ids=[wish.device_id for wish in wishes[1:]],
            number=number,
            name=name,
            **given(fields),
        )
        show_thing(work, _as_thing(made))


@shared_line.command(cls=Verb)
@click.argument("name")
@tenant_option
@click.option("--rename", "new_name", help="New name.")
@click.option("--number", help="New number.")
@click.option(
    "--member",
    "macs",
    multiple=True,
    help="MAC address of a member; given, these are all members, in this order.",
)
@_fields
@with_work
async def update(
    work: Work,
    /,
    *,
    name: str,
    tenant_key: str | None,
    new_name: str | None,
    macs: tuple[str, ...],
    **fields: Any,
) -> None:
    """Change a shared line; what is not given stays."""
    async with work.context() as context:
        found = await _find(work, context, await work.tenant(context, tenant_key), name)
        changes = given({"name": new_name, **fields})
        if macs:
            changes["members"] = await _wishes(work, context, macs)
        changed = await update_shared_line(context, work.actor, shared_line_id=found.id, **changes)
        show_thing(work, _as_thing(changed))


@shared_line.command(cls=Verb)
@click.argument("name")
@tenant_option
@with_work
async def remove(work: Work, /, *, name: str, tenant_key: str | None) -> None:
    """Remove a shared line; its lines on devices are switched off and its number is free."""
    async with work.context() as context:
        found = await _find(work, context, await work.tenant(context, tenant_key), name)
        await delete_shared_line(context, work.actor, shared_line_id=found.id)
    show_done(work, f"The shared line {found.name} is removed.", name=found.name)


async def _wishes(work: Work, context: Context, macs: Sequence[str]) -> list[Wish]:
    """Members from MAC addresses, each with @LINE behind it where a certain line is wanted."""
    wishes = []
    for text in macs:
        mac, at, line = text.partition("@")
        if at and not (line.isascii() and line.isdigit() and len(line) < 4):
            raise click.UsageError(f"“{text}” is no MAC address with a line, such as 00:04:13:AA:BB:01@2.")
        device = await find_by_mac(context, work.actor, mac=mac)
        wishes.append(Wish(device.id, int(line) if at else None))
    return wishes


async def _find(work: Work, context: Context, tenant: Tenant, name: str) -> Shared:
    """The shared line with this name (in any case) or number; NotFound names those there are."""
    found = await list_shared_lines(context, work.actor, tenant_id=tenant.id)
    for line in found:
        if name == line.number or line.name.casefold() == name.casefold():
            return line
    names = ", ".join(line.name for line in found) or "none"
    raise NotFound(f"{tenant.name} has no shared line “{name}”; there are: {names}.")


def _as_thing(line: Shared) -> dict[str, Any]:
    thing = {name: getattr(line, name) for name in _FIELDS if name != "members"}
    return {**thing, "members": [f"{member.device_name} (line {member.line})" for member in line.members]}
