"""A hundred open pages that follow registrations: how soon each sees one."""

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from provisioner.services.context import SYSTEM, Context
from provisioner.services.people.logins import Doorkeeper
from provisioner.services.people.tenants import list_tenants
from tests.bench.access import admin_is_up, in_place, token_of
from tests.bench.fleet import SHORT
from tests.bench.machine import load_core, pinned
from tests.bench.place import Place
from tests.bench.rounds import BenchError
from tests.bench.scale import Scale
from tests.bench.table import Figure

TARGET = 0.5
PAGES = 100
TICKS = 20
"""Devices on each page, which register and go in turn."""
PASSWORD = "Look-At-Many-Ticks-31"
_PATIENCE = 30.0


def measure_live_pages(scale: Scale, folder: Path) -> Sequence[Figure]:
    place = Place.made(folder / "data", bulk=[SHORT], count=TICKS)
    token, _ = token_of(place, "pbx")
    accounts = in_place(place, _prepare)
    with place.server(folder / "server"), pinned(load_core()):
        waits, messages = asyncio.run(_follow(place, accounts, token=token, rounds=scale.rounds * 10))
    waits.sort()
    p99 = waits[int(len(waits) * 0.99)]
    return [
        Figure(
            name=f"{PAGES} open pages see a registration",
            ours=f"p99 {p99 * 1e3:.0f} ms, median {waits[len(waits) // 2] * 1e3:.0f} ms",
            reference=f"{messages / PAGES:.0f} messages per page for {scale.rounds * 10 * TICKS:,} events",
            ratio="",
            target=f"≤ {TARGET * 1e3:.0f} ms",
            is_met=p99 <= TARGET,
            how=f"from posting {TICKS} events one after another to each page having the tick of each, over server-sent events; changes within a fifth of a second go out together",
        )
    ]


async def _prepare(context: Context) -> Sequence[tuple[int, str]]:
    """An admin who may log in, and the accounts of the devices."""
    from sqlalchemy import select

    from provisioner.model import Line

    tenant = (await list_tenants(context, SYSTEM))[0].tenant
    doorkeeper = Doorkeeper(context)
    await doorkeeper.create_login(
        SYSTEM, name="watcher", role="admin", tenant_id=tenant.id, password=PASSWORD
    )
    doorkeeper.close()
    async with context.store.read() as session:
        rows = await session.execute(
            select(Line.device_id, Line.account).order_by(Line.id.desc()).limit(TICKS)
        )
        return [(device_id, account) for device_id, account in rows]


async def _follow(
    place: Place, accounts: Sequence[tuple[int, str]], *, token: str, rounds: int
) -> tuple[list[float], int]:
    base = f"http://127.0.0.1:{place.settings['admin_port']}"
    jar = aiohttp.CookieJar(unsafe=True)
    connector = aiohttp.TCPConnector(limit=PAGES + 10)
    posted: dict[tuple[int, str], float] = {}
    waits: list[float] = []
    async with aiohttp.ClientSession(cookie_jar=jar, connector=connector, read_bufsize=2**20) as session:
        await admin_is_up(session, base)
        form = {"name": "watcher", "password": PASSWORD}
        async with session.post(
            f"{base}/login", data=form, headers={"Origin": base}, allow_redirects=False
        ) as answer:
            if answer.status not in {302, 303}:
                raise BenchError(f"the login was answered with {answer.status}")
        ids = ",".join(str(device_id) for device_id, _ in accounts)
        pages = [_Page(session, f"{base}/t/bench/live?devices={ids}", posted, waits) for _ in range(PAGES)]
        tasks = [asyncio.create_task(page.follow()) for page in pages]
        await asyncio.wait_for(asyncio.gather(*[page.is_open.wait() for page in pages]), _PATIENCE)
        for turn in range(rounds):
            state = "registered" if turn % 2 == 0 else "unregistered"
            for number, (device_id, account) in enumerate(accounts):
                posted[device_id, state] = time.perf_counter()
                await _post(session, base, account, state, cseq=turn * TICKS + number + 1, token=token)
            wanted = [asyncio.create_task(page.has(state, len(accounts))) for page in pages]
            await asyncio.wait_for(asyncio.gather(*wanted), _PATIENCE)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return waits, sum(page.messages for page in pages)


class _Page:
    """One browser's stream: what it shows of each device, and how long each change took to get there."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        posted: dict[tuple[int, str], float],
        waits: list[float],
    ) -> None:
        self._session = session
        self._url = url
        self._posted = posted
        self._waits = waits
        self._shown: dict[int, str] = {}
        self._news = asyncio.Condition()
        self.is_open = asyncio.Event()
        self.messages = 0

    async def follow(self) -> None:
        event = ""
        async with self._session.get(self._url, timeout=aiohttp.ClientTimeout(total=None)) as answer:
            if answer.status != 200:
                raise BenchError(f"the stream was answered with {answer.status}")
            async for raw in answer.content:
                line = raw.decode().rstrip("\n")
                self.is_open.set()
                if line.startswith("event: "):
                    event = line.removeprefix("event: ")
                    self.messages += 1
                elif line.startswith("data: ") and event == "tick":
                    await self._tick(json.loads(line.removeprefix("data: ")))

    async def _tick(self, tick: dict[str, object]) -> None:
        device_id, state = int(str(tick["id"])), str(tick["state"])
        if self._shown.get(device_id) != state and (device_id, state) in self._posted:
            self._waits.append(time.perf_counter() - self._posted[device_id, state])
        self._shown[device_id] = state
        async with self._news:
            self._news.notify_all()

    async def has(self, state: str, count: int) -> None:
        async with self._news:
            await self._news.wait_for(lambda: sum(shown == state for shown in self._shown.values()) >= count)


async def _post(
    session: aiohttp.ClientSession, base: str, account: str, state: str, *, cseq: int, token: str
) -> None:
    contact = f"sip:{account}@127.0.0.1:5060"
    event = {
        "event": "register" if state == "registered" else "unregister", "aor": f"{account}@bench.test", "contact": contact,
        "call_id": f"{account}@bench", "cseq": cseq, "time": time.time(),
        "bindings": [{"uri": contact, "expires": time.time() + 600}] if state == "registered" else [],
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {token}"}
    async with session.post(f"{base}/pbx/v1/registrations", json=event, headers=headers) as answer:
        if answer.status != 200:
            raise BenchError(f"an event was answered with {answer.status}")
