"""Statements on the phones' path give what the ordinary way gives, on both databases."""

import sqlite3
from datetime import timedelta

import pytest
from sqlalchemy import bindparam, select

from provisioner.errors import Unavailable
from provisioner.model import Device, Line, Tenant
from provisioner.model import quick as module
from provisioner.model.quick import AnySelect
from provisioner.services.context import Context
from tests.services.places import device_of

ONE = select(Device.id, Device.name, Device.window_until, Device.is_hotdesk, Tenant.networks, Tenant.sip_domain).join(
    Tenant, Tenant.id == Device.tenant_id
).where(Device.mac == bindparam("mac"), Device.revision >= 1)  # fmt: skip
SOME = (
    select(Device.id, Line.kind.label("count"))
    .join(Line, Line.device_id == Device.id)
    .where(Device.id.in_(bindparam("ids", expanding=True)), Line.position == bindparam("position"))
    .order_by(Device.id)
    .limit(3)
)


async def _both_ways(
    context: Context, statement: AnySelect, **parameters: object
) -> list[tuple[object, ...]]:
    """The rows, which must be the same, with the same names."""
    async with context.store.read() as session:
        usual = await session.execute(statement, parameters)
        names, expected = list(usual.keys()), [tuple(row) for row in usual]
    async with context.store.quick() as quick:
        for _ in range(2):  # the second time as it was prepared the first
            rows = await quick.all(statement, **parameters)
            assert [tuple(row) for row in rows] == expected
            assert [[getattr(row, name) for name in names] for row in rows] == [list(row) for row in expected]
    return expected


async def test_times_flags_lists_and_nothing_are_what_they_are_elsewhere(
    context: Context, tenant: Tenant
) -> None:
    device = await device_of(context, tenant)
    assert (await _both_ways(context, ONE, mac=device.mac))[0][2] is None
    async with context.store.change() as session:
        (await session.get_one(Tenant, tenant.id)).networks = ["192.0.2.0/24"]
        (await session.get_one(Device, device.id)).window_until = context.clock() + timedelta(microseconds=7)
    found = await _both_ways(context, ONE, mac=device.mac)
    assert found[0][2:5] == (context.clock() + timedelta(microseconds=7), False, ["192.0.2.0/24"])
    assert await _both_ways(context, ONE, mac="nobody'; --") == []


async def test_lists_of_any_length_are_parameters(context: Context, tenant: Tenant) -> None:
    ids = [(await device_of(context, tenant, number)).id for number in range(4)]
    for wanted in ([], ids[:1], ids, ids[1:3], [*ids, 999]):
        found = await _both_ways(context, SOME, ids=wanted, position=1)
        assert [row[0] for row in found] == wanted[:3]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_prepared_statements_do_not_grow_without_end(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT", 5)
    async with context.store.quick() as quick:
        for length in range(20):
            await quick.all(SOME, ids=list(range(length)), position=1)
    reader = context.store._reader
    assert reader is not None
    assert len(reader._prepared) == 5


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_a_database_that_is_locked_is_said_in_words(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Locked:
        in_transaction = False

        def execute(self, sql: str, *_: object) -> None:
            if sql not in {"BEGIN", "ROLLBACK"}:
                raise sqlite3.OperationalError("database is locked")

    async def ask() -> None:
        async with context.store.quick() as quick:
            await quick.all(ONE, mac="canary-71")

    await ask()
    with monkeypatch.context() as patch:
        patch.setattr(context.store._reader, "_connection", Locked())
        with pytest.raises(Unavailable, match="busy") as caught:
            await ask()
    assert "canary-71" not in f"{caught.value!r} {caught.value.__cause__}"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_a_moment_that_a_failure_left_open_keeps_nobody_from_reading(context: Context) -> None:
    async with context.store.quick() as quick:
        await quick.all(ONE, mac="none")
    reader = context.store._reader
    assert reader is not None
    reader._connection.execute("BEGIN")
    async with context.store.quick() as quick:
        assert await quick.all(ONE, mac="none") == []
        reader._connection.execute("ROLLBACK")  # as SQLite itself does after a failed read
    assert not reader._connection.in_transaction
