"""Function keys: what may be stored, what follows whom, who gets a new file, and what a phone makes of it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import select

from provisioner.access.permissions import Role
from provisioner.composition.key_types import KEY_TYPES
from provisioner.composition.phone_config import KeyConfig
from provisioner.errors import BadInput, KeyBeyondModel, KeyNotSupported, NotFound
from provisioner.model import Device, InternalNumber, KeyRange, Menu, Tenant, User
from provisioner.services.context import SYSTEM, Actor, Context
from provisioner.services.devices.device_settings import put_settings
from provisioner.services.devices.enrolment import remove_device
from provisioner.services.files.phone_files import compose_device, preview_files
from provisioner.services.key_targets import showing
from provisioner.services.keys.function_keys import (
    Range,
    change_keys,
    get_keys,
    get_ranges,
    put_keys,
    put_ranges,
)
from provisioner.services.keys.label_strips import label_strips, strip_page
from provisioner.services.keys.placed_keys import Capability, PlacedKey, placed_keys
from provisioner.services.people.tenants import create_site, delete_site
from provisioner.services.people.users import create_user, delete_user, update_user
from tests.services.places import device_of, revision_of


async def person(
    context: Context, tenant: Tenant, name: str, extension: str | None = None, **fields: Any
) -> User:
    return await create_user(context, SYSTEM, tenant_id=tenant.id, name=name, extension=extension, **fields)


@pytest.fixture(autouse=True)
async def _a_number_of_the_plan(context: Context, tenant: Tenant) -> None:
    """An extension that stays: the lengths of extensions are part of every phone's file, and not what is tested here."""
    await create_user(
        context, SYSTEM, tenant_id=tenant.id, name="Switchboard", extension="299", kind="service"
    )


async def keys_at(
    context: Context, tenant: Tenant, scope: str, ref: object, *keys: KeyConfig, **more: Any
) -> Sequence[str]:
    return await put_keys(context, SYSTEM, tenant_id=tenant.id, scope=scope, ref=str(ref), keys=keys, **more)


async def shown(context: Context, device: Device) -> dict[tuple[int, int], PlacedKey]:
    placed = (await placed_keys(context, SYSTEM, device_id=device.id)).keys
    return {(key.module, key.slot): key for key in placed}


async def touched(
    context: Context, devices: Sequence[Device], change: Callable[[], Awaitable[object]]
) -> list[int]:
    """How much the revision of each device grew by a change."""
    before = [await revision_of(context, device) for device in devices]
    await change()
    return [await revision_of(context, device) - old for device, old in zip(devices, before, strict=True)]


# ---- references ------------------------------------------------------------------------------------------------


async def test_a_key_that_points_at_a_user_follows_the_name_and_the_extension(
    context: Context, tenant: Tenant
) -> None:
    bob = await person(context, tenant, "Bob", "202")
    desk, other = await device_of(context, tenant, 1), await device_of(context, tenant, 2)
    await keys_at(context, tenant, "device", desk.id, KeyConfig(3, type="blf", user_id=bob.id))
    key = (await shown(context, desk))[0, 3]
    assert (key.type, key.target, key.label, key.user_id) == ("blf", "202", "Bob", bob.id)

    async def rename() -> None:
        await update_user(context, SYSTEM, user_id=bob.id, name="Robert", extension="212")

    assert await touched(context, [desk, other], rename) == [1, 0]
    key = (await shown(context, desk))[0, 3]
    assert (key.target, key.label) == ("212", "Robert")
    (_, file), *_ = await preview_files(context, SYSTEM, device_id=desk.id)
    assert b"blf 212|*8" in file.body
    assert b"Bob" not in file.body


async def test_a_label_of_its_own_stays_and_then_a_new_name_makes_no_new_file(
    context: Context, tenant: Tenant
) -> None:
    bob = await person(context, tenant, "Bob", "202")
    desk = await device_of(context, tenant)
    await keys_at(
        context, tenant, "device", desk.id, KeyConfig(3, type="speed_dial", user_id=bob.id, label="Boss")
    )
    assert await touched(
        context, [desk], lambda: update_user(context, SYSTEM, user_id=bob.id, name="Robert")
    ) == [0]
    assert await touched(
        context, [desk], lambda: update_user(context, SYSTEM, user_id=bob.id, extension="205")
    ) == [1]
    key = (await shown(context, desk))[0, 3]
    assert (key.target, key.label) == ("205", "Boss")


@pytest.mark.parametrize("scope", ["tenant", "model", "site", "user", "device"])
async def test_exactly_the_devices_that_a_key_reaches_get_a_new_file(
    context: Context, tenant: Tenant, other_tenant: Tenant, scope: str
) -> None:
    ann, bob = await person(context, tenant, "Ann", "201"), await person(context, tenant, "Bob", "202")
    site = await create_site(context, SYSTEM, tenant_id=tenant.id, name="Depot")
    first = await device_of(context, tenant, 1, user_id=ann.id, site_id=site.id)
    same_model = await device_of(context, tenant, 2)
    other_model = await device_of(context, tenant, 3, model="D735")
    foreign = await device_of(context, other_tenant, 4)
    ref = {
        "tenant": "",
        "model": "snom/D785",
        "site": str(site.id),
        "user": str(ann.id),
        "device": str(first.id),
    }[scope]
    await keys_at(context, tenant, scope, ref, KeyConfig(4, type="blf", user_id=bob.id))
    expected = {"tenant": [1, 1, 1, 0], "model": [1, 1, 0, 0]}.get(scope, [1, 0, 0, 0])
    devices = [first, same_model, other_model, foreign]
    assert (
        await touched(context, devices, lambda: update_user(context, SYSTEM, user_id=bob.id, name="Robert"))
        == expected
    )
    assert await touched(context, devices, lambda: delete_user(context, SYSTEM, user_id=bob.id)) == expected
    key = (await shown(context, first))[0, 4]
    assert (key.type, key.capability) == ("none", Capability.NO_TARGET)
    assert any(
        "is gone" in line for line in (await compose_device(context, SYSTEM, device_id=first.id)).warnings
    )


async def test_a_key_at_somebody_without_an_extension_shows_nothing_and_says_so(
    context: Context, tenant: Tenant
) -> None:
    bob = await person(context, tenant, "Bob", "202")
    desk = await device_of(context, tenant)
    await keys_at(context, tenant, "device", desk.id, KeyConfig(3, type="forward_always", user_id=bob.id))
    assert await touched(
        context, [desk], lambda: update_user(context, SYSTEM, user_id=bob.id, extension="")
    ) == [1]
    config = await compose_device(context, SYSTEM, device_id=desk.id)
    assert (config.keys[2].type, config.keys[2].label) == ("none", "")
    assert "Key 3 (Bob): there is nothing to dial." in config.warnings
    (stored,) = await get_keys(context, SYSTEM, tenant_id=tenant.id, scope="device", ref=str(desk.id))
    assert (stored.type, stored.user_id, stored.target) == ("forward_always", bob.id, "")


async def test_a_key_points_at_any_internal_number_and_at_a_users_number_as_at_the_user(
    context: Context, tenant: Tenant
) -> None:
    bob = await person(context, tenant, "Bob", "202")
    desk = await device_of(context, tenant)
    async with context.store.change() as session:
        menu = Menu(tenant_id=tenant.id, name="Welcome")
        session.add(menu)
        await session.flush()
        number = InternalNumber(tenant_id=tenant.id, digits="600", menu_id=menu.id)
        session.add(number)
        await session.flush()
        users_own = (
            await session.execute(select(InternalNumber.id).where(InternalNumber.user_id == bob.id))
        ).scalar_one()
    await keys_at(
        context, tenant, "device", desk.id,
        KeyConfig(3, type="speed_dial", number_id=number.id), KeyConfig(4, type="blf", number_id=users_own),
    )  # fmt: skip
    keys = await shown(context, desk)
    assert (keys[0, 3].target, keys[0, 3].label) == ("600", "Welcome")
    assert (keys[0, 4].target, keys[0, 4].user_id, keys[0, 4].internal_number_id) == ("202", bob.id, None)
    async with context.store.read() as session:
        reached = select(Device.id).where(showing(tenant.id, number_ids=[number.id]))
        assert (await session.execute(reached)).scalars().all() == [desk.id]
    async with context.store.change() as session:
        await session.delete(await session.get_one(InternalNumber, number.id))
    assert (await shown(context, desk))[0, 3].capability is Capability.NO_TARGET


async def test_what_is_not_of_this_tenant_cannot_be_pointed_at(
    context: Context, tenant: Tenant, other_tenant: Tenant
) -> None:
    """T27."""
    foreign = await person(context, other_tenant, "Mallory", "201")
    desk = await device_of(context, tenant)
    async with context.store.read() as session:
        statement = select(InternalNumber.id).where(InternalNumber.user_id == foreign.id)
        number = (await session.execute(statement)).scalar_one()
    for key in (
        KeyConfig(3, type="blf", user_id=foreign.id),
        KeyConfig(3, type="blf", user_id=2**31 - 1),
        KeyConfig(3, type="blf", number_id=number),
    ):
        with pytest.raises(BadInput, match="Key 3 of the phone points at"):
            await keys_at(context, tenant, "device", desk.id, key)
    ann = Actor(name="ann", role=Role.ADMIN, tenant_id=other_tenant.id)
    with pytest.raises(NotFound):
        await placed_keys(context, ann, device_id=desk.id)
    with pytest.raises(NotFound):
        await put_ranges(context, ann, tenant_id=tenant.id, scope="tenant", ranges=[])


# ---- what a key may hold ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (KeyConfig(1, type="blf"), "needs a number"),
        (KeyConfig(1, type="blf", target="2 0 2"), "takes a number, an extension"),
        (KeyConfig(1, type="speed_dial", target="202|*8"), "takes a number"),
        (KeyConfig(1, type="dnd", target="1"), "takes no target"),
        (KeyConfig(1, type="hotdesk", target="*35*201*4711"), "takes no target"),
        (KeyConfig(1, type="hotdesk_switch", target="*35*201"), "an extension of 2 to 4 digits"),
        (KeyConfig(1, type="speed_dial", target="*35*201*4711"), "would hold a PIN"),
        (KeyConfig(1, type="multicast", target="192.0.2.1:5000"), "a multicast address"),
        (KeyConfig(1, type="multicast", target="239.255.0.1"), "a multicast address"),
        (KeyConfig(1, type="multicast", target="239.255.0.1:70000"), "a multicast address"),
        (KeyConfig(1, type="url", target="ftp://x"), "https://"),
        (KeyConfig(1, type="xml", target="https://a:b@x/"), "holds no password"),
        (KeyConfig(1, type="url", target="http://[x"), "https://"),
        (KeyConfig(1, type="dtmf", target="hello"), "tones"),
        (KeyConfig(1, type="prefix", target="a"), "digits"),
        (KeyConfig(1, type="hold", target="public"), "private"),
        (KeyConfig(1, type="forward"), "the type is one of"),
        (KeyConfig(1, type="blf", user_id=1, target="202"), "several targets"),
        (KeyConfig(1, type="blf", user_id=1, number_id=1), "several targets"),
        (KeyConfig(1, type="dnd", user_id=1), "cannot point"),
    ],
)
async def test_a_target_is_what_the_type_needs(
    context: Context, tenant: Tenant, key: KeyConfig, words: str
) -> None:
    with pytest.raises(BadInput, match="Key 1") as refused:
        await keys_at(context, tenant, "tenant", "", key)
    assert words in refused.value.detail
    assert "4711" not in refused.value.detail


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("multicast", "239.255.0.1:5000"), ("url", "https://x.example/menu?a=1&b=2"), ("dtmf", "12*#,AB"), ("prefix", "0"), ("prefix", "+31"),
        ("park", "701"), ("retrieve", "701"), ("record", "*2"), ("record", ""), ("speed_dial", "sip:desk@pbx.example.net"), ("hold", "private"),
        ("hotdesk", ""), ("hotdesk_switch", "201"), ("group_pickup", ""), ("voicemail", "*97"), ("transfer_attended", "201"), ("transfer_blind", ""),
    ],
)  # fmt: skip
async def test_good_targets_are_taken(context: Context, tenant: Tenant, kind: str, target: str) -> None:
    await keys_at(context, tenant, "tenant", "", KeyConfig(1, type=kind, target=target))
    (stored,) = await get_keys(context, SYSTEM, tenant_id=tenant.id, scope="tenant")
    assert (stored.type, stored.target) == (kind, target)


async def test_the_tenants_own_hotdesk_code_is_watched_for_pins(context: Context, tenant: Tenant) -> None:
    await put_settings(context, SYSTEM, tenant_id=tenant.id, scope="tenant", values={"hotdesk_code": "*77"})
    with pytest.raises(BadInput, match="would hold a PIN"):
        await keys_at(context, tenant, "tenant", "", KeyConfig(1, type="speed_dial", target="*77*201*4711"))


async def test_codes_come_from_the_tenants_settings(context: Context, tenant: Tenant) -> None:
    bob = await person(context, tenant, "Bob", "202")
    desk = await device_of(context, tenant)
    await put_settings(
        context, SYSTEM, tenant_id=tenant.id, scope="tenant",
        values={"hotdesk_code": "*77", "pickup_code": "*9", "group_pickup_code": "*99"},
    )  # fmt: skip
    await keys_at(
        context, tenant, "device", desk.id,
        KeyConfig(2, type="hotdesk"), KeyConfig(3, type="hotdesk_switch", user_id=bob.id),
        KeyConfig(4, type="pickup", user_id=bob.id), KeyConfig(5, type="group_pickup"),
    )  # fmt: skip
    (_, file), *_ = await preview_files(context, SYSTEM, device_id=desk.id)
    for text in (b"speed *77<", b"speed *77*202<", b"speed *9202<", b"speed *99<"):
        assert text in file.body


# ---- what a phone can show ---------------------------------------------------------------------------------------


async def test_a_key_that_the_phone_cannot_show_is_refused_for_the_device_and_told_elsewhere(
    context: Context, tenant: Tenant
) -> None:
    ann = await person(context, tenant, "Ann", "201")
    small = await device_of(context, tenant, 1, model="D140", user_id=ann.id)
    beyond, unable = KeyConfig(9, type="dnd"), KeyConfig(1, type="prefix", target="0")
    with pytest.raises(KeyBeyondModel, match="has 2 keys of its own and takes 0 modules") as refused:
        await keys_at(context, tenant, "device", small.id, beyond)
    assert (refused.value.data["model"], refused.value.data["slot"]) == ("D140", 9)
    assert "set it for the user" in refused.value.detail
    with pytest.raises(KeyNotSupported, match="cannot show it") as unfit:
        await keys_at(context, tenant, "device", small.id, unable)
    assert (unfit.value.data["model"], unfit.value.data["key_type"]) == ("D140", "prefix")
    assert await get_keys(context, SYSTEM, tenant_id=tenant.id, scope="device", ref=str(small.id)) == []
    for scope, ref in (("user", ann.id), ("tenant", ""), ("model", "snom/D140")):
        told = await keys_at(context, tenant, scope, ref, beyond, unable)
        assert len(told) == 2, told
        assert "key 9" in told[0]
        assert "key 1 (prefix)" in told[1]
    keys = await shown(context, small)
    assert keys[0, 9].capability is Capability.NO_SLOT
    assert keys[0, 1].capability is Capability.UNSUPPORTED
    assert "digits in front" in keys[0, 1].reason


async def test_an_empty_key_never_is_too_much(context: Context, tenant: Tenant) -> None:
    small = await device_of(context, tenant, 1, model="D140")
    assert await keys_at(context, tenant, "device", small.id, KeyConfig(9, type="none")) == ()


async def test_provenance_names_the_scope_and_what_it_hides(context: Context, tenant: Tenant) -> None:
    ann = await person(context, tenant, "Ann", "201")
    desk = await device_of(context, tenant, user_id=ann.id, name="Desk")
    await keys_at(context, tenant, "tenant", "", KeyConfig(1, type="dnd"), KeyConfig(2, type="dnd"))
    await keys_at(context, tenant, "user", ann.id, KeyConfig(1, type="speed_dial", target="300"))
    await keys_at(context, tenant, "device", desk.id, KeyConfig(1, type="redial"))
    keys = await shown(context, desk)
    assert (keys[0, 1].type, keys[0, 1].scope, keys[0, 1].scope_name) == ("redial", "device", "Desk")
    assert [(below.scope, below.scope_name, below.type) for below in keys[0, 1].shadowed] == [
        ("user", "Ann", "speed_dial"), ("tenant", "Acme", "dnd"), ("default", "", "line"),
    ]  # fmt: skip
    assert (keys[0, 2].scope, keys[0, 2].shadowed) == ("tenant", ())
    assert (keys[0, 3].scope, keys[0, 3].type, keys[0, 3].capability) == ("default", "none", Capability.OK)


async def test_single_keys_are_set_and_cleared_and_the_others_stay(context: Context, tenant: Tenant) -> None:
    desk = await device_of(context, tenant)
    place: dict[str, Any] = {"tenant_id": tenant.id, "scope": "device", "ref": str(desk.id)}
    await keys_at(context, tenant, "device", desk.id, KeyConfig(1, type="dnd"), KeyConfig(2, type="hold"))
    await change_keys(context, SYSTEM, **place, put=[KeyConfig(2, type="redial"), KeyConfig(3, type="dnd")])
    await change_keys(context, SYSTEM, **place, clear=[(0, 1), (0, 99)])
    stored = await get_keys(context, SYSTEM, **place)
    assert [(key.slot, key.type) for key in stored] == [(2, "redial"), (3, "dnd")]


# ---- automatic sets ---------------------------------------------------------------------------------------------


async def test_everyone_but_me_stands_sorted_in_the_free_slots(context: Context, tenant: Tenant) -> None:
    ann = await person(context, tenant, "Ann", "201")
    for name, extension in (
        ("Zoë", "209"),
        ("bob", "202"),
        ("Émile", "205"),
        ("Łukasz", "206"),
        ("Nora", None),
    ):
        await person(context, tenant, name, extension)
    await create_user(context, SYSTEM, tenant_id=tenant.id, name="Queue", extension="300", kind="queue")
    desk = await device_of(context, tenant, user_id=ann.id)
    await keys_at(
        context, tenant, "device", desk.id, KeyConfig(3, type="dnd"),
        ranges=[Range("everyone", "blf", 1)],
    )  # fmt: skip
    keys = await shown(context, desk)
    assert [(keys[0, slot].type, keys[0, slot].label) for slot in range(1, 8)] == [
        ("line", "201"), ("blf", "bob"), ("dnd", ""), ("blf", "Émile"), ("blf", "Łukasz"), ("blf", "Zoë"), ("none", ""),
    ]  # fmt: skip
    assert (keys[0, 2].scope, keys[0, 2].range_id is not None) == ("device", True)


async def test_the_department_is_that_of_the_phones_user(context: Context, tenant: Tenant) -> None:
    ann = await person(context, tenant, "Ann", "201", department="Sales")
    await person(context, tenant, "Bob", "202", department="Sales")
    await person(context, tenant, "Cas", "203", department="Depot")
    mine, nobodys = await device_of(context, tenant, 1, user_id=ann.id), await device_of(context, tenant, 2)
    await put_ranges(
        context, SYSTEM, tenant_id=tenant.id, scope="tenant", ranges=[Range("department", "speed_dial", 5)]
    )
    keys = await shown(context, mine)
    assert [keys[0, slot].label for slot in (5, 6)] == ["Bob", ""]
    assert {key.type for key in (await shown(context, nobodys)).values()} == {"line", "none"}


async def test_a_set_goes_on_over_the_modules_and_says_when_there_is_no_room(
    context: Context, tenant: Tenant
) -> None:
    for number in range(80):
        await person(context, tenant, f"P{number:02}", f"{200 + number}")
    desk = await device_of(context, tenant, model="D785")
    place: dict[str, Any] = {"tenant_id": tenant.id, "scope": "device", "ref": str(desk.id)}
    await put_ranges(context, SYSTEM, **place, ranges=[Range("everyone", "blf", 23)])
    keys = await shown(context, desk)
    assert [keys[where].label for where in ((0, 22), (0, 23), (0, 24), (1, 1), (2, 1), (3, 18))] == [
        "", "P00", "P01", "P02", "P20", "P55",
    ]  # fmt: skip
    warnings = (await compose_device(context, SYSTEM, device_id=desk.id)).warnings
    assert [line for line in warnings if "end after 56" in line]
    await put_ranges(context, SYSTEM, **place, ranges=[Range("everyone", "blf", 2, module=1, count=3)])
    keys = await shown(context, desk)
    assert [keys[1, slot].label for slot in range(1, 6)] == ["", "P00", "P01", "P02", ""]
    assert (await compose_device(context, SYSTEM, device_id=desk.id)).warnings == ()


async def test_whoever_joins_leaves_or_moves_changes_exactly_the_phones_that_show_it(
    context: Context, tenant: Tenant, other_tenant: Tenant
) -> None:
    ann = await person(context, tenant, "Ann", "201", department="Sales")
    cas = await person(context, tenant, "Cas", "203", department="Depot")
    in_sales = await device_of(context, tenant, 1, user_id=ann.id)
    in_depot = await device_of(context, tenant, 2, user_id=cas.id)
    shows_all = await device_of(context, tenant, 3)
    plain, foreign = await device_of(context, tenant, 4), await device_of(context, other_tenant, 5)
    for device, people in ((in_sales, "department"), (in_depot, "department"), (shows_all, "everyone")):
        await put_ranges(
            context, SYSTEM, tenant_id=tenant.id, scope="device", ref=str(device.id),
            ranges=[Range(people, "blf", 2)],
        )  # fmt: skip
    devices = [in_sales, in_depot, shows_all, plain, foreign]
    made: list[User] = []

    async def join() -> None:
        made.append(await person(context, tenant, "Dirk", "204", department="Sales"))

    assert await touched(context, devices, join) == [1, 0, 1, 0, 0]

    def change(**fields: Any) -> Callable[[], Awaitable[object]]:
        return lambda: update_user(context, SYSTEM, user_id=made[0].id, **fields)

    assert await touched(context, devices, change(email="dirk@example.net")) == [0, 0, 0, 0, 0]
    assert await touched(context, devices, change(name="Derk")) == [1, 0, 1, 0, 0]
    assert await touched(context, devices, change(extension="214")) == [1, 0, 1, 0, 0]
    assert await touched(context, devices, change(department="Depot")) == [1, 1, 0, 0, 0]
    assert await touched(context, devices, change(extension="")) == [0, 1, 1, 0, 0]
    assert await touched(context, devices, change(name="Dirk")) == [0, 0, 0, 0, 0]
    assert await touched(context, devices, change(extension="204")) == [0, 1, 1, 0, 0]
    assert await touched(context, devices, change(kind="queue")) == [0, 1, 1, 0, 0]
    assert await touched(context, devices, change(kind="person")) == [0, 1, 1, 0, 0]
    assert await touched(context, devices, lambda: delete_user(context, SYSTEM, user_id=made[0].id)) == [
        0,
        1,
        1,
        0,
        0,
    ]
    assert await touched(
        context, devices, lambda: update_user(context, SYSTEM, user_id=ann.id, department="Depot")
    ) == [1, 1, 0, 0, 0]
    assert [key.label for key in (await shown(context, in_sales)).values() if key.type == "blf"] == ["Cas"]


async def test_sets_of_several_scopes_fill_up_without_repeating_anybody(
    context: Context, tenant: Tenant
) -> None:
    ann = await person(context, tenant, "Ann", "201", department="Sales")
    for name, extension, department in (
        ("Bob", "202", "Depot"),
        ("Cas", "203", "Sales"),
        ("Dirk", "204", ""),
    ):
        await person(context, tenant, name, extension, department=department)
    desk = await device_of(context, tenant, user_id=ann.id)
    await put_ranges(
        context, SYSTEM, tenant_id=tenant.id, scope="tenant", ranges=[Range("everyone", "blf", 2)]
    )
    await put_ranges(
        context, SYSTEM, tenant_id=tenant.id, scope="user", ref=str(ann.id),
        ranges=[Range("department", "blf", 2)],
    )  # fmt: skip
    keys = await shown(context, desk)
    assert [(keys[0, slot].label, keys[0, slot].scope) for slot in (2, 3, 4, 5)] == [
        ("Cas", "user"), ("Bob", "tenant"), ("Dirk", "tenant"), ("", "default"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "entry",
    [
        Range("friends", "blf", 1), Range("everyone", "dnd", 1), Range("everyone", "blf", 0), Range("everyone", "blf", 1, module=9),
        Range("everyone", "blf", 1, count=-1), Range("everyone", "blf", 1, line=17),
    ],
)  # fmt: skip
async def test_a_wrong_set_is_named_and_nothing_is_stored(
    context: Context, tenant: Tenant, entry: Range
) -> None:
    good = Range("everyone", "blf", 1)
    with pytest.raises(BadInput, match="Automatic set 2"):
        await keys_at(context, tenant, "tenant", "", KeyConfig(1, type="dnd"), ranges=[good, entry])
    assert await get_keys(context, SYSTEM, tenant_id=tenant.id, scope="tenant") == []
    with pytest.raises(BadInput, match="at most 20"):
        await put_ranges(context, SYSTEM, tenant_id=tenant.id, scope="tenant", ranges=[good] * 21)


async def test_keys_replaced_without_sets_leave_these_alone_and_sets_go_with_their_owner(
    context: Context, tenant: Tenant
) -> None:
    site = await create_site(context, SYSTEM, tenant_id=tenant.id, name="Depot")
    ann, desk = await person(context, tenant, "Ann", "201"), await device_of(context, tenant)
    for scope, ref in (("site", site.id), ("user", ann.id), ("device", desk.id)):
        await keys_at(context, tenant, scope, ref, ranges=[Range("everyone", "blf", 1)])
        await keys_at(context, tenant, scope, ref, KeyConfig(1, type="dnd"))
        found = await get_ranges(context, SYSTEM, tenant_id=tenant.id, scope=scope, ref=str(ref))
        assert [(entry.people, entry.type, entry.slot) for entry in found] == [("everyone", "blf", 1)]
    await delete_site(context, SYSTEM, site_id=site.id)
    await delete_user(context, SYSTEM, user_id=ann.id)
    await remove_device(context, SYSTEM, device_id=desk.id)
    async with context.store.read() as session:
        assert (await session.execute(select(KeyRange))).scalars().all() == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_the_people_of_a_tenant_are_read_once_for_all_its_phones(
    context: Context, tenant: Tenant
) -> None:
    async with context.store.change() as session:
        for number in range(800):
            user = User(tenant_id=tenant.id, name=f"P{number:03}", created_at=context.clock())
            user.extension = InternalNumber(tenant_id=tenant.id, digits=f"{1000 + number}")
            session.add(user)
    devices = [await device_of(context, tenant, number) for number in range(4)]
    await put_ranges(
        context, SYSTEM, tenant_id=tenant.id, scope="tenant", ranges=[Range("everyone", "blf", 2)]
    )
    reads: list[int] = []

    def count(statement: str) -> None:
        if "users.department, users.kind" in statement:
            reads.append(1)

    await compose_device(context, SYSTEM, device_id=devices[0].id)
    reader = context.store._reader
    assert reader is not None
    reader._connection.set_trace_callback(count)
    for device in devices:
        config = await compose_device(context, SYSTEM, device_id=device.id)
        assert config.keys[1].label == "P000"
    assert reads == []
    async with context.store.change() as session:
        (await session.get_one(User, config.keys[1].user_id)).name = "A new name"
    for device in devices:
        config = await compose_device(context, SYSTEM, device_id=device.id)
        assert config.keys[1].label == "A new name"
    assert len(reads) == 1


# ---- label strips ---------------------------------------------------------------------------------------------


async def test_a_label_strip_has_every_key_and_no_markup_of_anybody(context: Context, tenant: Tenant) -> None:
    bob = await person(context, tenant, "Bob <b>", "202")
    desk = await device_of(context, tenant, name="Desk & Co")
    await keys_at(
        context, tenant, "device", desk.id,
        KeyConfig(2, type="dnd"), KeyConfig(3, type="blf", user_id=bob.id), KeyConfig(4, module=2, type="hold", label="Wait"),
    )  # fmt: skip
    strips = await label_strips(context, SYSTEM, device_id=desk.id)
    assert [(strip.module, len(strip.labels)) for strip in strips.strips] == [(0, 24), (2, 18)]
    assert [label.text for label in strips.strips[0].labels[1:4]] == ["Do not disturb", "Bob <b>", ""]
    page = strip_page(strips)
    assert "Bob &lt;b&gt;" in page
    assert "Desk &amp; Co" in page
    assert "<b>3</b>" in page
    assert "Bob <b>" not in page
    assert "size:A4" in page
    assert "<script" not in page


def test_the_types_are_spelled_out() -> None:
    assert not {"forward", "transfer"} & set(KEY_TYPES)
    assert len(KEY_TYPES) == 29
