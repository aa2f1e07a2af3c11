from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from provisioner.access.permissions import Role
from provisioner.clock import SteppedClock
from provisioner.composition.phone_config import KeyConfig
from provisioner.errors import (
    BadInput,
    Conflict,
    InvalidMac,
    InvalidPolicy,
    MacTaken,
    NotFound,
    ProvisionerError,
    UnknownModel,
    WeakPassword,
)
from provisioner.model import AuditEntry, Device, FunctionKey, Line, SettingValue, Tenant
from provisioner.services.context import SYSTEM, Actor, Context
from provisioner.services.devices.device_settings import put_settings
from provisioner.services.devices.enrolment import (
    enrol,
    find_by_mac,
    get_device,
    open_claim_window,
    remove_device,
    replace_device_password,
    reveal,
    unlock_device,
    update_device,
)
from provisioner.services.devices.usernames import propose_username
from provisioner.services.files.device_address import device_path
from provisioner.services.keys.function_keys import put_keys
from provisioner.services.people.audit_log import list_audit
from provisioner.services.people.tenants import create_site, update_tenant
from provisioner.services.people.users import create_user
from tests.services.places import GOOD_PASSWORD, MODEL, device_of, enrolled, mac, revision_of


async def _count(context: Context, table: Any) -> int:
    async with context.store.read() as session:
        return (await session.execute(select(func.count()).select_from(table))).scalar_one()


@pytest.mark.parametrize(
    "spelling",
    ["00:04:13:aa:bb:cc", "00-04-13-AA-BB-CC", "0004.13aa.bbcc", "000413AABBCC", " 00 04 13 aa bb cc "],
)
async def test_a_mac_is_taken_in_any_usual_spelling(context: Context, tenant: Tenant, spelling: str) -> None:
    """R1.3."""
    assert (await enrolled(context, tenant, mac=spelling)).device.mac == "000413AABBCC"
    assert (await find_by_mac(context, SYSTEM, mac=spelling)).mac == "000413AABBCC"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("", "empty"), ("0004.13aa.bb", "this one has 10"), ("000413AABBCCDD", "this one has 14"), ("00:04:13:AA:BB:CO", "letter O"),
        ("00:04:13:AA:BB:Cl", "a one should"), ("FF:FF:FF:FF:FF:FF", "all Fs"), ("01:00:5E:00:00:01", "group address"), ("../../etc/passwd", "only the digits"),
    ],
)  # fmt: skip
async def test_a_bad_mac_gets_told_what_is_wrong(
    context: Context, tenant: Tenant, wrong: str, sentence: str
) -> None:
    """R1.3, T13."""
    with pytest.raises(InvalidMac, match=sentence):
        await enrolled(context, tenant, mac=wrong)
    assert await _count(context, Device) == 0


async def test_a_taken_mac_names_its_device_to_those_who_may_see_it(
    context: Context, tenant: Tenant, other_tenant: Tenant
) -> None:
    await enrolled(context, tenant, 1, name="Reception")
    admin = Actor(name="ann", role=Role.ADMIN, tenant_id=tenant.id)
    with pytest.raises(MacTaken, match="“Reception” of Acme"):
        await enrol(context, admin, tenant_id=tenant.id, mac=mac(1), **MODEL)
    stranger = Actor(name="bob", role=Role.ADMIN, tenant_id=other_tenant.id)
    with pytest.raises(MacTaken) as caught:
        await enrol(context, stranger, tenant_id=other_tenant.id, mac=mac(1), **MODEL)
    assert caught.value.detail == "00:04:13:00:00:01 is already registered on this server."
    assert caught.value.data == {"field": "mac"}
    other = await device_of(context, other_tenant, 2)
    with pytest.raises(MacTaken, match="is already registered on this server"):
        await update_device(context, stranger, device_id=other.id, mac=mac(1))


async def test_a_foreign_vendors_block_is_a_warning(context: Context, tenant: Tenant) -> None:
    assert (await enrolled(context, tenant, 1)).warnings == ()
    (warning,) = (await enrolled(context, tenant, 2, profile="yealink", model="T46U")).warnings
    assert "is an address of Snom, but the chosen type is Yealink" in warning
    (warning,) = (await enrolled(context, tenant, 3, mac="0A0000000001")).warnings
    assert "not a known Snom address" in warning
    assert (
        await enrolled(context, tenant, 4, mac="0A0000000002", profile="generic", model="Linphone")
    ).warnings == ()


async def test_an_unknown_model_gets_the_list(context: Context, tenant: Tenant) -> None:
    with pytest.raises(UnknownModel) as caught:
        await enrolled(context, tenant, model="D9999")
    assert "snom/D785" in caught.value.data["models"]


@pytest.mark.parametrize(
    ("password", "missing"),
    [
        ("Ab1-x", ["It needs at least 6 characters."]),
        ("blue-kettle-77", ["It needs an upper-case letter."]),
        ("BLUE-KETTLE-77", ["It needs a lower-case letter."]),
        ("Blue-kettle-x", ["It needs a digit."]),
        ("Bluekettle77", ["It needs a special character, such as - _ . ! *."]),
        (
            "aaaaaa",
            [
                "It needs an upper-case letter.",
                "It needs a digit.",
                "It needs a special character, such as - _ . ! *.",
            ],
        ),
        (
            "Blue-kettle-77-é",
            ["It can hold only printable ASCII characters: no accents, no control characters."],
        ),
    ],
)
async def test_each_missing_class_of_a_password_has_its_sentence(
    context: Context, tenant: Tenant, password: str, missing: list[str]
) -> None:
    """R1.4."""
    with pytest.raises(WeakPassword) as caught:
        await enrolled(context, tenant, password=password)
    assert caught.value.data["missing"] == missing
    assert await _count(context, Device) == 0


async def test_a_password_may_be_six_characters_of_four_classes(context: Context, tenant: Tenant) -> None:
    assert (await enrolled(context, tenant, password="aB3-xy")).password == "aB3-xy"


async def test_a_tenant_makes_the_rule_stricter(context: Context, tenant: Tenant) -> None:
    await update_tenant(context, SYSTEM, tenant_id=tenant.id, password_minimum=15)
    with pytest.raises(WeakPassword, match="at least 15"):
        await enrolled(context, tenant)


@pytest.mark.parametrize(
    ("profile", "model"), [("snom", "D785"), ("yealink", "T46U"), ("generic", "Linphone")]
)
async def test_a_generated_password_follows_the_rule_and_fits_the_phone(
    context: Context, tenant: Tenant, profile: str, model: str
) -> None:
    for number in range(5):
        made = await enrolled(context, tenant, number, profile=profile, model=model, password=None)
        assert made.was_generated
        vendor = context.profiles.all[profile]
        assert 6 <= len(made.password) <= vendor.password_max
        assert set(made.password) <= set(vendor.password_alphabet)


async def test_the_password_is_sealed_and_never_kept_in_clear(context: Context, tenant: Tenant) -> None:
    """T20: a dump of the database holds no secret in clear."""
    made = await enrolled(context, tenant)
    assert reveal(context, made.device, "password") == GOOD_PASSWORD
    async with context.store.read() as session:
        device, line = (
            (await session.execute(select(Device))).scalar_one(),
            (await session.execute(select(Line))).scalar_one(),
        )
    secrets = [
        reveal(context, made.device, name)
        for name in ("password", "token", "action_token", "admin_password", "admin_pin")
    ]
    dump = repr([vars(device), vars(line)])
    assert [secret for secret in secrets if secret in dump] == []
    entries = (await list_audit(context, SYSTEM)).items
    assert all(GOOD_PASSWORD not in repr(vars(entry)) for entry in entries)


async def test_every_device_gets_secrets_of_its_own(context: Context, tenant: Tenant) -> None:
    """T3."""
    one, two = await device_of(context, tenant, 1), await device_of(context, tenant, 2)
    for name in ("token", "action_token", "admin_password", "admin_pin"):
        assert reveal(context, one, name) != reveal(context, two, name)
    assert (one.uid, one.username, one.lines[0].account) != (two.uid, two.username, two.lines[0].account)


async def test_creating_gives_the_device_to_the_user_in_one_step(context: Context, tenant: Tenant) -> None:
    """R1.5."""
    ann = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Ann", extension="201")
    device = await device_of(context, tenant, user_id=ann.id)
    assert (device.name, device.lines[0].position, device.lines[0].kind, device.lines[0].user_id) == (
        "D785 Ann",
        1,
        "user",
        ann.id,
    )


async def test_without_premium_a_person_has_one_device(context: Context, tenant: Tenant) -> None:
    """R4.1."""
    await update_tenant(context, SYSTEM, tenant_id=tenant.id, is_premium=False)
    ann = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Ann")
    room = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Room", kind="conference")
    first = await device_of(context, tenant, 1, user_id=ann.id, name="Desk")
    with pytest.raises(Conflict, match=r"Ann already has Desk: .* premium"):
        await enrolled(context, tenant, 2, user_id=ann.id)
    assert await _count(context, Device) == 1
    for number in (3, 4):
        await enrolled(context, tenant, number, user_id=room.id)
    await update_device(context, SYSTEM, device_id=first.id, user_id=ann.id, name="Desk 1")


async def test_with_premium_a_person_has_nine(context: Context, tenant: Tenant) -> None:
    ann = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Ann")
    for number in range(9):
        await enrolled(context, tenant, number, user_id=ann.id)
    with pytest.raises(Conflict, match="remove one of them first"):
        await enrolled(context, tenant, 10, user_id=ann.id)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "two\nlines"}, {"name": "x" * 81}, {"note": "x" * 501}, {"note": "nul \x00"}, {"username": "ab"}, {"username": "a b c"}, {"username": "ünïcode"},
        {"policy": "sesame"}, {"user_id": 999}, {"site_id": 999},
    ],
)  # fmt: skip
async def test_nothing_is_stored_when_anything_is_wrong(
    context: Context, tenant: Tenant, fields: dict[str, Any]
) -> None:
    """T11: control characters stop at the door."""
    with pytest.raises((BadInput, InvalidPolicy)):
        await enrolled(context, tenant, **fields)
    assert (await _count(context, Device), await _count(context, Line)) == (0, 0)


async def test_a_username_is_taken_once_and_one_is_proposed(context: Context, tenant: Tenant) -> None:
    await enrolled(context, tenant, 1, username="desk-1")
    with pytest.raises(Conflict, match="desk-1"):
        await enrolled(context, tenant, 2, username="desk-1")
    proposed = await propose_username(context, profile=context.profiles.all["snom"])
    assert (await enrolled(context, tenant, 2, username=proposed)).device.username == proposed


async def test_foreign_devices_do_not_exist(context: Context, tenant: Tenant, other_tenant: Tenant) -> None:
    """T27: the same words as for a device that never was."""
    theirs = await device_of(context, other_tenant)
    ann = Actor(name="ann", role=Role.ADMIN, tenant_id=tenant.id)

    async def words(device_id: int) -> set[str]:
        said = set()
        for use in (
            lambda: get_device(context, ann, device_id=device_id),
            lambda: update_device(context, ann, device_id=device_id, note="mine"),
            lambda: replace_device_password(context, ann, device_id=device_id),
            lambda: open_claim_window(context, ann, device_id=device_id, minutes=5),
            lambda: unlock_device(context, ann, device_id=device_id),
            lambda: remove_device(context, ann, device_id=device_id),
            lambda: device_path(context, ann, device_id=device_id),
        ):
            with pytest.raises(ProvisionerError) as caught:
                await use()
            assert isinstance(caught.value, NotFound)
            said.add(caught.value.detail)
        return said

    assert await words(theirs.id) == await words(999_999) == {"There is no such device."}
    site = await create_site(context, SYSTEM, tenant_id=other_tenant.id, name="Depot")
    user = await create_user(context, SYSTEM, tenant_id=other_tenant.id, name="Bob")
    wrong: list[dict[str, Any]] = [{"site_id": site.id}, {"user_id": user.id}]
    for fields in wrong:
        with pytest.raises(BadInput):
            await enrol(context, ann, tenant_id=tenant.id, mac=mac(7), **MODEL, **fields)


async def test_an_edit_changes_what_it_names_and_raises_the_revision_once(
    context: Context, tenant: Tenant
) -> None:
    """R1.6."""
    device, other = await device_of(context, tenant, 1), await device_of(context, tenant, 2)
    changed, warnings = await update_device(
        context,
        SYSTEM,
        device_id=device.id,
        name="Lobby",
        model="D735",
        note="by the door",
        policy="certificate",
        mac="00:15:65:00:00:01",
    )
    assert (changed.name, changed.model, changed.note, changed.policy, changed.mac) == (
        "Lobby",
        "D735",
        "by the door",
        "certificate",
        "001565000001",
    )
    assert "Yealink" in warnings[0]
    assert (await revision_of(context, device), await revision_of(context, other)) == (2, 1)
    with pytest.raises(BadInput, match="no field"):
        await update_device(context, SYSTEM, device_id=device.id, password="Sesame-77")


async def test_a_replaced_password_leaves_the_old_one_for_a_week_unless_at_once(
    context: Context, tenant: Tenant, clock: SteppedClock
) -> None:
    device = await device_of(context, tenant)
    replaced = await replace_device_password(context, SYSTEM, device_id=device.id, password="Green-kettle-88")
    assert reveal(context, replaced.device, "password") == "Green-kettle-88"
    assert reveal(context, replaced.device, "previous_password") == GOOD_PASSWORD
    assert replaced.device.previous_until == clock() + timedelta(days=7)
    stolen = await replace_device_password(context, SYSTEM, device_id=device.id, at_once=True)
    assert (stolen.was_generated, stolen.device.previous_password, stolen.device.previous_until) == (
        True,
        "",
        None,
    )


@pytest.mark.parametrize("minutes", [0, -5, 1441])
async def test_a_claim_window_has_bounds(context: Context, tenant: Tenant, minutes: int) -> None:
    device = await device_of(context, tenant)
    with pytest.raises(BadInput):
        await open_claim_window(context, SYSTEM, device_id=device.id, minutes=minutes)


async def test_a_claim_window_opens_anew_for_anybody(
    context: Context, tenant: Tenant, clock: SteppedClock
) -> None:
    """T7."""
    device = await device_of(context, tenant)
    opened = await open_claim_window(context, SYSTEM, device_id=device.id, minutes=10)
    assert (opened.window_until, opened.window_address) == (clock() + timedelta(minutes=10), "")
    entry = (await list_audit(context, SYSTEM)).items[0]
    assert (entry.action, entry.detail["minutes"]) == ("device.window", 10)


async def test_a_removed_device_takes_its_own_settings_and_keys_along(
    context: Context, tenant: Tenant
) -> None:
    device = await device_of(context, tenant)
    await put_settings(
        context, SYSTEM, tenant_id=tenant.id, scope="device", ref=str(device.id), values={"language": "nl"}
    )
    await put_keys(
        context,
        SYSTEM,
        tenant_id=tenant.id,
        scope="device",
        ref=str(device.id),
        keys=[KeyConfig(slot=1, type="blf", target="201")],
    )
    await remove_device(context, SYSTEM, device_id=device.id, reason="sold")
    assert [await _count(context, table) for table in (Device, Line, SettingValue, FunctionKey)] == [
        0,
        0,
        0,
        0,
    ]
    entry = (await list_audit(context, SYSTEM)).items[0]
    assert (entry.action, entry.detail) == ("device.remove", {"reason": "sold"})
    assert await _count(context, AuditEntry) >= 3


async def test_the_path_of_a_device_has_its_token_only_where_the_policy_asks_for_one(
    context: Context, tenant: Tenant
) -> None:
    device = await device_of(context, tenant)
    assert await device_path(context, SYSTEM, device_id=device.id) == "/p"
    await update_device(context, SYSTEM, device_id=device.id, policy="token")
    assert (
        await device_path(context, SYSTEM, device_id=device.id) == f"/p/t/{reveal(context, device, 'token')}"
    )
