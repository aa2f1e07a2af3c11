"""Cores, processor time and memory of the processes under measurement (Linux)."""

import contextlib
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def server_core() -> int:
    """The core that every measured server is pinned to."""
    return min(os.sched_getaffinity(0))


def load_core() -> int:
    """The core of the load generator; the server's own when there is only one."""
    return max(os.sched_getaffinity(0))


@contextlib.contextmanager
def pinned(core: int) -> Iterator[None]:
    """Processes started inside run on this core only; affinity is inherited by the children of the calling thread."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(session: int) -> float:
    """Processor time, user and system, of all living processes of a session (the program's pid), in seconds."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICK


def resident_bytes(pid: int) -> int:
    """The memory of one process that is in RAM now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def description() -> str:
    """The machine in words that name no machine."""
    build = "the system's" if sys.base_prefix == "/usr" else "not the system's"
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, {platform.machine()}, Python {platform.python_version()} ({build})"
