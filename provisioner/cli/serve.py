"""`provisioner serve`: the server."""

import asyncio
from contextlib import AsyncExitStack

import click
import uvloop

from provisioner import garbage
from provisioner.app import Server
from provisioner.cli.demo import Demo, prepare, read_sample
from provisioner.cli.init import admin_url
from provisioner.cli.logs import log_to_stderr
from provisioner.cli.output import show_thing
from provisioner.cli.work import Verb, Work, stop_event
from provisioner.cli.workers import Workers, watch_parent
from provisioner.services.operation.installation import KEY_RING, Installed, install
from provisioner.settings import DATABASE, ServerSettings


@click.command(cls=Verb)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that share the phone ports.",
)
@click.option(
    "--demo",
    is_flag=True,
    help="Add sample data, a SIMULATED registrar and three SIMULATED phones; for a new database only.",
)
@click.option("--phones-only", is_flag=True, hidden=True, help="A further worker: phone listeners alone.")
@click.pass_obj
def serve(work: Work, workers: int, demo: bool, phones_only: bool) -> None:
    """Run the server until Ctrl+C or SIGTERM."""
    settings = work.settings()
    is_local = not demo and not settings.database
    if is_local and not any((settings.data / name).exists() for name in (KEY_RING, DATABASE)):
        raise work.nothing_there(settings)  # before an empty database is made that says something else
    log_to_stderr(settings.log_level, as_json=settings.log_json)
    run = _worker(settings) if phones_only else _serve(work, settings, workers=workers, is_demo=demo)
    garbage.rest()  # until the server stands
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run)
    finally:
        garbage.wake()


async def _serve(work: Work, settings: ServerSettings, *, workers: int, is_demo: bool) -> None:
    installed = await install(settings) if is_demo and not (settings.data / KEY_RING).exists() else None
    if is_demo:  # refused before anything listens
        async with work.context() as context:
            await prepare(work, context, read_sample())
    stop = stop_event()
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(Server(settings, shared=workers > 1))
        if workers > 1:
            others = Workers(settings.data, count=workers - 1)
            stack.push_async_callback(others.stop)
            await others.start()
        garbage.settle()
        _announce(work, settings, server, workers=workers, installed=installed)
        if is_demo:
            demo = Demo(work, server)
            stack.push_async_callback(demo.stop)
            await demo.start()
        await stop.wait()


async def _worker(settings: ServerSettings) -> None:
    stop = stop_event()
    watch_parent(stop)
    async with Server(settings, phones_only=True):
        garbage.settle()
        await stop.wait()


def _announce(
    work: Work, settings: ServerSettings, server: Server, *, workers: int, installed: Installed | None
) -> None:
    thing: dict[str, object] = {"pages": admin_url(settings, server.ports["admin"])}
    if "https" in server.ports:
        thing["phones"] = f"{settings.https_base}/p"
    if "http" in server.ports:
        thing["bootstrap"] = f"{settings.http_base}/p"
    if installed is not None:
        thing |= {"login": installed.login, "password": installed.password or ""}
    if workers > 1:
        thing["workers"] = workers
    once = "The password is shown this once. " if installed is not None else ""
    show_thing(work, thing, note=f"{once}The server runs; Ctrl+C stops it.")
