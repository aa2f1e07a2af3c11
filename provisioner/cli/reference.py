"""Reference pages made from the program itself: docs/cli.md, docs/settings.md and docs/server-settings.md."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from pydantic_core import PydanticUndefined

from provisioner.cli.root import cli
from provisioner.composition.catalogue import Setting, load_catalogue
from provisioner.settings import ServerSettings

_MADE = "<!-- Made by `python -m provisioner.cli.reference docs`; a test compares. Do not edit. -->\n"

_SCOPES_SAID = (
    "Set with the pages, the REST interface or `provisioner setting set`. From weak to strong: default, model, tenant,"
    " site, user, device; the strongest place that says something decides, and “unset here” brings the default back.\n"
)


def cli_reference() -> str:
    """docs/cli.md: every command with its help and options."""
    context = click.Context(cli, info_name="provisioner")
    parts = [_MADE, "# Command line\n", _help_of(cli), _options(cli, context)]
    for command, path in _commands(cli, "provisioner"):
        parts += [f"## `{path}`\n", _usage(command, path), _help_of(command), _options(command, context)]
    return "\n".join(part for part in parts if part)


def settings_reference() -> str:
    """docs/settings.md: the catalogue of phone settings."""
    catalogue = load_catalogue()
    parts = [
        _MADE,
        "# Phone settings\n",
        _SCOPES_SAID,
    ]
    for group, label in catalogue.groups.items():
        parts += [
            f"## {label}\n",
            "| setting | type | default | where | what it is good for |\n|---|---|---|---|---|",
        ]
        parts += [_setting_row(entry) for entry in catalogue.settings.values() if entry.group == group]
        parts.append("")
    return "\n".join(parts)


def server_settings_reference() -> str:
    """docs/server-settings.md: the server's own settings."""
    parts = [
        _MADE,
        "# Server settings\n",
        "In `provisioner.toml` in the data folder, or in the environment, which outweighs the file. The server reads them when it starts.\n",
        "| setting | environment | default | meaning |\n|---|---|---|---|",
    ]
    for name, field in ServerSettings.model_fields.items():
        default = "" if field.default is PydanticUndefined else _default(field.default)
        parts.append(
            f"| `{name}` | `PROVISIONER_{name.upper()}` | {default} | {_text(field.description or '')} |"
        )
    return "\n".join(parts) + "\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "cli.md": cli_reference,
    "settings.md": settings_reference,
    "server-settings.md": server_settings_reference,
}


def _commands(group: click.Group, path: str) -> Iterator[tuple[click.Command, str]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        yield command, f"{path} {name}"
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")


def _help_of(command: click.Command) -> str:
    lines = [line.strip() for line in (command.help or "").replace("\f", "").splitlines()]
    return "\n".join(lines).strip() + "\n"


def _usage(command: click.Command, path: str) -> str:
    pieces = " ".join(command.collect_usage_pieces(click.Context(command)))
    return f"```\n{path} {pieces}\n```\n"


def _options(command: click.Command, context: click.Context) -> str:
    rows = []
    for parameter in command.params:
        if (
            not isinstance(parameter, click.Option)
            or parameter.hidden
            or parameter.name in {"json", "help", "version"}
        ):
            continue
        record = parameter.get_help_record(context)
        if record is not None:
            rows.append(f"| `{_text(record[0])}` | {_text(record[1])} |")
    return "| option | meaning |\n|---|---|\n" + "\n".join(rows) + "\n" if rows else ""


def _setting_row(entry: Setting) -> str:
    kind = entry.type
    if entry.choices:
        kind = f"{entry.type}: {', '.join(entry.choices)}"
    elif entry.minimum is not None or entry.maximum is not None:
        kind = f"{entry.type} {entry.minimum if entry.minimum is not None else 0}–{entry.maximum if entry.maximum is not None else ''}"
    unit = f" {entry.unit}" if entry.unit else ""
    where = ", ".join(entry.scopes) or "property of the tenant"
    return f"| `{entry.name}` | {_text(kind)}{unit} | {_default(entry.default)} | {where} | **{_text(entry.label)}.** {_text(entry.help)} |"


def _default(value: Any) -> str:
    if value is None or value in ("", (), []):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return _text(", ".join(str(item) for item in value))
    return f"`{_text(str(value))}`"


def _text(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def write(folder: Path) -> None:
    """Write the pages into FOLDER."""
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write()
