"""Two workers on two cores against one."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.bench import wrk
from tests.bench.place import Place, body_of, warm
from tests.bench.rounds import Case, Load, Measured, by_rate, measure
from tests.bench.scale import Scale
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
            body_of(first, member)
        fetch = partial(_fetch, target=member.target, headers=member.headers, seconds=scale.seconds)
        load = {"one": partial(fetch, alone.port), "two": partial(fetch, first.port)}
        found = measure(
            [Case("one", (alone.pid,), load["one"]), Case("two", (first.pid, second.pid), load["two"])],
            scale.rounds,
        )
    return [_figure(found["one"], found["two"])]


def _fetch(port: int, *, target: str, headers: dict[str, str], seconds: int) -> Load:
    return wrk.fetch(port, target, seconds=seconds, headers=headers, connections=CONNECTIONS, core=False)


def _figure(one: Measured, two: Measured) -> Figure:
    ratio = by_rate(two, one)
    return Figure(
        name="two workers on two cores",
        ours=f"two: {two}, {two.share:.2f} cores",
        reference=f"one: {one}, {one.share:.2f} cores",
        ratio=f"{ratio:.2f} ×",
        target=f"≥ {TARGET:.1f} ×",
        is_met=ratio >= TARGET,
        how=f"cached configuration, Basic, recorded, {CONNECTIONS} kept connections; nothing is pinned, and the load generator lives on the same two cores: one worker leaves it the other "
        "core, two workers must share theirs with it, so the ratio is below what two cores without it would give; the cores that the workers themselves got stand beside the rates",
    )
