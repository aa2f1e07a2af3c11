"""The database: engine, sessions and the order of changes. The same on SQLite and PostgreSQL."""

import asyncio
import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import bindparam, event, select, text, update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.pool import ConnectionPoolEntry

from provisioner.errors import StorageFull, Unavailable
from provisioner.model.device import Device
from provisioner.model.quick import Quick, QuickPostgres, QuickSqlite, open_sqlite_reader
from provisioner.model.server_state import Counter
from provisioner.model.sqlite_driver import WholeConnection

CONFIGURATION = "configuration"
REGISTRATIONS = "registrations"
CHANNEL = "provisioner_changes"


_counters: Any = Counter.__table__
_TAKE = (
    update(_counters)
    .where(_counters.c.name == bindparam("counter"))
    .values(value=_counters.c.value + 1)
    .returning(_counters.c.value)
)
_NOTIFY = text("SELECT pg_notify(:channel, :counter)")
_BEGIN, _BEGIN_IMMEDIATE = text("BEGIN"), text("BEGIN IMMEDIATE")


_PRAGMAS = (
    "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=10000",
    # KiB, and pages: what storms write again and again stays in memory longer, and reaches the database file once
    "cache_size=-8192", "wal_autocheckpoint=4000",
)  # fmt: skip

LARGEST_COPY = 256 * 1024 * 1024
"""Bytes of a database that a rehearsal copies."""
_COPY = "copy.sqlite"


class _RehearsedError(Exception):
    """Ends a transaction that must not be kept."""


class Store:
    """Opens sessions. `read` for looking, `write` for rows nobody caches, `change` for what phones or ticks depend on.

    `change` takes the counter first, so these transactions run one after another on any number of nodes; their
    order is the counter's value, which is written to every device they touch.
    """

    def __init__(self, url: str) -> None:
        self.url: URL = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine: AsyncEngine = _sqlite_engine(self.url) if self.is_sqlite else _postgres_engine(self.url)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self._writing = asyncio.Lock()
        self._reader: QuickSqlite | None = None
        self.on_commit: Callable[[], None] = _nobody
        """Called after every committed `change` of this process."""

    async def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        await self.engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session that sees one moment and whose changes are thrown away."""
        async with self._sessions() as session:
            with _named_failures():
                if self.is_sqlite:  # its driver commits every statement by itself otherwise
                    await (await session.connection()).execute(_BEGIN)
                yield session

    def quick(self) -> AbstractAsyncContextManager[Quick]:
        """For the phones' path: prebuilt statements without sessions; on SQLite without a thread either.

        A read of a few indexed rows blocks the loop for some microseconds, which is less than handing it to a thread
        costs. All statements of one block see the same moment: a file is never made of two revisions.
        """
        if not self.is_sqlite:
            return self._quick_postgres()
        if self._reader is None:
            with _named_failures():
                self._reader = QuickSqlite(self.url)
        return _Moment(self._reader)

    @asynccontextmanager
    async def _quick_postgres(self) -> AsyncIterator[Quick]:
        with _named_failures():
            async with self.engine.connect() as plain:
                yield QuickPostgres(await plain.execution_options(isolation_level="REPEATABLE READ"))

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A transaction: commits at the end, rolls back on any exception."""
        async with self._alone(), self._sessions() as session:
            with _named_failures():
                if self.is_sqlite:
                    await (await session.connection()).execute(_BEGIN_IMMEDIATE)
                async with _committing(session):
                    yield session

    @asynccontextmanager
    async def change(self, counter: str = CONFIGURATION) -> AsyncIterator[AsyncSession]:
        """A transaction that takes the next value of `counter` first (see `sequence`) and announces it when it commits."""
        try:
            async with self.write() as session:
                connection = await session.connection()
                taken = await connection.execute(_TAKE, {"counter": counter})
                session.info["seq"] = taken.scalar_one()
                yield session
                if not self.is_sqlite:
                    await session.flush()
                    await connection.execute(_NOTIFY, {"channel": CHANNEL, "counter": counter})
        except asyncio.CancelledError:
            self.on_commit()  # it may have come when all was committed; looking once too often costs nothing
            raise
        self.on_commit()

    @asynccontextmanager
    async def rehearsal(self) -> AsyncIterator[AsyncSession]:
        """A session as `change` opens it, for work that is thrown away: nobody waits for it, however long it takes.

        PostgreSQL locks rows only, so the counter is looked at and not taken. SQLite has one writer: there the work is done on
        a copy of the database, unless that is larger than LARGEST_COPY.
        """
        if not self.is_sqlite:
            async with self._sessions() as session:
                with _named_failures():
                    taken = select(_counters.c.value).where(_counters.c.name == CONFIGURATION)
                    session.info["seq"] = (await (await session.connection()).execute(taken)).scalar_one()
                    try:
                        yield session
                    finally:
                        await _to_the_end(session.rollback())
            return
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="provisioner-"))  # for this user alone
        store = self
        try:
            if await asyncio.to_thread(_copy, self.url, folder / _COPY):
                store = Store(f"sqlite+aiosqlite:///{folder / _COPY}")
            async with store.change() as session:
                yield session
                raise _RehearsedError  # noqa: TRY301 - the way to end a transaction without keeping it
        except _RehearsedError:
            pass
        finally:
            if store is not self:
                await store.close()
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def to_disk(self) -> None:
        """Make what is committed outlast a power failure. PostgreSQL does so with every commit, SQLite when it likes.

        Unavailable when somebody reads or writes all the while.
        """
        if self.is_sqlite:
            async with self._alone(), self.engine.connect() as connection:
                with _named_failures():
                    done = await connection.exec_driver_sql("PRAGMA wal_checkpoint(FULL)")
                if done.scalar_one():
                    raise Unavailable("The database is busy; please try again.")

    async def counter(self, name: str) -> int:
        """The newest committed value of a counter."""
        async with self.read() as session:
            return (await session.execute(select(Counter.value).where(Counter.name == name))).scalar_one()

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        if not self.is_sqlite:
            yield
            return
        # SQLite has one writer: queueing here is fair, its own busy handler is not
        async with self._writing:
            yield


def _copy(url: URL, copy: Path) -> bool:
    """Copy a database of SQLite; False when it is too large for that."""
    if Path(url.database or "").stat().st_size > LARGEST_COPY:
        return False
    try:
        with (
            contextlib.closing(open_sqlite_reader(url)) as source,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
    except sqlite3.Error as error:
        raise StorageFull(
            f"The database cannot be copied to {copy.parent.parent}: free some space there and try again. Nothing was changed."
        ) from error
    return True


def sequence(session: AsyncSession) -> int:
    """The counter value of a session opened by `Store.change`."""
    value: int = session.info["seq"]
    return value


async def touch(session: AsyncSession, device_ids: Iterable[int]) -> None:
    """Raise the revision of exactly these devices: their cached files are worth nothing from the commit on."""
    ids = sorted(set(device_ids))
    seq = sequence(session)
    for start in range(0, len(ids), 500):
        chunk = ids[start : start + 500]
        await session.execute(
            update(Device)
            .where(Device.id.in_(chunk))
            .values(revision=Device.revision + 1, changed_seq=seq)
            .execution_options(synchronize_session=False)
        )


async def announce(session: AsyncSession, condition: Any) -> int:
    """Make every worker read these devices anew though their files stay the same; gives back how many."""
    statement = update(Device).where(condition).values(changed_seq=sequence(session))
    result = await session.execute(statement.execution_options(synchronize_session=False))
    count: int = result.rowcount  # type: ignore[attr-defined]  # an UPDATE always answers with a cursor
    return count


async def touch_where(session: AsyncSession, condition: Any) -> int:
    """The same for every device that fits an SQL condition; gives back how many."""
    statement = (
        update(Device).where(condition).values(revision=Device.revision + 1, changed_seq=sequence(session))
    )
    result = await session.execute(statement.execution_options(synchronize_session=False))
    count: int = result.rowcount  # type: ignore[attr-defined]  # an UPDATE always answers with a cursor
    return count


@asynccontextmanager
async def _committing(session: AsyncSession) -> AsyncIterator[None]:
    """Commit at the end or roll back; a task that is cancelled meanwhile ends when that is done, not in the middle of it."""
    try:
        yield
    except BaseException:
        await _to_the_end(session.rollback())
        raise
    await _to_the_end(session.commit())


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Wait for work that must not be left half done; a cancellation that comes meanwhile is raised after it."""
    task, cancelled = asyncio.create_task(work), None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled


def _nobody() -> None: ...


class _named_failures:  # noqa: N801 - used as a statement
    """Turns the database's own words for "full" and "busy" into errors that say what to do."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, PoolTimeout | ConnectionError) or getattr(
            error, "connection_invalidated", False
        ):
            raise Unavailable("The database cannot be reached; please try again in a moment.") from error
        if not isinstance(error, DBAPIError):
            return
        words = str(error.orig).lower()
        if (
            "disk is full" in words
            or "no space left" in words
            or "disk i/o error" in words
            or "could not extend" in words
        ):
            raise StorageFull(
                "The disk is full: free some space and try again. Nothing was changed."
            ) from error
        if isinstance(error, OperationalError) and "locked" in words:
            raise Unavailable("The database is busy; please try again.") from error


class _Moment:
    """What `Store.quick` gives on SQLite; made of generators it would cost as much as a statement."""

    __slots__ = ("_reader",)

    def __init__(self, reader: QuickSqlite) -> None:
        self._reader = reader

    async def __aenter__(self) -> Quick:
        with _named_failures():
            self._reader.begin()
        return self._reader

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _named_failures():
            self._reader.end()
        if error is not None:
            _named_failures().__exit__(kind, error, trace)


def _sqlite_engine(url: URL) -> AsyncEngine:
    # hide_parameters, here and below: a failure is logged with its trace, where what was to be stored must not stand
    async def connect() -> WholeConnection:
        return await WholeConnection.open(url.database or "", patience=10)

    # the connection that was used last is used next: whatever another one writes makes its memory of the file worthless
    engine = create_async_engine(
        url, pool_size=5, max_overflow=5, pool_use_lifo=True, async_creator=connect, hide_parameters=True
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: ConnectionPoolEntry) -> None:
        connection.isolation_level = (
            None  # transactions are begun by hand (BEGIN IMMEDIATE), not guessed by the driver
        )
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


def _postgres_engine(url: URL) -> AsyncEngine:
    return create_async_engine(url, pool_size=10, max_overflow=10, pool_pre_ping=True, hide_parameters=True)
