"""What phones fetched, or why not: noted in memory on the phones' path, written in batches beside it."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from operator import attrgetter

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.errors import ProvisionerError
from provisioner.model import Fetch
from provisioner.model.store import Store
from provisioner.services.context import Actor, Context
from provisioner.services.devices.enrolment import find_device
from provisioner.services.files.fetch_rows import Note, write_notes
from provisioner.services.live import Change, Hub
from provisioner.services.people.users import Page

log = structlog.get_logger()

CALM_SECONDS = 0.25
"""A note waits at most so long for others, when few come."""
STORM_SECONDS = 1.0
"""The same when many come: each batch writes the same pages of the database again, so fewer batches cost less."""
STORM = 500
"""Notes in a quarter of a second or a second that are many."""
TRIM_EVERY = 250
_STRANGERS = 0
CAPACITY = 50_000
"""How many notes wait at most; more are counted and dropped, so that a flood cannot fill the memory."""
STRANGERS_KEPT = 10_000
"""How many notes about unknown addresses are kept in the database: whatever a stranger can grow is bounded."""
DEVICE_KEPT = 1_000
"""The same for one device, whose address a stranger may know."""
REFUSED_AT_ONCE = 10
"""How many different refusals of one device a batch writes, for each quarter of a second it waited; more are counted and dropped."""
STRANGERS_AT_ONCE = 100
"""The same for all unknown addresses together."""
BATCH = 8_000


class FetchLog:
    """Takes notes without waiting; `run` writes them."""

    def __init__(
        self, store: Store, hub: Hub, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._store = store
        self._hub = hub
        self._notes: list[Note] = []
        self._arrived = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._grown: Counter[int] = Counter()
        self._pause = CALM_SECONDS
        self._sleep = sleep
        self.dropped = 0
        self.written = 0

    def note(self, note: Note) -> None:
        """Remember one request; never blocks, never raises."""
        if len(self._notes) >= CAPACITY:
            self.dropped += 1
            return
        self._notes.append(note)
        self._arrived.set()

    async def run(self) -> None:
        """Write until cancelled; what is waiting then is written by `flush`."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            many = len(self._notes) >= STORM
            try:
                # a transaction that is cut off would keep the database locked: the last `flush` waits for it
                await asyncio.shield(self.flush())
            except (SQLAlchemyError, ProvisionerError, OSError) as error:
                log.warning(
                    "fetch log cannot be written; it is kept in memory",
                    error=type(error).__name__,
                    waiting=len(self._notes),
                )
                self._arrived.set()
            self._pause = STORM_SECONDS if many else CALM_SECONDS
            await self._sleep(self._pause)

    async def flush(self) -> None:
        """Write everything that waits now; on failure it waits on."""
        async with self._flushing:
            for _ in range(-(-len(self._notes) // BATCH)):
                await self._flush_batch(self._notes[:BATCH])

    async def _flush_batch(self, notes: Sequence[Note]) -> None:
        kept = _without_floods(notes, times=round(self._pause / CALM_SECONDS))
        known = await self._write(kept)
        del self._notes[: len(notes)]
        self.written += len(kept)
        self.dropped += len(notes) - len(kept)
        for tenant_id, device_id in known:
            self._hub.publish(Change("fetch", tenant_id, device_id))

    async def _write(self, notes: Sequence[Note]) -> set[tuple[int, int]]:
        async with self._store.write() as session:
            alive = await write_notes(session, notes)
            await self._trim(session, [note.device_id or _STRANGERS for note in notes])
        return alive

    async def _trim(self, session: AsyncSession, written: Sequence[int]) -> None:
        """Every few hundred entries of one device (or of all strangers) the oldest of them go."""
        self._grown.update(written)
        for owner in [owner for owner in set(written) if self._grown[owner] >= TRIM_EVERY]:
            del self._grown[owner]
            kept = STRANGERS_KEPT if owner == _STRANGERS else DEVICE_KEPT
            mine = Fetch.device_id.is_(None) if owner == _STRANGERS else Fetch.device_id == owner
            last = select(Fetch.id).where(mine).order_by(Fetch.at.desc(), Fetch.id.desc()).offset(kept)
            await session.execute(delete(Fetch).where(Fetch.id.in_(last.limit(100_000))))
        if len(self._grown) > CAPACITY:
            self._grown.clear()


async def list_fetches(
    context: Context, actor: Actor, *, device_id: int, offset: int = 0, limit: int = 50
) -> Page[Fetch]:
    """The provisioning log of one device, newest first."""
    async with context.store.read() as session:
        device = await find_device(session, actor, device_id)
        total = (
            await session.execute(select(func.count()).select_from(Fetch).where(Fetch.device_id == device.id))
        ).scalar_one()
        limit, offset = min(max(limit, 1), 500), max(offset, 0)
        rows = await session.execute(
            select(Fetch)
            .where(Fetch.device_id == device.id)
            .order_by(Fetch.at.desc(), Fetch.id.desc())
            .offset(offset)
            .limit(limit)
        )
        return Page(rows.scalars().all(), total, offset, limit)


async def list_strangers(context: Context, actor: Actor, *, limit: int = 50) -> Sequence[Fetch]:
    """Requests of addresses nobody registered, newest first; for server operators only, for they belong to no tenant."""
    if actor.tenant_id is not None:
        return []
    async with context.store.read() as session:
        rows = await session.execute(
            select(Fetch).where(Fetch.device_id.is_(None)).order_by(Fetch.at.desc()).limit(min(limit, 500))
        )
        return rows.scalars().all()


async def prune_fetches(context: Context) -> int:
    """Remove what is older than the retention, and the oldest notes about strangers; gives back how many."""
    oldest = context.clock() - timedelta(days=context.settings.keep_fetches_days)
    kept = select(func.min(Fetch.id)).where(Fetch.at >= oldest).scalar_subquery()
    strangers = (
        select(Fetch.id).where(Fetch.device_id.is_(None)).order_by(Fetch.id.desc()).offset(STRANGERS_KEPT)
    )
    async with context.store.write() as session:
        gone = await session.execute(
            delete(Fetch)
            .where(Fetch.at < oldest, Fetch.id < func.coalesce(kept, _BEYOND))
            .execution_options(synchronize_session=False)
        )
        more = await session.execute(
            delete(Fetch)
            .where(Fetch.id.in_(strangers.limit(100_000)))
            .execution_options(synchronize_session=False)
        )
    count: int = gone.rowcount + more.rowcount  # type: ignore[attr-defined]  # a DELETE always answers with a cursor
    return count


_what_counts = attrgetter(
    "device_id", "mac", "reason", "served", "source", "path", "agent", "status", "method"
)
"""In which notes are equal."""
_BEYOND = 2**62
"""More than any id."""


def _without_floods(notes: Sequence[Note], *, times: int) -> list[Note]:
    """Of equal notes the newest with their number; of refusals `times` as many as at once."""
    equal: dict[tuple[object, ...], tuple[Note, int]] = {}
    for note in notes:
        place = _what_counts(note)
        known = equal.pop(place, None)
        equal[place] = (note, known[1] + 1 if known else 1)
    kept: list[Note] = []
    refused: Counter[int] = Counter()
    for note, count in equal.values():
        owner = note.device_id or _STRANGERS
        if note.status >= 400:
            refused[owner] += 1
            if refused[owner] > times * (STRANGERS_AT_ONCE if owner == _STRANGERS else REFUSED_AT_ONCE):
                continue
        kept.append(
            note
            if count == 1
            else note._replace(detail=json.dumps({**json.loads(note.detail), "times": count}))
        )
    return kept
