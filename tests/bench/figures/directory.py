"""What a PBX asks for every call and says for every registration, beside bare aiohttp doing neither."""

import http.client
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import select

from provisioner.model import Line
from provisioner.services.context import Context
from tests.bench import wrk
from tests.bench.access import in_place, token_of
from tests.bench.fleet import SHORT
from tests.bench.place import Place
from tests.bench.rounds import BenchError, Case, Load, Measured, by_cost, by_rate, measure
from tests.bench.scale import Scale
from tests.bench.servers import BarePbx
from tests.bench.table import Figure
from tests.support.postgres import PostgresCluster

TARGET = 0.60
PHONES = 2_000
"""Phones that renew their registrations, each again and again, a full round before the next."""
FASTEST = 12_000
"""Events per second that are prepared: more than one core can take."""
RING = "/pbx/v1/ring/1000?domain=bench.test"
REGISTRATIONS = "/pbx/v1/registrations"


def measure_directory(scale: Scale, folder: Path) -> Sequence[Figure]:
    """The ring plan of an extension, and registration events on both databases."""
    place = Place.made(folder / "data", bulk=[SHORT], count=PHONES)
    figures = [_look_up(scale, folder, place), _events(scale, folder / "sqlite", place, "SQLite")]
    with _postgres() as url:
        other = Place.made(folder / "other", bulk=[SHORT], count=PHONES, database=url)
        figures.append(_events(scale, folder / "postgres", other, "PostgreSQL"))
    return figures


def _look_up(scale: Scale, folder: Path, place: Place) -> Figure:
    headers = {"Authorization": f"Bearer {token_of(place, 'pbx')[0]}"}
    with place.server(folder / "server") as ours:
        port = _admin(place)
        body = _ask(port, RING, headers)
        bare = BarePbx(folder / "bare", body=body)
        with bare:
            get = partial(wrk.fetch, seconds=scale.seconds)
            cases = [
                Case("bare", (bare.pid,), partial(get, bare.port, RING, headers=headers)),
                Case("ours", (ours.pid,), partial(get, port, RING, headers=headers)),
            ]
            found = measure(cases, scale.rounds)
    return _figure(
        f"ring plan of an extension from memory ({len(body) / 1000:.1f} kB)",
        found,
        f"one extension's plan over {wrk.CONNECTIONS} kept connections, token checked; the reference sends the same body and checks nothing",
    )


def _events(scale: Scale, folder: Path, place: Place, database: str) -> Figure:
    token = token_of(place, "pbx")[0]
    headers = {"Authorization": f"Bearer {token}"}
    folder.mkdir(parents=True)
    accounts = in_place(place, _accounts)
    with ExitStack() as stack:
        ours = stack.enter_context(place.server(folder / "server"))
        port = _admin(place)
        _ask(port, RING, headers)
        bare = stack.enter_context(BarePbx(folder / "bare", body=b'{"accepted": 1}'))
        events = Renewals(
            folder / "events", accounts, authorization=headers["Authorization"], seconds=scale.seconds
        )
        cases = [
            Case("bare", (bare.pid,), partial(events.load, bare.port)),
            Case("ours", (ours.pid,), partial(events.load, port)),
        ]
        found = measure(cases, scale.rounds)
    return _figure(
        f"registration events, one per POST, {database}",
        found,
        f"{PHONES:,} phones renew their registrations in turn; the time until all is in the database counts; the reference reads the same bodies and "
        "throws them away",
    )


def _figure(name: str, found: Mapping[str, Measured], how: str) -> Figure:
    ratio = by_rate(found["ours"], found["bare"])
    return Figure(
        name=name,
        ours=str(found["ours"]),
        reference=f"bare aiohttp + uvloop {found['bare']}",
        ratio=f"{ratio:.2f} × (by processor time {by_cost(found['ours'], found['bare']):.2f})",
        target=f"≥ {TARGET:.2f} ×",
        is_met=ratio >= TARGET,
        how=how,
    )


async def _accounts(context: Context) -> Sequence[str]:
    async with context.store.read() as session:
        return (await session.execute(select(Line.account).order_by(Line.id))).scalars().all()


class Renewals:
    """Loads of events that were never sent before: phones take turns, each with the next CSeq."""

    def __init__(self, file: Path, accounts: Sequence[str], *, authorization: str, seconds: int) -> None:
        self._file, self._accounts = file, accounts
        self._authorization, self._seconds = authorization, seconds
        self._count = 0

    def load(self, port: int) -> Load:
        self._file.write_text("".join(f"{self._next()}\n" for _ in range(FASTEST * self._seconds)))
        return wrk.post(
            port, self._file, target=REGISTRATIONS, authorization=self._authorization, seconds=self._seconds
        )

    def _next(self) -> str:
        cseq, place = divmod(self._count, len(self._accounts))
        self._count += 1
        account, now = self._accounts[place], int(time.time())
        return json.dumps(
            {
                "event": "refresh", "aor": f"{account}@bench.test", "contact": f"sip:{account}@192.0.2.7:5060", "user_agent": "Bench 1.0",
                "source": "192.0.2.7:5060", "call_id": f"call-{account}", "cseq": cseq + 1, "time": now, "expires": now + 3_600,
            }
        )  # fmt: skip


def _admin(place: Place) -> int:
    return int(str(place.settings["admin_port"]))


def _ask(port: int, target: str, headers: Mapping[str, str]) -> bytes:
    """The answer of the admin listener, which opens after that of the phones."""
    end = time.monotonic() + 30
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", target, headers=dict(headers))
            answer = connection.getresponse()
            body = answer.read()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
            continue
        finally:
            connection.close()
        if answer.status != 200:
            raise BenchError(f"{target} was answered with {answer.status}")
        return body


@contextmanager
def _postgres() -> Iterator[str]:
    with PostgresCluster() as cluster:
        cluster.create("bench")
        yield cluster.url("bench")
