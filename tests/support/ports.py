"""Loopback addresses and ports that no other worker or test run uses."""

import contextlib
import fcntl
import itertools
import os
import socket
import tempfile
from functools import cache
from pathlib import Path
from typing import IO

FIRST, LAST, BLOCK = 12_000, 31_999, 250
"""Below what Linux gives to outgoing connections (from 32768 on): a port found free stays free until it is bound."""

_NEXT_HOST = itertools.cycle(range(1, 254))


def loopback() -> str:
    """An address in 127.0.0.0/8: two bytes from the process id, the last one counted up in this process.

    After 253 the first comes again; the test that had it ended long ago.
    """
    pid = os.getpid()
    return f"127.{16 + (pid >> 8) % 224}.{pid % 256}.{next(_NEXT_HOST)}"


def free_port(address: str = "127.0.0.1") -> int:
    """A port that is free for TCP and UDP on `address`; the last one to be given out again by any test process."""
    for _ in range(BLOCK):
        port = next(_block(os.getpid()).ports)
        if _is_free(address, port):
            return port
    raise LookupError(f"none of this process's {BLOCK} ports is free on {address}")


class _Block:
    """Ports of one process, kept by a lock that ends with it."""

    def __init__(self, first: int, lock: IO[str]) -> None:
        self.ports = itertools.cycle(range(first, first + BLOCK))
        self._lock = lock


@cache
def _block(pid: int) -> _Block:
    """The first block that no living process has; `pid`, so that a forked child looks for its own."""
    folder = Path(tempfile.gettempdir()) / f"provisioner-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for first in range(FIRST, LAST, BLOCK):
        lock = (folder / str(first)).open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            return _Block(first, lock)
    raise LookupError(f"every block of ports has an owner: look at who holds the files in {folder}")


def _is_free(address: str, port: int) -> bool:
    with contextlib.ExitStack() as stack:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            try:
                stack.enter_context(socket.socket(socket.AF_INET, kind)).bind((address, port))
            except OSError:
                return False
    return True
