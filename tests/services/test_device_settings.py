import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from provisioner.access.permissions import Role
from provisioner.composition.phone_config import KeyConfig
from provisioner.errors import BadInput, InvalidSetting, NotFound, UnknownModel
from provisioner.model import AuditEntry, Device, Mac, Tenant
from provisioner.services.context import SYSTEM, Actor, Context
from provisioner.services.devices.device_settings import SECRET_SHOWN, get_settings, put_settings
from provisioner.services.files.phone_files import compose_device, preview_files
from provisioner.services.keys.function_keys import get_keys, put_keys
from provisioner.services.people.tenants import create_site
from provisioner.services.people.users import create_user
from tests.services.places import device_of, revision_of


async def test_scopes_lie_over_each_other_and_say_so(context: Context, tenant: Tenant) -> None:
    site = await create_site(context, SYSTEM, tenant_id=tenant.id, name="Depot")
    ann = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Ann", extension="201")
    device = await device_of(context, tenant, site_id=site.id, user_id=ann.id, name="Desk")

    async def language(scope: str, ref: str, value: str | None) -> tuple[Any, str, list[str]]:
        await put_settings(
            context, SYSTEM, tenant_id=tenant.id, scope=scope, ref=ref, values={"language": value}
        )
        composed = (await compose_device(context, SYSTEM, device_id=device.id)).settings["language"]
        return composed.value, composed.origin.label, [origin.scope for origin in composed.shadowed]

    assert await language("tenant", "", "nl") == ("nl", "Acme", ["default"])
    assert await language("site", str(site.id), "de") == ("de", "Depot", ["tenant", "default"])
    assert await language("user", str(ann.id), "pl") == ("pl", "Ann", ["site", "tenant", "default"])
    assert await language("device", str(device.id), None) == (
        "en",
        "Desk",
        ["user", "site", "tenant", "default"],
    )
    await put_settings(
        context,
        SYSTEM,
        tenant_id=tenant.id,
        scope="device",
        ref=str(device.id),
        values={},
        inherit=["language"],
    )
    assert (await compose_device(context, SYSTEM, device_id=device.id)).settings["language"].value == "pl"


async def test_a_secret_is_sealed_shown_as_dots_and_survives_a_form_that_sends_the_dots_back(
    context: Context, tenant: Tenant
) -> None:
    """T20."""
    name = "phone_admin_password"
    scope = context.catalogue[name].scopes[-1]
    device = await device_of(context, tenant)
    place: dict[str, Any] = {
        "tenant_id": tenant.id,
        "scope": scope,
        "ref": str(device.id) if scope == "device" else "",
    }
    shown = await put_settings(context, SYSTEM, **place, values={name: "Canary-secret-1"})
    assert shown == {name: SECRET_SHOWN}
    await put_settings(context, SYSTEM, **place, values={name: SECRET_SHOWN})
    assert (await compose_device(context, SYSTEM, device_id=device.id)).settings[
        name
    ].value == "Canary-secret-1"
    async with context.store.read() as session:
        from sqlalchemy import text

        rows = (await session.execute(text("SELECT value FROM setting_values"))).scalars().all()
    assert "Canary-secret-1" not in repr(rows)


@pytest.mark.parametrize(
    ("scope", "ref", "error"),
    [
        ("site", "999", NotFound), ("user", "999", NotFound), ("device", "999", NotFound), ("device", "x", InvalidSetting), ("device", "٣", InvalidSetting),
        ("model", "snom/none", UnknownModel), ("planet", "", InvalidSetting), ("tenant", "1", InvalidSetting), ("device", "9" * 30, InvalidSetting),
    ],
)  # fmt: skip
async def test_a_scope_that_is_not_there_is_refused(
    context: Context, tenant: Tenant, scope: str, ref: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await get_settings(context, SYSTEM, tenant_id=tenant.id, scope=scope, ref=ref)
    with pytest.raises(error):
        await put_keys(context, SYSTEM, tenant_id=tenant.id, scope=scope, ref=ref, keys=[])


async def test_a_padded_number_names_the_same_device(context: Context, tenant: Tenant) -> None:
    device = await device_of(context, tenant)
    await put_settings(
        context, SYSTEM, tenant_id=tenant.id, scope="device", ref=f"00{device.id}", values={"language": "nl"}
    )
    assert (await compose_device(context, SYSTEM, device_id=device.id)).settings["language"].value == "nl"


async def test_all_or_nothing(context: Context, tenant: Tenant) -> None:
    device = await device_of(context, tenant)
    with pytest.raises(InvalidSetting):
        await put_settings(
            context,
            SYSTEM,
            tenant_id=tenant.id,
            scope="tenant",
            values={"language": "nl", "timezone": "Mars/Base"},
        )
    assert await get_settings(context, SYSTEM, tenant_id=tenant.id, scope="tenant") == {}
    assert await revision_of(context, device) == 1


async def test_foreign_scopes_do_not_exist(context: Context, tenant: Tenant, other_tenant: Tenant) -> None:
    """T27."""
    device = await device_of(context, other_tenant)
    ann = Actor(name="ann", role=Role.ADMIN, tenant_id=tenant.id)
    for scope, ref in (("device", str(device.id)), ("tenant", ""), ("model", "snom/D785")):
        with pytest.raises(NotFound):
            await put_settings(
                context,
                ann,
                tenant_id=other_tenant.id,
                scope=scope,
                ref=ref,
                values={"ring_tone": 2} if scope != "tenant" else {"language": "nl"},
            )
    with pytest.raises(NotFound):
        await put_settings(
            context, ann, tenant_id=tenant.id, scope="device", ref=str(device.id), values={"language": "nl"}
        )
    with pytest.raises(NotFound):
        await compose_device(context, ann, device_id=device.id)


async def test_the_role_user_reaches_its_own_scope_only(context: Context, tenant: Tenant) -> None:
    ann = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Ann")
    bob = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Bob")
    me = Actor(name="ann", role=Role.USER, tenant_id=tenant.id, user_id=ann.id)
    await put_settings(
        context, me, tenant_id=tenant.id, scope="user", ref=str(ann.id), values={"language": "nl"}
    )
    for scope, ref in (("user", str(bob.id)), ("tenant", ""), ("model", "snom/D785")):
        with pytest.raises(NotFound):
            await get_settings(context, me, tenant_id=tenant.id, scope=scope, ref=ref)


async def test_keys_are_replaced_and_reach_the_phone(context: Context, tenant: Tenant) -> None:
    device = await device_of(context, tenant)
    keys = [
        KeyConfig(slot=3, type="blf", target="202", label="Bob"),
        KeyConfig(slot=1, module=1, type="speed_dial", target="112"),
    ]
    await put_keys(context, SYSTEM, tenant_id=tenant.id, scope="device", ref=str(device.id), keys=keys)
    stored = await get_keys(context, SYSTEM, tenant_id=tenant.id, scope="device", ref=str(device.id))
    assert [(key.module, key.slot, key.target, key.origin) for key in stored] == [
        (0, 3, "202", "device"),
        (1, 1, "112", "device"),
    ]
    config = await compose_device(context, SYSTEM, device_id=device.id)
    third = next(key for key in config.keys if (key.module, key.slot) == (0, 3))
    assert (third.type, third.label, third.pickup_code != "") == ("blf", "Bob", True)
    (_, served), *_ = await preview_files(context, SYSTEM, device_id=device.id)
    assert b"202" in served.body


@pytest.mark.parametrize(
    "key",
    [
        KeyConfig(slot=0, type="blf"), KeyConfig(slot=301, type="blf"), KeyConfig(slot=1, module=7, type="blf"), KeyConfig(slot=1, line=17, type="blf"),
        KeyConfig(slot=1, type="laser"), KeyConfig(slot=1, type="blf", target="x" * 201), KeyConfig(slot=1, type="blf", label="two\nlines"),
        KeyConfig(slot=5, type="blf", target="1"),
    ],
)  # fmt: skip
async def test_a_wrong_key_is_named(context: Context, tenant: Tenant, key: KeyConfig) -> None:
    """T11."""
    with pytest.raises(BadInput, match=f"Key {key.slot}"):
        await put_keys(
            context, SYSTEM, tenant_id=tenant.id, scope="tenant", keys=[KeyConfig(slot=5, type="none"), key]
        )


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_exactly_the_devices_a_change_reaches_get_a_new_revision(
    context: Context, tenant: Tenant, other_tenant: Tenant
) -> None:
    """A property over any layout of sites, users, models and tenants."""
    sites = [
        await create_site(context, SYSTEM, tenant_id=tenant.id, name=f"Site {number}") for number in range(2)
    ]
    users = [
        await create_user(context, SYSTEM, tenant_id=tenant.id, name=f"User {number}") for number in range(2)
    ]
    devices = []
    for number in range(8):
        fields: dict[str, Any] = {
            "model": ["D785", "D735"][number % 2],
            "site_id": [None, sites[0].id, sites[1].id][number % 3],
        }
        fields["user_id"] = [users[0].id, None, users[1].id, None][number % 4]
        devices.append((await device_of(context, tenant, number, **fields), fields, True))
    devices.append(
        (
            await device_of(context, other_tenant, 100),
            {"model": "D785", "site_id": None, "user_id": None},
            False,
        )
    )
    loop = asyncio.get_running_loop()

    def reached(scope: str, which: int) -> tuple[str, list[bool]]:
        ref = {
            "tenant": "",
            "model": f"snom/{['D785', 'D735'][which]}",
            "site": str(sites[which].id),
            "user": str(users[which].id),
            "device": str(devices[which][0].id),
        }[scope]

        def is_hit(device: Device, fields: dict[str, Any]) -> bool:
            own = {
                "tenant": "",
                "model": f"snom/{fields['model']}",
                "site": fields["site_id"],
                "user": fields["user_id"],
            }
            return str(own.get(scope, device.id)) == ref

        return ref, [mine and is_hit(device, fields) for device, fields, mine in devices]

    async def revisions() -> list[int]:
        return [await revision_of(context, device) for device, _, _ in devices]

    async def step(scope: str, which: int, value: int) -> tuple[list[int], list[int], list[bool]]:
        ref, expected = reached(scope, which)
        before = await revisions()
        name, chosen = ("ring_tone", value) if scope != "tenant" else ("sip_expires", 60 + value)
        if name == "ring_tone" and scope not in context.catalogue["ring_tone"].scopes:
            name, chosen = "sip_expires", 60 + value
        await put_settings(context, SYSTEM, tenant_id=tenant.id, scope=scope, ref=ref, values={name: chosen})
        return before, await revisions(), expected

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        scope=st.sampled_from(["tenant", "model", "site", "user", "device"]),
        which=st.integers(0, 1),
        value=st.integers(1, 8),
    )
    def check(scope: str, which: int, value: int) -> None:
        before, after, expected = asyncio.run_coroutine_threadsafe(step(scope, which, value), loop).result(30)
        assert [new - old for old, new in zip(before, after, strict=True)] == [int(hit) for hit in expected]

    await asyncio.to_thread(check)


async def test_the_audit_log_names_the_place_as_people_do(context: Context, tenant: Tenant) -> None:
    device = await device_of(context, tenant, name="Reception")
    await put_settings(
        context, SYSTEM, tenant_id=tenant.id, scope="device", ref=str(device.id), values={"language": "nl"}
    )
    await put_settings(
        context, SYSTEM, tenant_id=tenant.id, scope="tenant", ref="", values={"language": "de"}
    )
    async with context.store.read() as session:
        statement = (
            select(AuditEntry.object).where(AuditEntry.action == "settings.update").order_by(AuditEntry.id)
        )
        said = (await session.execute(statement)).scalars().all()
    assert said[-2:] == [f"device Reception ({Mac(device.mac).pretty})", "tenant"]
