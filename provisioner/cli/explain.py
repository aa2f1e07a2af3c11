"""`provisioner explain`: what a phone gets and where it comes from."""

from typing import Any

import click

from provisioner.cli.output import cell, show_rows
from provisioner.cli.work import Verb, Work, with_work
from provisioner.composition.phone_config import Composed, Origin
from provisioner.services.context import Context
from provisioner.services.devices.device_settings import SECRET_SHOWN
from provisioner.services.devices.enrolment import find_by_mac
from provisioner.services.files.phone_files import compose_device


@click.command(cls=Verb)
@click.argument("mac")
@click.argument("setting", required=False)
@click.option("--set-only", is_flag=True, help="Leave out what nobody has set.")
@with_work
async def explain(work: Work, /, *, mac: str, setting: str | None, set_only: bool) -> None:
    """Show the settings of a device (or one SETTING): value, where it was set, and what it outweighs."""
    async with work.context() as context:
        device = await find_by_mac(context, work.actor, mac=mac)
        if setting:
            context.catalogue[setting]
        config = await compose_device(context, work.actor, device_id=device.id)
        chosen = [config.settings[setting]] if setting else list(config.settings.values())
        rows = [_row(context, item) for item in chosen if not set_only or item.origin.scope != "default"]
    if work.is_json:
        show_rows(work, rows)
        return
    shown = [
        {
            "setting": row["name"],
            "value": row["value"],
            "set_by": _place(row["origin"]),
            "instead_of": _shadowed(row["shadowed"]),
        }
        for row in rows
    ]
    show_rows(work, shown, empty="Nothing is set for this device.")
    for warning in config.warnings:
        click.echo(f"Note: {warning}", err=True)


def _row(context: Context, item: Composed) -> dict[str, Any]:
    is_secret = context.catalogue.settings[item.name].is_secret
    return {
        "name": item.name,
        "value": _shown(item.value, is_secret=is_secret),
        "origin": _origin(item.origin, is_secret=is_secret),
        "shadowed": [_origin(origin, is_secret=is_secret) for origin in item.shadowed],
    }


def _origin(origin: Origin, *, is_secret: bool) -> dict[str, Any]:
    return {"scope": origin.scope, "label": origin.label, "value": _shown(origin.value, is_secret=is_secret)}


def _shown(value: Any, *, is_secret: bool) -> Any:
    if is_secret and value:
        return SECRET_SHOWN
    return list(value) if isinstance(value, tuple) else value


def _place(origin: dict[str, Any]) -> str:
    text = f"{origin['scope']} {origin['label']}".strip()
    return f"{text} (unset here)" if origin["value"] is None else text


def _shadowed(origins: list[dict[str, Any]]) -> str:
    return "; ".join(f"{_place(origin)}: {cell(origin['value'])}" for origin in origins)
