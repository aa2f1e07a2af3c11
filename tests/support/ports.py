"""Loopback addresses and ports that no other worker or test run uses."""

import contextlib
import os
import socket

_NEXT_HOST = iter(range(1, 254))


def loopback() -> str:
    """A fresh address in 127.0.0.0/8: two bytes from the process id, the last one counted up in this process.

    Raises StopIteration's RuntimeError equivalent, a LookupError, after 253 addresses.
    """
    pid = os.getpid()
    host = next(_NEXT_HOST, None)
    if host is None:
        raise LookupError("this process has used all its loopback addresses")
    return f"127.{16 + (pid >> 8) % 224}.{pid % 256}.{host}"


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
