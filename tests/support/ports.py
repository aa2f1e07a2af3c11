"""Loopback addresses and ports that no other worker or test run uses."""

import contextlib
import itertools
import os
import socket

_NEXT_HOST = itertools.cycle(range(1, 254))


def loopback() -> str:
    """An address in 127.0.0.0/8: two bytes from the process id, the last one counted up in this process.

    After 253 the first comes again; the test that had it ended long ago.
    """
    pid = os.getpid()
    return f"127.{16 + (pid >> 8) % 224}.{pid % 256}.{next(_NEXT_HOST)}"


def free_port(address: str = "127.0.0.1") -> int:
    """A port that is free for TCP and UDP on `address` now; whoever binds it next has it."""
    for _ in range(50):
        with contextlib.ExitStack() as stack:
            tcp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            tcp.bind((address, 0))
            port = int(tcp.getsockname()[1])
            udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            with contextlib.suppress(OSError):
                udp.bind((address, port))
                return port
    raise LookupError(f"no port is free on {address}")
