"""Reading on the phones' path: prebuilt statements without sessions, and on SQLite without a thread.

SQLAlchemy makes the text of a statement, its parameters and what its columns are converted with; on SQLite that is done once
for a statement and kept, for doing it anew costs ten times the reading.
"""

import sqlite3
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast
from urllib.parse import quote

from sqlalchemy import Row, Select
from sqlalchemy.dialects.sqlite.pysqlite import dialect as sqlite_dialect
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

AnySelect = Select[*tuple[Any, ...]]
AnyRow = Row[*tuple[Any, ...]]
"""A row whose columns have the names of the selected ones."""

KEPT: Final = 512
"""Prepared statements; one for each number of values of a list."""
_DIALECT: Final = sqlite_dialect()

Converter = Callable[[Any], Any]


class Quick(Protocol):
    """Runs one statement, with the parameters by name, and gives all its rows."""

    async def all(self, statement: AnySelect, **parameters: Any) -> Sequence[AnyRow]: ...


class QuickPostgres:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def all(self, statement: AnySelect, **parameters: Any) -> Sequence[AnyRow]:
        return (await self._connection.execute(statement, parameters)).all()


class QuickSqlite:
    """One read-only connection of a process. A read of a few indexed rows blocks the loop for microseconds."""

    def __init__(self, url: URL) -> None:
        self._connection = open_sqlite_reader(url)
        self._prepared: OrderedDict[tuple[AnySelect, tuple[int, ...]], _Prepared] = OrderedDict()
        self._blocks = 0

    def close(self) -> None:
        self._connection.close()

    def begin(self) -> None:
        """One read transaction until `end`; those that overlap (a reader is shared by the process) share the first one's moment."""
        if self._blocks == 0:
            self._leave()  # nobody is in one: it was left open by a failure
            self._connection.execute("BEGIN")
        self._blocks += 1

    def end(self) -> None:
        self._blocks -= 1
        if self._blocks == 0:
            self._leave()

    def _leave(self) -> None:
        if self._connection.in_transaction:  # SQLite ends one itself when reading fails
            self._connection.execute("ROLLBACK")

    async def all(self, statement: AnySelect, **parameters: Any) -> Sequence[AnyRow]:
        lengths = tuple([len(value) for value in parameters.values() if type(value) is list])
        prepared = self._prepared.get((statement, lengths))
        if prepared is None:
            prepared = self._prepared[statement, lengths] = _prepare(statement, parameters)
            if len(self._prepared) > KEPT:
                self._prepared.popitem(last=False)
        try:
            rows = self._connection.execute(prepared.text, prepared.bound(parameters)).fetchall()
        except sqlite3.OperationalError as error:
            # as SQLAlchemy would say it, without the parameters: callers tell full disks and locks by it
            raise OperationalError(prepared.text, None, error, hide_parameters=True) from None
        return cast("Sequence[AnyRow]", [prepared.row(row) for row in rows])


@dataclass(frozen=True, slots=True)
class _Place:
    """One question mark: a parameter, or one value of a list; `is_fixed`: a value that stands in the statement itself."""

    name: str
    index: int | None
    convert: Converter | None
    is_fixed: bool = False
    value: Any = None

    def of(self, parameters: Mapping[str, Any]) -> Any:
        if self.is_fixed:
            return self.value
        value = parameters[self.name]
        if self.index is not None:
            value = value[self.index]
        return self.convert(value) if self.convert is not None else value


@dataclass(frozen=True, slots=True)
class _Prepared:
    text: str
    places: tuple[_Place, ...]
    make: Callable[..., Any]
    converters: tuple[tuple[int, Converter], ...]
    """Of the columns that the driver does not give as they are meant."""

    def bound(self, parameters: Mapping[str, Any]) -> list[Any]:
        return [place.of(parameters) for place in self.places]

    def row(self, raw: Sequence[Any]) -> Any:
        if not self.converters:
            return self.make(raw)
        values = list(raw)
        for index, convert in self.converters:
            values[index] = convert(values[index])
        return self.make(values)


def _prepare(statement: AnySelect, parameters: Mapping[str, Any]) -> _Prepared:
    state = statement.compile(dialect=_DIALECT).construct_expanded_state(parameters)
    of_lists = {
        made: (name, index)
        for name, names in state.parameter_expansion.items()
        for index, made in enumerate(names)
    }
    places = []
    for bind in state.positiontup or ():
        convert: Any = state.processors.get(bind)
        name, index = of_lists.get(bind, (bind, None))
        if name in parameters:
            places.append(_Place(name, index, convert))
        else:
            value = state.parameters[bind]
            places.append(_Place(name, None, None, is_fixed=True, value=convert(value) if convert else value))
    columns = statement.selected_columns
    found = [
        (index, column.type.dialect_impl(_DIALECT).result_processor(_DIALECT, None))
        for index, column in enumerate(columns)
    ]
    row: Any = namedtuple("QuickRow", columns.keys())  # type: ignore[misc]  # noqa: PYI024 - the fields are the statement's
    converters = tuple((index, convert) for index, convert in found if convert is not None)
    return _Prepared(state.statement, tuple(places), row._make, converters)


def open_sqlite_reader(url: URL) -> sqlite3.Connection:
    """A read-only connection for the phones' path: one indexed row costs microseconds and no thread."""
    database = url.database or ""
    connection = sqlite3.connect(
        f"file:{quote(database)}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, timeout=5
    )
    connection.execute("PRAGMA query_only=ON")
    return connection
