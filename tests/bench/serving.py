"""The real server as one process of the bench; `tests.bench.ours` starts it."""

import argparse
import asyncio
import contextlib
import json
import signal
from unittest.mock import patch

import uvloop

from provisioner import garbage
from provisioner.app import Server
from provisioner.services.files.fetch_log import FetchLog
from provisioner.services.files.fetch_rows import Note
from provisioner.settings import ServerSettings


class SilentFetchLog(FetchLog):
    """Takes no notes: what the server would cost without its provisioning log."""

    def note(self, note: Note) -> None: ...


async def serve(settings: ServerSettings, *, phones_only: bool, shared: bool) -> None:
    """Listen until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with Server(settings, phones_only=phones_only, shared=shared):
        garbage.settle()
        await ended.wait()


def main() -> None:
    """Serve as the command line says until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("settings", help="settings as JSON")
    parser.add_argument("--unrecorded", action="store_true", help="the fetch log takes no notes")
    parser.add_argument("--phones-only", action="store_true", help="a further worker on the same ports")
    parser.add_argument("--shared", action="store_true", help="the first of several workers")
    arguments = parser.parse_args()
    silence = (
        patch("provisioner.app.FetchLog", SilentFetchLog)
        if arguments.unrecorded
        else contextlib.nullcontext()
    )
    with silence:
        settings = ServerSettings(**json.loads(arguments.settings))
        uvloop.run(serve(settings, phones_only=arguments.phones_only, shared=arguments.shared))
