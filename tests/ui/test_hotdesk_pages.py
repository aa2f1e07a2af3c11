"""Hotdesking, primary devices and lines on the pages: what an admin, an installer and a user do there."""

import asyncio
import html
import re

import pytest

from provisioner.services.context import SYSTEM
from provisioner.services.devices.device_settings import put_settings
from provisioner.services.devices.enrolment import enrol, get_device
from provisioner.services.hotdesk.sessions import log_in, seat_of, set_device_hotdesk, set_hotdesk
from provisioner.services.people.tenants import update_tenant
from provisioner.services.people.users import create_user, get_user
from tests.ui.conftest import Site

PIN = "48261"
ANNA, BRAM, CARLA = "Anna de Vries", "Bram Jansen", "Carla Smit"


def user_path(site: Site, name: str) -> str:
    return f"/t/acme/users/{site.office.users[name]}"


async def desk(site: Site, name: str = "Flex desk") -> tuple[int, str]:
    """A hotdesk device, and its page."""
    made = await enrol(
        site.context,
        SYSTEM,
        tenant_id=site.office.tenant_id,
        profile="snom",
        model="D785",
        mac=f"000413AB{len(name):04X}",
        name=name,
        site_id=site.office.site,
    )
    await set_device_hotdesk(site.context, SYSTEM, device_id=made.device.id, enabled=True)
    return made.device.id, f"/t/acme/devices/{made.device.id}"


async def may_sit(site: Site, *names: str) -> None:
    for name in names:
        await set_hotdesk(site.context, SYSTEM, user_id=site.office.users[name], enabled=True, pin=PIN)


async def second_device(site: Site, *, name: str = "Anna at home") -> int:
    made = await enrol(
        site.context,
        SYSTEM,
        tenant_id=site.office.tenant_id,
        profile="snom",
        model="D735",
        mac="000413AC0001",
        name=name,
        user_id=site.office.users[ANNA],
    )
    return made.device.id


# ---- the PIN ------------------------------------------------------------------------------------------------------


async def test_a_chosen_pin_is_shown_once_with_the_whole_code(site: Site) -> None:
    page = await site.post(f"{user_path(site, ANNA)}/hotdesk", {"pin": PIN}, status=200)
    assert f"*35*201*{PIN}" in page
    after = await site.get(user_path(site, ANNA))
    assert PIN not in after
    assert "May log in on hotdesk devices" in after


async def test_an_empty_pin_is_made_up(site: Site) -> None:
    page = await site.post(f"{user_path(site, ANNA)}/hotdesk", {"pin": ""}, status=200)
    assert re.search(r"\*35\*201\*\d{4,10}<", page)


async def test_a_trivial_pin_is_refused_beside_its_field_and_never_sent_back(site: Site) -> None:
    page = await site.post(f"{user_path(site, ANNA)}/hotdesk", {"pin": "1234"}, status=422)
    assert 'id="f-pin-error"' in page
    assert "1234" not in page
    assert not (await get_user(site.context, SYSTEM, user_id=site.office.users[ANNA])).is_hotdesk


async def test_switching_off_logs_the_user_out(site: Site) -> None:
    await may_sit(site, ANNA)
    device_id, _page = await desk(site)
    await log_in(site.context, SYSTEM, device_id=device_id, user_id=site.office.users[ANNA], origin="admin")
    assert (await site.post(f"{user_path(site, ANNA)}/hotdesk/off")).endswith("done=hotdesk-off")
    assert (await seat_of(site.context, device_id=device_id)).user_id is None
    assert (await site.post(f"{user_path(site, ANNA)}/hotdesk/unlock")).endswith("done=pin-unlocked")


async def test_an_installer_gives_no_pins(site: Site) -> None:
    for action in ("hotdesk", "hotdesk/off", "hotdesk/unlock", "primary"):
        await site.post(f"{user_path(site, ANNA)}/{action}", who="installer", status=403)
    assert "Give a new PIN" not in await site.get(user_path(site, ANNA), who="installer")


async def test_a_user_renews_the_own_pin_once_an_admin_allowed_it(site: Site) -> None:
    assert "ask your administrator" in await site.get("/me", who="user")
    await site.post("/me/pin", {"pin": "60718"}, who="user", status=409)
    await may_sit(site, ANNA)
    page = await site.post("/me/pin", {"pin": "60718"}, who="user", status=200)
    assert "*35*201*60718" in page
    assert "60718" not in await site.get("/me", who="user")
    refused = await site.post("/me/pin", {"pin": "1111"}, who="user", status=422)
    assert 'id="f-pin-error"' in refused


# ---- primary devices and premium ----------------------------------------------------------------------------------


async def test_the_star_stands_before_the_primary_device_and_moves(site: Site) -> None:
    home = await second_device(site)
    page = html.unescape(await site.get(user_path(site, ANNA)))
    assert re.search(r"\*</span>.*?Anna's desk", page, re.DOTALL)
    assert page.count("Make primary") == 1
    answer = await site.post(f"{user_path(site, ANNA)}/primary", {"device_id": str(home)})
    assert answer.endswith("done=primary")
    page = html.unescape(await site.get(user_path(site, ANNA)))
    assert re.search(r"\*</span><span[^>]*>\(primary\) </span>Anna at home", page)
    assert f"*{ANNA}" in await site.get(f"/t/acme/devices/{home}")


async def test_a_user_chooses_among_the_own_devices_only(site: Site) -> None:
    home = await second_device(site)
    assert await site.post("/me/primary", {"device_id": str(home)}, who="user") == "/me?done=primary"
    user = await get_user(site.context, SYSTEM, user_id=site.office.users[ANNA])
    assert user.primary_device_id == home
    foreign = {"device_id": str(site.office.devices["Bram's desk"])}
    page = await site.post("/me/primary", foreign, who="user", status=409)
    assert "give the device to the user first" in page
    await site.post(f"{user_path(site, ANNA)}/primary", foreign, status=409)
    await site.post(f"{user_path(site, ANNA)}/primary", {"device_id": "x"}, status=409)


async def test_a_user_sees_the_phone_that_has_his_name_on_a_further_line(site: Site) -> None:
    assert "Spare phone" not in await site.get("/me", who="user")
    await second_device(site)
    spare = site.office.devices["Spare phone"]
    await site.post(f"/t/acme/devices/{spare}/lines", {"position": "1", "user": "202"})
    await site.post(f"/t/acme/devices/{spare}/lines", {"position": "2", "user": "201"})
    assert "Spare phone" in await site.get("/me", who="user")


async def test_do_not_disturb_is_said_in_words_at_its_device(site: Site) -> None:
    await put_settings(
        site.context,
        SYSTEM,
        tenant_id=site.office.tenant_id,
        scope="device",
        ref=str(site.office.devices["Anna's desk"]),
        values={"dnd": True},
    )
    assert "do not disturb" in await site.get(user_path(site, ANNA))
    assert "do not disturb" not in await site.get(user_path(site, BRAM))


async def test_without_premium_the_page_and_the_form_say_why_there_is_no_second_device(site: Site) -> None:
    await update_tenant(site.context, SYSTEM, tenant_id=site.office.tenant_id, is_premium=False)
    assert "Without premium a user has one device" in await site.get(user_path(site, ANNA))
    form = {"type": "snom/D785", "mac": "000413CC0001", "name": "Second", "user": f"{ANNA} (201)"}
    page = html.unescape(await site.post("/t/acme/devices/new", form, status=409))
    assert "make the tenant premium to have up to nine" in page
    assert 'id="f-user-error"' in page


# ---- hotdesk devices ----------------------------------------------------------------------------------------------


async def test_a_device_becomes_a_hotdesk_device_and_back(site: Site) -> None:
    device_id = site.office.devices["Spare phone"]
    page = f"/t/acme/devices/{device_id}"
    assert (await site.post(f"{page}/hotdesk", {"enabled": "on"}, who="installer")).endswith("hotdesk-on")
    assert "Nobody is logged in" in await site.get(page)
    assert (await site.post(f"{page}/hotdesk", {"enabled": ""})).endswith("hotdesk-off")
    assert not (await get_device(site.context, SYSTEM, device_id=device_id)).is_hotdesk


async def test_a_users_own_device_is_no_hotdesk_device_and_the_page_says_why(site: Site) -> None:
    owned = site.office.devices["Anna's desk"]
    page = f"/t/acme/devices/{owned}"
    answer = html.unescape(await site.post(f"{page}/hotdesk", {"enabled": "on"}, status=409))
    assert "take it away from the user first" in answer


async def test_an_admin_logs_somebody_in_and_out(site: Site) -> None:
    await may_sit(site, CARLA)
    device_id, page = await desk(site)
    assert (await site.post(f"{page}/seat", {"user": "203"})).endswith("done=logged-in")
    shown = await site.get(page)
    assert "Carla Smit" in shown
    assert "since" in shown
    assert (await seat_of(site.context, device_id=device_id)).user_name == CARLA
    assert (await site.post(f"{page}/seat/leave")).endswith("done=logged-out")
    assert "Nobody is logged in" in await site.get(page)
    assert (await site.post(f"{page}/hotdesk/unlock")).endswith("done=pin-unlocked")


async def test_an_installer_puts_nobody_on_a_seat_and_unlocks_no_pins(site: Site) -> None:
    """Without a PIN anybody's calls could be made and taken: as over REST, that is for administrators."""
    await may_sit(site, CARLA)
    device_id, page = await desk(site)
    for action in ("seat", "seat/leave", "hotdesk/unlock"):
        await site.post(f"{page}/{action}", {"user": "203"}, who="installer", status=403)
    assert (await seat_of(site.context, device_id=device_id)).user_id is None
    assert f"{page}/seat" not in await site.get(page, who="installer")
    assert f"{page}/seat" in await site.get(page)
    await site.get("/t/acme/seats", who="installer", status=403)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "Say who is to be logged in."),
        ("Nobody Known", "There is no user “Nobody Known” here"),
        ("201", "may not log in on other devices"),
        ("9" * 300, "There is no user"),
    ],
)
async def test_a_login_that_cannot_be_says_which_rule_is_in_the_way(
    site: Site, typed: str, sentence: str
) -> None:
    device_id, page = await desk(site)
    answer = html.unescape(
        await site.post(f"{page}/seat", {"user": typed}, status=409 if typed == "201" else 422)
    )
    assert sentence in answer
    assert (await seat_of(site.context, device_id=device_id)).user_id is None


async def test_a_hotdesk_device_is_edited_without_being_given_to_anybody(site: Site) -> None:
    await may_sit(site, CARLA)
    device_id, page = await desk(site)
    await site.post(f"{page}/seat", {"user": "203"})
    assert 'name="user"' not in await site.get(f"{page}/edit")
    device = await get_device(site.context, SYSTEM, device_id=device_id)
    edit = {"name": "Flex 9", "type": "snom/D785", "mac": device.mac, "site_id": "", "policy": "", "note": ""}
    assert (await site.post(f"{page}/edit", edit)).endswith("done=saved")
    assert (await seat_of(site.context, device_id=device_id)).user_name == CARLA


# ---- lines --------------------------------------------------------------------------------------------------------


async def test_a_user_is_put_on_a_second_line_and_the_line_is_emptied(site: Site) -> None:
    page = f"/t/acme/devices/{site.office.devices['Spare phone']}"
    assert '<option value="1" selected>' in await site.get(page, who="installer")
    form = {"position": "2", "user": "bram jansen"}
    assert (await site.post(f"{page}/lines", form, who="installer")).endswith("done=saved")
    device = await get_device(site.context, SYSTEM, device_id=site.office.devices["Spare phone"])
    assert [line.user_id for line in device.lines] == [None, site.office.users[BRAM]]
    assert BRAM in await site.get(page)
    await site.post(f"{page}/lines", {"position": "2", "user": ""})
    device = await get_device(site.context, SYSTEM, device_id=device.id)
    assert [line.user_id for line in device.lines] == [None, None]
    refused = await site.post(f"{page}/lines", {"position": "99", "user": "202"}, status=422)
    assert "its lines are 1 to" in refused


# ---- who sits where -----------------------------------------------------------------------------------------------


async def test_the_board_names_who_sits_where_by_site(site: Site) -> None:
    assert "There is no hotdesk device yet" in await site.get("/t/acme/seats")
    await may_sit(site, CARLA)
    device_id, _page = await desk(site)
    await desk(site, "Second desk")
    await log_in(site.context, SYSTEM, device_id=device_id, user_id=site.office.users[CARLA], origin="admin")
    board = await site.get("/t/acme/seats")
    for part in ("Utrecht", "1 of 2 taken", "Carla Smit", "(203)", "Free", "Second desk"):
        assert part in board
    await site.get("/t/acme/seats", who="rival", status=404)
    await site.get("/t/acme/seats", who="user", status=403)


async def test_a_company_can_show_nobody_who_sits_where(site: Site) -> None:
    await may_sit(site, CARLA)
    device_id, page = await desk(site)
    await log_in(site.context, SYSTEM, device_id=device_id, user_id=site.office.users[CARLA], origin="admin")
    form = {"name": "Acme BV", "sip_domain": "acme.example.net", "is_premium": "on", "is_seating_hidden": "on", "password_minimum": "6"}  # fmt: skip
    await site.post("/t/acme/edit", form)
    assert "shows nobody who sits where" in await site.get("/t/acme/seats")
    shown = await site.get(page)
    assert "shows nobody who sits where" in shown
    body = re.sub(r"<datalist.*?</datalist>", "", shown, flags=re.DOTALL)  # whom one may choose says nothing
    for text in (await site.get("/t/acme/seats"), body, await site.get("/t/acme/devices?q=Flex")):
        assert CARLA not in text
    assert "Flex desk" not in await site.get(user_path(site, CARLA))
    await site.post(f"{page}/seat/leave")
    assert (await seat_of(site.context, device_id=device_id)).user_id is None


async def test_a_page_hears_of_a_login_without_reloading(site: Site) -> None:
    await may_sit(site, CARLA)
    device_id, _page = await desk(site)
    async with site.browser("admin").get(f"/t/acme/live?devices={device_id}") as stream:
        assert stream.status == 200
        await asyncio.wait_for(stream.content.readuntil(b"\n\n"), 20)
        await log_in(
            site.context, SYSTEM, device_id=device_id, user_id=site.office.users[CARLA], origin="admin"
        )
        told = b""
        while b'"device"' not in told or str(device_id).encode() not in told:
            told = await asyncio.wait_for(stream.content.readuntil(b"\n\n"), 20)


# ---- choosing among many people -----------------------------------------------------------------------------------


async def test_a_form_offers_names_and_takes_what_is_typed(site: Site) -> None:
    page = await site.get(f"/t/acme/devices/{site.office.devices['Spare phone']}/edit")
    assert '<datalist id="f-user-list">' in page
    assert '<option value="Anna de Vries (201)"></option>' in page
    assert "<select" not in page.partition('name="user"')[2].partition("</div>")[0]


async def test_two_of_one_name_are_told_apart_by_extension(site: Site) -> None:
    other = await create_user(
        site.context, SYSTEM, tenant_id=site.office.tenant_id, name=ANNA, extension="299"
    )
    device = site.office.devices["Spare phone"]
    form = {"name": "Spare", "type": "yealink/T46U", "mac": "001565AA0005", "site_id": "", "policy": "", "note": ""}  # fmt: skip
    page = html.unescape(
        await site.post(f"/t/acme/devices/{device}/edit", {**form, "user": ANNA}, status=422)
    )
    assert f"Several users are called “{ANNA}”" in page
    await site.post(f"/t/acme/devices/{device}/edit", {**form, "user": f"{ANNA} (299)"})
    assert (await get_device(site.context, SYSTEM, device_id=device)).lines[0].user_id == other.id
    await site.post(f"/t/acme/devices/{device}/edit", {**form, "user": f"{ANNA} (299)", "note": "same"})
    await site.post(f"/t/acme/devices/{device}/edit", {**form, "user": ""})
    assert (await get_device(site.context, SYSTEM, device_id=device)).lines[0].user_id is None


async def test_another_tenants_people_are_nobody_here(site: Site) -> None:
    device = site.office.devices["Spare phone"]
    page = await site.get(f"/t/acme/devices/{device}/edit")
    assert "Rita Rival" not in page
    form = {"name": "Spare", "type": "yealink/T46U", "mac": "001565AA0005", "user": "Rita Rival"}
    answer = html.unescape(await site.post(f"/t/acme/devices/{device}/edit", form, status=422))
    assert "There is no user “Rita Rival” here" in answer
