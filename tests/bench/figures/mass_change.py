"""One tenant setting that reaches thousands of phones, while phones go on fetching."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import aiohttp

from tests.bench.access import admin_is_up, token_of
from tests.bench.fleet import MIX, Member
from tests.bench.machine import load_core, pinned
from tests.bench.place import Place, warm
from tests.bench.rounds import BenchError
from tests.bench.scale import Scale
from tests.bench.servers import Ours
from tests.bench.table import Figure

COMMIT_TARGET = 2.0
DELAY_TARGET = 0.100
FETCHERS = 4
PAUSE = 0.02
"""Seconds between two fetches of one fetcher: phones that go on, not a load test."""


@dataclass(slots=True)
class _Seen:
    commits: list[float] = field(default_factory=list)
    quiet: list[float] = field(default_factory=list)
    during: list[float] = field(default_factory=list)


def measure_mass_change(scale: Scale, folder: Path) -> Sequence[Figure]:
    place = Place.made(folder / "data", bulk=MIX, count=scale.reached)
    token, tenant_id = token_of(place, "admin")
    members = place.bulk[: scale.reached][:120]
    with place.server(folder / "server") as server, pinned(load_core()):
        warm(server, members)
        seen = asyncio.run(_watch(place, server, members, scale, token=token, tenant_id=tenant_id))
    return _figures(seen, scale)


async def _watch(
    place: Place, server: Ours, members: Sequence[Member], scale: Scale, *, token: str, tenant_id: int
) -> _Seen:
    seen, ended = _Seen(), asyncio.Event()
    base = f"http://127.0.0.1:{place.settings['admin_port']}"
    admin = f"{base}/api/v1/tenants/{tenant_id}/settings"
    marks: list[tuple[float, float]] = []
    taken: list[tuple[float, float]] = []
    async with aiohttp.ClientSession() as session:
        await admin_is_up(session, base)
        fetchers = [
            asyncio.create_task(_fetch(session, server.port, members[n::FETCHERS], taken, ended))
            for n in range(FETCHERS)
        ]
        await asyncio.sleep(1.0)
        for n in range(scale.rounds):
            began = time.perf_counter()
            body = {"values": {"ntp_server": f"ntp{n}.bench.test"}}
            async with session.patch(
                admin, json=body, headers={"Authorization": f"Bearer {token}"}
            ) as answer:
                text = await answer.text()
            if answer.status != 200:
                raise BenchError(f"the change was answered with {answer.status}: {text[:200]}")
            marks.append((began, time.perf_counter()))
            await asyncio.sleep(1.5)  # until every phone has fetched what is new
        ended.set()
        await asyncio.gather(*fetchers)
    seen.commits = [end - began for began, end in marks]
    for began, spent in taken:
        is_near = any(start - spent <= began <= end + 1.0 for start, end in marks)
        (seen.during if is_near else seen.quiet).append(spent)
    return seen


async def _fetch(
    session: aiohttp.ClientSession,
    port: int,
    members: Sequence[Member],
    taken: list[tuple[float, float]],
    ended: asyncio.Event,
) -> None:
    turn = 0
    while not ended.is_set():
        member = members[turn % len(members)]
        turn += 1
        began = time.perf_counter()
        async with session.get(f"http://127.0.0.1:{port}{member.target}", headers=member.headers) as answer:
            await answer.read()
        if answer.status != 200:
            raise BenchError(f"{member.target} was answered with {answer.status}")
        taken.append((began, time.perf_counter() - began))
        await asyncio.sleep(PAUSE)


def _figures(seen: _Seen, scale: Scale) -> Sequence[Figure]:
    commit, typical, worst = median(seen.commits), median(seen.quiet), max(seen.during)
    delay = worst - typical
    return [
        Figure(
            name=f"one tenant setting that reaches {scale.reached:,} devices",
            ours=f"{commit:.2f} s (slowest {max(seen.commits):.2f} s)",
            reference="",
            ratio="",
            target=f"< {COMMIT_TARGET:.0f} s",
            is_met=max(seen.commits) < COMMIT_TARGET,
            how=f"PATCH of the tenant's settings over REST, from sending to the answer, after the commit; SQLite; {len(seen.commits)} changes while {FETCHERS} phones fetch",
        ),
        Figure(
            name="longest delay of a phone's fetch by that change",
            ours=f"{delay * 1e3:.0f} ms",
            reference=f"a fetch otherwise {typical * 1e3:.1f} ms",
            ratio="",
            target=f"≤ {DELAY_TARGET * 1e3:.0f} ms",
            is_met=delay <= DELAY_TARGET,
            how=f"the slowest of {len(seen.during):,} fetches from the start of a change to a second after it (each composes and renders anew), less the median of {len(seen.quiet):,} others",
        ),
    ]
