import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from provisioner.access.permissions import Role
from provisioner.clock import SteppedClock
from provisioner.errors import NotFound
from provisioner.model import Fetch, Sighting, Tenant
from provisioner.services.context import SYSTEM, Actor, Context
from provisioner.services.devices.enrolment import remove_device
from provisioner.services.files import fetch_log
from provisioner.services.files.fetch_log import FetchLog, list_fetches, list_strangers, prune_fetches
from provisioner.services.files.fetch_rows import Note
from provisioner.services.files.fetch_words import fetch_sentence
from provisioner.services.refusals import list_refusals
from tests.services.places import device_of


def _note(
    context: Context,
    device_id: int | None,
    *,
    status: int = 200,
    reason: str = "allowed",
    served: str = "",
    source: str = "192.0.2.1",
    seconds: float = 0.0,
    tenant_id: int | None = None,
    path: str = "/p/x",
    revision: int = 1,
) -> Note:
    at = context.clock().timestamp() + seconds
    return Note(
        tenant_id,
        device_id,
        "000413000001",
        at,
        source,
        "GET",
        path,
        "snomD785",
        status,
        reason,
        "{}",
        served,
        revision,
    )


async def _count(context: Context) -> int:
    async with context.store.read() as session:
        return (await session.execute(select(func.count()).select_from(Fetch))).scalar_one()


async def test_a_batch_is_written_and_the_device_learns_from_it(context: Context, tenant: Tenant) -> None:
    device = await device_of(context, tenant)
    log = FetchLog(context.store, context.hub)
    with context.hub.subscribe(tenant.id) as page:
        log.note(_note(context, device.id, tenant_id=tenant.id, served="a" * 64, revision=3))
        log.note(
            _note(
                context,
                device.id,
                tenant_id=tenant.id,
                status=401,
                reason="wrong-password",
                source="203.0.113.9",
                seconds=5,
            )
        )
        log.note(_note(context, None, status=401, reason="unknown-mac"))
        await log.flush()
        assert [(change.topic, change.device_id) for change in await page.next()] == [("fetch", device.id)]
    entries = (await list_fetches(context, SYSTEM, device_id=device.id)).items
    assert [(entry.status, entry.reason) for entry in entries] == [(401, "wrong-password"), (200, "allowed")]
    async with context.store.read() as session:
        after = await session.get_one(Sighting, device.id)
    assert (after.served_hash, after.served_revision, after.seen_from, after.agent) == (
        "a" * 64,
        3,
        "192.0.2.1",
        "snomD785",
    )
    assert after.seen_at == context.clock() + timedelta(seconds=5)
    assert (await list_strangers(context, SYSTEM))[0].reason == "unknown-mac"


async def test_entries_of_a_device_that_is_gone_are_left_out(context: Context, tenant: Tenant) -> None:
    device = await device_of(context, tenant)
    await remove_device(context, SYSTEM, device_id=device.id)
    log = FetchLog(context.store, context.hub)
    log.note(_note(context, device.id, tenant_id=tenant.id))
    log.note(_note(context, None))
    await log.flush()
    assert await _count(context) == 1


async def test_memory_is_bounded_and_what_was_dropped_is_counted(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T26."""
    monkeypatch.setattr(fetch_log, "CAPACITY", 3)
    log = FetchLog(context.store, context.hub)
    for _ in range(5):
        log.note(_note(context, None))
    assert log.dropped == 2


async def test_a_flood_of_refusals_leaves_few_entries_and_hides_nothing_that_was_served(
    context: Context, tenant: Tenant
) -> None:
    device = await device_of(context, tenant)
    log = FetchLog(context.store, context.hub)
    for number in range(400):
        log.note(
            _note(
                context,
                device.id,
                tenant_id=tenant.id,
                status=401,
                reason="wrong-password",
                source=f"203.0.113.{number % 250}",
            )
        )
        log.note(_note(context, None, status=401, reason="unknown-mac", path=f"/p/{number}"))
    log.note(_note(context, device.id, tenant_id=tenant.id, served="b" * 64))
    await log.flush()
    entries = (await list_fetches(context, SYSTEM, device_id=device.id, limit=500)).items
    assert len(entries) == fetch_log.REFUSED_AT_ONCE + 1
    assert sum(entry.status == 200 for entry in entries) == 1
    assert len(await list_strangers(context, SYSTEM, limit=500)) == fetch_log.STRANGERS_AT_ONCE
    assert log.dropped + log.written == 801


async def test_one_device_does_not_fill_the_database(
    context: Context, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_log, "DEVICE_KEPT", 30)
    monkeypatch.setattr(fetch_log, "TRIM_EVERY", 20)
    device = await device_of(context, tenant)
    log = FetchLog(context.store, context.hub)
    for second in range(100):
        log.note(_note(context, device.id, tenant_id=tenant.id, seconds=second))
        if second % 10 == 9:
            await log.flush()
    page = await list_fetches(context, SYSTEM, device_id=device.id, limit=500)
    assert page.total <= 50
    assert page.items[0].at == context.clock() + timedelta(seconds=99)


async def test_a_failing_database_keeps_the_notes(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    log = FetchLog(context.store, context.hub)
    log.note(_note(context, None))
    write = log._write

    async def failing(_: object) -> set[tuple[int, int]]:
        raise OperationalError("INSERT", {}, Exception("gone away"))

    monkeypatch.setattr(log, "_write", failing)
    with pytest.raises(OperationalError):
        await log.flush()
    monkeypatch.setattr(log, "_write", write)
    await log.flush()
    assert await _count(context) == 1


@pytest.mark.parametrize(("count", "refusals"), [(1, 1), (fetch_log.STORM, 4)])
async def test_after_a_storm_a_batch_waits_longer_and_takes_as_many_refusals_more(
    context: Context, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, count: int, refusals: int
) -> None:
    device = await device_of(context, tenant)
    pauses: list[float] = []
    paused, go_on = asyncio.Event(), asyncio.Event()

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        paused.set()
        await go_on.wait()
        go_on.clear()

    monkeypatch.setattr(fetch_log, "REFUSED_AT_ONCE", 1)
    log = FetchLog(context.store, context.hub, sleep=pause)
    for _ in range(count):
        log.note(_note(context, device.id, tenant_id=tenant.id, served="a"))
    running = asyncio.create_task(log.run())
    await paused.wait()
    paused.clear()
    for number in range(10):
        log.note(_note(context, device.id, tenant_id=tenant.id, status=401, reason="no", path=f"/p/{number}"))
    go_on.set()
    await paused.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert pauses == [
        fetch_log.STORM_SECONDS if count >= fetch_log.STORM else fetch_log.CALM_SECONDS,
        fetch_log.CALM_SECONDS,
    ]
    assert await _count(context) == 1 + refusals


async def test_an_entry_has_the_moment_of_its_request_to_the_microsecond(
    context: Context, tenant: Tenant
) -> None:
    device = await device_of(context, tenant)
    start = context.clock()
    log = FetchLog(context.store, context.hub)
    moments = [
        start + timedelta(microseconds=part) for part in (0, 1, 7, 333_333, 499_999, 999_999, 1_000_000)
    ]
    for number, moment in enumerate(moments):
        seconds = (moment - start).total_seconds()
        log.note(
            _note(context, device.id, tenant_id=tenant.id, seconds=seconds, path=f"/p/{number}", served="a")
        )
    await log.flush()
    async with context.store.read() as session:
        found = (await session.execute(select(Fetch.at).order_by(Fetch.id))).scalars().all()
        seen = await session.get_one(Sighting, device.id)
        late = (await session.execute(select(func.count()).where(Fetch.at >= moments[5]))).scalar_one()
    assert list(found) == moments
    assert (seen.seen_at, seen.served_at, late) == (moments[-1], moments[-1], 2)


async def test_old_entries_go_after_the_retention(context: Context, clock: SteppedClock) -> None:
    log = FetchLog(context.store, context.hub)
    log.note(_note(context, None, seconds=-86_400.0 * (context.settings.keep_fetches_days + 1)))
    await log.flush()
    log.note(_note(context, None))
    await log.flush()
    assert await prune_fetches(context) == 1
    assert await _count(context) == 1


async def test_a_foreign_log_cannot_be_read(context: Context, tenant: Tenant, other_tenant: Tenant) -> None:
    """T27."""
    device = await device_of(context, other_tenant)
    ann = Actor(name="ann", role=Role.ADMIN, tenant_id=tenant.id)
    with pytest.raises(NotFound):
        await list_fetches(context, ann, device_id=device.id)
    assert await list_strangers(context, ann) == []
    with pytest.raises(NotFound):
        await list_refusals(context, ann, tenant_id=other_tenant.id)


async def test_refusals_worth_a_look_are_listed_once_each(context: Context, tenant: Tenant) -> None:
    device = await device_of(context, tenant, name="Desk")
    log = FetchLog(context.store, context.hub)
    for second, reason in enumerate(
        ["no-credentials", "wrong-password", "wrong-password", "other-vendors-file"]
    ):
        log.note(
            _note(
                context,
                device.id,
                tenant_id=tenant.id,
                status=401,
                reason=reason,
                seconds=second,
                path=f"/p/{second}",
            )
        )
    await log.flush()
    found = await list_refusals(context, SYSTEM, tenant_id=tenant.id)
    assert [(refusal.fetch.reason, refusal.device_name) for refusal in found] == [
        ("other-vendors-file", "Desk"),
        ("wrong-password", "Desk"),
    ]


async def test_equal_requests_of_one_moment_share_an_entry_that_counts_them(
    context: Context, tenant: Tenant
) -> None:
    device = await device_of(context, tenant)
    log = FetchLog(context.store, context.hub)
    for second in range(7):
        log.note(_note(context, device.id, tenant_id=tenant.id, seconds=second))
    await log.flush()
    page = await list_fetches(context, SYSTEM, device_id=device.id)
    assert [entry.detail["times"] for entry in page.items] == [7]
    assert page.items[0].at == context.clock() + timedelta(seconds=6)
    assert fetch_sentence(page.items[0]).endswith(" (×7)")
