"""The command `provisioner`: global options, the nouns, and the one place where errors become sentences and exit codes."""

import sqlite3
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import asyncpg
import click
from sqlalchemy.exc import SQLAlchemyError

from provisioner import garbage
from provisioner.cli.logs import log_to_stderr
from provisioner.cli.output import show_problem
from provisioner.cli.work import Work
from provisioner.errors import ProvisionerError, Unavailable

NOUNS: Mapping[str, str] = {
    "init": "provisioner.cli.init:init",
    "serve": "provisioner.cli.serve:serve",
    "db": "provisioner.cli.db:db",
    "tenant": "provisioner.cli.tenant:tenant",
    "site": "provisioner.cli.site:site",
    "user": "provisioner.cli.user:user",
    "number": "provisioner.cli.number:number",
    "group": "provisioner.cli.group:group",
    "menu": "provisioner.cli.menu:menu",
    "schedule": "provisioner.cli.schedule:schedule",
    "device": "provisioner.cli.device:device",
    "hotdesk": "provisioner.cli.hotdesk:hotdesk",
    "shared-line": "provisioner.cli.shared_line:shared_line",
    "setting": "provisioner.cli.setting:setting",
    "key": "provisioner.cli.key:key",
    "explain": "provisioner.cli.explain:explain",
    "profile": "provisioner.cli.profile:profile",
    "cert": "provisioner.cli.cert:cert",
    "secret": "provisioner.cli.secret:secret",
    "token": "provisioner.cli.token:token",
    "login": "provisioner.cli.login:login",
    "phone": "provisioner.cli.phone:phone",
    "registrar": "provisioner.cli.registrar:registrar",
    "pbx": "provisioner.cli.pbx:pbx",
}
"""Command → where it is; loaded when it is used, so that `--help` answers at once."""


def _loaded(module: str) -> ModuleType:
    if module in sys.modules:
        return sys.modules[module]
    garbage.rest()
    try:
        return import_module(module)
    finally:
        garbage.wake()


class Root(click.Group):
    """Loads nouns when they are used; errors made on purpose leave as one sentence and exit code 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's form
        return list(NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        place = NOUNS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command: click.Command = getattr(_loaded(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ProvisionerError as error:
            self._refuse(ctx, error)
        except (SQLAlchemyError, sqlite3.Error, asyncpg.PostgresError) as error:
            cause = getattr(error, "orig", None) or error
            sentence = str(cause).strip().partition("\n")[0] or type(cause).__name__
            self._refuse(ctx, Unavailable(f"The database does not answer as it should: {sentence}"))
        except BrokenPipeError:
            raise  # the reader, such as `head`, has seen enough: click ends quietly
        except OSError as error:
            name = f"{error.filename}: " if error.filename else ""
            self._refuse(ctx, ProvisionerError(f"{name}{error.strerror or error}"))

    def _refuse(self, ctx: click.Context, error: ProvisionerError) -> None:
        show_problem(error, is_json=ctx.find_object(Work) is not None and ctx.ensure_object(Work).is_json)
        ctx.exit(1)


@click.command(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    envvar="PROVISIONER_DATA",
    show_default=True,
    show_envvar=True,
    help="Folder of the installation: database, key ring, certificates, provisioner.toml.",
)
@click.option(
    "--json", "is_json", is_flag=True, help="Answer in JSON, for programs. Every command has it too."
)
@click.version_option(package_name="provisioner")
@click.pass_context
def cli(ctx: click.Context, data: Path, is_json: bool) -> None:
    """Provision phones: a phone proves who it is, gets its configuration, and its tick turns green.

    Commands work on the installation's database; a running server notices what they change at once.
    Exit codes: 0 done, 1 refused (with a sentence on stderr), 2 wrong usage.
    """
    ctx.obj = Work(data, is_json=is_json)
    log_to_stderr("warning")


def main() -> None:
    """Run the command line; ends the process with the exit code."""
    cli(prog_name="provisioner")
