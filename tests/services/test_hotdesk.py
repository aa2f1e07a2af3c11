"""Logging in and out on hotdesk devices (R3)."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from provisioner.access.permissions import Role
from provisioner.clock import SteppedClock
from provisioner.errors import Conflict, Forbidden, NoHotdeskRight, NotFound, WeakPin
from provisioner.model import Base, Tenant, User
from provisioner.services.context import SYSTEM, Actor
from provisioner.services.devices.device_settings import get_settings, put_settings
from provisioner.services.devices.enrolment import enrol, get_device, remove_device, update_device
from provisioner.services.hotdesk.running_calls import note_call
from provisioner.services.hotdesk.sessions import (
    Result,
    log_in,
    log_in_with_pin,
    log_out,
    seat_of,
    seats,
    set_device_hotdesk,
    set_hotdesk,
    unlock_pin,
)
from provisioner.services.people.tenants import update_tenant
from provisioner.services.people.users import create_user, delete_user, get_user
from tests.services.hotdesks import (
    ANNA_PIN,
    BEN_PIN,
    WRONG_PIN,
    Office,
    line_of,
    office,
    quick_answers,
)
from tests.services.places import MODEL, device_of, mac

__all__ = ["office", "quick_answers"]


async def test_a_login_puts_the_user_on_the_device_and_touches_it_alone(office: Office) -> None:
    """R3.3: revision, request to fetch, history, audit and the PBX's feed, all at once."""
    outcome = await office.anna_enters(office.left)
    assert (outcome.result, outcome.user_id) == (Result.LOGGED_IN, office.anna.id)
    assert await office.sitting(office.left) == office.anna.id
    assert await office.changed() == {office.left.id}
    assert office.left.id in await office.asked()
    assert await office.open_sessions() == [(office.anna.id, office.left.id)]
    assert await office.audited("hotdesk") == ["hotdesk.login: Anna on Left"]
    account = (await line_of(office.context, office.left)).account
    assert [
        (kind, detail["account"], detail["user_id"]) for kind, detail in await office.events("hotdesk_login")
    ] == [("hotdesk_login", account, office.anna.id)]


async def test_a_login_elsewhere_logs_the_earlier_device_out(office: Office) -> None:
    """R3.2."""
    await office.anna_enters(office.left)
    await office.remember()
    outcome = await office.anna_enters(office.right)
    assert outcome.logged_out_device_id == office.left.id
    assert await office.sitting(office.left) is None
    assert await office.sitting(office.right) == office.anna.id
    assert await office.changed() == {office.left.id, office.right.id}
    assert await office.open_sessions() == [(office.anna.id, office.right.id)]
    assert await office.endings() == ["elsewhere"]
    assert [kind for kind, _ in await office.events("hotdesk_login", "hotdesk_logout")] == [
        "hotdesk_login",
        "hotdesk_logout",
        "hotdesk_login",
    ]


async def test_another_users_login_switches_in_one_step(office: Office) -> None:
    """R3.6."""
    await office.anna_enters(office.left)
    outcome = await office.ben_enters(office.left)
    assert outcome.result is Result.SWITCHED
    assert await office.sitting(office.left) == office.ben.id
    assert await office.endings() == ["switched"]
    assert await office.open_sessions() == [(office.ben.id, office.left.id)]


async def test_a_switch_frees_the_device_the_user_came_from_too(office: Office) -> None:
    await office.anna_enters(office.left)
    await office.ben_enters(office.right)
    outcome = await office.ben_enters(office.left)
    assert (outcome.result, outcome.logged_out_device_id) == (Result.SWITCHED, office.right.id)
    assert [await office.sitting(device) for device in (office.left, office.right)] == [office.ben.id, None]
    assert sorted(await office.endings()) == ["elsewhere", "switched"]


async def test_logging_in_again_on_the_same_device_changes_nothing(office: Office) -> None:
    await office.anna_enters(office.left)
    await office.remember()
    assert (await office.anna_enters(office.left)).result is Result.LOGGED_IN
    assert await office.changed() == set()
    assert len(await office.open_sessions()) == 1


async def test_after_logout_nothing_of_the_user_is_left(office: Office) -> None:
    await office.anna_enters(office.left)
    await office.remember()
    outcome = await log_out(office.context, SYSTEM, device_id=office.left.id, origin="code")
    assert (outcome.result, outcome.user_id) == (Result.LOGGED_OUT, office.anna.id)
    line = await line_of(office.context, office.left)
    assert (line.kind, line.user_id) == ("hotdesk", None)
    assert await office.changed() == {office.left.id}
    assert await office.open_sessions() == []
    again = await log_out(office.context, SYSTEM, device_id=office.left.id, origin="code")
    assert (again.result, again.user_id) == (Result.LOGGED_OUT, None)


async def test_do_not_disturb_does_not_wait_for_the_next_one(office: Office) -> None:
    """It is a setting of the device (R4.3), but the choice of who sits there."""
    place: dict[str, Any] = {"tenant_id": office.tenant.id, "scope": "device", "ref": str(office.left.id)}
    await office.anna_enters(office.left)
    await put_settings(office.context, SYSTEM, values={"dnd": True, "vlan_id": 7}, **place)
    await office.ben_enters(office.left)
    assert await get_settings(office.context, SYSTEM, **place) == {"vlan_id": 7}


@pytest.mark.parametrize(
    ("extension", "pin"),
    [("101", WRONG_PIN), ("999", ANNA_PIN), ("102", ANNA_PIN), ("", ""), ("1\x0001", "\x00")],
)
async def test_wrong_extension_and_wrong_pin_answer_alike_and_count(
    office: Office, extension: str, pin: str
) -> None:
    outcome = await office.enter(office.left, extension, pin)
    assert (outcome.result, outcome.user_id, outcome.retry_after) == (Result.DENIED, None, 0)
    assert await office.failures() == 1
    assert await office.changed() == set()


async def test_a_user_without_the_right_answers_like_a_wrong_pin(office: Office) -> None:
    await set_hotdesk(office.context, SYSTEM, user_id=office.anna.id, enabled=False)
    assert (await office.anna_enters(office.left)).result is Result.DENIED


async def test_a_device_without_the_right_says_so(office: Office) -> None:
    assert (await office.anna_enters(office.ordinary)).result is Result.DENIED_DEVICE
    assert await office.failures() == 0


async def test_a_device_of_another_tenant_is_unknown(office: Office, other_tenant: Tenant) -> None:
    stranger = Actor(name="pbx", role=Role.PBX, tenant_id=other_tenant.id)
    outcome = await log_in_with_pin(
        office.context, stranger, device_id=office.left.id, extension="101", pin=ANNA_PIN, origin="code"
    )
    assert outcome.result is Result.UNKNOWN_DEVICE


async def test_five_wrong_pins_lock_the_device_for_all_until_a_quarter_of_an_hour_later(
    office: Office, clock: SteppedClock
) -> None:
    for extension in ("101", "102", "103", "104", "105"):
        assert (await office.enter(office.left, extension, WRONG_PIN)).result is Result.DENIED
        clock.advance(timedelta(minutes=1))
    locked = await office.anna_enters(office.left)
    assert (locked.result, locked.retry_after) == (Result.LOCKED, 14 * 60)
    assert await office.failures() == 5  # a locked answer adds nothing
    assert (await office.anna_enters(office.right)).result is Result.LOGGED_IN
    clock.advance(timedelta(minutes=14))
    assert (await office.anna_enters(office.left)).result is Result.LOGGED_IN


@pytest.mark.parametrize("extension", ["101", "777"])
async def test_five_wrong_pins_lock_an_extension_everywhere_whether_it_exists_or_not(
    office: Office, extension: str
) -> None:
    """Else two devices would tell which extensions there are."""
    for number in range(5):
        device = (office.left, office.right)[number % 2]
        assert (await office.enter(device, extension, WRONG_PIN)).result is Result.DENIED
    for device in (office.left, office.right):
        assert (await office.enter(device, extension, ANNA_PIN)).result is Result.LOCKED
    assert (await office.ben_enters(office.left)).result is Result.LOGGED_IN


async def test_wrong_pins_spread_over_time_do_not_lock(office: Office, clock: SteppedClock) -> None:
    for _ in range(12):
        assert (await office.enter(office.left, "101", WRONG_PIN)).result is Result.DENIED
        clock.advance(timedelta(minutes=4))


async def test_the_right_pin_clears_the_users_count_but_not_the_devices(office: Office) -> None:
    for _ in range(4):
        await office.enter(office.left, "101", WRONG_PIN)
    assert (await office.anna_enters(office.left)).result is Result.LOGGED_IN
    assert (await office.enter(office.left, "102", WRONG_PIN)).result is Result.DENIED
    assert (await office.ben_enters(office.left)).result is Result.LOCKED
    assert (await office.anna_enters(office.right)).result is Result.LOGGED_IN


async def test_an_admin_unlocks_user_and_device(office: Office) -> None:
    for _ in range(5):
        await office.enter(office.left, "101", WRONG_PIN)
    await unlock_pin(office.context, SYSTEM, user_id=office.anna.id)
    assert (
        await office.anna_enters(office.left)
    ).result is Result.LOGGED_IN  # those rows were the device's too
    for extension in ("201", "202", "203", "204", "205"):
        await office.enter(office.right, extension, WRONG_PIN)
    assert (await office.ben_enters(office.right)).result is Result.LOCKED
    await unlock_pin(office.context, SYSTEM, device_id=office.right.id)
    assert (await office.ben_enters(office.right)).result is Result.LOGGED_IN
    assert await office.audited("hotdesk.unlock") == ["hotdesk.unlock: Anna", "hotdesk.unlock: Right"]


async def test_a_pin_is_in_no_table(office: Office) -> None:
    """R3.8: neither the right ones nor what was typed instead."""
    typed = "60917348"
    await office.anna_enters(office.left)
    await office.enter(office.right, "102", typed)
    await office.enter(office.right, typed[:6], BEN_PIN)
    async with office.context.store.read() as session:
        for table in Base.metadata.sorted_tables:
            rows = (await session.execute(text(f"SELECT * FROM {table.name}"))).all()
            texts = [str(value) for row in rows for value in row if isinstance(value, str | dict | list)]
            for pin in (BEN_PIN, typed, typed[:6]):
                assert not [value for value in texts if pin in value], table.name


async def test_an_admin_logs_somebody_in_without_a_pin(office: Office) -> None:
    outcome = await log_in(
        office.context, SYSTEM, device_id=office.left.id, user_id=office.ben.id, origin="admin"
    )
    assert outcome.result is Result.LOGGED_IN
    assert await office.sitting(office.left) == office.ben.id


async def test_an_admin_is_told_which_right_is_missing(office: Office) -> None:
    with pytest.raises(NoHotdeskRight, match="Ordinary is no hotdesk device"):
        await log_in(
            office.context, SYSTEM, device_id=office.ordinary.id, user_id=office.ben.id, origin="admin"
        )
    await set_hotdesk(office.context, SYSTEM, user_id=office.ben.id, enabled=False)
    with pytest.raises(NoHotdeskRight, match="Ben may not log in"):
        await log_in(office.context, SYSTEM, device_id=office.left.id, user_id=office.ben.id, origin="admin")


async def test_nobody_is_logged_in_on_another_tenants_device(office: Office, other_tenant: Tenant) -> None:
    stranger = await create_user(
        office.context, SYSTEM, tenant_id=other_tenant.id, name="Zoe", extension="101"
    )
    await set_hotdesk(office.context, SYSTEM, user_id=stranger.id, enabled=True)
    with pytest.raises(NotFound):
        await log_in(office.context, SYSTEM, device_id=office.left.id, user_id=stranger.id, origin="admin")
    outsider = Actor(name="eve", role=Role.ADMIN, tenant_id=other_tenant.id)
    with pytest.raises(NotFound):
        await log_out(office.context, outsider, device_id=office.left.id, origin="admin")
    with pytest.raises(NotFound):
        await set_device_hotdesk(office.context, outsider, device_id=office.left.id, enabled=False)
    with pytest.raises(NotFound):
        await unlock_pin(office.context, outsider, user_id=office.anna.id)


async def test_a_pin_is_generated_or_chosen_and_shown_once_with_the_full_code(office: Office) -> None:
    """R3.1."""
    made = await set_hotdesk(office.context, SYSTEM, user_id=office.anna.id, enabled=True)
    assert made.code == f"*35*101*{made.pin}"
    assert made.pin not in repr(made)
    assert (await office.enter(office.left, "101", made.pin)).result is Result.LOGGED_IN
    assert (await office.enter(office.right, "101", ANNA_PIN)).result is Result.DENIED


@pytest.mark.parametrize(
    "pin", ["1111", "12345", "9876", "4747", "123", "12345678901", "1984", "101101", "12a4", ""]
)
async def test_a_weak_pin_is_refused(office: Office, pin: str) -> None:
    with pytest.raises(WeakPin) as caught:
        await set_hotdesk(office.context, SYSTEM, user_id=office.anna.id, enabled=True, pin=pin)
    assert not pin or pin not in caught.value.detail
    assert (await office.anna_enters(office.left)).result is Result.LOGGED_IN


async def test_a_user_without_extension_cannot_have_a_pin(office: Office) -> None:
    user = await create_user(office.context, SYSTEM, tenant_id=office.tenant.id, name="Cora")
    with pytest.raises(Conflict, match="no extension"):
        await set_hotdesk(office.context, SYSTEM, user_id=user.id, enabled=True)


async def test_taking_the_right_away_logs_the_user_out(office: Office) -> None:
    await office.anna_enters(office.left)
    await set_hotdesk(office.context, SYSTEM, user_id=office.anna.id, enabled=False)
    assert await office.sitting(office.left) is None
    assert (await office.anna_enters(office.left)).result is Result.DENIED


async def test_a_user_renews_the_own_pin_and_nothing_else(office: Office) -> None:
    anna = Actor(name="anna", role=Role.USER, tenant_id=office.tenant.id, user_id=office.anna.id)
    made = await set_hotdesk(office.context, anna, user_id=office.anna.id, enabled=True)
    assert (await office.enter(office.left, "101", made.pin)).result is Result.LOGGED_IN
    with pytest.raises(Forbidden):
        await set_hotdesk(office.context, anna, user_id=office.anna.id, enabled=False)
    with pytest.raises(NotFound):
        await set_hotdesk(office.context, anna, user_id=office.ben.id, enabled=True)
    await set_hotdesk(office.context, SYSTEM, user_id=office.anna.id, enabled=False)
    with pytest.raises(NoHotdeskRight):
        await set_hotdesk(office.context, anna, user_id=office.anna.id, enabled=True)
    with pytest.raises(NotFound):
        await log_in(office.context, anna, device_id=office.left.id, user_id=office.anna.id, origin="api")


async def test_a_users_own_device_does_not_become_a_hotdesk_device(office: Office) -> None:
    device = await device_of(office.context, office.tenant, 9, name="Annas", user_id=office.anna.id)
    with pytest.raises(Conflict, match="Annas is Anna's for good"):
        await set_device_hotdesk(office.context, SYSTEM, device_id=device.id, enabled=True)


async def test_a_hotdesk_device_is_given_to_nobody_for_good(office: Office) -> None:
    with pytest.raises(Conflict, match="hotdesk device: users log in on it"):
        await update_device(office.context, SYSTEM, device_id=office.left.id, user_id=office.anna.id)
    await office.ben_enters(office.left)
    await update_device(office.context, SYSTEM, device_id=office.left.id, user_id=None, note="by the window")
    assert await office.sitting(office.left) == office.ben.id


async def test_switching_hotdesking_off_logs_out_and_empties_the_device(office: Office) -> None:
    await office.anna_enters(office.left)
    device = await set_device_hotdesk(office.context, SYSTEM, device_id=office.left.id, enabled=False)
    assert (device.is_hotdesk, device.lines[0].kind, device.lines[0].user_id) == (False, "empty", None)
    assert await office.open_sessions() == []
    await set_device_hotdesk(office.context, SYSTEM, device_id=office.left.id, enabled=True)
    assert (await office.anna_enters(office.left)).result is Result.LOGGED_IN


async def test_a_running_call_defers_an_admins_logout_but_not_the_users_own(
    office: Office, clock: SteppedClock
) -> None:
    """R3: never cuts a running call."""
    context, account = office.context, (await line_of(office.context, office.left)).account
    await office.anna_enters(office.left)
    await note_call(context, SYSTEM, account=account, call_id="c1", state="started")
    outcome = await log_out(context, SYSTEM, device_id=office.left.id, origin="admin", ending="admin")
    assert (outcome.result, outcome.user_id) == (Result.BUSY, office.anna.id)
    assert await office.sitting(office.left) == office.anna.id
    forced = await log_out(
        context, SYSTEM, device_id=office.left.id, origin="admin", ending="admin", now=True
    )
    assert forced.result is Result.LOGGED_OUT
    await office.ben_enters(office.left)
    own = await log_out(context, SYSTEM, device_id=office.left.id, origin="code")
    assert own.result is Result.LOGGED_OUT


async def test_the_board_shows_every_hotdesk_device_unless_it_is_hidden(office: Office) -> None:
    await office.anna_enters(office.right)
    board = await seats(office.context, SYSTEM, tenant_id=office.tenant.id)
    assert [(seat.device_name, seat.user_name, seat.extension) for seat in board] == [
        ("Left", "", ""),
        ("Right", "Anna", "101"),
    ]
    assert board[1].since is not None
    assert board[1].ends_at is None
    assert (await seat_of(office.context, device_id=office.right.id)).user_id == office.anna.id
    await update_tenant(office.context, SYSTEM, tenant_id=office.tenant.id, is_seating_hidden=True)
    assert await seats(office.context, SYSTEM, tenant_id=office.tenant.id) == []
    with pytest.raises(NotFound):
        await seat_of(office.context, device_id=office.ordinary.id)


async def test_removing_the_device_or_the_user_ends_the_session(office: Office) -> None:
    await office.anna_enters(office.left)
    await remove_device(office.context, SYSTEM, device_id=office.left.id)
    assert await office.open_sessions() == []
    await office.anna_enters(office.right)
    await delete_user(office.context, SYSTEM, user_id=office.anna.id)
    assert await office.sitting(office.right) is None
    assert [detail["user_id"] for _, detail in await office.events("hotdesk_logout")] == [office.anna.id] * 2


async def test_a_user_without_any_device_has_the_seat_as_primary(office: Office) -> None:
    await office.anna_enters(office.left)

    async def primary() -> int | None:
        user: User = await get_user(office.context, SYSTEM, user_id=office.anna.id)
        return user.primary_device_id

    assert await primary() == office.left.id
    own = await enrol(
        office.context, SYSTEM, tenant_id=office.tenant.id, mac=mac(8), user_id=office.anna.id, **MODEL
    )
    assert await primary() == own.device.id
    await log_out(office.context, SYSTEM, device_id=office.left.id, origin="code")
    assert await primary() == own.device.id


async def test_two_devices_at_the_same_instant_leave_the_user_on_exactly_one(office: Office) -> None:
    """R3.2, within one process; more of them in tests/e2e/test_hotdesk_race.py."""
    for _ in range(10):
        outcomes = await asyncio.gather(office.anna_enters(office.left), office.anna_enters(office.right))
        assert {outcome.result for outcome in outcomes} == {Result.LOGGED_IN}
        holders = [device.id for device in (office.left, office.right) if await office.sitting(device)]
        assert len(holders) == 1
        assert await office.open_sessions() == [(office.anna.id, holders[0])]
    assert (await get_device(office.context, SYSTEM, device_id=office.left.id)).is_hotdesk
