"""Two workers on two cores against one."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.bench import wrk
from tests.bench.place import Place, body_of, warm
from tests.bench.rounds import Case, Load, Measured, by_rate, measure
from tests.bench.scale import Scale
from tests.bench.servers import Bare, Measurable
from tests.bench.table import Figure
from tests.support.ports import free_port

CONNECTIONS = 96
"""Enough that the kernel spreads them over both workers about evenly."""
TARGET = 1.6


def measure_workers(scale: Scale, folder: Path) -> Sequence[Figure]:
    place = Place.made(folder / "data")
    member = place.short
    pair_ports = {"http_port": free_port(), "https_port": 0}
    with ExitStack() as stack:
        alone = stack.enter_context(
            place.server(folder / "alone", "--shared", "--phones-only", pin=False, https_port=0)
        )
        first = stack.enter_context(place.server(folder / "first", "--shared", pin=False, **pair_ports))
        second = stack.enter_context(
            place.server(folder / "second", "--phones-only", pin=False, **pair_ports)
        )
        warm(alone, [member])
        for _ in range(12):  # a new connection each: both workers get some
            body = body_of(first, member)
        single, pair = [
            [
                stack.enter_context(
                    Bare(folder / f"bare{port}{n}", body=body, target=member.target, port=port)
                )
                for n in range(count)
            ]
            for port, count in ((free_port(), 1), (free_port(), 2))
        ]
        fetch = partial(_fetch, target=member.target, headers=member.headers, seconds=scale.seconds)
        servers: Mapping[str, Sequence[Measurable]] = {
            "one": [alone],
            "two": [first, second],
            "bare one": single,
            "bare two": pair,
        }
        cases = [
            Case(name, [server.pid for server in group], partial(fetch, group[0].port))
            for name, group in servers.items()
        ]
        found = measure(cases, scale.rounds)
    return [_figure(found)]


def _fetch(port: int, *, target: str, headers: dict[str, str], seconds: int) -> Load:
    return wrk.fetch(port, target, seconds=seconds, headers=headers, connections=CONNECTIONS, core=False)


def _figure(found: Mapping[str, Measured]) -> Figure:
    one, two = found["one"], found["two"]
    ratio, floor = by_rate(two, one), by_rate(found["bare two"], found["bare one"])
    return Figure(
        name="two workers on two cores",
        ours=f"two: {two}, {two.share:.2f} cores; one: {one}, {one.share:.2f} cores",
        reference=f"bare aiohttp + uvloop, two processes against one: {floor:.2f} ×",
        ratio=f"{ratio:.2f} × ({ratio / floor:.2f} × what bare aiohttp gains)",
        target=f"≥ {TARGET:.1f} ×",
        is_met=ratio >= TARGET,
        how=f"cached configuration, Basic, recorded, {CONNECTIONS} kept connections; nothing is pinned, and the load generator lives on the same two cores: one worker leaves it the other "
        "core, two workers must share theirs with it. What two processes of bare aiohttp gain under the same load beside it is all that this machine gives",
    )
