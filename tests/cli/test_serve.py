"""The server as a process: what it prints, its workers, its end, its demo."""

import os
import signal
from pathlib import Path

import pytest

from tests.cli.serving import Serving
from tests.cli.terminal import Terminal
from tests.support.program import wait_until

pytestmark = pytest.mark.timeout(600)


def children(pid: int) -> set[int]:
    """Process ids of the children of a process."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.add(int(stat.parent.name))
    return found


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_says_where_it_is_and_stops_cleanly_on_sigterm(terminal: Terminal) -> None:
    with Serving(terminal.data) as server:
        assert f"http://localhost:{server.ports['admin']}/" in server.output
        assert f"https://localhost:{server.ports['https']}/p" in server.output
        assert server.terminate() == 0
    assert "Traceback" not in server.output


def test_nothing_is_made_where_nothing_was_installed(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        done = Serving(folder).command("serve", check=False)
        assert done.returncode == 1
        assert f"There is no installation in {folder}: run `provisioner init`" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_a_sentence(terminal: Terminal) -> None:
    with Serving(terminal.data) as server:
        second = server.command("serve", check=False)
        assert second.returncode == 1
        assert "in use" in second.stderr
        assert "Traceback" not in second.stderr


def test_a_worker_that_dies_is_started_again_and_all_stop_with_the_first(terminal: Terminal) -> None:
    with Serving(terminal.data, "--workers", "2") as server:
        (first,) = wait_until(lambda: children(server.pid), seconds=150, what="a worker")
        os.kill(first, signal.SIGKILL)
        (second,) = wait_until(lambda: children(server.pid) - {first}, seconds=150, what="another worker")
        assert server.terminate() == 0
        wait_until(lambda: not is_alive(second), seconds=150, what="the worker's end")


def test_workers_end_with_a_parent_that_was_killed(terminal: Terminal) -> None:
    with Serving(terminal.data, "--workers", "2") as server:
        (worker,) = wait_until(lambda: children(server.pid), seconds=150, what="a worker")
        wait_until(lambda: Path(f"/proc/{worker}/fd/0").exists(), seconds=150, what="the worker's start")
        server.kill()
        wait_until(lambda: not is_alive(worker), seconds=150, what="the worker's end")


def test_the_demo_shows_three_green_ticks_twice(tmp_path: Path) -> None:
    server = Serving(tmp_path / "data", "--demo")
    with server:
        wait_until(lambda: "(3 of 3)" in server.output, seconds=150, what="three registered phones")
        wait_until(lambda: states(server) == ["registered"] * 3, seconds=150, what="three ticks")
        assert "password" in server.output
        assert "DEMO: " in server.output
        assert "simulated" in server.output
        server.terminate()
    assert states(server) == ["unregistered"] * 3
    assert Terminal(server.data).json("token", "list") == []
    first = macs(server)
    (server.folder / "serve.out").unlink()
    with server:
        wait_until(lambda: "(3 of 3)" in server.output, seconds=150, what="three registered phones")
        assert macs(server) == first


def test_the_demo_leaves_a_database_alone_that_is_in_use(terminal: Terminal) -> None:
    server = Serving(terminal.data)
    done = server.command("serve", "--demo", check=False)
    assert done.returncode == 1
    assert "in use" in done.stderr
    assert [tenant["key"] for tenant in terminal.json("tenant", "list")] == ["acme"]


def states(server: Serving) -> list[str]:
    return [row["state"] for row in Terminal(server.data).json("device", "list")]


def macs(server: Serving) -> list[str]:
    return [row["mac"] for row in Terminal(server.data).json("device", "list")]
