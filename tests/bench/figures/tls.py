"""A new TLS connection for every request, beside nginx doing the same with the same certificates."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.bench.handshakes import CONNECTIONS, KINDS, connect_anew
from tests.bench.place import Place, body_of
from tests.bench.rounds import Case, by_cost, by_rate, measure
from tests.bench.scale import Scale
from tests.bench.servers import Bare, StaticFiles
from tests.bench.table import Figure

TARGET = 0.65
JUDGED = ("ecdsa", "1.3")


def measure_tls(scale: Scale, folder: Path) -> Sequence[Figure]:
    """All four combinations of certificate and version; the target is for ECDSA and TLS 1.3."""
    place = Place.made(folder / "data")
    member = place.short
    port = int(str(place.settings["https_port"]))
    ask = f"GET {member.target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    bare = (ask + "\r\n").encode()
    request = (
        ask + "".join(f"{name}: {value}\r\n" for name, value in member.headers.items()) + "\r\n"
    ).encode()
    with place.server(folder / "server") as ours:
        body = body_of(ours, member)
        files = StaticFiles(
            folder / "nginx", body=body, target=member.target, pair=member.pair, certificates=place.pairs()
        )
        bare_server = Bare(
            folder / "bare", body=body, target=member.target, pairs=list(place.pairs().values())
        )
        with files.program, bare_server:
            go = partial(connect_anew, seconds=scale.handshake_seconds)
            cases = []
            for kind in KINDS:
                cases.append(
                    Case(
                        f"nginx {kind}",
                        (files.program.pid,),
                        partial(go, files.tls[kind[0]], bare, kind=kind),
                    )
                )
                cases.append(Case(f"ours {kind}", (ours.pid,), partial(go, port, request, kind=kind)))
            floor = partial(go, bare_server.port, bare, kind=JUDGED)
            cases.append(Case("bare", (bare_server.pid,), floor))
            found = measure(cases, scale.rounds)
    figures = []
    for kind, name in KINDS.items():
        mine, reference = found[f"ours {kind}"], found[f"nginx {kind}"]
        ratio, judged = by_cost(mine, reference), kind == JUDGED
        figures.append(
            Figure(
                name=f"new TLS connection per request, Basic, {name}",
                ours=str(mine),
                reference=f"nginx static {reference}"
                + (f"; bare aiohttp + uvloop {found['bare']}" if judged else ""),
                ratio=f"{ratio:.2f} × by processor time ({by_rate(mine, reference):.2f} by rate)",
                target=f"≥ {TARGET:.2f} ×" if judged else "",
                is_met=ratio >= TARGET if judged else None,
                how=_HOW if judged else "",
            )
        )
    return figures


_HOW = (
    f"full handshakes, never resumed, {CONNECTIONS} clients at once, same certificates and body on both sides; judged by the server's processor time for each "
    "request, because the clients' own handshakes limit the rate"
)
