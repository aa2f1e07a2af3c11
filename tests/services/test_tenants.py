from typing import Any

import pytest

from provisioner.access.permissions import Role
from provisioner.errors import BadInput, Conflict, Forbidden, InUse, InvalidPolicy, NotFound
from provisioner.model import Device, Site, Tenant
from provisioner.services.context import SYSTEM, Actor, Context
from provisioner.services.devices.device_settings import get_settings, put_settings
from provisioner.services.devices.enrolment import enrol, get_device, remove_device
from provisioner.services.people.api_tokens import create_token
from provisioner.services.people.audit_log import list_audit
from provisioner.services.people.tenants import (
    create_site,
    create_tenant,
    delete_site,
    delete_tenant,
    get_site,
    get_tenant,
    list_sites,
    list_tenants,
    update_site,
    update_tenant,
)
from provisioner.services.people.users import create_user
from provisioner.services.revocations import is_revoked


async def _device(context: Context, tenant: Tenant, mac: str = "000413000001", **fields: Any) -> Device:
    enrolled = await enrol(
        context, SYSTEM, tenant_id=tenant.id, profile="snom", model="D785", mac=mac, **fields
    )
    return enrolled.device


async def _revision(context: Context, device: Device) -> int:
    return (await get_device(context, SYSTEM, device_id=device.id)).revision


async def test_a_tenant_is_listed_with_how_much_it_has(context: Context, tenant: Tenant) -> None:
    await create_user(context, SYSTEM, tenant_id=tenant.id, name="Ann")
    await _device(context, tenant)
    (summary,) = await list_tenants(context, SYSTEM)
    assert (summary.tenant.key, summary.users, summary.devices) == ("acme", 1, 1)


async def test_an_admin_sees_the_own_tenant_only(
    context: Context, tenant: Tenant, other_tenant: Tenant
) -> None:
    """T27."""
    admin = Actor(name="ann", role=Role.ADMIN, tenant_id=tenant.id)
    assert [one.tenant.id for one in await list_tenants(context, admin)] == [tenant.id]
    with pytest.raises(NotFound):
        await get_tenant(context, admin, tenant_id=other_tenant.id)
    with pytest.raises(NotFound):
        await update_tenant(context, admin, tenant_id=other_tenant.id, name="Mine now")
    with pytest.raises(NotFound):
        await list_sites(context, admin, tenant_id=other_tenant.id)
    site = await create_site(context, SYSTEM, tenant_id=other_tenant.id, name="Depot")
    for use in (get_site, delete_site):
        with pytest.raises(NotFound):
            await use(context, admin, site_id=site.id)
    with pytest.raises(NotFound):
        await update_site(context, admin, site_id=site.id, name="x")


async def test_only_an_operator_makes_and_removes_tenants(context: Context, tenant: Tenant) -> None:
    admin = Actor(name="ann", role=Role.ADMIN, tenant_id=tenant.id)
    with pytest.raises(Forbidden):
        await create_tenant(context, admin, key="mine", name="Mine", sip_domain="mine.test")
    with pytest.raises(Forbidden):
        await delete_tenant(context, admin, tenant_id=tenant.id)


async def test_only_an_operator_gives_a_tenant_the_sip_domain_of_another(
    context: Context, tenant: Tenant, other_tenant: Tenant
) -> None:
    """T27: under one domain the PBX directory could not tell the tenants apart, and calls to the other would stop."""
    admin, domain = Actor(name="ann", role=Role.ADMIN, tenant_id=tenant.id), other_tenant.sip_domain
    with pytest.raises(Conflict, match="SIP domain"):
        await update_tenant(context, admin, tenant_id=tenant.id, sip_domain=domain.upper())
    assert (await get_tenant(context, admin, tenant_id=tenant.id)).sip_domain == tenant.sip_domain
    assert (await update_tenant(context, admin, tenant_id=tenant.id, sip_domain="new.test")).sip_domain
    assert (await update_tenant(context, SYSTEM, tenant_id=tenant.id, sip_domain=domain)).sip_domain == domain


async def test_a_key_is_taken_once(context: Context, tenant: Tenant) -> None:
    with pytest.raises(Conflict, match="acme"):
        await create_tenant(context, SYSTEM, key="acme", name="Again", sip_domain="again.test")
    assert len(await list_tenants(context, SYSTEM)) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "two\nlines"),
        ("name", "half \ud800 of a character"),
        ("name", "x" * 121),
        ("sip_domain", "sip:pbx"),
        ("sip_domain", ""),
        ("networks", ["10.0.0.0/99"]),
        ("networks", ["10.0.0.0/8"] * 101),
        ("is_premium", "yes"),
        ("password_minimum", 5),
        ("password_minimum", 41),
        ("main_number", "call me"),
        ("emergency_caller_id", "112"),
        ("id", 7),
    ],
)
async def test_a_wrong_value_is_named_and_changes_nothing(
    context: Context, tenant: Tenant, field: str, value: object
) -> None:
    with pytest.raises(BadInput) as caught:
        await update_tenant(context, SYSTEM, tenant_id=tenant.id, **{field: value})
    assert caught.value.field == field
    after = await get_tenant(context, SYSTEM, tenant_id=tenant.id)
    assert (after.name, after.sip_domain, after.networks, after.password_minimum) == (
        "Acme",
        "acme.test",
        [],
        6,
    )


async def test_a_policy_that_cannot_be_understood_is_refused(context: Context, tenant: Tenant) -> None:
    with pytest.raises(InvalidPolicy):
        await update_tenant(context, SYSTEM, tenant_id=tenant.id, policy="passwort")


async def test_phones_get_a_new_file_when_the_domain_or_the_policy_changes_and_only_then(
    context: Context, tenant: Tenant, other_tenant: Tenant
) -> None:
    mine, foreign = await _device(context, tenant), await _device(context, other_tenant, "000413000002")
    for fields, rises in (
        ({"sip_domain": "new.acme.test"}, 1),
        ({"policy": "token"}, 1),
        ({"name": "Acme Ltd"}, 0),
        ({"main_number": "+31 20 123"}, 0),
        ({"password_minimum": 12}, 0),
        ({"networks": ["192.0.2.0/24"]}, 0),
    ):
        before = await _revision(context, mine)
        await update_tenant(context, SYSTEM, tenant_id=tenant.id, **fields)
        assert await _revision(context, mine) == before + rises, fields
    assert await _revision(context, foreign) == 1


async def test_networks_are_kept_in_one_form(context: Context, tenant: Tenant) -> None:
    changed = await update_tenant(
        context, SYSTEM, tenant_id=tenant.id, networks="192.0.2.7/24, 2001:db8::/32"
    )
    assert changed.networks == ["192.0.2.0/24", "2001:db8::/32"]


async def test_clear_text_is_switched_on_in_writing(context: Context, tenant: Tenant) -> None:
    """T5: the audit log says who switched it."""
    await update_tenant(context, SYSTEM, tenant_id=tenant.id, is_clear_text_allowed=True)
    entry = (await list_audit(context, SYSTEM, tenant_id=tenant.id)).items[0]
    assert (entry.action, entry.detail["is_clear_text_allowed"]) == ("tenant.update", True)


async def test_premium_is_not_taken_from_people_with_several_devices(
    context: Context, tenant: Tenant
) -> None:
    ann = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Ann")
    room = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Room", kind="conference")
    for number, user in enumerate([ann, ann, room, room]):
        await _device(context, tenant, f"00041300000{number}", user_id=user.id, name=f"phone {number}")
    with pytest.raises(Conflict, match="Ann: phone 0, phone 1") as caught:
        await update_tenant(context, SYSTEM, tenant_id=tenant.id, is_premium=False)
    assert caught.value.data["users"] == {"Ann": ["phone 0", "phone 1"]}
    assert (await get_tenant(context, SYSTEM, tenant_id=tenant.id)).is_premium


async def test_a_tenant_with_devices_is_not_removed(context: Context, tenant: Tenant) -> None:
    device = await _device(context, tenant)
    with pytest.raises(InUse, match="1 devices"):
        await delete_tenant(context, SYSTEM, tenant_id=tenant.id)
    await remove_device(context, SYSTEM, device_id=device.id)
    await create_user(context, SYSTEM, tenant_id=tenant.id, name="Ann", extension="201")
    token = await create_token(context, SYSTEM, name="pbx", role="pbx", tenant_id=tenant.id)
    await delete_tenant(context, SYSTEM, tenant_id=tenant.id)
    assert await list_tenants(context, SYSTEM) == []
    assert await is_revoked(context.store, f"token:{token.row.public_id}")


async def test_a_site_goes_with_its_settings_and_its_phones_stay(context: Context, tenant: Tenant) -> None:
    site = await create_site(context, SYSTEM, tenant_id=tenant.id, name="Depot")
    device = await _device(context, tenant, site_id=site.id)
    await put_settings(
        context, SYSTEM, tenant_id=tenant.id, scope="site", ref=str(site.id), values={"language": "nl"}
    )
    before = await _revision(context, device)
    await delete_site(context, SYSTEM, site_id=site.id)
    after = await get_device(context, SYSTEM, device_id=device.id)
    assert (after.site_id, after.revision) == (None, before + 1)
    assert await list_sites(context, SYSTEM, tenant_id=tenant.id) == []
    with pytest.raises(NotFound):
        await get_settings(context, SYSTEM, tenant_id=tenant.id, scope="site", ref=str(site.id))


async def test_two_sites_of_a_tenant_do_not_share_a_name(
    context: Context, tenant: Tenant, other_tenant: Tenant
) -> None:
    await create_site(context, SYSTEM, tenant_id=tenant.id, name="Depot")
    await create_site(context, SYSTEM, tenant_id=other_tenant.id, name="Depot")
    with pytest.raises(Conflict):
        await create_site(context, SYSTEM, tenant_id=tenant.id, name="Depot")
    shop: Site = await create_site(context, SYSTEM, tenant_id=tenant.id, name="Shop")
    with pytest.raises(Conflict):
        await update_site(context, SYSTEM, site_id=shop.id, name="Depot")
