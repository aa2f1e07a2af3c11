"""A cached configuration over kept connections, beside bare aiohttp and nginx."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.bench import wrk
from tests.bench.digest import write_digest_walk
from tests.bench.fleet import Member
from tests.bench.place import Place, body_of
from tests.bench.rounds import Case, Load, Measured, by_cost, by_rate, measure
from tests.bench.scale import Scale
from tests.bench.servers import Bare, Ours, StaticFiles
from tests.bench.table import Figure

FASTEST_DIGEST = 40_000
"""Requests per second for which Digest answers are prepared: more than one core can serve."""
TARGETS = {"basic": 0.70, "digest": 0.55}


def measure_keep_alive(scale: Scale, folder: Path) -> Sequence[Figure]:
    """Basic and Digest against bare aiohttp on uvloop; nginx is the limit."""
    place = Place.made(folder / "data")
    members = place.members[:2] if scale.name == "full" else place.members[:1]
    figures: list[Figure] = []
    with place.server(folder / "server") as ours:
        for member in members:
            found, size = _measure(scale, folder / member.kind.model, ours=ours, member=member)
            figures += _figures(found, member, size, judged=member is place.short)
    return figures


def _measure(scale: Scale, folder: Path, *, ours: Ours, member: Member) -> tuple[Mapping[str, Measured], int]:
    body = body_of(ours, member)
    bare = Bare(folder / "bare", body=body, target=member.target)
    files = StaticFiles(folder / "nginx", body=body, target=member.target, pair=member.pair, certificates={})
    get = partial(wrk.fetch, seconds=scale.seconds)
    with ExitStack() as stack:
        stack.enter_context(bare)
        stack.enter_context(files.program)
        cases = [
            Case("bare", (bare.pid,), partial(get, bare.port, member.target, headers={})),
            Case("basic", (ours.pid,), partial(get, ours.port, member.target, headers=member.headers)),
            Case(
                "digest",
                (ours.pid,),
                partial(_digest, ours, member, seconds=scale.seconds, file=folder / "digest"),
            ),
            Case("static", (files.program.pid,), partial(get, files.plain, member.target, headers={})),
            Case(
                "locked",
                (files.program.pid,),
                partial(get, files.plain, "/locked" + member.target, headers=member.headers),
            ),
        ]
        return measure(cases, scale.rounds), len(body)


def _digest(ours: Ours, member: Member, *, seconds: int, file: Path) -> Load:
    # a fresh nonce each time: one nonce is good for five minutes and must not be used beyond its counts
    write_digest_walk(file, member, port=ours.port, count=FASTEST_DIGEST * seconds)
    return wrk.walk(ours.port, file, agent=member.kind.agent, seconds=seconds)


def _figures(found: Mapping[str, Measured], member: Member, size: int, *, judged: bool) -> Sequence[Figure]:
    names = {"basic": "cached configuration, Basic", "digest": "cached configuration, Digest MD5"}
    tail = f"{member.kind.model}, {size / 1000:.0f} kB"
    rows = []
    for case, name in names.items():
        ratio, target = by_rate(found[case], found["bare"]), TARGETS[case]
        rows.append(
            Figure(
                name=f"{name} ({tail})",
                ours=str(found[case]),
                reference=f"bare aiohttp + uvloop {found['bare']}",
                ratio=f"{ratio:.2f} × (by processor time {by_cost(found[case], found['bare']):.2f})",
                target=f"≥ {target:.2f} ×" if judged else "",
                is_met=ratio >= target if judged else None,
                how=_HOW[case] if judged else "",
            )
        )
    for case, name in {"static": "nginx static", "locked": "nginx with Basic {PLAIN}"}.items():
        rows.append(
            Figure(
                f"limit: {name} ({tail})",
                "",
                str(found[case]),
                f"{by_rate(found['basic'], found[case]):.2f} × (ours with Basic)",
            )
        )
    return rows


_HOW = {
    "basic": f"one device's file from memory over {wrk.CONNECTIONS} kept plain connections; password checked, fetch recorded; "
    "the reference sends the same body and checks nothing",
    "digest": "the same with precomputed Digest answers under one nonce, nc rising with every request, so that the replay window is at work",
}
