import asyncio
from typing import Any

import pytest

from provisioner.access.permissions import Role
from provisioner.errors import (
    BadInput,
    CodeCollision,
    Conflict,
    ExtensionTaken,
    InUse,
    NotFound,
    ProvisionerError,
)
from provisioner.model import CallGroup, Device, FunctionKey, InternalNumber, Menu, SharedLine, Tenant, User
from provisioner.services.calls.internal_numbers import (
    Number,
    create_number,
    delete_number,
    get_number,
    list_numbers,
    update_number,
)
from provisioner.services.calls.public_numbers import (
    assign_public_number,
    create_public_number,
    delete_public_number,
    list_public_numbers,
)
from provisioner.services.context import SYSTEM, Actor, Context
from provisioner.services.devices.device_settings import put_settings
from provisioner.services.files.device_graph import compose_parts, read_device, read_parts
from provisioner.services.people.tenants import create_site
from provisioner.services.people.users import create_user, public_numbers, update_user
from tests.services.places import device_of, revision_of


async def number(context: Context, tenant: Tenant, digits: str, kind: str, **target: Any) -> Number:
    return await create_number(context, SYSTEM, tenant_id=tenant.id, digits=digits, kind=kind, **target)


async def outside(context: Context, tenant: Tenant, digits: str = "300", to: str = "+49301234567") -> Number:
    return await number(context, tenant, digits, "outside", number=to)


async def user_of(context: Context, tenant: Tenant, name: str = "Ann", extension: str | None = None) -> User:
    return await create_user(context, SYSTEM, tenant_id=tenant.id, name=name, extension=extension)


async def stored(context: Context, row: Any) -> Any:
    async with context.store.change() as session:
        session.add(row)
        await session.flush()
    return row


async def group_of(context: Context, tenant: Tenant, name: str = "Sales", **fields: Any) -> CallGroup:
    found: CallGroup = await stored(context, CallGroup(tenant_id=tenant.id, name=name, **fields))
    return found


async def plan_of(context: Context, device: Device) -> list[str]:
    """What the phone may dial at once, as digit strings."""
    async with context.store.quick() as quick:
        facts = await read_device(quick, device_id=device.id)
        assert facts is not None
        parts = await read_parts(quick, context, facts)
    config = await compose_parts(context, parts)
    return [rule.mask for rule in config.dial_plan if rule.is_final]


# ---- what a number can stand for ---------------------------------------------------------------------------


async def test_a_number_stands_for_each_kind_of_target(context: Context, tenant: Tenant) -> None:
    ann, door = await user_of(context, tenant), await device_of(context, tenant, name="Door")
    group = await group_of(context, tenant)
    menu = await stored(context, Menu(tenant_id=tenant.id, name="Welcome"))
    line = await stored(
        context, SharedLine(tenant_id=tenant.id, name="Desk", account="sdesk", created_at=context.clock())
    )
    public = await create_public_number(context, SYSTEM, tenant_id=tenant.id, number="+31 20 123 45 67")
    for digits, kind, target in (
        ("20", "user", ann.id), ("21", "device", door.id), ("220", "public", public.id), ("2300", "group", group.id),
        ("24", "menu", menu.id), ("25", "shared_line", line.id),
    ):  # fmt: skip
        await number(context, tenant, digits, kind, target_id=target)
    await outside(context, tenant, "26", "0049 30-1234567")
    page = await list_numbers(context, SYSTEM, tenant_id=tenant.id)
    assert [(found.digits, found.kind, found.target) for found in page.items] == [
        ("20", "user", "Ann"), ("21", "device", "Door"), ("220", "public", "+31201234567"), ("2300", "group", "Sales"),
        ("24", "menu", "Welcome"), ("25", "shared_line", "Desk"), ("26", "outside", "0049301234567"),
    ]  # fmt: skip
    assert page.total == 7


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"digits": "1"}, "digits"), ({"digits": "20000"}, "digits"), ({"digits": "2a"}, "digits"), ({"kind": "robot"}, "kind"),
        ({"number": "call me"}, "number"), ({"number": "2011"}, "number"), ({"number": ""}, "number"), ({"label": "x" * 121}, "label"),
        ({"kind": "group", "target_id": 99}, "target_id"), ({"kind": "group", "target_id": 2**70}, "target_id"),
        ({"kind": "menu"}, "target_id"), ({"kind": "user", "target_id": True}, "target_id"),
    ],
)  # fmt: skip
async def test_a_wrong_value_is_named_and_stores_nothing(
    context: Context, tenant: Tenant, fields: dict[str, Any], field: str
) -> None:
    values = {"digits": "200", "kind": "outside", "number": "+49301234567", **fields}
    with pytest.raises(BadInput) as caught:
        await create_number(context, SYSTEM, tenant_id=tenant.id, **values)
    assert caught.value.field == field
    assert (await list_numbers(context, SYSTEM, tenant_id=tenant.id)).total == 0


async def test_a_target_of_another_tenant_is_not_there(
    context: Context, tenant: Tenant, other_tenant: Tenant
) -> None:
    group = await group_of(context, other_tenant)
    with pytest.raises(BadInput, match="no such call group"):
        await number(context, tenant, "300", "group", target_id=group.id)


async def test_numbers_are_found_by_digits_label_and_target(context: Context, tenant: Tenant) -> None:
    await user_of(context, tenant, "Ann", "201")
    await number(context, tenant, "250", "outside", number="+49301234567", label="Berlin office")
    for search, expected in (
        ("20", ["201"]),
        ("BERLIN", ["250"]),
        ("ann", ["201"]),
        ("4930", ["250"]),
        ("%", []),
    ):
        page = await list_numbers(context, SYSTEM, tenant_id=tenant.id, search=search)
        assert [found.digits for found in page.items] == expected
    page = await list_numbers(context, SYSTEM, tenant_id=tenant.id, kind="outside")
    assert [found.digits for found in page.items] == ["250"]


# ---- whose digits they are ------------------------------------------------------------------------------------


async def test_digits_that_are_taken_name_whose_they_are(
    context: Context, tenant: Tenant, other_tenant: Tenant
) -> None:
    await user_of(context, tenant, "Ann", "201")
    await outside(context, tenant, "300")
    await number(context, tenant, "301", "group", target_id=(await group_of(context, tenant)).id)
    for digits, owner in (
        ("201", r"Ann \(user\)"),
        ("300", r"\+49301234567 \(outside number\)"),
        ("301", r"Sales \(call group\)"),
    ):
        with pytest.raises(ExtensionTaken, match=f"{digits} belongs to {owner}; choose another"):
            await outside(context, tenant, digits)
        with pytest.raises(ExtensionTaken, match=owner):
            await user_of(context, tenant, "Bob", digits)
    await outside(context, other_tenant, "300")


async def test_of_many_who_want_the_same_digits_one_gets_them(context: Context, tenant: Tenant) -> None:
    people = [await user_of(context, tenant, f"User {n}") for n in range(4)]
    group = await group_of(context, tenant)

    async def take(kind: str, target: int) -> str:
        try:
            return (await number(context, tenant, "500", kind, target_id=target)).target
        except ExtensionTaken as error:
            return error.detail

    tries = [("user", person.id) for person in people] + [("group", group.id)] * 4
    answers = await asyncio.gather(*(take(*each) for each in tries))
    won = [answer for answer in answers if "belongs to" not in answer]
    assert len(won) == 1
    assert {answer for answer in answers if answer not in won} == {
        f"Extension 500 belongs to {won[0]} ({'call group' if won[0] == 'Sales' else 'user'}); choose another."
    }
    async with context.store.read() as session:
        assert len((await session.scalars(InternalNumber.__table__.select())).all()) == 1


async def test_a_user_has_one_number_of_his_own(context: Context, tenant: Tenant) -> None:
    ann = await user_of(context, tenant, "Ann", "201")
    with pytest.raises(Conflict, match="Ann has the number 201 already"):
        await number(context, tenant, "202", "user", target_id=ann.id)


# ---- changes -----------------------------------------------------------------------------------------------


async def test_a_number_moves_to_another_target(context: Context, tenant: Tenant) -> None:
    made, group = await outside(context, tenant), await group_of(context, tenant)
    moved = await update_number(
        context, SYSTEM, number_id=made.id, kind="group", target_id=group.id, label="Day", digits="301"
    )
    assert (moved.digits, moved.kind, moved.target, moved.label) == ("301", "group", "Sales", "Day")
    assert await get_number(context, SYSTEM, number_id=made.id) == moved
    await update_number(context, SYSTEM, number_id=made.id, digits="301")
    with pytest.raises(BadInput, match="what the number stands for"):
        await update_number(context, SYSTEM, number_id=made.id, target_id=group.id)
    with pytest.raises(BadInput, match="no field “color”"):
        await update_number(context, SYSTEM, number_id=made.id, color="red")


async def test_a_users_number_changes_its_digits_but_not_its_owner(context: Context, tenant: Tenant) -> None:
    ann = await user_of(context, tenant, "Ann", "201")
    own = (await list_numbers(context, SYSTEM, tenant_id=tenant.id)).items[0]
    assert (await update_number(context, SYSTEM, number_id=own.id, digits="202")).target_id == ann.id
    with pytest.raises(Conflict, match="somebody's own number"):
        await update_number(context, SYSTEM, number_id=own.id, kind="outside", number="+49301234567")


async def test_exactly_the_phones_that_show_a_number_get_a_new_file(context: Context, tenant: Tenant) -> None:
    ann = await user_of(context, tenant, "Ann", "201")
    await user_of(context, tenant, "Bob", "300")  # the plan knows both hundreds from here on
    own, other = await device_of(context, tenant, 1, user_id=ann.id), await device_of(context, tenant, 2)
    before = [await revision_of(context, device) for device in (own, other)]
    made = await outside(context, tenant, "202")
    await update_number(context, SYSTEM, number_id=made.id, digits="203", label="Berlin")
    await delete_number(context, SYSTEM, number_id=made.id)
    assert [await revision_of(context, device) for device in (own, other)] == before
    number_of_ann = next(
        found.id
        for found in (await list_numbers(context, SYSTEM, tenant_id=tenant.id)).items
        if found.target == "Ann"
    )
    await update_number(context, SYSTEM, number_id=number_of_ann, digits="202")
    assert [await revision_of(context, device) for device in (own, other)] == [before[0] + 1, before[1]]


async def test_phones_with_a_key_that_follows_a_number_get_a_new_file(
    context: Context, tenant: Tenant
) -> None:
    with_key, other = await device_of(context, tenant, 1), await device_of(context, tenant, 2)
    made = await outside(context, tenant, "300")
    await stored(
        context,
        FunctionKey(
            tenant_id=tenant.id, scope="device", ref=str(with_key.id), slot=1, type="speed_dial", target_number_id=made.id
        ),
    )  # fmt: skip
    before = [await revision_of(context, device) for device in (with_key, other)]
    await update_number(context, SYSTEM, number_id=made.id, digits="301")
    assert [await revision_of(context, device) for device in (with_key, other)] == [before[0] + 1, before[1]]


async def test_a_freed_number_is_free(context: Context, tenant: Tenant) -> None:
    ann = await user_of(context, tenant, "Ann", "201")
    own = (await list_numbers(context, SYSTEM, tenant_id=tenant.id)).items[0]
    await delete_number(context, SYSTEM, number_id=own.id)
    await outside(context, tenant, "201")
    assert await public_numbers(context, SYSTEM, user_ids=[ann.id]) == {ann.id: []}


async def test_a_shared_line_keeps_its_number(context: Context, tenant: Tenant) -> None:
    line = await stored(
        context, SharedLine(tenant_id=tenant.id, name="Desk", account="sdesk", created_at=context.clock())
    )
    made = await number(context, tenant, "25", "shared_line", target_id=line.id)
    with pytest.raises(InUse, match="25 is the number of a shared line"):
        await delete_number(context, SYSTEM, number_id=made.id)


# ---- the phones' dial plan ---------------------------------------------------------------------------------


async def test_all_phones_learn_a_new_kind_of_number_and_only_that(
    context: Context, tenant: Tenant, other_tenant: Tenant
) -> None:
    phone, stranger = await device_of(context, tenant, 1), await device_of(context, other_tenant, 2)
    assert await plan_of(context, phone) == ["112", "*8112"]
    first = await revision_of(context, phone)
    await user_of(context, tenant, "Ann", "201")
    assert await plan_of(context, phone) == ["112", "*8112", "*82xx", "2xx"]
    second = await revision_of(context, phone)
    assert second > first
    await user_of(context, tenant, "Bob", "299")
    assert await revision_of(context, phone) == second
    await outside(context, tenant, "4000")
    assert await plan_of(context, phone) == ["112", "*8112", "*82xx", "*84xxx", "2xx", "4xxx"]
    assert await revision_of(context, phone) > second
    assert await revision_of(context, stranger) == 1


# ---- codes -------------------------------------------------------------------------------------------------


async def test_an_extension_in_the_way_of_an_emergency_number_is_refused(
    context: Context, tenant: Tenant
) -> None:
    for digits in ("112", "1120", "11"):
        with pytest.raises(CodeCollision, match="emergency number 112"):
            await outside(context, tenant, digits)
        with pytest.raises(CodeCollision, match="Choose another extension"):
            await user_of(context, tenant, "Ann", digits)
    site = await create_site(context, SYSTEM, tenant_id=tenant.id, name="Vienna")
    values = {"emergency_numbers": ["112", "144"]}
    await put_settings(context, SYSTEM, tenant_id=tenant.id, scope="site", ref=str(site.id), values=values)
    with pytest.raises(CodeCollision, match="emergency number 144"):
        await outside(context, tenant, "144")


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"hotdesk_code": "*8"}, "hotdesk_code", r"Pick up \(\*8\) and Hotdesk \(\*8\)"),
        (
            {"pickup_code": "2"},
            "pickup_code",
            r"Extension 201 \(Ann\) is in the way of the code Pick up \(2\)",
        ),
        (
            {"emergency_numbers": ["201"]},
            "emergency_numbers",
            r"201 \(Ann\) is in the way of the emergency number 201",
        ),
        ({"group_pickup_code": "*8201"}, "group_pickup_code", r"could not be picked up: \*8201"),
    ],
)
async def test_a_code_in_the_way_is_refused_and_nothing_is_stored(
    context: Context, tenant: Tenant, values: dict[str, Any], field: str, words: str
) -> None:
    await user_of(context, tenant, "Ann", "201")
    with pytest.raises(CodeCollision, match=words) as caught:
        await put_settings(context, SYSTEM, tenant_id=tenant.id, scope="tenant", values=values)
    assert caught.value.field == field
    await put_settings(context, SYSTEM, tenant_id=tenant.id, scope="tenant", values={"hotdesk_code": "*36"})


async def test_back_to_the_default_is_looked_at_too(context: Context, tenant: Tenant) -> None:
    tenant_wide: dict[str, Any] = {"tenant_id": tenant.id, "scope": "tenant"}
    await put_settings(
        context, SYSTEM, **tenant_wide, values={"pickup_code": "*9", "group_pickup_code": "*9112"}
    )
    await put_settings(context, SYSTEM, **tenant_wide, values={"attended_transfer_code": "*8"})
    with pytest.raises(CodeCollision, match="Attended transfer"):
        await put_settings(context, SYSTEM, **tenant_wide, values={}, inherit=["pickup_code"])


# ---- public numbers and circles ------------------------------------------------------------------------------


async def test_a_public_number_rings_a_user_a_group_or_nobody(context: Context, tenant: Tenant) -> None:
    ann, group = await user_of(context, tenant), await group_of(context, tenant)
    made = await create_public_number(
        context, SYSTEM, tenant_id=tenant.id, number="+31201234567", kind="user", target_id=ann.id
    )
    assert (made.kind, made.target) == ("user", "Ann")
    assert await public_numbers(context, SYSTEM, user_ids=[ann.id]) == {ann.id: ["+31201234567"]}
    moved = await assign_public_number(
        context, SYSTEM, public_number_id=made.id, kind="group", target_id=group.id
    )
    assert (moved.kind, moved.target) == ("group", "Sales")
    with pytest.raises(Conflict, match="somebody else"):
        await update_user(context, SYSTEM, user_id=ann.id, numbers=["+31201234567"])
    assert (await assign_public_number(context, SYSTEM, public_number_id=made.id, kind="")).kind == ""
    await update_user(context, SYSTEM, user_id=ann.id, numbers=["+31201234567"])
    page = await list_public_numbers(context, SYSTEM, tenant_id=tenant.id, search="ann")
    assert [(found.number, found.target) for found in page.items] == [("+31201234567", "Ann")]
    await delete_public_number(context, SYSTEM, public_number_id=made.id)
    assert (await list_public_numbers(context, SYSTEM, tenant_id=tenant.id)).total == 0


async def test_a_public_number_that_an_extension_stands_for_stays(context: Context, tenant: Tenant) -> None:
    ann = await user_of(context, tenant)
    await update_user(context, SYSTEM, user_id=ann.id, numbers=["+31201234567", "+31201234568"])
    rows = (await list_public_numbers(context, SYSTEM, tenant_id=tenant.id)).items
    await number(context, tenant, "300", "public", target_id=rows[0].id)
    with pytest.raises(InUse, match="internal number 300 stands for"):
        await delete_public_number(context, SYSTEM, public_number_id=rows[0].id)
    await update_user(context, SYSTEM, user_id=ann.id, numbers=[])
    left = (await list_public_numbers(context, SYSTEM, tenant_id=tenant.id)).items
    assert [(found.number, found.kind) for found in left] == [("+31201234567", "")]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"number": "me"}, BadInput), ({"kind": "robot"}, BadInput), ({"kind": "user", "target_id": 99}, BadInput),
        ({"kind": "group"}, BadInput), ({"number": "+31201234567"}, Conflict),
    ],
)  # fmt: skip
async def test_a_wrong_public_number_is_refused(
    context: Context, tenant: Tenant, fields: dict[str, Any], error: type[ProvisionerError]
) -> None:
    await create_public_number(context, SYSTEM, tenant_id=tenant.id, number="+31201234567")
    values = {"number": "+31201234568", **fields}
    with pytest.raises(error):
        await create_public_number(context, SYSTEM, tenant_id=tenant.id, **values)


async def test_the_own_public_number_is_no_outside_number(context: Context, tenant: Tenant) -> None:
    await create_public_number(context, SYSTEM, tenant_id=tenant.id, number="+31201234567")
    with pytest.raises(Conflict, match="a number of your own"):
        await outside(context, tenant, "300", "+31 20 1234567")


async def test_calls_cannot_go_round_in_a_circle(context: Context, tenant: Tenant) -> None:
    day = await group_of(context, tenant, "Day", overflow="301")
    night = await group_of(context, tenant, "Night", overflow="+31201234567")
    public = await create_public_number(
        context, SYSTEM, tenant_id=tenant.id, number="+31201234567", kind="group", target_id=day.id
    )
    with pytest.raises(Conflict, match="round in a circle"):
        await number(context, tenant, "301", "group", target_id=night.id)
    with pytest.raises(Conflict, match="round in a circle"):
        await number(context, tenant, "301", "public", target_id=public.id)
    with pytest.raises(Conflict, match="round in a circle"):
        await assign_public_number(
            context, SYSTEM, public_number_id=public.id, kind="group", target_id=night.id
        )
    await number(context, tenant, "302", "group", target_id=night.id)


# ---- who may ---------------------------------------------------------------------------------------------------


async def test_numbers_of_other_tenants_and_for_users_are_not_there(
    context: Context, tenant: Tenant, other_tenant: Tenant
) -> None:
    made = await outside(context, tenant)
    public = await create_public_number(context, SYSTEM, tenant_id=tenant.id, number="+31201234567")
    strangers = [
        Actor(name="admin", role=Role.ADMIN, tenant_id=other_tenant.id),
        Actor(name="ann", role=Role.USER, tenant_id=tenant.id, user_id=1),
    ]
    for actor in strangers:
        with pytest.raises(NotFound):
            await list_numbers(context, actor, tenant_id=tenant.id)
        with pytest.raises(NotFound):
            await list_public_numbers(context, actor, tenant_id=tenant.id)
        with pytest.raises(NotFound):
            await create_number(
                context, actor, tenant_id=tenant.id, digits="301", kind="outside", number="+49301234567"
            )
        with pytest.raises(NotFound):
            await get_number(context, actor, number_id=made.id)
        with pytest.raises(NotFound):
            await update_number(context, actor, number_id=made.id, digits="301")
        with pytest.raises(NotFound):
            await delete_number(context, actor, number_id=made.id)
        with pytest.raises(NotFound):
            await assign_public_number(context, actor, public_number_id=public.id, kind="")
        with pytest.raises(NotFound):
            await delete_public_number(context, actor, public_number_id=public.id)
