"""Ports for servers under test: nobody else may get one between its choice and its use."""

import socket
import subprocess
import sys
from pathlib import Path

from tests.support.ports import BLOCK, FIRST, LAST, free_port


def test_the_kernel_never_gives_such_a_port_to_an_outgoing_connection() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert FIRST <= free_port() <= LAST < lowest


def test_two_processes_have_ports_of_their_own() -> None:
    ours = {free_port() for _ in range(BLOCK // 2)}
    script = f"from tests.support.ports import free_port; print(*(free_port() for _ in range({BLOCK})))"
    others = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not ours & {int(port) for port in others.stdout.split()}


def test_a_port_in_use_is_left_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        port = taken.getsockname()[1]
        assert port not in {free_port() for _ in range(BLOCK)}


def test_a_port_comes_again_only_after_all_others() -> None:
    given = [free_port() for _ in range(BLOCK // 2)]
    assert len(set(given)) == len(given)
