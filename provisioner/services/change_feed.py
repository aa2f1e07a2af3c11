"""Notices what any worker or node committed, and tells this process: at most a moment after the commit."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import asyncpg
import structlog
from sqlalchemy import bindparam, func, select
from sqlalchemy.exc import SQLAlchemyError

from provisioner.errors import ProvisionerError
from provisioner.model import Counter, Device, DirectoryEvent, Registration, Revocation
from provisioner.model.quick import open_sqlite_reader
from provisioner.model.store import CHANNEL, CONFIGURATION, REGISTRATIONS, Store
from provisioner.services.live import Change, Hub

log = structlog.get_logger()

POLL_SECONDS = 0.1
"""How often SQLite's data_version is read (4 µs); far below the one second that an old file may live."""
FALLBACK_SECONDS = 0.5
"""How often PostgreSQL is asked even when no notification came."""


_SINCE: Any = bindparam("since")
_COUNTERS = select(Counter.name, Counter.value)
_DEVICES = select(Device.id, Device.tenant_id).where(Device.changed_seq > _SINCE)
_GONE = select(Revocation.ref).where(Revocation.seq > _SINCE)
_EVENTS = (
    select(DirectoryEvent.tenant_id, func.max(DirectoryEvent.id))
    .where(DirectoryEvent.id > _SINCE)
    .group_by(DirectoryEvent.tenant_id)
)
_REGISTRATIONS = select(Registration.tenant_id, Registration.device_id).where(Registration.seq > _SINCE)
"""Built once, because they are asked many times a second."""


@dataclass(frozen=True, slots=True)
class ChangedDevices:
    """Devices whose files are out of date, and uids of devices that are gone."""

    ids: Sequence[int]
    gone: frozenset[str]


class DirectoryListener(Protocol):
    """Whoever keeps answers of the PBX directory: told which tenants and devices they may be wrong about."""

    def forget_tenants(self, tenant_ids: Iterable[int]) -> None: ...
    def forget_devices(self, device_ids: Iterable[int]) -> None: ...


class Watcher(Protocol):
    """Waits until something may have been committed."""

    async def wait(self) -> None: ...
    async def close(self) -> None: ...


class ChangeFeed:
    """Follows the two counters. `is_behind` is set at once by changes of this process; others are noticed by the watcher."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        on_devices: Callable[[ChangedDevices], None],
        directory: DirectoryListener | None = None,
    ) -> None:
        self._store = store
        self._hub = hub
        self._on_devices = on_devices
        self._directory = directory
        self._last_event = 0
        self._seen = {CONFIGURATION: 0, REGISTRATIONS: 0}
        self._lock = asyncio.Lock()
        self._round = 0
        self._learnt = 0
        self._commits = 0
        self.is_behind = False
        store.on_commit = self._note_commit
        self._woken = asyncio.Event()

    async def start(self) -> None:
        """Begin at the present."""
        async with self._store.read() as session:
            rows = (await session.execute(select(Counter.name, Counter.value))).all()
            last = (await session.execute(select(func.max(DirectoryEvent.id)))).scalar_one()
        self._seen.update(rows)
        self._last_event = last or 0

    async def run(self) -> None:
        """Follow until cancelled; a failing database is tried again."""
        watcher = await _watcher(self._store)
        self._woken.set()  # what others committed before the watcher was there, it does not see
        try:
            while True:
                await _first(watcher.wait(), self._woken.wait())
                self._woken.clear()
                while not await self._try_to_catch_up():  # noqa: ASYNC110 - nothing tells when a database is back
                    await asyncio.sleep(FALLBACK_SECONDS)
        finally:
            await watcher.close()

    async def _try_to_catch_up(self) -> bool:
        try:
            await self.catch_up()
        except (SQLAlchemyError, ProvisionerError, OSError) as error:
            log.warning("change feed cannot read the database", error=type(error).__name__)
            return False
        return True

    async def catch_up(self) -> None:
        """Learn everything that is committed now. `is_behind` stays true until it is learned: a failure keeps it so."""
        round_before = self._round
        async with self._lock:
            if self._learnt > round_before:
                return  # a whole round began after this call and ended well: it has seen what this caller wants to know
            self._round += 1
            commits = self._commits
            await self._learn()
            self._learnt = self._round
            if commits == self._commits:
                self.is_behind = False

    async def _learn(self) -> None:
        async with self._store.read() as session:
            connection = await session.connection()
            now = {row.name: row.value for row in await connection.execute(_COUNTERS)}
            since = self._seen[CONFIGURATION]
            if now[CONFIGURATION] > since:
                devices = (await connection.execute(_DEVICES, {"since": since})).all()
                gone = (await connection.execute(_GONE, {"since": since})).scalars().all()
                events = (await connection.execute(_EVENTS, {"since": self._last_event})).all()
                self._seen[CONFIGURATION] = now[CONFIGURATION]
                self._tell_devices(devices, gone)
                self._tell_directory(events)
            since = self._seen[REGISTRATIONS]
            if now[REGISTRATIONS] > since:
                rows = await connection.execute(_REGISTRATIONS, {"since": since})
                self._seen[REGISTRATIONS] = now[REGISTRATIONS]
                changed = {(row.tenant_id, row.device_id) for row in rows}
                if self._directory is not None:
                    self._directory.forget_devices(device_id for _, device_id in changed)
                for tenant_id, device_id in changed:
                    self._hub.publish(Change("registration", tenant_id, device_id))

    def _tell_devices(self, devices: Sequence[Any], gone: Sequence[str]) -> None:
        uids = frozenset(ref.partition(":")[2] for ref in gone if ref.startswith("device:"))
        self._on_devices(ChangedDevices(ids=[device_id for device_id, _ in devices], gone=uids))
        for device_id, tenant_id in devices:
            self._hub.publish(Change("device", tenant_id, device_id))

    def _tell_directory(self, events: Sequence[Any]) -> None:
        """`events`: the newest id of each tenant; all are written in changes of the configuration, so in order of the commits."""
        self._last_event = max([self._last_event, *(newest for _, newest in events)])
        if self._directory is not None:
            self._directory.forget_tenants(tenant_id for tenant_id, _ in events)
        for tenant_id, _ in events:
            self._hub.publish(Change("directory", tenant_id, 0))

    def _note_commit(self) -> None:
        self._commits += 1
        self.is_behind = True
        self._woken.set()


class SqliteWatcher:
    """Reads PRAGMA data_version, which changes when any connection of any process commits."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._version = self._read()

    def _read(self) -> int:
        version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return version

    async def wait(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            version = self._read()
            if version != self._version:
                self._version = version
                return

    async def close(self) -> None:
        self._connection.close()


class PostgresWatcher:
    """LISTEN on a connection of its own; a lost connection or notification is made up for by the fallback."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: asyncpg.Connection[Any] | None = None
        self._arrived = asyncio.Event()

    async def wait(self) -> None:
        if self._connection is None or self._connection.is_closed():
            with contextlib.suppress(OSError, asyncpg.PostgresError):
                connection = await asyncpg.connect(self._dsn)
                try:
                    await connection.add_listener(CHANNEL, self._on_notify)
                except BaseException:
                    connection.terminate()
                    raise
                self._connection = connection
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FALLBACK_SECONDS):
                await self._arrived.wait()
        self._arrived.clear()

    async def close(self) -> None:
        if self._connection is not None and not self._connection.is_closed():
            await self._connection.close()

    def _on_notify(self, *_: object) -> None:
        self._arrived.set()


async def _watcher(store: Store) -> Watcher:
    if store.is_sqlite:
        return SqliteWatcher(await asyncio.to_thread(open_sqlite_reader, store.url))
    return PostgresWatcher(store.url.set(drivername="postgresql").render_as_string(hide_password=False))


async def _first(*waits: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
