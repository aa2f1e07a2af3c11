"""Whom a number rings, on both databases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from provisioner.clock import SteppedClock
from provisioner.errors import BadInput, NotFound
from provisioner.model import (
    CallGroup,
    CallGroupMember,
    Device,
    InternalNumber,
    Line,
    Menu,
    PublicNumber,
    SharedLine,
    SharedLineMember,
    Tenant,
    User,
)
from provisioner.services.context import SYSTEM, Context
from provisioner.services.devices.device_settings import put_settings
from provisioner.services.directory.ring_plans import ring_plan
from provisioner.services.people.tenants import update_tenant
from provisioner.services.people.users import create_user, update_user
from provisioner.services.registrations.ticks import RegistrationEvent, apply_events
from tests.services.places import device_of


class World:
    """The tenant `acme` and short ways to fill it."""

    def __init__(self, context: Context, tenant: Tenant) -> None:
        self.context, self.tenant = context, tenant
        self._cseq = 0

    def _next(self) -> int:
        self._cseq += 1
        return self._cseq

    async def user(self, name: str, extension: str | None, **fields: Any) -> User:
        return await create_user(
            self.context, SYSTEM, tenant_id=self.tenant.id, name=name, extension=extension, **fields
        )

    async def device(self, number: int, **fields: Any) -> Device:
        return await device_of(self.context, self.tenant, number, **fields)

    async def set(self, scope: str, ref: int | str = "", **values: Any) -> None:
        await put_settings(
            self.context, SYSTEM, tenant_id=self.tenant.id, scope=scope, ref=str(ref), values=values
        )

    async def put(self, *rows: Any) -> None:
        async with self.context.store.change() as session:
            session.add_all(rows)

    async def line(self, device: Device, **fields: Any) -> None:
        """What the first line of a device stands for, whatever it took to get there."""
        async with self.context.store.change() as session:
            line = (
                await session.execute(select(Line).where(Line.device_id == device.id, Line.position == 1))
            ).scalar_one()
            for name, value in fields.items():
                setattr(line, name, value)

    async def hear(self, device: Device, kind: str = "register", *, call_id: str = "a") -> None:
        now = self.context.clock()
        event = RegistrationEvent(
            kind=kind, account=account(device), at=now, contact="sip:x@192.0.2.7", call_id=call_id, cseq=self._next(),
            expires_at=now + timedelta(hours=9),
        )  # fmt: skip
        await apply_events(self.context, [event])

    async def plan(self, number: str, **question: Any) -> Any:
        return (await ring_plan(self.context, SYSTEM, number=number, domain="acme.test", **question)).document


@pytest.fixture
def world(context: Context, tenant: Tenant) -> World:
    return World(context, tenant)


def account(device: Device) -> str:
    return device.lines[0].account


def accounts(plan: Any) -> list[str]:
    return [target["account"] for target in plan["targets"]]


async def test_every_device_rings_but_the_one_on_do_not_disturb(world: World) -> None:
    """R4.3."""
    anna = await world.user("Anna", "101")
    one, two, three = [await world.device(n, user_id=anna.id) for n in (1, 2, 3)]
    assert accounts(await world.plan("101")) == [account(one), account(two), account(three)]
    await world.set("device", two.id, dnd=True)
    assert accounts(await world.plan("101")) == [account(one), account(three)]


async def test_the_primary_comes_first_and_alone_decides_whether_the_user_is_registered(
    world: World, clock: SteppedClock
) -> None:
    """R4.4, with the grace of the tenant."""
    anna = await world.user("Anna", "101")
    one, two = [await world.device(n, user_id=anna.id) for n in (1, 2)]
    async with world.context.store.change() as session:
        (await session.get_one(User, anna.id)).primary_device_id = two.id
    await world.hear(one)
    plan = await world.plan("101")
    assert accounts(plan) == [account(two), account(one)]
    assert [target["is_primary"] for target in plan["targets"]] == [True, False]
    assert plan["is_registered"] is False
    await world.hear(two)
    assert (await world.plan("101"))["is_registered"] is True
    await world.hear(two, "unregister")
    plan = await world.plan("101")
    assert (plan["is_registered"], plan["targets"][0]["is_registered"]) == (True, False)
    assert plan["valid_until"] == (clock() + timedelta(seconds=60)).timestamp()
    clock.advance(timedelta(seconds=60))
    plan = await world.plan("101")
    assert (plan["is_registered"], plan["valid_until"]) == (False, None)


@pytest.mark.parametrize("is_premium", [True, False])
async def test_a_hotdesk_login_takes_the_calls_along(world: World, is_premium: bool) -> None:
    anna = await world.user("Anna", "101")
    own, desk = await world.device(1, user_id=anna.id), await world.device(2)
    await world.line(desk, kind="hotdesk", user_id=anna.id)
    await update_tenant(
        world.context, SYSTEM, tenant_id=world.tenant.id, is_premium=is_premium
    ) if is_premium else await world.put()
    async with world.context.store.change() as session:
        (await session.get_one(Tenant, world.tenant.id)).is_premium = is_premium
        (await session.get_one(User, anna.id)).primary_device_id = own.id
    plan = await world.plan("101")
    assert accounts(plan) == ([account(own), account(desk)] if is_premium else [account(desk)])
    assert plan["targets"][0]["is_primary"] is True


async def group(world: World, digits: str, users: list[User], **fields: Any) -> CallGroup:
    row = CallGroup(tenant_id=world.tenant.id, **{"name": f"group {digits}", **fields})
    row.members = [
        CallGroupMember(tenant_id=world.tenant.id, user_id=user.id, position=position)
        for position, user in enumerate(users, 1)
    ]
    await world.put(row)
    await world.put(InternalNumber(tenant_id=world.tenant.id, digits=digits, group_id=row.id))
    return row


@pytest.mark.parametrize(
    ("policy", "steps"),
    [("simultaneous", [0, 0, 0]), ("fixed", [0, 0, 1]), ("circular", [0, 0, 1]), ("uniform", [0, 0, 1])],
)
async def test_a_group_rings_its_members_by_its_policy(world: World, policy: str, steps: list[int]) -> None:
    anna, ben = await world.user("Anna", "101"), await world.user("Ben", "102")
    devices = [
        await world.device(1, user_id=ben.id), await world.device(2, user_id=ben.id), await world.device(3, user_id=anna.id),
    ]  # fmt: skip
    await group(world, "200", [ben, anna], policy=policy, rings=3, wait=60, overflow="101")
    plan = await world.plan("200")
    assert (plan["kind"], plan["strategy"], plan["rings"], plan["wait"], plan["overflow"]) == (
        "group", policy, 3, 60, "101",
    )  # fmt: skip
    assert accounts(plan) == [account(device) for device in devices]
    assert [target["step"] for target in plan["targets"]] == steps


async def test_a_queue_rings_the_primary_devices_alone(world: World) -> None:
    """R4.4; a primary on do-not-disturb leaves its user out."""
    anna, ben = await world.user("Anna", "101"), await world.user("Ben", "102")
    one, _two = await world.device(1, user_id=anna.id), await world.device(2, user_id=anna.id)
    bens = await world.device(3, user_id=ben.id)
    await group(world, "200", [anna, ben], policy="fixed", is_queue=True)
    plan = await world.plan("200")
    assert (plan["kind"], accounts(plan)) == ("queue", [account(one), account(bens)])
    await world.set("device", one.id, dnd=True)
    plan = await world.plan("200")
    assert [(target["account"], target["step"]) for target in plan["targets"]] == [(account(bens), 0)]


async def test_a_shared_line_rings_its_members(world: World) -> None:
    one, two = await world.device(1), await world.device(2)
    shared = SharedLine(
        tenant_id=world.tenant.id, name="Sales", account="shared1", created_at=world.context.clock()
    )
    await world.put(shared)
    for position, device in enumerate((two, one), 1):
        await world.line(device, kind="shared", shared_line_id=shared.id)
        await world.put(
            SharedLineMember(
                tenant_id=world.tenant.id, shared_line_id=shared.id, device_id=device.id,
                line_id=device.lines[0].id, position=position,
            )
        )  # fmt: skip
    await world.put(InternalNumber(tenant_id=world.tenant.id, digits="300", shared_line_id=shared.id))
    plan = await world.plan("300")
    assert (plan["kind"], accounts(plan)) == ("shared_line", [account(two), account(one)])
    assert plan["shared_line"]["aor"] == "shared1@acme.test"


async def test_numbers_lead_to_what_they_stand_for(world: World) -> None:
    """R5.1: user, device account, public number, outside number, queue; and menus."""
    anna = await world.user("Anna", "101")
    device = await world.device(1, user_id=anna.id)
    menu = Menu(
        tenant_id=world.tenant.id, name="Main", greeting="welcome", options={"1": "101"}, fallback="101"
    )
    free = PublicNumber(tenant_id=world.tenant.id, number="+31201111111")
    await update_user(world.context, SYSTEM, user_id=anna.id, numbers=["+31201234567"])
    await world.put(menu, free)
    async with world.context.store.read() as session:
        annas = (
            await session.execute(select(PublicNumber).where(PublicNumber.user_id == anna.id))
        ).scalar_one()
    tenant_id = world.tenant.id
    await world.put(
        InternalNumber(tenant_id=tenant_id, digits="61", device_id=device.id),
        InternalNumber(tenant_id=tenant_id, digits="62", outside="+31612345678", label="Plumber"),
        InternalNumber(tenant_id=tenant_id, digits="63", menu_id=menu.id),
        InternalNumber(tenant_id=tenant_id, digits="64", public_number_id=annas.id),
        InternalNumber(tenant_id=tenant_id, digits="65", public_number_id=free.id),
    )
    kinds = {number: await world.plan(number) for number in ("101", "61", "62", "63", "64", "65")}
    assert {number: plan["kind"] for number, plan in kinds.items()} == {
        "101": "user", "61": "device", "62": "outside", "63": "menu", "64": "user", "65": "public",
    }  # fmt: skip
    assert (kinds["62"]["dial"], kinds["62"]["name"]) == ("+31612345678", "Plumber")
    assert kinds["65"]["dial"] == "+31201111111"
    assert kinds["63"]["menu"]["options"] == {"1": "101"}
    for spelling in ("+31201234567", "31201234567", "0031201234567"):
        assert accounts(await world.plan(spelling)) == [account(device)]
    assert (await world.plan("+31201111111"))["kind"] == "none"
    assert accounts(await world.plan(account(device))) == [account(device)]


@pytest.mark.parametrize("number", ["999", "+31209999999", "", "x" * 300, "\x00", "1\ud800"])
async def test_a_number_nobody_has_is_not_found(world: World, number: str) -> None:
    with pytest.raises(NotFound):
        await world.plan(number)


async def test_forwarding_and_voicemail_are_told(world: World) -> None:
    anna = await world.user("Anna", "101")
    await world.set(
        "user", anna.id, forward_busy="+31612345678", forward_no_answer="+31612345678", forward_no_answer_time=25,
        forward_unreachable="+31687654321", voicemail_on=True, voicemail_rings=6, voicemail_email="anna@acme.test",
    )  # fmt: skip
    plan = await world.plan("101")
    assert plan["forward"] == {
        "always": "", "busy": "+31612345678", "no_answer": "+31612345678", "not_registered": "+31687654321", "no_answer_after": 25,
    }  # fmt: skip
    assert plan["rings"] == 6
    assert plan["voicemail"] == {
        "is_on": True, "when": "busy_no_answer", "rings": 6, "email": "anna@acme.test", "is_copied": True, "number": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "caller", "is_blocked"),
    [
        ("none", "anonymous", False), ("all", None, True), ("all", "102", True), ("anonymous", None, False),
        ("anonymous", "", True), ("anonymous", "Anonymous", True), ("anonymous", "+31612345678", False),
        ("listed", None, False), ("listed", "0612345678", True), ("listed", "+31612345678", True), ("listed", "0612345679", False),
        ("listed", "anonymous", False),
    ],
)  # fmt: skip
async def test_blocked_callers(world: World, mode: str, caller: str | None, is_blocked: bool) -> None:
    anna = await world.user("Anna", "101")
    await world.set("user", anna.id, block_incoming=mode, blocked_numbers=["+31612345678"])
    assert (await world.plan("101", caller=caller))["is_blocked"] is is_blocked


async def test_a_stored_circle_of_forwards_is_cut(world: World) -> None:
    """Renumbering can close a circle that no single setting closed: every edge of it is left out."""
    anna, ben = await world.user("Anna", "101"), await world.user("Ben", "102")
    await world.set("user", anna.id, forward_always="103", forward_busy="+31612345678")
    await world.set("user", ben.id, forward_no_answer="101")
    assert (await world.plan("101"))["forward"]["always"] == "103"
    await update_user(world.context, SYSTEM, user_id=ben.id, extension="103")
    plan = await world.plan("101")
    assert (plan["forward"]["always"], plan["forward"]["busy"]) == ("", "+31612345678")
    assert (await world.plan("103"))["forward"]["no_answer"] == ""


async def test_the_night_switch_by_hand(world: World) -> None:
    anna, ben = await world.user("Anna", "101"), await world.user("Ben", "102")
    await world.set("tenant", night_mode="on", night_target="102")
    assert (await world.plan("101"))["forward"]["always"] == "102"
    assert (await world.plan("101", caller="102"))["forward"]["always"] == ""  # colleagues get through
    assert (await world.plan("102"))["forward"]["always"] == ""  # the night target itself rings
    await world.set("user", anna.id, night_switch="off")
    plan = await world.plan("101")
    assert (plan["forward"]["always"], plan["is_night"]) == ("", False)
    await world.set("tenant", night_mode="off")
    await world.set("user", ben.id, night_switch="on", night_target="+31612345678")
    assert (await world.plan("102"))["forward"]["always"] == "+31612345678"


async def test_the_domain_says_which_tenant(world: World, other_tenant: Tenant, context: Context) -> None:
    await world.user("Anna", "101")
    await create_user(context, SYSTEM, tenant_id=other_tenant.id, name="Zoë", extension="101")
    theirs = (await ring_plan(context, SYSTEM, number="101", domain="GLOBEX.test")).document
    assert theirs["name"] == "Zoë"
    for domain, error in (("", BadInput), ("nowhere.test", NotFound), ("\x00", NotFound)):
        with pytest.raises(error):
            await ring_plan(context, SYSTEM, number="101", domain=domain)
    await update_tenant(context, SYSTEM, tenant_id=other_tenant.id, sip_domain="acme.test")
    with pytest.raises(BadInput):
        await ring_plan(context, SYSTEM, number="101", domain="acme.test")


async def test_a_plan_says_until_when_it_holds(world: World) -> None:
    from provisioner.model import Schedule

    hours = [{"days": [1, 2, 3, 4, 5], "from": "09:00", "to": "17:00"}]
    await world.put(
        Schedule(tenant_id=world.tenant.id, name="Open", weekly=hours, dates=[]),
        Schedule(
            tenant_id=world.tenant.id, name="Closed", weekly=[],
            dates=[{"from": "2026-12-25", "to": "2026-12-26", "is_yearly": True}],
        ),
    )  # fmt: skip
    await world.set(
        "tenant",
        working_hours="Open",
        holidays="Closed",
        night_target="+31612345678",
        timezone="Europe/Amsterdam",
    )
    await world.user("Anna", "101")
    wednesday = datetime(2026, 12, 23, 12, tzinfo=UTC)
    plan = await world.plan("101", at=wednesday)
    assert (plan["is_night"], plan["valid_until"]) == (
        False,
        datetime(2026, 12, 23, 16, tzinfo=UTC).timestamp(),
    )
    plan = await world.plan("101", at=wednesday + timedelta(days=2))
    assert (plan["is_night"], plan["forward"]["always"]) == (True, "+31612345678")
