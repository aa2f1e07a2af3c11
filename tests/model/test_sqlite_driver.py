"""A statement is one trip to the database's thread, and its cursor is what SQLAlchemy expects of one."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from provisioner.model.sqlite_driver import WholeConnection


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[WholeConnection]:
    opened = await WholeConnection.open(str(tmp_path / "some.sqlite"), patience=1)
    await opened.cursor().execute("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
    yield opened
    await opened.close()


async def test_rows_description_count_and_last_id_are_there_after_one_trip(
    connection: WholeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    trips = 0
    real = connection._execute

    async def counted(*given: object) -> object:
        nonlocal trips
        trips += 1
        return await real(*given)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(connection, "_execute", counted)
    cursor = await connection.cursor().__aenter__()
    await cursor.execute("INSERT INTO things (name) VALUES (?), (?)", ("a", "b"))
    assert (cursor.rowcount, cursor.lastrowid, cursor.description) == (2, 2, None)
    await cursor.execute("UPDATE things SET name = name || 'x' RETURNING id, name")
    assert [column[0] for column in cursor.description] == ["id", "name"]
    assert await cursor.fetchall() == [(1, "ax"), (2, "bx")]
    assert await cursor.fetchall() == []
    await cursor.executemany("INSERT INTO things (name) VALUES (?)", [("c",), ("d",), ("e",)])
    assert cursor.rowcount == 3
    await cursor.close()
    assert trips == 3


async def test_a_fault_is_the_drivers_own_and_the_next_statement_works(connection: WholeConnection) -> None:
    cursor = connection.cursor()
    await cursor.execute("INSERT INTO things (name) VALUES ('a')")
    with pytest.raises(sqlite3.IntegrityError):
        await cursor.execute("INSERT INTO things (name) VALUES ('a')")
    with pytest.raises(sqlite3.OperationalError):
        await cursor.execute("SELECT nothing FROM nowhere")
    await cursor.execute("SELECT count(*) FROM things")
    assert await cursor.fetchall() == [(1,)]
