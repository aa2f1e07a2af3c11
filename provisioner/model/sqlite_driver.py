"""One trip to the database's thread for each statement, where aiosqlite makes four: cursor, execute, fetch, close.

The trips, not the statements, are what a transaction costs: a tenth of a millisecond each. What is read is read whole,
as SQLAlchemy does with an asynchronous driver anyway. It also keeps parameters out of aiosqlite's own debug log.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import aiosqlite


class WholeCursor:
    """The part of a DB-API cursor that SQLAlchemy asks of an asynchronous driver."""

    arraysize = 1

    def __init__(self, connection: "WholeConnection") -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, operation: str, parameters: Sequence[Any] = ()) -> Self:
        return await self._run(lambda cursor: cursor.execute(operation, parameters))

    async def executemany(self, operation: str, parameters: Iterable[Sequence[Any]]) -> Self:
        return await self._run(lambda cursor: cursor.executemany(operation, parameters))

    async def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Closed since it ran."""

    async def _run(self, work: Callable[[sqlite3.Cursor], object]) -> Self:
        self.description, self.rowcount, self.lastrowid, self._rows = await self._connection.whole(work)
        return self


class WholeConnection(aiosqlite.Connection):
    """aiosqlite's connection with its thread; only its cursors are others."""

    @classmethod
    async def open(cls, database: str, *, patience: float) -> "WholeConnection":
        """`patience`: seconds to wait for a lock."""
        connection = cls(lambda: sqlite3.connect(database, timeout=patience), iter_chunk_size=64)
        connection._thread.daemon = True  # as SQLAlchemy does with connections it opens itself
        await connection
        return connection

    def cursor(self) -> Any:
        return WholeCursor(self)

    async def whole(self, work: Callable[[sqlite3.Cursor], object]) -> tuple[Any, int, int | None, list[Any]]:
        """Run `work` with a cursor and give what it left: description, row count, last id, all rows."""

        def run() -> tuple[Any, int, int | None, list[Any]]:
            cursor = self._conn.cursor()
            try:
                work(cursor)
                rows = cursor.fetchall() if cursor.description else []
                return cursor.description, cursor.rowcount, cursor.lastrowid, rows
            finally:
                cursor.close()

        found: tuple[Any, int, int | None, list[Any]] = await self._execute(run)  # type: ignore[no-untyped-call]
        return found
