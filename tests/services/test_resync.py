"""Phones that should fetch: who is told, when, how often, and when it counts as done. The PBX is a fake, the clock stands."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from provisioner.access.permissions import Role
from provisioner.clock import SteppedClock
from provisioner.errors import Conflict, NotFound
from provisioner.model import Device, PbxConnection, Resync, RunningCall, Tenant
from provisioner.model.store import touch
from provisioner.registrar.check_sync import CheckSyncResult, Reach
from provisioner.services.context import SYSTEM, Actor, Context
from provisioner.services.files.fetch_log import FetchLog
from provisioner.services.files.fetch_rows import Note
from provisioner.services.files.phone_files import preview_files
from provisioner.services.live import Change
from provisioner.services.pbx import resync_rows, resyncs
from provisioner.services.pbx.connections import put_connection
from provisioner.services.pbx.links import Errand, Links, Pbx
from provisioner.services.pbx.resync_rows import NO_CONNECTION, NOT_REGISTERED, PAUSES
from provisioner.services.pbx.resync_state import Freshness, resync_now, resync_state
from provisioner.services.pbx.resyncs import Resyncs
from provisioner.services.registrations.ticks import Contact, RegistrationEvent, apply_events
from provisioner.services.seats.resync import SETTLE, ask
from tests.services.places import device_of
from tests.support.program import until

ADDRESS = "http://192.0.2.10:5080/RPC"


class FakeLinks(Links):
    """Remembers whom it was to tell, and answers what the test says."""

    def __init__(self, answer: CheckSyncResult | None = None) -> None:
        super().__init__()
        self.told: list[Errand] = []
        self.answer = answer or CheckSyncResult(Reach.SENT)

    async def send(self, _pbx: Pbx, errands: Sequence[Errand]) -> Mapping[int, CheckSyncResult]:
        self.told += errands
        return {errand.device_id: self.answer for errand in errands}

    @property
    def ids(self) -> list[int]:
        return [errand.device_id for errand in self.told]


class Place:
    """A tenant whose PBX is connected, and the task that tells its phones."""

    def __init__(self, context: Context, clock: SteppedClock, tenant: Tenant) -> None:
        self.context, self.clock, self.tenant = context, clock, tenant
        self.links = FakeLinks()
        self.resyncs = Resyncs(context, links=self.links)

    def other_node(self) -> Resyncs:
        return Resyncs(self.context, links=self.links)

    async def phone(self, number: int = 1, *, is_registered: bool = True) -> Device:
        device = await device_of(self.context, self.tenant, number)
        if is_registered:
            await self.register(device)
        return device

    async def register(self, device: Device, *uris: str, seconds: int = 3600, **fields: Any) -> None:
        at = self.clock()
        uris = uris or (f"sip:d@192.0.2.{device.id}:5060",)
        contacts = tuple(
            Contact(uri, at + timedelta(seconds=seconds - place)) for place, uri in enumerate(uris)
        )
        event = RegistrationEvent(
            kind="register", account=device.lines[0].account, at=at, contacts=contacts, **fields
        )
        await apply_events(self.context, [event])

    async def sign_off(self, device: Device) -> None:
        event = RegistrationEvent(
            kind="unregister", account=device.lines[0].account, at=self.clock(), contacts=(), cseq=9
        )
        await apply_events(self.context, [event])

    async def change(self, *devices: Device) -> None:
        """What a use case does: new files, and the phones are to fetch them."""
        async with self.context.store.change() as session:
            await touch(session, [device.id for device in devices])
            await ask(session, self.context, [device.id for device in devices], why="test")

    async def look(self, seconds: float = 0.0) -> float:
        """One round after so much time, with everything sent."""
        self.clock.advance(timedelta(seconds=seconds))
        wait = await self.resyncs.look()
        await self.resyncs.finish()
        return wait

    async def registered(self, device: Device) -> None:
        """The hub tells that the phone's registration changed."""
        running = asyncio.create_task(self.resyncs.run())
        await asyncio.sleep(0)
        self.context.hub.publish(Change("registration", device.tenant_id, device.id))
        known = await self.row(device)
        for _ in range(250):
            row = await self.row(device)
            if (row.next_at, row.result) != (known.next_at, known.result):
                break
            await asyncio.sleep(0.02)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    async def fetch(self, device: Device) -> None:
        """The phone gets the file it would get now."""
        files = await preview_files(self.context, SYSTEM, device_id=device.id)
        async with self.context.store.read() as session:
            revision = (
                await session.execute(select(Device.revision).where(Device.id == device.id))
            ).scalar_one()
        log = FetchLog(self.context.store, self.context.hub)
        log.note(
            Note(
                device.tenant_id, device.id, device.mac, self.clock().timestamp(), "192.0.2.1", "GET", "x.xml", "",
                200, "allowed", "{}", files[0][1].hash, revision,
            )
        )  # fmt: skip
        await log.flush()

    async def row(self, device: Device) -> Resync:
        async with self.context.store.read() as session:
            row = await session.get(Resync, device.id)
        assert row is not None
        return row

    async def freshness(self, device: Device) -> Freshness:
        return (await resync_state(self.context, SYSTEM, device_id=device.id)).freshness


@pytest.fixture
async def place(context: Context, clock: SteppedClock, tenant: Tenant) -> Place:
    await put_connection(context, SYSTEM, tenant_id=tenant.id, kind="kamailio", address=ADDRESS)
    return Place(context, clock, tenant)


JUST_AFTER = SETTLE.total_seconds()


async def test_a_changed_phone_is_told_a_fraction_of_a_second_later(place: Place) -> None:
    device = await place.phone()
    await place.change(device)
    assert await place.look() == pytest.approx(JUST_AFTER)
    assert place.links.told == []
    await place.look(JUST_AFTER)
    (errand,) = place.links.told
    assert errand.account == device.lines[0].account
    assert errand.domain == "acme.test"
    assert errand.contacts == (f"sip:d@192.0.2.{device.id}:5060",)
    assert (await place.row(device)).result == "sent"
    assert await place.freshness(device) is Freshness.ASKED


async def test_the_fetch_that_follows_is_the_success(place: Place) -> None:
    device = await place.phone()
    await place.change(device)
    await place.look(JUST_AFTER)
    await place.fetch(device)
    await place.look(PAUSES[0])
    assert (await place.row(device)).result == "fetched"
    assert len(place.links.told) == 1
    assert await place.freshness(device) is Freshness.CURRENT
    assert await place.look(10_000) > 1


async def test_an_old_file_fetched_meanwhile_is_no_success(place: Place) -> None:
    device = await place.phone()
    await place.fetch(device)
    await place.change(device)
    await place.look(JUST_AFTER)
    await place.look(PAUSES[0])
    assert len(place.links.told) == 2


async def test_two_changes_in_one_moment_cost_one_message(place: Place) -> None:
    device = await place.phone()
    await place.change(device)
    await place.look(JUST_AFTER / 2)
    await place.change(device)
    await place.look(JUST_AFTER / 2)
    assert place.links.told == []
    await place.look(JUST_AFTER / 2)
    assert len(place.links.told) == 1


async def test_a_phone_that_does_not_come_is_told_with_growing_pauses_and_then_given_up(place: Place) -> None:
    device = await place.phone()
    await place.change(device)
    assert await place.look(JUST_AFTER) == pytest.approx(min(PAUSES[0], 30))
    for number, pause in enumerate(PAUSES[:-1], start=1):
        assert len(place.links.told) == number
        await place.look(pause - 0.5)
        assert len(place.links.told) == number, "not before its time"
        await place.look(0.5)
    assert len(place.links.told) == len(PAUSES)
    assert (await place.row(device)).result == "sent"
    await place.look(PAUSES[-1])
    row = await place.row(device)
    assert (row.result, row.next_at) == ("gave-up", None)
    assert len(place.links.told) == len(PAUSES)
    assert await place.freshness(device) is Freshness.NO_ANSWER


async def test_a_phone_that_comes_after_all_is_up_to_date(place: Place) -> None:
    device = await place.phone()
    await place.change(device)
    for pause in (JUST_AFTER, *PAUSES):
        await place.look(pause)
    assert (await place.row(device)).result == "gave-up"
    await place.fetch(device)
    assert await place.freshness(device) is Freshness.CURRENT


async def test_no_message_during_a_call_and_one_soon_after_it(place: Place) -> None:
    device, other = await place.phone(1), await place.phone(2)
    async with place.context.store.write() as session:
        session.add(
            RunningCall(
                tenant_id=place.tenant.id,
                device_id=device.id,
                call_id="c1",
                since=place.clock(),
                until=place.clock() + timedelta(hours=4),
            )
        )
    await place.change(device, other)
    assert await place.look(JUST_AFTER) <= 1.0
    assert place.links.ids == [other.id]
    assert (await place.row(device)).attempts == 0
    async with place.context.store.write() as session:
        await session.execute(update(RunningCall).values(until=place.clock()))
    await place.look(1.0)
    assert place.links.ids == [other.id, device.id]


async def test_a_phone_that_is_not_registered_is_not_told_and_is_when_it_registers(place: Place) -> None:
    device = await place.phone(is_registered=False)
    await place.change(device)
    await place.look(JUST_AFTER)
    assert place.links.told == []
    assert (await place.row(device)).detail == NOT_REGISTERED
    assert await place.freshness(device) is Freshness.NOT_REGISTERED
    for pause in PAUSES:
        await place.look(pause)
    assert (await place.row(device)).result == "gave-up"
    assert await place.freshness(device) is Freshness.NOT_REGISTERED
    await place.register(device)
    await place.registered(device)
    await place.look(1.0)
    assert place.links.ids == [device.id]


async def test_a_phone_that_fetches_and_then_registers_is_not_told(place: Place) -> None:
    device = await place.phone(is_registered=False)
    await place.change(device)
    await place.look(JUST_AFTER)
    await place.fetch(device)
    await place.register(device)
    await place.registered(device)
    await place.look(1.0)
    assert place.links.told == []
    assert (await place.row(device)).result == "fetched"


async def test_only_living_contacts_are_told_the_newest_first(place: Place) -> None:
    device = await place.phone(is_registered=False)
    await place.register(device, "sip:d@192.0.2.1:1", source="198.51.100.7:40000")
    place.clock.advance(timedelta(seconds=10))
    await place.register(device, *(f"sip:d@192.0.2.1:{port}" for port in (5, 4, 3, 2)), cseq=2)
    await place.change(device)
    await place.look(JUST_AFTER)
    (errand,) = place.links.told
    assert errand.contacts == tuple(f"sip:d@192.0.2.1:{port}" for port in (5, 4, 3))
    assert errand.source == ""


async def test_a_single_contact_carries_where_it_was_seen(place: Place) -> None:
    device = await place.phone(is_registered=False)
    await place.register(device, source="198.51.100.7:40000")
    await place.change(device)
    await place.look(JUST_AFTER)
    assert place.links.told[0].source == "198.51.100.7:40000"
    await place.sign_off(device)
    await place.look(PAUSES[0])
    assert len(place.links.told) == 1


async def test_without_a_connection_the_phone_is_left_to_its_poll_interval(
    context: Context, clock: SteppedClock, tenant: Tenant
) -> None:
    place = Place(context, clock, tenant)
    device = await place.phone()
    await place.change(device)
    await place.look(JUST_AFTER)
    row = await place.row(device)
    assert (row.result, row.detail, row.next_at) == ("gave-up", NO_CONNECTION, None)
    assert await place.freshness(device) is Freshness.NEVER
    with pytest.raises(Conflict, match="connect it first"):
        await resync_now(context, SYSTEM, device_id=device.id)


async def test_a_pbx_that_finds_phones_itself_is_asked_where_nothing_is_known(
    context: Context, clock: SteppedClock, tenant: Tenant
) -> None:
    await put_connection(
        context, SYSTEM, tenant_id=tenant.id, kind="asterisk", address="192.0.2.10", username="p", secret="x"
    )
    place = Place(context, clock, tenant)
    unknown, gone = await place.phone(1, is_registered=False), await place.phone(2)
    await place.sign_off(gone)
    await place.change(unknown, gone)
    await place.look(JUST_AFTER)
    assert place.links.ids == [unknown.id]


async def test_many_phones_are_told_at_the_servers_rate(place: Place) -> None:
    rate = place.context.settings.resync_rate
    devices = [await place.phone(number) for number in range(1, 3 * rate + 1)]
    await place.change(*devices)
    counts: list[int] = []
    for _ in range(4):
        await place.look(JUST_AFTER if not counts else 1.0)
        counts.append(len(place.links.told))
    assert counts == [rate, 2 * rate, 3 * rate, 3 * rate]


async def test_a_new_request_goes_before_phones_that_do_not_answer(place: Place) -> None:
    rate = place.context.settings.resync_rate
    devices = [await place.phone(number) for number in range(1, 2 * rate + 1)]
    for device in devices:
        await place.change(device)
    await place.look(JUST_AFTER)
    await place.look(1.0)
    assert len(place.links.told) == 2 * rate
    place.clock.advance(timedelta(seconds=20))
    fresh = await place.phone(99)
    await place.change(fresh)
    await place.look(JUST_AFTER)
    assert fresh.id in place.links.ids[2 * rate : 3 * rate]


async def test_single_requests_in_a_row_keep_to_the_rate_too(place: Place) -> None:
    rate = place.context.settings.resync_rate
    for number in range(1, 2 * rate + 1):
        await place.change(await place.phone(number))
    assert await place.look(JUST_AFTER) <= 1.0 / rate
    assert len(place.links.told) == rate
    await place.look(1.0 / rate)
    assert len(place.links.told) == rate + 1


async def test_two_nodes_tell_each_phone_once(place: Place) -> None:
    devices = [await place.phone(number) for number in range(1, 6)]
    await place.change(*devices)
    place.clock.advance(SETTLE)
    nodes = [place.resyncs, place.other_node(), place.other_node()]
    await asyncio.gather(*(node.look() for node in nodes))
    for node in nodes:
        await node.finish()
    assert sorted(place.links.ids) == [device.id for device in devices]


async def test_what_went_wrong_is_noted_and_tried_again(place: Place) -> None:
    device = await place.phone()
    place.links.answer = CheckSyncResult(Reach.FAILED, detail="The PBX refused: Invalid URI")
    await place.change(device)
    await place.look(JUST_AFTER)
    row = await place.row(device)
    assert (row.result, row.detail) == ("waiting", "The PBX refused: Invalid URI")
    place.links.answer = CheckSyncResult(Reach.CHALLENGED, 401, "Unauthorized")
    await place.look(PAUSES[0])
    row = await place.row(device)
    assert row.result == "sent"
    assert "password" in row.detail


async def test_an_outcome_does_not_overwrite_a_newer_request(place: Place) -> None:
    device = await place.phone()
    await place.change(device)
    place.clock.advance(SETTLE)

    async def slow(_pbx: Pbx, errands: Sequence[Errand]) -> Mapping[int, CheckSyncResult]:
        await place.change(device)
        return {errand.device_id: CheckSyncResult(Reach.SENT) for errand in errands}

    place.links.send = slow  # type: ignore[method-assign]
    await place.look()
    row = await place.row(device)
    assert (row.result, row.attempts) == ("waiting", 0)


async def test_asking_by_hand_tells_a_phone_that_is_up_to_date(place: Place) -> None:
    device = await place.phone()
    await place.fetch(device)
    assert await place.freshness(device) is Freshness.CURRENT
    await resync_now(place.context, SYSTEM, device_id=device.id)
    assert await place.freshness(device) is Freshness.ASKED
    await place.look(JUST_AFTER)
    assert place.links.ids == [device.id]
    await place.fetch(device)
    assert await place.freshness(device) is Freshness.CURRENT


async def test_other_tenants_phones_do_not_exist(place: Place, other_tenant: Tenant) -> None:
    device = await place.phone()
    stranger = Actor(name="x", role=Role.ADMIN, tenant_id=other_tenant.id)
    with pytest.raises(NotFound):
        await resync_now(place.context, stranger, device_id=device.id)
    with pytest.raises(NotFound):
        await resync_state(place.context, stranger, device_id=device.id)


async def test_a_file_that_would_differ_is_outdated_though_nobody_asked(place: Place) -> None:
    device = await place.phone()
    assert await place.freshness(device) is Freshness.NEVER
    await place.fetch(device)
    async with place.context.store.change() as session:
        await session.execute(update(Tenant).values(sip_domain="elsewhere.test"))
        await touch(session, [device.id])
    assert await place.freshness(device) is Freshness.OUTDATED


async def test_a_phone_named_twice_and_one_that_is_gone_make_one_row(place: Place) -> None:
    device = await place.phone()
    async with place.context.store.change() as session:
        await ask(session, place.context, [device.id, device.id, 999_999], why="x" * 100)
    row = await place.row(device)
    assert row.why == "x" * 40


@pytest.mark.parametrize("steps", range(6))
async def test_a_wake_at_the_very_end_does_not_keep_it_alive(place: Place, steps: int) -> None:
    running = asyncio.create_task(place.resyncs.run())
    await asyncio.sleep(0.2)  # it waits for something to do
    place.resyncs.wake()
    for _ in range(steps):
        await asyncio.sleep(0)
    running.cancel()
    done, _ = await asyncio.wait([running], timeout=10)
    assert done == {running}


async def test_running_it_hears_of_fetches_and_stops_cleanly(place: Place) -> None:
    device = await place.phone()
    running = asyncio.create_task(place.resyncs.run())
    await place.change(device)
    place.clock.advance(SETTLE)
    place.resyncs.wake()
    await until(lambda: place.links.told, what="the phone to be told")
    await place.resyncs.finish()
    await place.fetch(device)

    async def is_fetched() -> bool:
        return (await place.row(device)).result == "fetched"

    for _ in range(200):
        if await is_fetched():
            break
        await asyncio.sleep(0.02)
    assert await is_fetched()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_fetches_that_nobody_waits_for_are_not_looked_up(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A boot storm is hundreds of fetches a second; a phone that was asked meanwhile is missed by nobody."""
    looked_up: list[set[int]] = []

    async def settle(context: Context, device_ids: Iterable[int]) -> Any:
        looked_up.append(set(device_ids))
        return await resync_rows.settle(context, set(device_ids))

    monkeypatch.setattr(resyncs, "settle", settle)
    device = await place.phone()
    running = asyncio.create_task(place.resyncs.run())
    await asyncio.sleep(0.2)  # it has seen that nothing is to be done
    for _ in range(5):
        place.context.hub.publish(Change("fetch", place.tenant.id, device.id))
        await asyncio.sleep(0.01)
    assert looked_up == []
    await place.change(device)
    place.clock.advance(SETTLE)
    place.resyncs.wake()
    await until(lambda: place.links.told, what="the phone to be told")
    await place.resyncs.finish()
    await place.fetch(device)
    await until(lambda: looked_up, what="its fetch to be noticed")
    assert looked_up[0] == {device.id}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_password_that_cannot_be_read_holds_up_its_own_tenant_only(
    place: Place, other_tenant: Tenant
) -> None:
    """T27: a key that is gone, or a row that was altered, of one tenant."""
    await put_connection(
        place.context, SYSTEM, tenant_id=place.tenant.id, kind="asterisk", address="192.0.2.9", username="m", secret="s"
    )  # fmt: skip
    await put_connection(place.context, SYSTEM, tenant_id=other_tenant.id, kind="kamailio", address=ADDRESS)
    theirs = Place(place.context, place.clock, other_tenant)
    async with place.context.store.change() as session:
        await session.execute(
            update(PbxConnection).where(PbxConnection.tenant_id == place.tenant.id).values(secret="k1.AAAA")
        )
    mine, other = await place.phone(), await theirs.phone(2)
    await place.change(mine, other)
    await place.look(JUST_AFTER)
    assert place.links.ids == [other.id]


async def test_a_phone_that_is_removed_meanwhile_is_passed_over(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, stays = await place.phone(), await place.phone(2)

    async def whereabouts(session: Any, context: Context, ids: Iterable[int]) -> Any:
        return await resync_rows.whereabouts(session, context, set(ids) - {gone.id})

    monkeypatch.setattr(resyncs, "whereabouts", whereabouts)
    await place.change(gone, stays)
    await place.look(JUST_AFTER)
    assert place.links.ids == [stays.id]
