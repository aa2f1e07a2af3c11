"""Whatever commits, this process hears of it: its own changes at once, those of others within a second."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy.exc import OperationalError

from provisioner.model import Tenant
from provisioner.model.store import Store
from provisioner.services.change_feed import ChangedDevices, ChangeFeed
from provisioner.services.context import SYSTEM, Context
from provisioner.services.devices.enrolment import remove_device, update_device
from provisioner.services.live import Change
from provisioner.services.operation.installation import open_context
from provisioner.services.registrations.ticks import RegistrationEvent, apply_events
from tests.services.places import device_of


class Listener:
    def __init__(self, context: Context) -> None:
        self.heard: list[ChangedDevices] = []
        self.feed = ChangeFeed(context.store, context.hub, self.heard.append)

    @property
    def ids(self) -> set[int]:
        return {device_id for changed in self.heard for device_id in changed.ids}

    async def until(self, device_id: int) -> None:
        async with asyncio.timeout(10):
            while device_id not in self.ids:  # noqa: ASYNC110 - what is waited for is a stored fact
                await asyncio.sleep(0.005)


@asynccontextmanager
async def _running(listener: Listener) -> AsyncIterator[Listener]:
    await listener.feed.start()
    task = asyncio.create_task(listener.feed.run())
    try:
        yield listener
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def _elsewhere(context: Context) -> AsyncIterator[Context]:
    """Another worker or node: the same database, an engine of its own."""
    store = Store(context.settings.database_url)
    try:
        yield await open_context(context.settings, store=store, clock=context.clock)
    finally:
        await store.close()


async def test_an_own_change_puts_the_feed_behind_until_it_is_learnt(
    context: Context, tenant: Tenant
) -> None:
    device = await device_of(context, tenant)
    listener = Listener(context)
    await listener.feed.start()
    seen = [listener.feed.is_behind]
    await update_device(context, SYSTEM, device_id=device.id, note="new")
    seen.append(listener.feed.is_behind)
    await listener.feed.catch_up()
    seen.append(listener.feed.is_behind)
    assert (seen, listener.ids) == ([False, True, False], {device.id})


async def test_a_change_of_another_process_is_noticed(context: Context, tenant: Tenant) -> None:
    device = await device_of(context, tenant)
    async with _elsewhere(context) as other, _running(Listener(context)) as listener:
        await update_device(other, SYSTEM, device_id=device.id, note="from elsewhere")
        assert not listener.feed.is_behind
        await listener.until(device.id)
        assert listener.ids == {device.id}


async def test_a_device_that_another_process_removed_is_named(context: Context, tenant: Tenant) -> None:
    """T8."""
    device = await device_of(context, tenant)
    async with _elsewhere(context) as other, _running(Listener(context)) as listener:
        await remove_device(other, SYSTEM, device_id=device.id)
        async with asyncio.timeout(10):
            while not any(device.uid in changed.gone for changed in listener.heard):  # noqa: ASYNC110 - what is waited for is a stored fact
                await asyncio.sleep(0.005)


async def test_pages_hear_of_ticks_and_devices_of_their_tenant_only(
    context: Context, tenant: Tenant, other_tenant: Tenant
) -> None:
    """T27."""
    device = await device_of(context, tenant)
    async with _running(Listener(context)) as listener:
        with context.hub.subscribe(tenant.id) as mine, context.hub.subscribe(other_tenant.id) as foreign:
            event = RegistrationEvent(
                kind="register",
                account=device.lines[0].account,
                at=context.clock(),
                contact="sip:x@192.0.2.1",
            )
            await apply_events(context, [event])
            await update_device(context, SYSTEM, device_id=device.id, note="new")
            seen: set[Change] = set()
            async with asyncio.timeout(10):
                while len(seen) < 3:
                    seen.update(await mine.next())
            assert seen == {
                Change("registration", tenant.id, device.id),
                Change("device", tenant.id, device.id),
                Change("directory", tenant.id, 0),
            }
            assert foreign.waiting == {}
    assert listener.ids == {device.id}


async def test_a_database_that_fails_for_a_while_loses_nothing(
    context: Context, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = await device_of(context, tenant)
    listener = Listener(context)
    learn, failures = listener.feed._learn, 2

    async def flaky() -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise OperationalError("SELECT", {}, Exception("gone away"))
        await learn()

    monkeypatch.setattr(listener.feed, "_learn", flaky)
    monkeypatch.setattr("provisioner.services.change_feed.FALLBACK_SECONDS", 0.01)
    async with _running(listener):
        await update_device(context, SYSTEM, device_id=device.id, note="new")
        await listener.until(device.id)
        await listener.feed.catch_up()  # it may have heard before the commit was announced
    assert not listener.feed.is_behind


async def test_while_learning_everybody_still_waits(
    context: Context, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is served from memory between a commit and the moment it is learnt."""
    device = await device_of(context, tenant)
    listener = Listener(context)
    await listener.feed.start()
    learn, seen = listener.feed._learn, []

    async def watched() -> None:
        seen.append(listener.feed.is_behind)
        await learn()

    monkeypatch.setattr(listener.feed, "_learn", watched)
    await update_device(context, SYSTEM, device_id=device.id, note="new")
    await asyncio.gather(*(listener.feed.catch_up() for _ in range(10)))
    assert seen[0] is True
    assert len(seen) <= 2
    assert not listener.feed.is_behind


async def test_a_round_that_failed_teaches_nobody_anything(
    context: Context, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waited behind a failed round learns by itself, and is not served from memory as if all were known."""
    device = await device_of(context, tenant)
    listener = Listener(context)
    await listener.feed.start()
    learn, rounds = listener.feed._learn, 0

    async def flaky() -> None:
        nonlocal rounds
        rounds += 1
        await asyncio.sleep(0)
        if rounds <= 2:
            raise OperationalError("SELECT", {}, Exception("gone away"))
        await learn()

    monkeypatch.setattr(listener.feed, "_learn", flaky)
    await update_device(context, SYSTEM, device_id=device.id, note="new")
    answers = await asyncio.gather(*(listener.feed.catch_up() for _ in range(5)), return_exceptions=True)
    assert [type(answer) for answer in answers[:2]] == [OperationalError] * 2
    assert answers[2:] == [None] * 3
    assert device.id in listener.ids
    assert not listener.feed.is_behind


async def test_what_others_committed_before_the_feed_runs_is_learnt(context: Context, tenant: Tenant) -> None:
    """At the start and after a fault of the watcher: SQLite tells a new watcher only of what comes after it."""
    device = await device_of(context, tenant)
    listener = Listener(context)
    await listener.feed.start()
    async with _elsewhere(context) as other:
        await update_device(other, SYSTEM, device_id=device.id, note="new")
    task = asyncio.create_task(listener.feed.run())
    try:
        await listener.until(device.id)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
