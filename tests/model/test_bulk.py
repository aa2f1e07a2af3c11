"""Rows that go past the ORM come out as the ORM put them in, on both databases."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from provisioner.model import Device, Fetch, Sighting, Tenant
from provisioner.model.bulk import delete_rows, insert_rows, moment_text, read_moment, update_rows
from provisioner.services.context import Context
from tests.services.places import device_of

_TABLES: Any = (Fetch.__table__, Sighting.__table__, Device.__table__)
_FETCHES, _SIGHTINGS, _DEVICES = _TABLES
AT = datetime(2027, 3, 28, 1, 59, 59, 7, tzinfo=UTC)
FETCH = ("device_id", "mac", "at", "source", "method", "path", "agent", "status", "reason", "detail", "hash")


def _fetch(device_id: int | None, *, at: datetime, path: str) -> list[object]:
    return [device_id, "000413000001", at, "192.0.2.1", "GET", path, "a'b\"c", 200, "allowed", '{"n": 1}', ""]


async def test_what_was_inserted_in_bulk_reads_like_what_the_orm_inserts(
    context: Context, tenant: Tenant
) -> None:
    device = await device_of(context, tenant)
    rows = [_fetch(device.id, at=AT + timedelta(seconds=n), path=f"/p/{n}") for n in range(2_500)]
    async with context.store.write() as session:
        await insert_rows(await session.connection(), _FETCHES, FETCH, [*rows, _fetch(None, at=AT, path="ü")])
    async with context.store.read() as session:
        found = (await session.execute(select(Fetch).order_by(Fetch.id))).scalars().all()
        before = (await session.execute(select(Fetch.path).where(Fetch.at < AT + timedelta(seconds=2)))).all()
    assert [(row.path, row.at) for row in found[:-1]] == [
        (f"/p/{n}", AT + timedelta(seconds=n)) for n in range(2_500)
    ]
    assert (found[-1].device_id, found[-1].path, found[-1].agent, found[-1].detail) == (
        None,
        "ü",
        "a'b\"c",
        {"n": 1},
    )
    assert sorted(row.path for row in before) == ["/p/0", "/p/1", "ü"]


async def test_a_conflict_is_settled_as_the_clause_says(context: Context, tenant: Tenant) -> None:
    device = await device_of(context, tenant)
    columns = ("device_id", "seen_at", "agent", "served_hash", "served_revision", "seen_from")
    for agent in ("one", "two"):
        async with context.store.write() as session:
            await insert_rows(
                await session.connection(), _SIGHTINGS, columns, [[device.id, AT, agent, "", 0, ""]],
                conflict="ON CONFLICT (device_id) DO UPDATE SET agent = excluded.agent",
            )  # fmt: skip
    async with context.store.read() as session:
        row = await session.get_one(Sighting, device.id)
    assert (row.agent, row.seen_at, row.served_at) == ("two", AT, None)


async def test_rows_are_updated_and_deleted_by_their_key_alone(context: Context, tenant: Tenant) -> None:
    devices = [await device_of(context, tenant, number) for number in range(3)]
    async with context.store.change() as session:
        connection = await session.connection()
        await update_rows(
            connection, _DEVICES, ("name", "window_until", "id"),
            [["First", AT, devices[0].id], ["Second", None, devices[1].id]],
        )  # fmt: skip
        await session.execute(
            insert(Sighting), [{"device_id": device.id, "seen_at": AT} for device in devices]
        )
        await delete_rows(connection, _SIGHTINGS, "device_id", [[devices[0].id], [devices[2].id]])
    async with context.store.read() as session:
        found = (await session.execute(select(Device.name, Device.window_until).order_by(Device.id))).all()
        left = (await session.execute(select(Sighting.device_id))).scalars().all()
    assert [tuple(row) for row in found] == [("First", AT), ("Second", None), (devices[2].name, None)]
    assert left == [devices[1].id]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_a_moment_is_stored_as_the_orm_stores_it(context: Context, tenant: Tenant) -> None:
    device = await device_of(context, tenant)
    for moment in (AT, AT.replace(microsecond=0), AT.replace(microsecond=120_000)):
        async with context.store.change() as session:
            (await session.get_one(Device, device.id)).window_until = moment
        async with context.store.read() as session:
            stored = (await session.execute(text("SELECT window_until FROM devices"))).scalar_one()
        assert moment_text(moment) == stored
        assert read_moment(stored) == moment


def test_what_a_driver_gives_as_a_time_is_left_as_it_is() -> None:
    summer = datetime(2027, 7, 1, tzinfo=timezone(timedelta(hours=2)))
    assert (read_moment(None), read_moment(summer)) == (None, summer)
