"""The committed reference pages are what the program says."""

from collections.abc import Callable
from pathlib import Path

import click
import pytest

from provisioner.cli.reference import PAGES
from provisioner.cli.root import NOUNS, cli
from provisioner.composition.catalogue import load_catalogue
from provisioner.settings import ServerSettings

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize(("name", "page"), PAGES.items())
def test_a_committed_page_is_current(name: str, page: Callable[[], str]) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == page(), (
        "run: python -m provisioner.cli.reference docs"
    )


def test_the_pages_hold_every_command_setting_and_server_setting() -> None:
    commands = PAGES["cli.md"]()
    context = click.Context(cli)
    for noun in NOUNS:
        command = cli.get_command(context, noun)
        assert f"## `provisioner {noun}`" in commands
        for verb in command.commands if isinstance(command, click.Group) else ():
            assert f"## `provisioner {noun} {verb}`" in commands
    assert all(f"| `{name}` |" in PAGES["settings.md"]() for name in load_catalogue().settings)
    assert all(f"| `{name}` |" in PAGES["server-settings.md"]() for name in ServerSettings.model_fields)


def test_every_command_and_option_says_what_it_is_for() -> None:
    def commands(group: click.Group, path: str) -> list[tuple[str, click.Command]]:
        found: list[tuple[str, click.Command]] = []
        for name in group.list_commands(click.Context(group)):
            command = group.get_command(click.Context(group), name)
            assert command is not None
            found.append((f"{path} {name}", command))
            if isinstance(command, click.Group):
                found += commands(command, f"{path} {name}")
        return found

    assert isinstance(cli, click.Group)
    for path, command in commands(cli, "provisioner"):
        assert command.help, path
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert option.help, (path, option.name)
        if not isinstance(command, click.Group):
            assert "--json" in [name for option in command.params for name in option.opts], path
