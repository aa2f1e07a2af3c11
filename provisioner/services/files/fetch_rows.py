"""The tables `fetches` and `sightings`, written for many requests of phones at once."""

import json
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from math import modf
from typing import Any, Final, NamedTuple

from sqlalchemy import Integer, Select, Table, bindparam, column, exists, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from provisioner.model import Device, Fetch, Sighting
from provisioner.model.bulk import insert_rows
from provisioner.model.text import plain


class Note(NamedTuple):
    """One request of a phone, as it happens. `at` is seconds since the epoch; `served` is empty unless a file went out."""

    tenant_id: int | None
    device_id: int | None
    mac: str
    at: float
    source: str
    method: str
    path: str
    agent: str
    status: int
    reason: str
    detail: str
    """JSON; "{}" when there is nothing to say."""
    served: str
    """SHA-256 of the body, hexadecimal."""
    revision: int


_fetches: Final[Table] = Fetch.__table__  # type: ignore[assignment]  # declared as FromClause
_sightings: Final[Table] = Sighting.__table__  # type: ignore[assignment]
_FETCH: Final = (
    "tenant_id", "device_id", "mac", "at", "source", "method", "path", "agent", "status", "reason", "detail", "hash",
)  # fmt: skip
_SIGHTING: Final = (
    "device_id",
    "seen_at",
    "agent",
    "served_at",
    "served_hash",
    "served_revision",
    "seen_from",
)
_KNOWN: Final = "ON CONFLICT (device_id) DO UPDATE SET "
_SEEN: Final = "seen_at = excluded.seen_at, agent = coalesce(nullif(excluded.agent, ''), sightings.agent)"
_SERVED: Final = (
    "served_at = excluded.served_at, served_hash = excluded.served_hash, "
    "served_revision = excluded.served_revision, seen_from = excluded.seen_from"
)
_ASKED: Final = "asked"


def _missing(*, is_sqlite: bool) -> Select[tuple[int]]:
    """Which of the ids in one parameter no device has: for any number of them one text, and mostly no row."""
    asked = bindparam(_ASKED, type_=None if is_sqlite else ARRAY(Integer))
    named = column("value", Integer)
    given = (
        func.json_each(asked).table_valued(named)
        if is_sqlite
        else func.unnest(asked).table_valued(named).render_derived()
    )
    return select(given.c.value).where(~exists().where(Device.id == given.c.value))


_MISSING: Final = {is_sqlite: _missing(is_sqlite=is_sqlite) for is_sqlite in (True, False)}


async def write_notes(session: AsyncSession, notes: Sequence[Note]) -> set[tuple[int, int]]:
    """Store what concerns nobody or a device that is still there; gives back those devices as (tenant, device)."""
    latest = {note.device_id: note for note in notes if note.device_id is not None}
    served = {note.device_id: note for note in notes if note.device_id is not None and note.served}
    connection = await session.connection()
    alive = await _alive(connection, latest)
    moment = _moment_text if connection.dialect.name == "sqlite" else _moment
    rows = [_row(note, moment) for note in notes if note.device_id is None or note.device_id in alive]
    if rows:
        await insert_rows(connection, _fetches, _FETCH, rows)
    # mostly the last thing a phone did was to get its file; what was served before something else happened stands
    # first, for a device's first row must not be without it
    for changes, noted in (
        (f"{_SEEN}, {_SERVED}", [note for note in latest.values() if note.served]),
        (_SERVED, [note for device_id, note in served.items() if latest[device_id] is not note]),
        (_SEEN, [note for note in latest.values() if not note.served]),
    ):
        sightings = [_sighting(note, moment) for note in noted if note.device_id in alive]
        if sightings:
            await insert_rows(connection, _sightings, _SIGHTING, sightings, conflict=_KNOWN + changes)
    return {(note.tenant_id or 0, device_id) for device_id, note in latest.items() if device_id in alive}


async def _alive(connection: AsyncConnection, device_ids: Collection[int]) -> set[int]:
    if not device_ids:
        return set()
    is_sqlite = connection.dialect.name == "sqlite"
    asked = json.dumps(list(device_ids)) if is_sqlite else list(device_ids)
    missing = await connection.execute(_MISSING[is_sqlite], {_ASKED: asked})
    return set(device_ids).difference(missing.scalars())


Moment = Callable[[float], Any]


def _row(note: Note, moment: Moment) -> list[Any]:
    """In the order of `_FETCH`."""
    return [
        note.tenant_id, note.device_id, note.mac, moment(note.at), note.source, note.method, _printable(note.path),
        _printable(note.agent), note.status, note.reason, note.detail, note.served,
    ]  # fmt: skip


def _sighting(note: Note, moment: Moment) -> list[Any]:
    """What was seen, and what went out where to: a good address, for failures of strangers do not count as served."""
    at, agent = moment(note.at), _printable(note.agent)
    if not note.served:
        return [note.device_id, at, agent, None, "", 0, ""]
    return [note.device_id, at, agent, at, note.served, note.revision, note.source]


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _moment_text(at: float) -> str:
    """As SQLite stores it (`bulk.moment_text`)."""
    rest, second = modf(at)  # rounded as `_moment` does it
    part = round(rest * 1e6)
    if part == 1_000_000:
        second, part = second + 1, 0
    return f"{_second_text(second)}.{part:06}"


@lru_cache(maxsize=64)
def _second_text(second: float) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S")


@lru_cache(maxsize=4_096)
def _printable(text: str) -> str:
    """Phones say the same names again and again."""
    return plain(text, limit=200)
