"""`provisioner key`: function keys, automatic sets of keys, and labels to print."""

from collections.abc import Sequence
from typing import Any

import click

from provisioner.cli.output import say, show_done, show_rows, show_thing
from provisioner.cli.setting import place_of, scope_options
from provisioner.cli.user import find_user_by
from provisioner.cli.work import Verb, Work, with_work
from provisioner.composition.key_types import KEY_TYPES, RANGE_TYPES
from provisioner.composition.phone_config import KeyConfig
from provisioner.services.context import Context
from provisioner.services.devices.enrolment import find_by_mac
from provisioner.services.keys.function_keys import Range, change_keys, get_keys, get_ranges, put_ranges
from provisioner.services.keys.label_strips import label_strips, strip_page
from provisioner.services.keys.placed_keys import placed_keys
from provisioner.services.people.tenants import get_tenant

_module = click.option(
    "--module", type=click.IntRange(0, 6), default=0, help="Expansion module; without it the phone itself."
)


@click.group()
def key() -> None:
    """Function keys, from weak to strong: model, tenant, site, user, device; slot by slot the strongest place wins.

    Without --model, --site, --user or --device a command is about the tenant.
    """


@key.command("list", cls=Verb)
@scope_options
@with_work
async def list_(work: Work, /, *, tenant_key: str | None, **scope: str | None) -> None:
    """List the keys and automatic sets of one place itself; `key show` has what a phone makes of all places."""
    async with work.context() as context:
        place = await place_of(work, context, tenant_key, scope)
        keys = await get_keys(context, work.actor, **place)
        ranges = await get_ranges(context, work.actor, **place)
    rows = [
        {
            "module": item.module,
            "slot": item.slot,
            "type": item.type,
            "target": item.target or _reference(item),
            "label": item.label,
            "line": item.line,
        }
        for item in keys
    ]
    rows += [
        {
            "module": entry.module,
            "slot": entry.slot,
            "type": f"{entry.type} …",
            "target": entry.people,
            "label": f"at most {entry.count}" if entry.count else "",
            "line": entry.line,
        }
        for entry in ranges
    ]
    show_rows(work, rows, empty="No key is set here.")


@key.command(cls=Verb)
@click.argument("mac")
@with_work
async def show(work: Work, /, *, mac: str) -> None:
    """Show what a phone makes of its keys: where each comes from, what it hides, and what the phone cannot show."""
    async with work.context() as context:
        device = await find_by_mac(context, work.actor, mac=mac)
        placed = await placed_keys(context, work.actor, device_id=device.id)
    rows = [
        {
            "module": item.module,
            "slot": item.slot,
            "type": item.type,
            "target": item.target,
            "label": item.label,
            "from": f"{item.scope} {item.scope_name}".strip(),
            "hides": [f"{below.scope}: {below.type} {below.target}".strip() for below in item.shadowed],
            "state": "ok" if not item.reason else item.reason,
        }
        for item in placed.keys
        if work.is_json or item.type != "none" or item.reason
    ]
    show_rows(work, rows, empty="This phone has no keys.")


@key.command("set", cls=Verb)
@click.argument("slot", type=click.IntRange(1, 300))
@click.argument("kind", metavar="TYPE", type=click.Choice(KEY_TYPES))
@click.option("--target", default="", help="What the type needs: a number, an address, tones.")
@click.option(
    "--to", "who", metavar="WHO", help="In place of a target: the user (extension or name) that it follows."
)
@click.option("--label", default="", help="Text beside the key; without it the user's name or the target.")
@click.option("--line", type=click.IntRange(1, 16), default=1, help="Line of the phone that dials.")
@_module
@scope_options
@with_work
async def set_(
    work: Work,
    /,
    *,
    slot: int,
    kind: str,
    target: str,
    who: str | None,
    label: str,
    line: int,
    module: int,
    tenant_key: str | None,
    **scope: str | None,
) -> None:
    """Set one key at one place; the others stay. For a device the phone must have such a key."""
    async with work.context() as context:
        place = await place_of(work, context, tenant_key, scope)
        user_id = await _user_id(work, context, place["tenant_id"], who) if who else None
        wanted = KeyConfig(
            slot=slot, module=module, type=kind, target=target, label=label, line=line, user_id=user_id
        )
        warnings = await change_keys(context, work.actor, **place, put=[wanted])
    _tell(work, f"Key {slot} is set.", warnings)


@key.command(cls=Verb)
@click.argument("slots", nargs=-1, required=True, type=click.IntRange(1, 300), metavar="SLOT...")
@_module
@scope_options
@with_work
async def clear(
    work: Work,
    /,
    *,
    slots: tuple[int, ...],
    module: int,
    tenant_key: str | None,
    **scope: str | None,
) -> None:
    """Take keys away at one place: what weaker places have there shows again. To show nothing, set the type none."""
    async with work.context() as context:
        place = await place_of(work, context, tenant_key, scope)
        await change_keys(context, work.actor, **place, clear=[(module, slot) for slot in slots])
    _tell(work, f"{len(slots)} key(s) are no longer set here.", ())


@key.command("range", cls=Verb)
@click.argument("people", type=click.Choice(["department", "everyone", "none"]))
@click.option(
    "--type", "kind", type=click.Choice(RANGE_TYPES), default="blf", help="Type of the keys; blf without it."
)
@click.option("--slot", type=click.IntRange(1, 300), default=1, help="The first slot; 1 without it.")
@click.option(
    "--count", type=click.IntRange(0, 900), default=0, help="At most so many keys; without it all that fit."
)
@click.option("--line", type=click.IntRange(1, 16), default=1, help="Line of the phone that dials.")
@click.option("--keep", is_flag=True, help="Add to the automatic sets that are there; without it they go.")
@_module
@scope_options
@with_work
async def range_(
    work: Work,
    /,
    *,
    people: str,
    kind: str,
    slot: int,
    count: int,
    line: int,
    keep: bool,
    module: int,
    tenant_key: str | None,
    **scope: str | None,
) -> None:
    """Fill free keys by themselves: one for each colleague of the department, or everyone; `none` ends it."""
    async with work.context() as context:
        place = await place_of(work, context, tenant_key, scope)
        ranges = list(await get_ranges(context, work.actor, **place)) if keep else []
        if people != "none":
            ranges.append(Range(people, kind, slot, module, count, line))
        stored = await put_ranges(context, work.actor, **place, ranges=ranges)
    _tell(work, f"{len(stored)} automatic set(s) are here now.", ())


@key.command(cls=Verb)
@click.argument("mac")
@with_work
async def strip(work: Work, /, *, mac: str) -> None:
    """Print the key labels of a phone and its modules as a page (HTML, A4): `provisioner key strip MAC > strip.html`."""
    async with work.context() as context:
        device = await find_by_mac(context, work.actor, mac=mac)
        strips = await label_strips(context, work.actor, device_id=device.id)
    page = strip_page(strips)
    if work.is_json:
        show_thing(work, {"device": strips.device, "model": strips.model, "html": page})
    else:
        click.echo(page, nl=False)


async def _user_id(work: Work, context: Context, tenant_id: int, who: str) -> int:
    tenant = await get_tenant(context, work.actor, tenant_id=tenant_id)
    return (await find_user_by(work, context, tenant, who)).id


def _reference(item: KeyConfig) -> str:
    if item.is_gone:
        return "(gone)"
    if item.user_id is not None:
        return f"user {item.user_id}"
    return f"internal number {item.number_id}" if item.number_id is not None else ""


def _tell(work: Work, sentence: str, warnings: Sequence[str]) -> None:
    members: dict[str, Any] = {"warnings": list(warnings)}
    show_done(work, sentence, **members)
    for warning in warnings:
        say(work, warning)
