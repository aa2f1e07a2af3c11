"""Call groups, menus, schedules and the settings that send calls on, on both databases."""

from typing import Any

import pytest

from provisioner.access.permissions import Role
from provisioner.errors import BadInput, Conflict, ForwardingLoop, InUse, InvalidSetting, NotFound
from provisioner.model import InternalNumber, Tenant, User
from provisioner.services.calls.call_groups import (
    create_group,
    delete_group,
    get_group,
    list_groups,
    update_group,
)
from provisioner.services.calls.menus import create_menu, delete_menu, list_menus, update_menu
from provisioner.services.calls.schedules import (
    create_schedule,
    delete_schedule,
    list_schedules,
    update_schedule,
)
from provisioner.services.context import SYSTEM, Actor, Context
from provisioner.services.devices.device_settings import get_settings, put_settings
from provisioner.services.people.users import create_user
from tests.services.places import device_of, revision_of

OFFICE: dict[str, Any] = {"weekly": [{"days": [1, 2, 3, 4, 5], "from": "09:00", "to": "17:30"}]}


@pytest.fixture
async def anna(context: Context, tenant: Tenant) -> User:
    return await create_user(context, SYSTEM, tenant_id=tenant.id, name="Anna", extension="101")


@pytest.fixture
async def ben(context: Context, tenant: Tenant) -> User:
    return await create_user(context, SYSTEM, tenant_id=tenant.id, name="Ben", extension="102")


async def set_user(context: Context, tenant: Tenant, user: User, **values: Any) -> None:
    await put_settings(context, SYSTEM, tenant_id=tenant.id, scope="user", ref=str(user.id), values=values)


async def test_a_group_keeps_its_members_in_order(
    context: Context, tenant: Tenant, anna: User, ben: User
) -> None:
    group = await create_group(
        context, SYSTEM, tenant_id=tenant.id, name="Sales", policy="circular", members=[ben.id, anna.id]
    )
    assert [member.user_id for member in group.members] == [ben.id, anna.id]
    await update_group(context, SYSTEM, group_id=group.id, members=[anna.id, ben.id], rings=2)
    (found,) = await list_groups(context, SYSTEM, tenant_id=tenant.id)
    assert [member.user_id for member in found.members] == [anna.id, ben.id]
    assert (found.policy, found.rings) == ("circular", 2)
    await delete_group(context, SYSTEM, group_id=group.id)
    with pytest.raises(NotFound):
        await get_group(context, SYSTEM, group_id=group.id)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"policy": "random"}, "circular"), ({"rings": 0}, "from 1 to 20"), ({"rings": True}, "whole number"), ({"wait": 60}, "overflow"),
        ({"members": [999_999]}, "no user 999999"), ({"members": ["1"]}, "no user"), ({"overflow": "999"}, "999"), ({"overflow": "abc"}, "dialled"),
        ({"colour": "red"}, "no field"), ({"name": ""}, "name"), ({"members": 7}, "list"), ({"overflow": None}, "dialled"),
    ],
)  # fmt: skip
async def test_a_group_that_makes_no_sense_is_refused(
    context: Context, tenant: Tenant, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        await create_group(context, SYSTEM, tenant_id=tenant.id, **{"name": "Sales", **fields})


async def test_members_are_of_the_tenant_and_once(
    context: Context, tenant: Tenant, other_tenant: Tenant, anna: User
) -> None:
    stranger = await create_user(context, SYSTEM, tenant_id=other_tenant.id, name="Zoë")
    for members in ([stranger.id], [anna.id, anna.id]):
        with pytest.raises(BadInput):
            await create_group(context, SYSTEM, tenant_id=tenant.id, name="Sales", members=members)


async def test_a_name_is_given_once(context: Context, tenant: Tenant) -> None:
    await create_group(context, SYSTEM, tenant_id=tenant.id, name="Sales")
    await create_menu(context, SYSTEM, tenant_id=tenant.id, name="Sales")
    await create_schedule(context, SYSTEM, tenant_id=tenant.id, name="Sales", **OFFICE)
    for create in (create_group, create_menu, create_schedule):
        with pytest.raises(Conflict, match="Sales"):
            await create(context, SYSTEM, tenant_id=tenant.id, name="Sales")


async def test_an_overflow_to_the_group_itself_is_a_loop(
    context: Context, tenant: Tenant, anna: User
) -> None:
    group = await create_group(context, SYSTEM, tenant_id=tenant.id, name="Sales", members=[anna.id])
    async with context.store.change() as session:
        session.add(InternalNumber(tenant_id=tenant.id, digits="200", group_id=group.id))
    with pytest.raises(ForwardingLoop) as found:
        await update_group(context, SYSTEM, group_id=group.id, overflow="200", wait=30)
    assert found.value.data["loop"] == ["Sales", "Sales"]
    await set_user(context, tenant, anna, forward_always="200")
    with pytest.raises(ForwardingLoop) as found:
        await update_group(context, SYSTEM, group_id=group.id, overflow="101", wait=30)
    assert found.value.data["loop"] == ["Sales", "Anna (101)", "Sales"]
    assert (await get_group(context, SYSTEM, group_id=group.id)).overflow == ""


async def test_a_forwarding_loop_is_named_and_not_stored(
    context: Context, tenant: Tenant, anna: User, ben: User
) -> None:
    await set_user(context, tenant, anna, forward_always="102")
    with pytest.raises(ForwardingLoop, match=r"Ben \(102\) → Anna \(101\) → Ben \(102\)") as found:
        await set_user(context, tenant, ben, forward_no_answer="101")
    assert found.value.data["field"] == "forward_no_answer"
    stored = await get_settings(context, SYSTEM, tenant_id=tenant.id, scope="user", ref=str(ben.id))
    assert stored == {}
    with pytest.raises(ForwardingLoop, match="Anna"):
        await set_user(context, tenant, anna, forward_busy="101")
    await set_user(context, tenant, ben, forward_no_answer="+31612345678")


async def test_menus_keep_options_of_real_keys_that_lead_somewhere(
    context: Context, tenant: Tenant, anna: User
) -> None:
    menu = await create_menu(
        context, SYSTEM, tenant_id=tenant.id, name="Main", options={"2": "+31 20 123 4567", "1": "101"}, fallback="101"
    )  # fmt: skip
    assert menu.options == {"1": "101", "2": "+31201234567"}
    for fields in (
        {"options": {"10": "101"}}, {"options": {"a": "101"}}, {"options": {"1": "999"}}, {"options": {"1": ""}}, {"options": ["1"]},
        {"tries": 0}, {"timeout": 99}, {"greeting": "x" * 121}, {"fallback": "999"}, {"sound": "x"},
    ):  # fmt: skip
        with pytest.raises(BadInput):
            await update_menu(context, SYSTEM, menu_id=menu.id, **fields)
    async with context.store.change() as session:
        session.add(InternalNumber(tenant_id=tenant.id, digits="63", menu_id=menu.id))
    with pytest.raises(ForwardingLoop):
        await update_menu(context, SYSTEM, menu_id=menu.id, fallback="63")
    await delete_menu(context, SYSTEM, menu_id=menu.id)
    assert await list_menus(context, SYSTEM, tenant_id=tenant.id) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"weekly": [{"days": [1], "from": "09:00"}]}, "no end"), ({"weekly": [{"days": [8], "from": "09:00", "to": "10:00"}]}, "1 .Monday. to 7"),
        ({"weekly": [{"days": [], "from": "09:00", "to": "10:00"}]}, "at least one"), ({"weekly": [{"days": [1], "from": "9", "to": "10:00"}]}, "09:00"),
        ({"weekly": [{"days": [1], "from": "09:00", "to": "09:00"}]}, "begins and ends"), ({"weekly": "always"}, "list"), ({"weekly": [7]}, "object"),
        ({"weekly": [{"days": [1, 2, 3, 4, 5, 6, 7], "from": "00:00", "to": "24:00"}]}, "never end"),
        ({"weekly": [{"days": [1], "from": "09:00", "to": "10:00", "colour": 1}]}, "colour"),
        ({"dates": [{"from": "2026-12-26", "to": "2026-12-25"}]}, "before it begins"), ({"dates": [{"from": "2026-02-30"}]}, "2026-12-25"),
        ({"dates": [{"from": "2026-01-01", "to": "2099-01-01"}]}, "more than a year"), ({"dates": [{"from": "1900-01-01"}]}, "year"),
        ({"dates": [{"from": "2026-01-01", "is_yearly": 1}]}, "true or false"), ({"dates": [{}]}, "missing"), ({"name": ""}, "name"),
    ],
)  # fmt: skip
async def test_a_schedule_that_makes_no_sense_is_refused(
    context: Context, tenant: Tenant, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        await create_schedule(context, SYSTEM, tenant_id=tenant.id, **{"name": "Open", **fields})


async def test_settings_name_schedules_that_are_there_and_follow_their_names(
    context: Context, tenant: Tenant, other_tenant: Tenant, anna: User
) -> None:
    schedule = await create_schedule(context, SYSTEM, tenant_id=tenant.id, name="Open", **OFFICE)
    await create_schedule(context, SYSTEM, tenant_id=other_tenant.id, name="Theirs", **OFFICE)
    with pytest.raises(InvalidSetting, match="there are: Open"):
        await put_settings(
            context, SYSTEM, tenant_id=tenant.id, scope="tenant", values={"working_hours": "Theirs"}
        )
    await put_settings(context, SYSTEM, tenant_id=tenant.id, scope="tenant", values={"working_hours": "Open"})
    await set_user(context, tenant, anna, blocked_schedule="Open")
    await update_schedule(context, SYSTEM, schedule_id=schedule.id, name="Office hours")
    values = await get_settings(context, SYSTEM, tenant_id=tenant.id, scope="tenant")
    assert values == {"working_hours": "Office hours"}
    with pytest.raises(InUse, match="2 settings"):
        await delete_schedule(context, SYSTEM, schedule_id=schedule.id)
    await put_settings(
        context, SYSTEM, tenant_id=tenant.id, scope="tenant", values={}, inherit=["working_hours"]
    )
    await set_user(context, tenant, anna, blocked_schedule="")
    await delete_schedule(context, SYSTEM, schedule_id=schedule.id)
    assert await list_schedules(context, SYSTEM, tenant_id=tenant.id) == []


async def test_what_only_the_pbx_is_told_gives_no_phone_a_new_file(
    context: Context, tenant: Tenant, anna: User
) -> None:
    device = await device_of(context, tenant, user_id=anna.id)
    before = await revision_of(context, device)
    await set_user(context, tenant, anna, voicemail_on=True)
    assert await revision_of(context, device) == before
    await set_user(context, tenant, anna, call_waiting=False)
    assert await revision_of(context, device) == before + 1


async def test_another_tenants_objects_are_not_there(
    context: Context, tenant: Tenant, other_tenant: Tenant
) -> None:
    group = await create_group(context, SYSTEM, tenant_id=tenant.id, name="Sales")
    menu = await create_menu(context, SYSTEM, tenant_id=tenant.id, name="Main")
    schedule = await create_schedule(context, SYSTEM, tenant_id=tenant.id, name="Open", **OFFICE)
    theirs = Actor(name="theirs", role=Role.ADMIN, tenant_id=other_tenant.id)
    user = Actor(name="user", role=Role.USER, tenant_id=tenant.id, user_id=1)
    for actor in (theirs, user):
        for attempt in (
            update_group(context, actor, group_id=group.id, name="x"), delete_group(context, actor, group_id=group.id),
            update_menu(context, actor, menu_id=menu.id, name="x"), delete_menu(context, actor, menu_id=menu.id),
            update_schedule(context, actor, schedule_id=schedule.id, name="x"), delete_schedule(context, actor, schedule_id=schedule.id),
            list_groups(context, actor, tenant_id=tenant.id), list_menus(context, actor, tenant_id=tenant.id),
            list_schedules(context, actor, tenant_id=tenant.id), create_group(context, actor, tenant_id=tenant.id, name="y"),
        ):  # fmt: skip
            with pytest.raises(NotFound):
                await attempt
