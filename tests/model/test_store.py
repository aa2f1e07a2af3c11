"""The order of changes, exactly which devices are touched, and the database's own troubles in words."""

import asyncio
import sqlite3
import tempfile
from pathlib import Path

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import DBAPIError

from provisioner.errors import StorageFull, Unavailable
from provisioner.model import Device, Tenant, store
from provisioner.model.store import (
    CONFIGURATION,
    REGISTRATIONS,
    Store,
    announce,
    sequence,
    touch,
    touch_where,
)
from provisioner.services.context import SYSTEM, Context
from provisioner.services.devices.enrolment import update_device
from tests.services.places import device_of


def is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())


async def test_changes_run_one_after_another_and_are_numbered_without_gaps(context: Context) -> None:
    before, seen = await context.store.counter(CONFIGURATION), []

    async def change() -> None:
        async with context.store.change() as session:
            seen.append(sequence(session))
            await asyncio.sleep(0)

    await asyncio.gather(*(change() for _ in range(12)))
    assert seen == list(range(before + 1, before + 13))
    assert await context.store.counter(CONFIGURATION) == before + 12


async def test_the_two_counters_do_not_move_each_other(context: Context) -> None:
    before = await context.store.counter(CONFIGURATION)
    async with context.store.change(REGISTRATIONS):
        pass
    assert await context.store.counter(CONFIGURATION) == before


async def test_nobody_waits_for_a_rehearsal_and_nothing_of_it_is_kept(
    context: Context, tenant: Tenant
) -> None:
    device = await device_of(context, tenant)
    before = await context.store.counter(CONFIGURATION)
    async with context.store.rehearsal() as session:
        assert sequence(session) >= before
        session.add(Tenant(key="draft", name="Draft", sip_domain="draft.test", created_at=context.clock()))
        await session.flush()
        async with asyncio.timeout(5):
            await update_device(context, SYSTEM, device_id=device.id, name="Renamed meanwhile")
        assert await session.scalar(select(Tenant.name).where(Tenant.key == "draft")) == "Draft"
    async with context.store.read() as session:
        assert await session.scalar(select(Tenant.id).where(Tenant.key == "draft")) is None
        assert await session.scalar(select(Device.name).where(Device.id == device.id)) == "Renamed meanwhile"
    assert await context.store.counter(CONFIGURATION) == before + 1


async def test_a_rehearsal_that_fails_leaves_no_copy_behind(
    context: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    room = tmp_path / "room"
    room.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(room))
    with pytest.raises(RuntimeError, match="half way"):
        async with context.store.rehearsal():
            raise RuntimeError("half way")
    assert is_empty(room)


async def test_a_database_that_is_too_large_to_copy_is_rehearsed_in_place(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LARGEST_COPY", 0)
    before = await context.store.counter(CONFIGURATION)
    async with context.store.rehearsal() as session:
        session.add(Tenant(key="draft", name="Draft", sip_domain="draft.test", created_at=context.clock()))
    async with context.store.read() as session:
        assert await session.scalar(select(Tenant.id).where(Tenant.key == "draft")) is None
    assert await context.store.counter(CONFIGURATION) == before


async def test_no_room_for_a_copy_is_told_as_such(
    context: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if not context.store.is_sqlite:
        return  # PostgreSQL needs no copy
    room = tmp_path / "room"
    room.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(room))
    monkeypatch.setattr(store, "_COPY", "no/such/folder")
    with pytest.raises(StorageFull, match="cannot be copied"):
        async with context.store.rehearsal():
            pass
    assert is_empty(room)


async def test_a_failure_takes_everything_back_and_announces_nothing(
    context: Context, tenant: Tenant
) -> None:
    device = await device_of(context, tenant)
    before = await context.store.counter(CONFIGURATION)
    announced: list[int] = []
    context.store.on_commit = lambda: announced.append(1)

    async def fail() -> None:
        async with context.store.change() as session:
            await touch(session, [device.id])
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        await fail()
    assert (await context.store.counter(CONFIGURATION), announced) == (before, [])
    async with context.store.read() as session:
        assert (await session.get_one(Device, device.id)).revision == device.revision
    async with context.store.change() as session:
        await touch(session, [device.id])
    assert announced == [1]


async def test_a_reading_session_changes_nothing(context: Context, tenant: Tenant) -> None:
    async with context.store.read() as session:
        (await session.get_one(Tenant, tenant.id)).name = "Other"
        await session.flush()
    async with context.store.read() as session:
        assert (await session.get_one(Tenant, tenant.id)).name == "Acme"


async def test_exactly_the_named_devices_are_touched(context: Context, tenant: Tenant) -> None:
    devices = [await device_of(context, tenant, number) for number in range(4)]
    async with context.store.change() as session:
        await touch(session, [devices[0].id, devices[0].id, devices[1].id])
        assert await touch_where(session, Device.id == devices[2].id) == 1
        assert await announce(session, Device.id == devices[3].id) == 1
        seq = sequence(session)
    async with context.store.read() as session:
        rows = (await session.execute(select(Device.revision, Device.changed_seq).order_by(Device.id))).all()
    assert [tuple(row) for row in rows] == [(2, seq), (2, seq), (2, seq), (1, seq)]


async def test_what_a_phone_is_made_of_comes_from_one_moment(context: Context, tenant: Tenant) -> None:
    """DESIGN, invariant 9: no device half changed."""
    device = await device_of(context, tenant, name="Before")
    statement = select(Device.name).where(Device.id == device.id)
    async with context.store.quick() as quick:
        first = (await quick.all(statement))[0].name
        await update_device(context, SYSTEM, device_id=device.id, name="After")
        second = (await quick.all(statement))[0].name
    async with context.store.quick() as quick:
        third = (await quick.all(statement))[0].name
    assert (first, second, third) == ("Before", "Before", "After")


async def test_a_task_cancelled_while_it_commits_ends_when_all_is_committed(
    context: Context, tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that stops cancels its tasks; the connection's way back into the pool is part of the commit."""
    store, announced = context.store, []
    device = await device_of(context, tenant)

    async def change() -> None:
        async with store.change() as session:
            await touch(session, [device.id])

    task = asyncio.create_task(change())
    event.listen(store.engine.sync_engine, "reset", lambda *_: task.cancel())
    event.listen(store.engine.sync_engine, "reset", lambda *_: announced.append(task.cancelling()))
    store.on_commit = lambda: announced.append(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert announced == [1, 0]
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
    async with store.read() as session:
        assert (await session.get_one(Device, device.id)).revision == device.revision + 1


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_a_full_disk_is_said_in_words_and_loses_nothing(context: Context, tenant: Tenant) -> None:
    device = await device_of(context, tenant)
    async with context.store.write() as session:
        pages = (await session.execute(text("PRAGMA page_count"))).scalar_one()
        await session.execute(text(f"PRAGMA max_page_count={pages}"))
    store = context.store

    async def fill() -> None:
        insert = "INSERT INTO server_facts (name, value) VALUES (hex(randomblob(16)), hex(randomblob(150)))"
        for _ in range(50):
            async with store.write() as session:
                await session.execute(text(f"PRAGMA max_page_count={pages}"))
                await session.execute(text(insert))

    with pytest.raises(StorageFull, match="Nothing was changed"):
        await fill()
    async with store.read() as session:
        assert (await session.get_one(Device, device.id)).name == device.name


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_a_database_that_is_held_by_somebody_else_is_busy(context: Context) -> None:
    other = Store(context.settings.database_url)

    async def change() -> None:
        async with context.store.read() as session:
            await session.execute(text("PRAGMA busy_timeout=10"))
            await session.execute(text("UPDATE counters SET value = value"))

    try:
        async with other.write():
            with pytest.raises(Unavailable, match="busy"):
                await change()
    finally:
        await other.close()


async def test_a_database_that_cannot_be_reached_is_unavailable() -> None:
    store = Store("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    try:
        with pytest.raises(Unavailable, match="cannot be reached"):
            async with store.read() as session:
                await session.execute(text("SELECT 1"))
    finally:
        await store.close()


async def test_a_failed_statement_does_not_say_what_was_to_be_stored(context: Context) -> None:
    """T19: such failures are logged as they are."""
    with pytest.raises(DBAPIError) as caught:
        async with context.store.write() as session:
            await session.execute(text("INSERT INTO nowhere VALUES (:value)"), {"value": "canary-71"})
    assert "canary-71" not in str(caught.value)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_what_cannot_be_brought_to_the_disk_is_said(
    context: Context, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_PRAGMAS", (*store._PRAGMAS, "busy_timeout=50"))
    other = Store(str(context.store.url))
    reader = sqlite3.connect(str(context.store.url.database), isolation_level=None)
    try:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM tenants").fetchone()
        async with other.write() as session:
            await session.execute(text("UPDATE tenants SET name = 'later' WHERE id = :id"), {"id": tenant.id})
        with pytest.raises(Unavailable, match="busy"):
            await other.to_disk()
        reader.execute("ROLLBACK")
        await other.to_disk()
    finally:
        reader.close()
        await other.close()
