"""The PBX hears of a primary device that went or came back, once, after the grace of the tenant."""

from datetime import timedelta

from sqlalchemy import select

from provisioner.clock import SteppedClock
from provisioner.model import Device, DirectoryEvent, Tenant, User
from provisioner.services.context import SYSTEM, Context
from provisioner.services.people.users import create_user
from provisioner.services.registrations.primary_watch import PrimaryWatch
from provisioner.services.registrations.ticks import RegistrationEvent, apply_events
from tests.services.places import device_of


class Desk:
    """Anna's primary phone and a second one."""

    def __init__(self, context: Context, one: Device, two: Device) -> None:
        self.context, self.one, self.two = context, one, two
        self.cseq = 0

    async def hear(self, device: Device, kind: str) -> None:
        self.cseq += 1
        now = self.context.clock()
        event = RegistrationEvent(
            kind=kind, account=device.lines[0].account, at=now, contact="sip:x@192.0.2.7", call_id="a", cseq=self.cseq,
            expires_at=now + timedelta(hours=9),
        )  # fmt: skip
        await apply_events(self.context, [event])

    async def told(self) -> list[str]:
        statement = (
            select(DirectoryEvent.kind)
            .where(DirectoryEvent.kind.like("primary_%"))
            .order_by(DirectoryEvent.id)
        )
        async with self.context.store.read() as session:
            kinds = (await session.execute(statement)).scalars().all()
        return [kind for kind in kinds if kind != "primary_changed"]


async def desk(context: Context, tenant: Tenant) -> Desk:
    anna = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Anna", extension="101")
    one, two = [await device_of(context, tenant, number, user_id=anna.id) for number in (1, 2)]
    async with context.store.change() as session:
        (await session.get_one(User, anna.id)).primary_device_id = one.id
    return Desk(context, one, two)


async def test_it_is_told_after_the_grace_and_once(
    context: Context, tenant: Tenant, clock: SteppedClock
) -> None:
    place, watch = await desk(context, tenant), PrimaryWatch(context)
    assert await watch.look() == 0  # one that never registered is nobody's surprise
    for device in (place.one, place.two):
        await place.hear(device, "register")
    await place.hear(place.one, "unregister")
    assert await watch.look([place.one.id]) == 0
    clock.advance(timedelta(seconds=59))
    assert await watch.look(()) == 0
    clock.advance(timedelta(seconds=1))
    assert await watch.look(()) == 1
    assert await watch.look() == 0
    assert await place.told() == ["primary_unregistered"]
    clock.advance(timedelta(seconds=5))
    await place.hear(place.one, "register")
    assert await watch.look([place.one.id]) == 1
    assert await place.told() == ["primary_unregistered", "primary_registered"]


async def test_a_short_absence_and_other_phones_are_not_told(
    context: Context, tenant: Tenant, clock: SteppedClock
) -> None:
    place, watch = await desk(context, tenant), PrimaryWatch(context)
    for device in (place.one, place.two):
        await place.hear(device, "register")
        await place.hear(device, "unregister")
    await watch.look([place.one.id, place.two.id])
    clock.advance(timedelta(seconds=30))
    await place.hear(place.one, "register")
    clock.advance(timedelta(seconds=60))
    assert await watch.look() == 0
    assert await place.told() == []


async def test_a_restart_neither_forgets_nor_repeats(
    context: Context, tenant: Tenant, clock: SteppedClock
) -> None:
    place = await desk(context, tenant)
    await place.hear(place.one, "register")
    await place.hear(place.one, "unregister")
    clock.advance(timedelta(seconds=61))
    assert await PrimaryWatch(context).look() == 1
    assert await PrimaryWatch(context).look() == 0
    await place.hear(place.one, "register")
    assert await PrimaryWatch(context).look() == 1
    assert await place.told() == ["primary_unregistered", "primary_registered"]
