"""What every command has: the installation it works on, who is at work, and the form of its answer."""

import asyncio
import functools
import getpass
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import click

from provisioner.access.permissions import Role
from provisioner.errors import CannotStart
from provisioner.model import Tenant
from provisioner.model.store import Store
from provisioner.services.context import Actor, Context
from provisioner.services.operation.installation import KEY_RING, open_context
from provisioner.services.people.tenant_keys import tenant_by_key
from provisioner.services.people.tenants import list_tenants
from provisioner.settings import ServerSettings, load_settings

P = ParamSpec("P")


class Work:
    """One run of the command line."""

    def __init__(self, data: Path, *, is_json: bool = False) -> None:
        self.data = data
        self.is_json = is_json

    @property
    def actor(self) -> Actor:
        """The person at the keyboard: whoever can read the key ring may do everything."""
        return Actor(name=f"cli {_login_name()}", role=Role.OPERATOR)

    def settings(self, **overrides: object) -> ServerSettings:
        """The server's settings; CannotStart names every wrong entry."""
        return load_settings(self.data, **overrides)

    @staticmethod
    def nothing_there(settings: ServerSettings) -> CannotStart:
        """What to say where no installation is."""
        return CannotStart(
            f"There is no installation in {settings.data}: run `provisioner init`, or name its folder with --data."
        )

    @asynccontextmanager
    async def context(self) -> AsyncIterator[Context]:
        """The use cases over the installation's database. CannotStart when there is none."""
        settings = self.settings()
        if not (settings.data / KEY_RING).exists():
            raise self.nothing_there(settings)
        store = Store(settings.database_url)
        try:
            yield await open_context(settings, store=store)
        finally:
            await store.close()

    async def tenant(self, context: Context, key: str | None) -> Tenant:
        """The tenant with this key; without a key the only one there is."""
        if key:
            return await tenant_by_key(context, self.actor, key=key)
        tenants = await list_tenants(context, self.actor)
        if len(tenants) == 1:
            return tenants[0].tenant
        keys = ", ".join(item.tenant.key for item in tenants)
        raise click.UsageError(
            f"Say which tenant with --tenant: {keys}."
            if keys
            else "There is no tenant yet: `provisioner tenant add`."
        )


class Verb(click.Command):
    """A command that takes --json and --data after its own name too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _add_usual_options(self)


class NounVerb(click.Group):
    """The same for a group that does something by itself when no verb follows."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _add_usual_options(self)


def with_work(function: Callable[Concatenate[Work, P], Awaitable[None]]) -> Callable[P, None]:
    """Make a coroutine function that takes the Work first into the callback of a command."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        work = click.get_current_context().find_object(Work)
        if work is None:
            raise RuntimeError("a command ran outside of the command line")

        async def body() -> None:
            await function(work, *args, **kwargs)

        asyncio.run(body())

    return run


def stop_event() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set, for a clean stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


tenant_option = click.option(
    "--tenant", "tenant_key", metavar="KEY", help="Key of the tenant; not needed when there is only one."
)
site_option = click.option("--site", "site_name", metavar="NAME", help="Name of a site of the tenant.")


def _add_usual_options(command: click.Command) -> None:
    command.params.append(
        click.Option(
            ["--json"], is_flag=True, expose_value=False, callback=_take_json, help="Answer in JSON."
        )
    )
    command.params.append(
        click.Option(
            ["--data"],
            type=click.Path(file_okay=False, path_type=Path),
            expose_value=False,
            callback=_take_data,
            hidden=True,
        )
    )


def _take_json(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    work = ctx.find_object(Work)
    if work is not None and value:
        work.is_json = True


def _take_data(ctx: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    work = ctx.find_object(Work)
    if work is not None and value is not None:
        work.data = value


def _login_name() -> str:
    try:
        return getpass.getuser()[:60]
    except (KeyError, OSError):  # an account without an entry, as in containers
        return "unknown"
