"""The database: engine, sessions and the order of changes. The same on SQLite and PostgreSQL."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import bindparam, event, select, text, update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from provisioner.errors import StorageFull, Unavailable
from provisioner.model.device import Device
from provisioner.model.server_state import Counter

CONFIGURATION = "configuration"
REGISTRATIONS = "registrations"
CHANNEL = "provisioner_changes"


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
        self.on_commit: Callable[[], None] = _nobody
        """Called after every committed `change` of this process."""

    async def close(self) -> None:
        await self.engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session whose changes are thrown away."""
        async with self._sessions() as session:
            with _named_failures():
                yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A transaction: commits at the end, rolls back on any exception."""
        async with self._alone(), self._sessions() as session:
            with _named_failures():
                if self.is_sqlite:
                    await session.execute(text("BEGIN IMMEDIATE"))
                async with _committing(session):
                    yield session

    @asynccontextmanager
    async def change(self, counter: str = CONFIGURATION) -> AsyncIterator[AsyncSession]:
        """A transaction that takes the next value of `counter` first (see `sequence`) and announces it when it commits."""
        async with self.write() as session:
            taken = await session.execute(
                update(Counter)
                .where(Counter.name == counter)
                .values(value=Counter.value + 1)
                .returning(Counter.value)
            )
            session.info["seq"] = taken.scalar_one()
            yield session
            if not self.is_sqlite:
                await session.execute(
                    text("SELECT pg_notify(:channel, :counter)"), {"channel": CHANNEL, "counter": counter}
                )

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


async def touch_where(session: AsyncSession, condition: Any) -> int:
    """The same for every device that fits an SQL condition; gives back how many."""
    statement = (
        update(Device).where(condition).values(revision=Device.revision + 1, changed_seq=bindparam("changed"))
    )
    result = await session.execute(
        statement.execution_options(synchronize_session=False), {"changed": sequence(session)}
    )
    count: int = result.rowcount  # type: ignore[attr-defined]  # an UPDATE always answers with a cursor
    return count


@asynccontextmanager
async def _committing(session: AsyncSession) -> AsyncIterator[None]:
    try:
        yield
        await session.commit()
    except BaseException:
        await session.rollback()
        raise


def _nobody() -> None: ...


class _named_failures:  # noqa: N801 - used as a statement
    """Turns the database's own words for "full" and "busy" into errors that say what to do."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
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


def _sqlite_engine(url: URL) -> AsyncEngine:
    engine = create_async_engine(url, pool_size=5, max_overflow=5, connect_args={"timeout": 10})

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: ConnectionPoolEntry) -> None:
        connection.isolation_level = (
            None  # transactions are begun by hand (BEGIN IMMEDIATE), not guessed by the driver
        )
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=10000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


def _postgres_engine(url: URL) -> AsyncEngine:
    return create_async_engine(url, pool_size=10, max_overflow=10, pool_pre_ping=True)


def open_sqlite_reader(url: URL) -> sqlite3.Connection:
    """A read-only connection for the phones' path: one indexed row costs microseconds and no thread."""
    database = url.database or ""
    connection = sqlite3.connect(
        f"file:{database}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, timeout=5
    )
    connection.execute("PRAGMA query_only=ON")
    return connection
