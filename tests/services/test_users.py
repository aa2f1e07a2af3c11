import pytest

from provisioner.access.permissions import Role
from provisioner.errors import BadInput, Conflict, ExtensionTaken, InUse, NotFound
from provisioner.model import Tenant
from provisioner.services.context import SYSTEM, Actor, Context
from provisioner.services.devices.device_list import count_states, list_devices
from provisioner.services.devices.enrolment import update_device
from provisioner.services.devices.user_devices import devices_of_users
from provisioner.services.people.tenants import create_site
from provisioner.services.people.user_names import find_by_name
from provisioner.services.people.users import (
    create_user,
    delete_user,
    get_user,
    list_users,
    public_numbers,
    update_user,
)
from tests.services.places import device_of, revision_of


async def test_a_user_has_a_name_an_extension_and_numbers(context: Context, tenant: Tenant) -> None:
    ann = await create_user(
        context, SYSTEM, tenant_id=tenant.id, name=" Ann ", extension="201", email="ann@acme.test"
    )
    assert (ann.name, ann.extension.digits if ann.extension else None) == ("Ann", "201")
    await update_user(context, SYSTEM, user_id=ann.id, numbers=["+31 20 123 45 67", "0800-1234"])
    assert await public_numbers(context, SYSTEM, user_ids=[ann.id]) == {ann.id: ["+31201234567", "08001234"]}
    await update_user(context, SYSTEM, user_id=ann.id, numbers=["08001234"], extension="")
    assert await public_numbers(context, SYSTEM, user_ids=[ann.id]) == {ann.id: ["08001234"]}
    assert (await get_user(context, SYSTEM, user_id=ann.id)).extension is None


async def test_a_user_without_an_extension_says_so(context: Context, tenant: Tenant) -> None:
    assert (await create_user(context, SYSTEM, tenant_id=tenant.id, name="Ann")).extension is None


async def test_an_extension_is_free_again_after_it_moved(
    context: Context, tenant: Tenant, other_tenant: Tenant
) -> None:
    ann = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Ann", extension="201")
    with pytest.raises(ExtensionTaken, match="belongs to Ann"):
        await create_user(context, SYSTEM, tenant_id=tenant.id, name="Bob", extension="201")
    await create_user(context, SYSTEM, tenant_id=other_tenant.id, name="Bob", extension="201")
    await update_user(context, SYSTEM, user_id=ann.id, extension="202")
    bob = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Bob", extension="201")
    await delete_user(context, SYSTEM, user_id=bob.id)
    await create_user(context, SYSTEM, tenant_id=tenant.id, name="Carl", extension="201")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("extension", "1"), ("extension", "12345"), ("extension", "2o1"), ("name", ""), ("name", "a\x00b"), ("name", "x" * 121),
        ("email", "x" * 255), ("kind", "robot"), ("numbers", ["call me"]), ("site_id", 999), ("site_id", 2**70), ("nickname", "Annie"),
    ],
)  # fmt: skip
async def test_a_wrong_value_is_named_and_changes_nothing(
    context: Context, tenant: Tenant, field: str, value: object
) -> None:
    ann = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Ann", extension="201")
    with pytest.raises(BadInput) as caught:
        await update_user(context, SYSTEM, user_id=ann.id, **{"department": "Sales", field: value})
    assert caught.value.field == field
    after = await get_user(context, SYSTEM, user_id=ann.id)
    assert (after.name, after.department, after.extension.digits if after.extension else "") == (
        "Ann",
        "",
        "201",
    )


async def test_a_public_number_belongs_to_one_user_of_the_server(
    context: Context, tenant: Tenant, other_tenant: Tenant
) -> None:
    ann = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Ann")
    bob = await create_user(context, SYSTEM, tenant_id=other_tenant.id, name="Bob")
    await update_user(context, SYSTEM, user_id=ann.id, numbers=["+31201234567"])
    with pytest.raises(Conflict, match="somebody else"):
        await update_user(context, SYSTEM, user_id=bob.id, numbers=["+31201234567"])


async def test_only_what_phones_show_gives_them_a_new_file(context: Context, tenant: Tenant) -> None:
    ann = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Ann", extension="201")
    bob = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Bob", extension="202")
    hers, his = (
        await device_of(context, tenant, 1, user_id=ann.id),
        await device_of(context, tenant, 2, user_id=bob.id),
    )
    await update_user(context, SYSTEM, user_id=ann.id, email="ann@acme.test", department="Sales")
    assert await revision_of(context, hers) == 1
    await update_user(context, SYSTEM, user_id=ann.id, name="Anna")
    await update_user(context, SYSTEM, user_id=ann.id, extension="203")
    assert (await revision_of(context, hers), await revision_of(context, his)) == (3, 1)


async def test_a_user_with_devices_is_not_removed(context: Context, tenant: Tenant) -> None:
    ann = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Ann")
    device = await device_of(context, tenant, user_id=ann.id, name="Reception")
    with pytest.raises(InUse, match="Reception"):
        await delete_user(context, SYSTEM, user_id=ann.id)
    await update_device(context, SYSTEM, device_id=device.id, user_id=None)
    await delete_user(context, SYSTEM, user_id=ann.id)
    with pytest.raises(NotFound):
        await get_user(context, SYSTEM, user_id=ann.id)


async def test_foreign_users_do_not_exist(context: Context, tenant: Tenant, other_tenant: Tenant) -> None:
    """T27."""
    bob = await create_user(context, SYSTEM, tenant_id=other_tenant.id, name="Bob")
    site = await create_site(context, SYSTEM, tenant_id=other_tenant.id, name="Depot")
    ann = Actor(name="ann", role=Role.ADMIN, tenant_id=tenant.id)
    for use in (get_user, delete_user, update_user):
        with pytest.raises(NotFound):
            await use(context, ann, user_id=bob.id)
    with pytest.raises(NotFound):
        await list_users(context, ann, tenant_id=other_tenant.id)
    with pytest.raises(NotFound):
        await create_user(context, ann, tenant_id=other_tenant.id, name="Spy")
    with pytest.raises(BadInput):
        await create_user(context, ann, tenant_id=tenant.id, name="Spy", site_id=site.id)
    assert await public_numbers(context, ann, user_ids=[bob.id]) == {bob.id: []}
    with pytest.raises(NotFound):
        await create_user(context, SYSTEM, tenant_id=9_999, name="Nobody's")


async def test_the_role_user_sees_itself_only(context: Context, tenant: Tenant) -> None:
    ann = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Ann")
    bob = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Bob")
    hers, his = (
        await device_of(context, tenant, 1, user_id=ann.id),
        await device_of(context, tenant, 2, user_id=bob.id),
    )
    me = Actor(name="ann", role=Role.USER, tenant_id=tenant.id, user_id=ann.id)
    assert [user.name for user in (await list_users(context, me, tenant_id=tenant.id)).items] == ["Ann"]
    assert [row.device.id for row in (await list_devices(context, me)).items] == [hers.id]
    for use in (get_user, update_user):
        with pytest.raises(NotFound):
            await use(context, me, user_id=bob.id)
    with pytest.raises(NotFound):
        await update_device(context, me, device_id=his.id, note="mine")
    with pytest.raises(NotFound):
        await create_user(context, me, tenant_id=tenant.id, name="Friend")


@pytest.mark.parametrize("search", ["ANN", "01", "acme.test", "A%", "nothing%", "half \ud800", "\x00"])
async def test_a_search_takes_everything_literally(context: Context, tenant: Tenant, search: str) -> None:
    await create_user(
        context, SYSTEM, tenant_id=tenant.id, name="Ann", extension="201", email="ann@acme.test"
    )
    await create_user(context, SYSTEM, tenant_id=tenant.id, name="A%B")
    found = [
        user.name for user in (await list_users(context, SYSTEM, tenant_id=tenant.id, search=search)).items
    ]
    assert found == {"ANN": ["Ann"], "01": ["Ann"], "acme.test": ["Ann"], "A%": ["A%B"]}.get(search, [])


async def test_pages_of_users_are_whole(context: Context, tenant: Tenant) -> None:
    for number in range(7):
        await create_user(
            context, SYSTEM, tenant_id=tenant.id, name=f"User {number}", extension=str(200 + number)
        )
    page = await list_users(context, SYSTEM, tenant_id=tenant.id, offset=5, limit=3)
    assert ([user.name for user in page.items], page.total) == (["User 5", "User 6"], 7)


async def test_devices_are_found_by_everything_people_know_of_them(
    context: Context, tenant: Tenant, other_tenant: Tenant
) -> None:
    ann = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Ann", extension="201")
    site = await create_site(context, SYSTEM, tenant_id=tenant.id, name="Depot")
    mine = await device_of(context, tenant, 0xABCD, user_id=ann.id, name="Reception", site_id=site.id)
    await device_of(context, tenant, 2, name="Kitchen")
    await device_of(context, other_tenant, 3, name="Reception")
    for search in ("recep", "ann", "201", "depot", "00:04:13:00:ab:cd", "abcd"):
        found = await list_devices(context, SYSTEM, tenant_id=tenant.id, search=search)
        assert [row.device.id for row in found.items] == [mine.id], search
    (row,) = (await list_devices(context, SYSTEM, tenant_id=tenant.id, user_id=ann.id)).items
    assert (row.extension, row.site_name, row.state.value) == ("201", "Depot", "never")
    assert (await count_states(context, SYSTEM, tenant_id=tenant.id))["never"] == 2
    assert (await list_devices(context, SYSTEM, tenant_id=tenant.id, state="never")).total == 2
    assert (await list_devices(context, SYSTEM, tenant_id=tenant.id, state="registered")).total == 0
    assert (
        await list_devices(context, SYSTEM, tenant_id=tenant.id, site_id=site.id, profile="snom")
    ).total == 1
    assert [
        row.device.id
        for row in (await devices_of_users(context, SYSTEM, tenant_id=tenant.id, user_ids=[ann.id]))[ann.id]
    ] == [mine.id]


async def test_a_typed_name_with_control_characters_is_refused(context: Context, tenant: Tenant) -> None:
    """PostgreSQL takes no NUL in a text: that would be an error of ours."""
    for typed in ("Ann\x00", "Ann (1\x0002)"):
        with pytest.raises(BadInput, match="control characters"):
            await find_by_name(context, SYSTEM, tenant_id=tenant.id, typed=typed)
