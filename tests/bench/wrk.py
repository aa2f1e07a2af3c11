"""Keep-alive load by wrk, on the load generator's core."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.machine import load_core, pinned
from tests.bench.rounds import BenchError, Load

_HERE = Path(__file__).parent
CONNECTIONS = 16


def fetch(
    port: int,
    target: str,
    *,
    seconds: int,
    headers: Mapping[str, str],
    connections: int = CONNECTIONS,
    core: bool = True,
) -> Load:
    """The same request over and over. `core` false: wrk runs where it likes."""
    options = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
    return _run(
        ["-s", str(_HERE / "report.lua"), *options, f"http://127.0.0.1:{port}{target}"],
        seconds,
        connections,
        core=core,
    )


def walk(
    port: int, requests: Path, *, agent: str, seconds: int, connections: int = CONNECTIONS, core: bool = True
) -> Load:
    """The requests of a file (see walk.lua) in order."""
    words = ["-s", str(_HERE / "walk.lua"), f"http://127.0.0.1:{port}/", "--", str(requests), agent]
    return _run(words, seconds, connections, core=core)


def post(port: int, bodies: Path, *, target: str, authorization: str, seconds: int) -> Load:
    """The lines of a file, one after another, each posted as JSON."""
    words = [
        "-s",
        str(_HERE / "post.lua"),
        f"http://127.0.0.1:{port}/",
        "--",
        str(bodies),
        target,
        authorization,
    ]
    return _run(words, seconds, CONNECTIONS, core=True)


def _run(words: Sequence[str], seconds: int, connections: int, *, core: bool) -> Load:
    command = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "10s", *words]
    if core:
        with pinned(load_core()):
            done = _finish(command, seconds)
    else:
        done = _finish(command, seconds)
    line = next((line for line in done.stdout.splitlines() if line.startswith("BENCH ")), None)
    if done.returncode or line is None:
        raise BenchError(f"wrk failed: {done.stderr or done.stdout}")
    requests, microseconds, wrong = map(int, line.split()[1:])
    return Load(requests, microseconds / 1e6, wrong)


def _finish(command: Sequence[str], seconds: int) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 60)
