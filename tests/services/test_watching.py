"""The watcher of registrars without events: whom it follows, and what becomes of what it sees. The registrar is a fake."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from provisioner.access.permissions import Role
from provisioner.clock import SteppedClock
from provisioner.errors import BadInput, Forbidden, Unavailable
from provisioner.model import Device, Tenant
from provisioner.registrar.reg_event import Contact
from provisioner.registrar.watcher import OnState
from provisioner.services.change_feed import ChangeFeed
from provisioner.services.context import SYSTEM, Actor, Context
from provisioner.services.devices.enrolment import enrol, remove_device
from provisioner.services.people.tenants import create_tenant, update_tenant
from provisioner.services.registrations import watching as watching_module
from provisioner.services.registrations.ticks import (
    RegistrationEvent,
    RegistrationQueue,
    expire_due,
    states_of,
)
from provisioner.services.registrations.watching import Target, Watching, event_of, registrar_address
from tests.support.program import until

PHONE = "sip:d@192.0.2.51:5060"


@dataclass(eq=False)
class FakeWatcher:
    """Follows nothing; `say` is the registrar speaking."""

    target: Target
    on_state: OnState
    trouble: list[Exception]
    followed: set[str] = field(default_factory=set)
    is_stopped: bool = False

    @property
    def watched(self) -> frozenset[str]:
        return frozenset(self.followed)

    async def start(self, aors: Iterable[str] = ()) -> None:
        if self.trouble:
            raise self.trouble.pop()
        self.followed |= set(aors)

    async def stop(self) -> None:
        self.followed.clear()
        self.is_stopped = True

    def watch(self, aor: str) -> None:
        self.followed.add(aor)

    async def unwatch(self, aor: str) -> None:
        self.followed.discard(aor)

    async def say(self, aor: str, *contacts: Contact, is_final: bool = False) -> None:
        await self.on_state(aor, contacts, is_final)


@dataclass(eq=False)
class Place:
    """One tenant with a registrar to watch, and the watchers that were made."""

    context: Context
    tenant: Tenant
    queue: RegistrationQueue
    watching: Watching
    watchers: list[FakeWatcher]
    trouble: list[Exception]

    async def phone(self, mac: str = "000413AA0001", *, tenant: Tenant | None = None) -> Device:
        owner = tenant or self.tenant
        enrolled = await enrol(
            self.context,
            SYSTEM,
            tenant_id=owner.id,
            profile="snom",
            model="D785",
            mac=mac,
            name=f"Phone {mac}",
        )
        return enrolled.device

    async def state(self, device: Device) -> tuple[str, str]:
        await asyncio.wait_for(self.queue.drained(), 10)
        row = (await states_of(self.context, SYSTEM, device_ids=[device.id]))[device.id]
        return row.state, row.reason

    @property
    def live(self) -> list[FakeWatcher]:
        return [watcher for watcher in self.watchers if not watcher.is_stopped]


@pytest.fixture
async def place(context: Context, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    monkeypatch.setattr(watching_module, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(watching_module, "RETRY_SECONDS", 0.05)
    watchers: list[FakeWatcher] = []
    trouble: list[Exception] = []

    def make(target: Target, on_state: OnState) -> FakeWatcher:
        watchers.append(FakeWatcher(target, on_state, trouble))
        return watchers[-1]

    queue = RegistrationQueue(context, lambda: None)
    watching = Watching(context, queue.put, make=make)
    feed = ChangeFeed(context.store, context.hub, lambda _: watching.wake())
    await feed.start()
    tenant = await create_tenant(
        context, SYSTEM, key="acme", name="Acme", sip_domain="acme.test", watch_registrar="pbx.acme.test"
    )
    tasks = [asyncio.create_task(work()) for work in (feed.run, queue.run, watching.run)]
    try:
        yield Place(context, tenant, queue, watching, watchers, trouble)
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [end for end in ends if not isinstance(end, asyncio.CancelledError)] == []
        assert not [watcher for watcher in watchers if not watcher.is_stopped], "a watcher was left running"


async def following(place: Place, *aors: str) -> FakeWatcher:
    """The watcher that follows exactly these addresses."""
    found = await until(
        lambda: [watcher for watcher in place.live if watcher.watched == frozenset(aors)],
        what=f"a watcher of {aors}",
    )
    return found[0]


def aor_of(device: Device, domain: str = "acme.test") -> str:
    return f"{device.lines[0].account}@{domain}"


def seen(*, expires_in: int | None = 60, event: str = "registered", agent: str = "") -> Contact:
    return Contact(PHONE, expires_in, agent, event, is_active=event in {"registered", "created", "refreshed"})


async def test_new_accounts_are_followed_and_removed_ones_no_longer(place: Place) -> None:
    one = await place.phone("000413AA0001")
    two = await place.phone("000413AA0002")
    watcher = await following(place, aor_of(one), aor_of(two))
    assert watcher.target == Target(place.tenant.id, "pbx.acme.test", "acme.test")
    await remove_device(place.context, SYSTEM, device_id=one.id)
    assert await following(place, aor_of(two)) is watcher


async def test_a_tenant_without_a_registrar_is_left_alone(place: Place) -> None:
    other = await create_tenant(place.context, SYSTEM, key="other", name="Other", sip_domain="other.test")
    await place.phone("000413BB0001", tenant=other)
    mine = await place.phone("000413AA0001")
    await following(place, aor_of(mine))
    assert len(place.watchers) == 1


async def test_another_registrar_or_domain_begins_anew_and_none_ends_it(place: Place) -> None:
    phone = await place.phone()
    first = await following(place, aor_of(phone))

    await update_tenant(
        place.context, SYSTEM, tenant_id=place.tenant.id, watch_registrar="pbx2.acme.test:5070"
    )
    await until(lambda: first.is_stopped, what="the old watcher to stop")
    second = await following(place, aor_of(phone))
    assert second.target.registrar == "pbx2.acme.test:5070"

    await update_tenant(place.context, SYSTEM, tenant_id=place.tenant.id, sip_domain="new.test")
    third = await following(place, aor_of(phone, "new.test"))
    assert third is not second

    await update_tenant(place.context, SYSTEM, tenant_id=place.tenant.id, watch_registrar="")
    await until(lambda: not place.live, what="nobody to watch")


async def test_a_registrar_that_cannot_be_found_is_tried_again(place: Place) -> None:
    place.trouble.append(Unavailable("The address of the SIP server pbx.acme.test cannot be found"))
    phone = await place.phone()
    await following(place, aor_of(phone))
    assert len(place.watchers) == 2
    assert place.watchers[0].is_stopped


async def test_what_the_registrar_says_becomes_the_tick(place: Place, clock: SteppedClock) -> None:
    phone = await place.phone()
    watcher = await following(place, aor_of(phone))

    await watcher.say(aor_of(phone), seen(agent="snomD785/10.1"))
    assert await place.state(phone) == ("registered", "snomD785/10.1")
    row = (await states_of(place.context, SYSTEM, device_ids=[phone.id]))[phone.id]
    assert row.until == clock() + timedelta(seconds=60)

    clock.advance(timedelta(seconds=1))
    await watcher.say(aor_of(phone), seen(event="unregistered", expires_in=0))
    assert await place.state(phone) == ("unregistered", "the phone signed off")

    clock.advance(timedelta(seconds=1))
    await watcher.say(aor_of(phone), seen())
    assert (await place.state(phone))[0] == "registered"
    clock.advance(timedelta(seconds=1))
    await watcher.say(aor_of(phone), seen(event="expired", expires_in=0))
    assert await place.state(phone) == ("expired", "the registration was not renewed in time")


@pytest.mark.parametrize(
    ("passed", "state", "reason"),
    [
        (61, "expired", "the registration was not renewed in time"),
        (20, "unregistered", "the registrar no longer lists it"),
    ],
)
async def test_a_contact_that_is_merely_left_out_expired_only_when_its_time_was_over(
    place: Place, clock: SteppedClock, passed: int, state: str, reason: str
) -> None:
    phone = await place.phone()
    watcher = await following(place, aor_of(phone))
    await watcher.say(aor_of(phone), seen(expires_in=60))
    assert (await place.state(phone))[0] == "registered"
    clock.advance(timedelta(seconds=passed))
    await watcher.say(aor_of(phone), seen(event="missing", expires_in=0))
    assert await place.state(phone) == (state, reason)


async def test_a_lost_subscription_leaves_the_tick_to_its_own_time(place: Place) -> None:
    phone = await place.phone()
    watcher = await following(place, aor_of(phone))
    await watcher.say(aor_of(phone), seen())
    assert (await place.state(phone))[0] == "registered"
    await watcher.say(aor_of(phone), is_final=True)
    assert (await place.state(phone))[0] == "registered"
    assert await expire_due(place.context) == 0


async def test_a_registrar_can_only_speak_of_accounts_of_its_tenant(place: Place) -> None:
    other = await create_tenant(place.context, SYSTEM, key="other", name="Other", sip_domain="other.test")
    foreign = await place.phone("000413BB0001", tenant=other)
    mine = await place.phone("000413AA0001")
    watcher = await following(place, aor_of(mine))
    await watcher.say(aor_of(foreign), seen())
    await watcher.say(aor_of(mine), seen())
    assert (await place.state(mine))[0] == "registered"
    assert foreign.id not in await states_of(place.context, SYSTEM, device_ids=[foreign.id])


async def test_an_event_that_finds_no_room_waits_and_is_not_lost(context: Context) -> None:
    put: list[RegistrationEvent] = []
    tries = 0

    def slow(events: Sequence[RegistrationEvent]) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise Unavailable("Too many registration events are waiting.", retry_after=0.01)
        put.extend(events)

    await Watching(context, slow)._listener(7)("d1@acme.test", (seen(),), False)
    assert [(event.account, event.tenant_id) for event in put] == [("d1", 7)]
    assert tries == 3


async def test_stopping_does_not_wait_for_a_full_queue(place: Place) -> None:
    phone = await place.phone()
    watcher = await following(place, aor_of(phone))

    def full(_: Sequence[RegistrationEvent]) -> None:
        raise Unavailable("Too many registration events are waiting.", retry_after=0.01)

    place.watching._put = full
    saying = asyncio.create_task(watcher.say(aor_of(phone), seen()))
    await asyncio.sleep(0)
    assert not saying.done()
    place.watching._is_ending = True
    await asyncio.wait_for(saying, 5)


def test_a_contact_of_unknown_duration_counts_for_an_hour_and_one_that_went_is_not_listed() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    gone = Contact("sip:old@192.0.2.9", 0, "", "missing", is_active=False)
    event = event_of("d1@acme.test", [seen(expires_in=None), gone], tenant_id=1, at=at)
    assert event.contacts is not None
    assert [(contact.uri, contact.expires_at) for contact in event.contacts] == [
        (PHONE, at + timedelta(hours=1))
    ]
    assert (event.kind, event.account, event.at, event.tenant_id) == ("unlisted", "d1", at, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pbx.example.net", ("pbx.example.net", 5060)),
        ("pbx.example.net:5070", ("pbx.example.net", 5070)),
        ("192.0.2.1", ("192.0.2.1", 5060)),
        ("[2001:db8::1]:5080", ("2001:db8::1", 5080)),
        ("[2001:db8::1]", ("2001:db8::1", 5060)),
    ],
)
def test_a_registrar_is_written_as_host_and_port(text: str, expected: tuple[str, int]) -> None:
    assert registrar_address(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "sip:pbx",
        "pbx:0",
        "pbx:65536",
        "pbx:",
        "u@pbx",
        "pbx/x",
        "[2001:db8::zz]",
        "2001:db8::1",
        "-pbx",
        "a" * 300,
    ],
)
def test_what_is_no_registrar_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        registrar_address(text)


async def test_a_tenant_is_not_given_what_is_no_registrar(place: Place) -> None:
    with pytest.raises(BadInput) as refused:
        await update_tenant(place.context, SYSTEM, tenant_id=place.tenant.id, watch_registrar="sip:pbx")
    assert refused.value.field == "watch_registrar"


async def test_only_an_operator_chooses_what_the_server_speaks_to(place: Place) -> None:
    admin = Actor("admin", Role.ADMIN, tenant_id=place.tenant.id)
    with pytest.raises(Forbidden):
        await update_tenant(place.context, admin, tenant_id=place.tenant.id, watch_registrar="127.0.0.1:53")
    await update_tenant(place.context, admin, tenant_id=place.tenant.id, name="New name")
