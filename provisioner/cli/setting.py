"""`provisioner setting`: what is set where."""

from collections.abc import Callable
from typing import Any

import click

from provisioner.cli.output import show_rows
from provisioner.cli.site import find_site_by_name
from provisioner.cli.user import find_user_by
from provisioner.cli.work import Verb, Work, tenant_option, with_work
from provisioner.composition.catalogue import load_catalogue
from provisioner.errors import BadInput
from provisioner.services.context import Context
from provisioner.services.devices.device_settings import get_settings, put_settings
from provisioner.services.devices.enrolment import find_by_mac

Command = Callable[..., Any]


@click.group()
def setting() -> None:
    """Settings, from weak to strong: default, model, tenant, site, user, device.

    Without --model, --site, --user or --device a command is about the tenant.
    """


def scope_options(command: Command) -> Command:
    for option in (
        tenant_option,
        click.option("--model", metavar="PROFILE/MODEL", help="All devices of a model."),
        click.option("--site", metavar="NAME", help="All devices of a site."),
        click.option("--user", metavar="WHO", help="All devices of a user: an extension or a name."),
        click.option("--device", metavar="MAC", help="One device."),
    ):
        command = option(command)
    return command


@setting.command("list", cls=Verb)
@click.option("--group", help="Only the settings of one group.")
@with_work
async def list_(work: Work, /, *, group: str | None) -> None:
    """List every setting there is, with its default and where it can be set."""
    catalogue = load_catalogue()
    if group and group not in catalogue.groups:
        raise BadInput(
            f"There is no group “{group}”; there are {', '.join(catalogue.groups)}.", field="group"
        )
    rows = [
        {
            "name": entry.name,
            "type": entry.type,
            "default": entry.default,
            "scopes": list(entry.scopes),
            "group": entry.group,
            "label": entry.label,
            "help": entry.help,
            "choices": list(entry.choices),
            "unit": entry.unit,
        }
        for entry in catalogue.settings.values()
        if not group or entry.group == group
    ]
    show_rows(work, rows, columns=("name", "type", "default", "scopes", "label"))


@setting.command(cls=Verb)
@scope_options
@with_work
async def get(work: Work, /, *, tenant_key: str | None, **scope: str | None) -> None:
    """Show what is set at one place itself; `provisioner explain` shows what a device gets of it."""
    async with work.context() as context:
        place = await place_of(work, context, tenant_key, scope)
        values = await get_settings(context, work.actor, **place)
    _show(work, values)


@setting.command("set", cls=Verb)
@click.argument("values", nargs=-1, required=True, metavar="NAME=VALUE...")
@scope_options
@with_work
async def set_(
    work: Work, /, *, values: tuple[str, ...], tenant_key: str | None, **scope: str | None
) -> None:
    """Set some settings at one place, all or nothing. Exactly the phones it reaches get a new file."""
    chosen = dict(_pair(text) for text in values)
    async with work.context() as context:
        place = await place_of(work, context, tenant_key, scope)
        _show(work, await put_settings(context, work.actor, values=chosen, **place))


@setting.command(cls=Verb)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@scope_options
@with_work
async def unset(
    work: Work, /, *, names: tuple[str, ...], tenant_key: str | None, **scope: str | None
) -> None:
    """Set "unset here": back to the default, whatever a weaker place says."""
    async with work.context() as context:
        place = await place_of(work, context, tenant_key, scope)
        _show(work, await put_settings(context, work.actor, values=dict.fromkeys(names), **place))


@setting.command(cls=Verb)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@scope_options
@with_work
async def inherit(
    work: Work, /, *, names: tuple[str, ...], tenant_key: str | None, **scope: str | None
) -> None:
    """Say nothing at this place: let the weaker places decide again."""
    async with work.context() as context:
        place = await place_of(work, context, tenant_key, scope)
        _show(work, await put_settings(context, work.actor, values={}, inherit=names, **place))


async def place_of(
    work: Work, context: Context, tenant_key: str | None, scope: dict[str, str | None]
) -> dict[str, Any]:
    """tenant_id, scope and ref of the place that the options name."""
    chosen = [(name, text) for name, text in scope.items() if text]
    if len(chosen) > 1:
        raise click.UsageError(f"Choose one of {', '.join('--' + name for name, _ in chosen)}.")
    name, text = chosen[0] if chosen else ("tenant", "")
    if name == "device":
        device = await find_by_mac(context, work.actor, mac=text)
        return {"tenant_id": device.tenant_id, "scope": name, "ref": str(device.id)}
    tenant = await work.tenant(context, tenant_key)
    if name == "site":
        text = str((await find_site_by_name(work, context, tenant, text)).id)
    elif name == "user":
        text = str((await find_user_by(work, context, tenant, text)).id)
    return {"tenant_id": tenant.id, "scope": name, "ref": text}


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise click.UsageError(f"Write NAME=VALUE, not “{text[:60]}”.")
    return name.strip(), value


def _show(work: Work, values: Any) -> None:
    rows = [
        {"name": name, "value": value, "is_unset": value is None} for name, value in sorted(values.items())
    ]
    if not work.is_json:
        rows = [
            {"name": row["name"], "value": "(unset here)" if row["is_unset"] else row["value"]}
            for row in rows
        ]
    show_rows(work, rows, empty="Nothing is set here.")
