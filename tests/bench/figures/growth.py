"""What a large fleet costs: processor time per request, recording, memory, start."""

import compileall
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.bench import wrk
from tests.bench.fleet import MIX, SHORT, Member, write_walk
from tests.bench.machine import resident_bytes
from tests.bench.place import Place, warm
from tests.bench.rounds import Case, Measured, by_cost, by_rate, measure
from tests.bench.scale import Scale
from tests.bench.servers import ROOT, Ours
from tests.bench.table import Figure
from tests.support.ports import free_port

MIB = 1024 * 1024
CACHE = 512 * MIB
"""`cache_bytes` of the large server: room for all the files that shall be in memory."""


def measure_growth(scale: Scale, folder: Path) -> Sequence[Figure]:
    """One large and one small database without recording; the large one a second time with it."""
    few = Place.made(folder / "few", bulk=[SHORT], count=scale.few)
    many = Place.made(folder / "many", bulk=MIX, count=scale.fleet, cache_bytes=CACHE)
    some = few.bulk
    walked = many.short_ones(scale.cached)
    compileall.compile_dir(ROOT / "provisioner", quiet=2)  # as an installed package is
    with ExitStack() as stack:
        before = time.monotonic()
        large = stack.enter_context(many.server(folder / "large"))
        started = time.monotonic() - before
        fresh = resident_bytes(large.pid)
        warm(large, many.bulk[: scale.cached])
        full = resident_bytes(large.pid)
        small, silent = (
            stack.enter_context(
                place.server(
                    folder / name, "--unrecorded", "--phones-only", http_port=free_port(), https_port=0
                )
            )
            for place, name in ((few, "small"), (many, "silent"))
        )
        warm(small, some)
        warm(silent, walked)
        cases = [
            _case("few", small, some, folder=folder, scale=scale),
            _case("recorded", large, walked, folder=folder, scale=scale),
            _case("unrecorded", silent, walked, folder=folder, scale=scale),
        ]
        found = measure(cases, scale.rounds)
        after = resident_bytes(large.pid)
    return [
        _recording(found, len(walked)),
        _growth(found, scale, len(walked)),
        _memory(scale, fresh=fresh, full=full, after=after),
        Figure(
            name=f"start with {scale.fleet:,} devices",
            ours=f"{started:.2f} s",
            reference="",
            ratio="",
            target="≤ 3 s",
            is_met=started <= 3.0,
            how="from starting the process to the first configuration file it answered with, composed and rendered for it; "
            "the byte code is there, as it is in an installation",
        ),
    ]


def _case(name: str, server: Ours, members: Sequence[Member], *, folder: Path, scale: Scale) -> Case:
    file = write_walk(folder / f"{name}.walk", members)
    return Case(
        name, (server.pid,), partial(wrk.walk, server.port, file, agent=SHORT.agent, seconds=scale.seconds)
    )


def _recording(found: Mapping[str, Measured], walked: int) -> Figure:
    rate, cost = (
        by_rate(found["recorded"], found["unrecorded"]),
        by_cost(found["recorded"], found["unrecorded"]),
    )
    return Figure(
        name="recording every fetch",
        ours=f"recorded {found['recorded']}",
        reference=f"not recorded {found['unrecorded']}",
        ratio=f"costs {1 - rate:.0%} of the rate (by processor time {1 - cost:.0%})",
        target="≤ 30 %",
        is_met=1 - rate <= 0.30,
        how=f"requests walk over {walked:,} devices with cached files; the second server is the same with a fetch log that takes no notes; "
        "the time the writer still needs after the load counts",
    )


def _growth(found: Mapping[str, Measured], scale: Scale, walked: int) -> Figure:
    growth = by_cost(found["few"], found["unrecorded"])
    return Figure(
        name=f"growth from {scale.few} to {scale.fleet:,} devices",
        ours=f"{scale.fleet:,} devices: {found['unrecorded']}",
        reference=f"{scale.few} devices: {found['few']}",
        ratio=f"{growth:.2f} × processor time per request",
        target="≤ 1.15 ×",
        is_met=growth <= 1.15,
        how=f"the same model; requests walk over all {scale.few} devices of the small database, and over {walked:,} devices of the large one whose files are in memory; "
        "Basic checked. Neither is recorded, which the row above measures: of ten phones that ask hundreds of times a second the log keeps one entry with "
        "a count, of many it keeps each, so that it would be compared with itself",
    )


def _memory(scale: Scale, *, fresh: int, full: int, after: int) -> Figure:
    most = max(full, after)
    return Figure(
        name=f"memory, {scale.fleet:,} devices known, {scale.cached:,} cached",
        ours=f"{most / MIB:.0f} MiB",
        reference=f"after the start {fresh / MIB:.0f} MiB",
        ratio="",
        target="≤ 600 MiB",
        is_met=most <= 600 * MIB,
        how=f"resident memory of the one process after {scale.cached:,} devices (a third each {', '.join(kind.model for kind in MIX)}) have fetched once "
        f"(`cache_bytes` {CACHE // MIB} MiB), or after the load on top of it, whichever is more; the others are known to the database only",
    )
