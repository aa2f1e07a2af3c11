"""Lines, the premium rule and the primary device (R4)."""

import pytest

from provisioner.access.permissions import Role
from provisioner.composition.phone_config import LineKind
from provisioner.errors import BadInput, Conflict, NotFound, TooManyDevices
from provisioner.model import Device, Tenant, User, UserKind
from provisioner.services.context import SYSTEM, Actor, Context
from provisioner.services.devices.assignment import put_line, set_primary
from provisioner.services.devices.enrolment import get_device, remove_device, update_device
from provisioner.services.files.phone_files import compose_device
from provisioner.services.people.tenants import update_tenant
from provisioner.services.people.users import create_user, get_user
from tests.services.hotdesks import Office, office, quick_answers
from tests.services.places import device_of, revision_of

__all__ = ["office", "quick_answers"]


async def _user(context: Context, tenant: Tenant, name: str = "Anna", extension: str = "101") -> User:
    return await create_user(context, SYSTEM, tenant_id=tenant.id, name=name, extension=extension)


async def _primary(context: Context, user: User) -> int | None:
    return (await get_user(context, SYSTEM, user_id=user.id)).primary_device_id


async def _put(context: Context, device: Device, position: int, user: User | None) -> Device:
    return await put_line(
        context, SYSTEM, device_id=device.id, position=position, user_id=user.id if user else None
    )


async def test_a_further_line_gets_an_account_of_its_own_and_only_its_device_changes(office: Office) -> None:
    await _put(office.context, office.ordinary, 2, office.ben)
    device = await _put(office.context, office.ordinary, 4, office.anna)
    assert [(line.position, line.kind, line.user_id) for line in device.lines] == [
        (1, "empty", None),
        (2, "user", office.ben.id),
        (4, "user", office.anna.id),
    ]
    assert len({line.account for line in device.lines}) == 3
    assert await office.changed() == {office.ordinary.id}
    assert office.ordinary.id in await office.asked()
    assert await office.audited("device.line") == ["device.line: Ordinary"] * 2


async def test_an_emptied_line_is_explicitly_off_and_keeps_nothing(office: Office) -> None:
    """Issue 3 §1."""
    await _put(office.context, office.ordinary, 2, office.ben)
    before = await revision_of(office.context, office.ordinary)
    await _put(office.context, office.ordinary, 2, None)
    assert await revision_of(office.context, office.ordinary) == before + 1
    config = await compose_device(office.context, SYSTEM, device_id=office.ordinary.id)
    line = config.lines[1]
    assert (line.kind, line.is_active, line.account, line.password, line.display_name) == (
        LineKind.EMPTY,
        False,
        "",
        "",
        "",
    )


async def test_putting_the_same_again_changes_nothing(office: Office) -> None:
    await _put(office.context, office.ordinary, 1, office.anna)
    await office.remember()
    await _put(office.context, office.ordinary, 1, office.anna)
    await _put(office.context, office.ordinary, 3, None)
    assert await office.changed() == set()


@pytest.mark.parametrize("position", [0, 99])
async def test_a_position_the_model_does_not_have_is_refused(office: Office, position: int) -> None:
    with pytest.raises(BadInput, match="its lines are 1 to"):
        await _put(office.context, office.ordinary, position, office.anna)


async def test_a_line_is_for_users_of_the_same_tenant(office: Office, other_tenant: Tenant) -> None:
    stranger = await _user(office.context, other_tenant, "Zoe")
    with pytest.raises(BadInput):
        await _put(office.context, office.ordinary, 1, stranger)
    outsider = Actor(name="eve", role=Role.ADMIN, tenant_id=other_tenant.id)
    with pytest.raises(NotFound):
        await put_line(
            office.context, outsider, device_id=office.ordinary.id, position=1, user_id=stranger.id
        )


@pytest.mark.parametrize("position", [1, 2])
async def test_no_line_of_a_hotdesk_device_is_given_away_for_good(office: Office, position: int) -> None:
    with pytest.raises(Conflict, match="Left is a hotdesk device"):
        await _put(office.context, office.left, position, office.anna)


async def test_without_premium_the_second_device_is_refused(context: Context, other_tenant: Tenant) -> None:
    """R4.1."""
    user = await _user(context, other_tenant)
    first = await device_of(context, other_tenant, 1, name="First", user_id=user.id)
    second = await device_of(context, other_tenant, 2, name="Second")
    with pytest.raises(TooManyDevices, match="Anna already has First: remove it first, or make the tenant"):
        await _put(context, second, 2, user)
    await _put(context, first, 2, user)  # a second line of the same device is no second device
    service = await create_user(
        context, SYSTEM, tenant_id=other_tenant.id, name="Room", kind=UserKind.CONFERENCE
    )
    await _put(context, first, 3, service)
    await _put(context, second, 1, service)


async def test_the_tenth_device_is_refused_and_a_seat_does_not_count(office: Office) -> None:
    """R4.1."""
    for number in range(10, 19):
        await device_of(office.context, office.tenant, number, user_id=office.anna.id)
    assert (await office.anna_enters(office.left)).user_id == office.anna.id
    with pytest.raises(TooManyDevices) as caught:
        await device_of(office.context, office.tenant, 19, user_id=office.anna.id)
    assert len(caught.value.data["devices"]) == 9


async def test_premium_ends_only_when_everybody_has_one_device_besides_a_seat(office: Office) -> None:
    """R4.5."""
    own = await device_of(office.context, office.tenant, 10, name="Own", user_id=office.anna.id)
    second = await device_of(office.context, office.tenant, 11, name="Second", user_id=office.anna.id)
    with pytest.raises(TooManyDevices) as caught:
        await update_tenant(office.context, SYSTEM, tenant_id=office.tenant.id, is_premium=False)
    assert caught.value.data["users"] == {"Anna": ["Own", "Second"]}
    await remove_device(office.context, SYSTEM, device_id=second.id)
    await office.anna_enters(office.left)
    await office.remember()
    await update_tenant(office.context, SYSTEM, tenant_id=office.tenant.id, is_premium=False)
    await update_tenant(office.context, SYSTEM, tenant_id=office.tenant.id, is_premium=True)
    assert await office.changed() == set()
    assert await _primary(office.context, office.anna) == own.id


async def test_the_first_device_is_primary_and_the_next_when_it_goes(
    context: Context, tenant: Tenant
) -> None:
    """R4.4."""
    user = await _user(context, tenant)
    assert await _primary(context, user) is None
    devices = [await device_of(context, tenant, number, user_id=user.id) for number in (1, 2, 3)]
    assert await _primary(context, user) == devices[0].id
    await update_device(context, SYSTEM, device_id=devices[0].id, user_id=None)
    assert await _primary(context, user) == devices[1].id
    await remove_device(context, SYSTEM, device_id=devices[1].id)
    assert await _primary(context, user) == devices[2].id
    await update_device(context, SYSTEM, device_id=devices[2].id, user_id=None)
    assert await _primary(context, user) is None


async def test_changing_the_primary_leaves_one_event_and_touches_nobody(office: Office) -> None:
    first = await device_of(office.context, office.tenant, 10, user_id=office.anna.id)
    second = await device_of(office.context, office.tenant, 11, user_id=office.anna.id)
    before = len(await office.events("primary_changed"))
    revisions = [await revision_of(office.context, device) for device in (first, second)]
    for _ in range(2):  # the same again is no change
        changed = await set_primary(office.context, SYSTEM, user_id=office.anna.id, device_id=second.id)
    assert changed.primary_device_id == second.id
    events = (await office.events("primary_changed"))[before:]
    assert [(detail["device_id"], detail["before"]) for _, detail in events] == [(second.id, first.id)]
    assert [await revision_of(office.context, device) for device in (first, second)] == revisions


async def test_only_an_own_device_becomes_primary(office: Office, other_tenant: Tenant) -> None:
    await office.anna_enters(office.left)
    for device in (office.left, office.ordinary):
        with pytest.raises(Conflict, match="one of Anna's own devices"):
            await set_primary(office.context, SYSTEM, user_id=office.anna.id, device_id=device.id)
    outsider = Actor(name="eve", role=Role.ADMIN, tenant_id=other_tenant.id)
    with pytest.raises(NotFound):
        await set_primary(office.context, outsider, user_id=office.anna.id, device_id=office.ordinary.id)


async def test_reassigning_moves_the_primary_of_both_users(office: Office) -> None:
    device = await device_of(office.context, office.tenant, 10, user_id=office.anna.id)
    await update_device(office.context, SYSTEM, device_id=device.id, user_id=office.ben.id)
    assert await _primary(office.context, office.anna) is None
    assert await _primary(office.context, office.ben) == device.id
    assert device.id in await office.asked()
    line = (await get_device(office.context, SYSTEM, device_id=device.id)).lines[0]
    assert (line.kind, line.user_id) == ("user", office.ben.id)
