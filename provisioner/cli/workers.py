"""Further processes that share the phone ports with this one: started, watched, started again, stopped together."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import structlog

log = structlog.get_logger()

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 30.0
"""A worker that lived so long has not failed at its start: it is started again at once."""
STOP_SECONDS = 15.0


class Workers:
    """`count` processes `serve --phones-only`. They end when this process ends, however it ends: their standard input closes."""

    def __init__(self, data: Path, *, count: int) -> None:
        self._command = [sys.executable, "-m", "provisioner", "--data", str(data), "serve", "--phones-only"]
        self._count = count
        self._tasks: list[asyncio.Task[None]] = []
        self.pids: dict[int, int] = {}
        """Number of the worker → process id, of those that run now."""

    async def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._keep(number), name=f"worker {number}")
            for number in range(1, self._count + 1)
        ]

    async def stop(self) -> None:
        """Stop all politely, then for sure; returns when all are gone."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _keep(self, number: int) -> None:
        loop, pause = asyncio.get_running_loop(), FIRST_PAUSE
        while True:
            started = loop.time()
            # a session of its own: Ctrl+C in the terminal reaches this process alone, which then stops them in order
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, start_new_session=True
            )
            self.pids[number] = process.pid
            try:
                code = await process.wait()
            except asyncio.CancelledError:
                await _end(process)
                raise
            finally:
                self.pids.pop(number, None)
            pause = FIRST_PAUSE if loop.time() - started > STEADY_SECONDS else min(pause * 2, LONGEST_PAUSE)
            log.error("worker ended; it is started again", worker=number, code=code, seconds=pause)
            await asyncio.sleep(pause)


def watch_parent(stop: asyncio.Event) -> None:
    """In a worker: set `stop` when the process that started it is gone (standard input has ended)."""
    loop, descriptor = asyncio.get_running_loop(), sys.stdin.fileno()

    def readable() -> None:
        with contextlib.suppress(BlockingIOError):
            if os.read(descriptor, 1024):
                return
        loop.remove_reader(descriptor)
        stop.set()

    loop.add_reader(descriptor, readable)


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
