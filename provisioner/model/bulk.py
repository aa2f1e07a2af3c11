"""Many rows in one statement, past the ORM and the compiler: what storms of phones write, hundreds of times a second.

On SQLite a statement takes fifty rows of an INSERT, or is run for one after another; on PostgreSQL the rows travel as one array for each column.
Times are aware datetimes in UTC on the way in and on the way out; for SQLite they may be `moment_text` already.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from sqlalchemy import JSON, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioner.model.base import UtcDateTime

Rows = list[list[Any]]
_POSTGRES: Final = postgresql.dialect()  # type: ignore[no-untyped-call]
_PORTION: Final = 2_000
"""Rows in one statement: others get their turn in between."""
_TOGETHER: Final = 50
"""Rows that one INSERT of SQLite names: its driver lets go of the interpreter and takes it again for every execution."""


@dataclass(frozen=True, slots=True)
class _Statement:
    text: str
    moments: tuple[int, ...]
    """Places of the values that are times."""
    together: int = 1
    """Rows that one execution takes."""


async def insert_rows(
    connection: AsyncConnection, table: Table, columns: tuple[str, ...], rows: Rows, *, conflict: str = ""
) -> None:
    """Insert rows of values in the order of `columns`. `conflict`: an ON CONFLICT clause, the same for both databases."""
    if connection.dialect.name != "sqlite":
        await _run(connection, _insert(table, columns, conflict, is_sqlite=False), rows, is_sqlite=False)
        return
    whole = len(rows) - len(rows) % _TOGETHER
    for part, together in ((rows[:whole], _TOGETHER), (rows[whole:], 1)):
        if part:
            statement = _insert(table, columns, conflict, is_sqlite=True, together=together)
            await _run(connection, statement, part, is_sqlite=True)


async def update_rows(
    connection: AsyncConnection, table: Table, columns: tuple[str, ...], rows: Rows
) -> None:
    """Update rows; the last column is the key, whose row gets the values of the others."""
    is_sqlite = connection.dialect.name == "sqlite"
    await _run(connection, _update(table, columns, is_sqlite=is_sqlite), rows, is_sqlite=is_sqlite)


async def delete_rows(connection: AsyncConnection, table: Table, key: str, rows: Rows) -> None:
    """Delete the rows with these keys, one in each given row."""
    is_sqlite = connection.dialect.name == "sqlite"
    await _run(connection, _delete(table, key, is_sqlite=is_sqlite), rows, is_sqlite=is_sqlite)


@lru_cache(maxsize=4_096)
def moment_text(moment: datetime) -> str:
    """A time as SQLite stores it: to the microsecond, so that texts compare as times do."""
    return moment.isoformat(" ", "microseconds")[:26]


def read_moment(stored: Any) -> Any:
    """A time as either driver gives it, in UTC; None stays None."""
    if isinstance(stored, str):
        return datetime.fromisoformat(stored).replace(tzinfo=UTC)
    return stored


async def _run(connection: AsyncConnection, statement: _Statement, rows: Rows, *, is_sqlite: bool) -> None:
    if is_sqlite:
        for row in rows:
            for place in statement.moments:
                if isinstance(row[place], datetime):
                    row[place] = moment_text(row[place])
    for start in range(0, len(rows), _PORTION):
        portion = rows[start : start + _PORTION]
        parameters: Any = (
            _in_turn(portion, statement.together)
            if is_sqlite
            else tuple(map(list, zip(*portion, strict=True)))
        )
        await connection.exec_driver_sql(statement.text, parameters)


def _in_turn(rows: Rows, together: int) -> list[tuple[Any, ...]]:
    """The parameters of each execution."""
    return [
        tuple(chain.from_iterable(rows[start : start + together])) for start in range(0, len(rows), together)
    ]


@lru_cache(maxsize=64)
def _insert(
    table: Table, columns: tuple[str, ...], conflict: str, *, is_sqlite: bool, together: int = 1
) -> _Statement:
    into = f"INSERT INTO {table.name} ({', '.join(columns)})"
    if is_sqlite:
        row = f"({', '.join('?' for _ in columns)})"
        text = f"{into} VALUES {', '.join([row] * together)} {conflict}"
    else:
        text = f"{into} SELECT {', '.join(_values(table, columns))} FROM {_given(table, columns)} {conflict}"  # noqa: S608 - names only
    return _Statement(text, _moments(table, columns), together)


@lru_cache(maxsize=64)
def _update(table: Table, columns: tuple[str, ...], *, is_sqlite: bool) -> _Statement:
    *changed, key = columns
    if is_sqlite:
        text = f"UPDATE {table.name} SET {', '.join(f'{name} = ?' for name in changed)} WHERE {key} = ?"  # noqa: S608 - names only
    else:
        values = [f"{name} = {value}" for name, value in zip(columns, _values(table, columns), strict=True)]
        text = (
            f"UPDATE {table.name} SET {', '.join(values[:-1])} "  # noqa: S608 - names only
            f"FROM {_given(table, columns)} WHERE {table.name}.{values[-1]}"
        )
    return _Statement(text, _moments(table, columns))


@lru_cache(maxsize=64)
def _delete(table: Table, key: str, *, is_sqlite: bool) -> _Statement:
    wanted = "= ?" if is_sqlite else f"IN (SELECT {key} FROM {_given(table, (key,))})"  # noqa: S608 - names only
    return _Statement(f"DELETE FROM {table.name} WHERE {key} {wanted}", ())  # noqa: S608 - names only


def _moments(table: Table, columns: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(place for place, name in enumerate(columns) if isinstance(table.c[name].type, UtcDateTime))


def _values(table: Table, columns: tuple[str, ...]) -> list[str]:
    return [
        f"given.{name}::json" if isinstance(table.c[name].type, JSON) else f"given.{name}" for name in columns
    ]


def _given(table: Table, columns: tuple[str, ...]) -> str:
    """The rows as PostgreSQL takes them: an array for each column. JSON travels as text."""
    kinds = [
        "TEXT" if isinstance(kind := table.c[name].type, JSON) else kind.compile(_POSTGRES)
        for name in columns
    ]
    arrays = [f"${number}::{kind}[]" for number, kind in enumerate(kinds, 1)]
    return f"unnest({', '.join(arrays)}) AS given ({', '.join(columns)})"
