import html
import re

import pytest

from provisioner.services.context import SYSTEM
from provisioner.services.devices.device_list import list_devices
from provisioner.services.devices.enrolment import reveal
from tests.ui.conftest import Site

NEW = "/t/acme/devices/new"


def form(**fields: str) -> dict[str, str]:
    return {
        "type": "snom/D785", "mac": "00-04-13-cc-00-01", "name": "Meeting room", "username": "", "password": "", "user_id": "", **fields
    }  # fmt: skip


async def test_the_types_of_every_vendor_are_offered_and_can_be_searched(site: Site) -> None:
    page = await site.get(NEW, who="installer")
    for label in ("Snom", "Yealink", "Generic SIP Phone"):
        assert label in page
    found = await site.get(f"{NEW}?q=t46u", who="installer")
    assert "type=yealink%2FT46U" in found
    assert "D785" not in found.partition('id="results"')[2]


async def test_name_username_and_url_are_shown_before_the_device_is_made(site: Site) -> None:
    user = site.office.users["Anna de Vries"]
    page = html.unescape(await site.get(f"{NEW}?type=generic/Generic&user={user}", who="installer"))
    username = re.search(r'name="username" id="f-username" value="([^"]+)"', page)
    assert username
    assert page.count(username[1]) >= 2
    assert "https://prov.example.net:8443/p/<mac>/linphone.xml" in page
    assert 'value="Generic Anna de Vries"' in page
    assert f'<option value="{user}" selected>' in page


async def test_a_device_is_made_and_given_in_one_step_and_its_password_shown_once(site: Site) -> None:
    user = site.office.users["Anna de Vries"]
    page = html.unescape(
        await site.post(NEW, form(user_id=str(user), username="snom-canary1"), who="installer", status=200)
    )
    found = (await list_devices(site.context, SYSTEM, search="0004-13cc-0001")).items
    assert [(row.device.name, row.user.id if row.user else 0) for row in found] == [("Meeting room", user)]
    device = found[0].device
    password = reveal(site.context, device, "password")
    assert password in page
    assert "never again" in page
    assert "snom-canary1" in page
    steps = [step.en for step in site.context.profiles.all["snom"].steps]
    places = [page.index(step) for step in steps]
    assert places == sorted(places)
    for later in (
        f"/t/acme/devices/{device.id}",
        f"/t/acme/devices/{device.id}/files",
        f"/t/acme/devices/{device.id}/edit",
    ):
        assert password not in html.unescape(await site.get(later))


async def test_a_chosen_password_is_taken(site: Site) -> None:
    page = await site.post(NEW, form(password="Zon-7schijn"), who="installer", status=200)
    assert "Zon-7schijn" in page
    device = (await list_devices(site.context, SYSTEM, search="000413CC0001")).items[0].device
    assert reveal(site.context, device, "password") == "Zon-7schijn"


async def test_a_phone_that_scans_gets_a_qr_code_with_everything(site: Site) -> None:
    page = await site.post(
        NEW, form(type="generic/Generic", mac="02:00:00:cc:00:09"), who="installer", status=200
    )
    assert re.search(r"<svg[^>]*>.*<path[^>]+/?>", page.partition('class="card-body qr"')[2])


@pytest.mark.parametrize(
    ("mac", "sentence"),
    [
        ("", "The MAC address is empty."),
        ("00:04:13:CC:00", "exactly 12 digits; this one has 10."),
        ("00:04:13:CC:00:O1", "Perhaps the letter O stands where a zero should."),
        ("01:04:13:CC:00:01", "This is a group address"),
        ("FF:FF:FF:FF:FF:FF", "This is not the address of a phone"),
        ("0004 13AA.0001", "it is “Anna's desk” of Acme BV."),
        ("00:04:13:BB:00:01", "is already registered on this server."),
    ],
)
async def test_a_wrong_address_is_explained_and_the_form_kept(site: Site, mac: str, sentence: str) -> None:
    before = (await list_devices(site.context, SYSTEM)).total
    sent = form(mac=mac, password="Zon-7schijn", username="snom-canary1")
    page = html.unescape(
        await site.post(
            NEW, sent, who="installer", status=409 if "registered" in sentence or "Anna" in sentence else 422
        )
    )
    error = re.search(r'id="f-mac-error">(.*?)</div>', page, re.DOTALL)
    assert error
    assert sentence in error[1]
    assert 'value="Meeting room"' in page
    assert 'value="snom-canary1"' in page
    assert "Zon-7schijn" not in page
    assert "Rival" not in page
    assert (await list_devices(site.context, SYSTEM)).total == before


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("Ab-1x", "It needs at least 6 characters."),
        ("zon-7schijn", "It needs an upper-case letter."),
        ("ZON-7SCHIJN", "It needs a lower-case letter."),
        ("Zon-schijn", "It needs a digit."),
        ("Zon7schijn", "It needs a special character"),
    ],
)
async def test_a_weak_password_is_told_what_it_lacks(site: Site, password: str, sentence: str) -> None:
    page = html.unescape(await site.post(NEW, form(password=password), who="installer", status=422))
    error = re.search(r'id="f-password-error">(.*?)</div>', page, re.DOTALL)
    assert error
    assert sentence in error[1]
    assert password not in page


async def test_a_password_that_lacks_everything_is_told_everything(site: Site) -> None:
    page = html.unescape(await site.post(NEW, form(password="é"), who="installer", status=422))
    error = re.search(r'id="f-password-error">(.*?)</div>', page, re.DOTALL)
    assert error
    for lacking in ("at least 6", "upper-case", "lower-case", "a digit", "special"):
        assert lacking in error[1]


async def test_an_unknown_type_shows_the_list(site: Site) -> None:
    for page in (
        await site.post(NEW, form(type="snom/D9999"), who="installer", status=422),
        await site.get(f"{NEW}?type=acme", who="installer", status=422),
    ):
        assert "No vendor profile knows" in page
        assert "type=snom%2FD785" in page


async def test_another_vendors_address_is_a_warning_and_no_error(site: Site) -> None:
    page = await site.post(NEW, form(mac="00:15:65:CC:00:01"), who="installer", status=200)
    assert "is an address of Yealink, but the chosen type is Snom." in page


async def test_a_second_device_without_premium_is_refused_in_words(site: Site) -> None:
    new = "/t/rival/devices/new"
    page = html.unescape(
        await site.post(new, form(user_id=str(site.office.other_user)), who="rival", status=409)
    )
    assert "Rita Rival already has Rival's" in page


async def test_the_address_is_checked_while_typing(site: Site) -> None:
    check = "/t/acme/devices/check-mac?type=snom/D785&mac="
    assert "00:04:13:CC:00:01" in await site.get(check + "000413cc0001", who="installer")
    assert "exactly 12 digits; this one has 3" in await site.get(check + "000", who="installer")
    assert "registered already: it is “Anna&#39;s desk”" in await site.get(
        check + "000413AA0001", who="installer"
    )
    assert "address of Yealink" in await site.get(check + "001565CC0001", who="installer")
    foreign = await site.get(check + "000413BB0001", who="installer")
    assert "Rival" not in foreign


async def test_the_rules_of_the_password_are_checked_while_typing(site: Site) -> None:
    sent = {"type": "snom/D785", "password": "abc"}
    piece = await site.post("/t/acme/devices/check-password", sent, who="installer", status=200)
    met = [line for line in piece.splitlines() if "Met:" in line and "Not met:" not in line]
    assert len(met) == 1
    assert "lower-case" in met[0]
    assert piece.count("Not met:") == 4
    assert "abc" not in piece


async def test_in_dutch_the_errors_of_the_layers_below_are_dutch(site: Site) -> None:
    await site.post("/own", {"display_name": "", "language": "nl"}, who="installer")
    page = html.unescape(
        await site.post(NEW, form(mac="00:04:13:CC:00:O1", password="x"), who="installer", status=422)
    )
    assert (
        "Een MAC-adres heeft alleen de tekens 0–9 en A–F; dit heeft “O”. Misschien staat er een letter O waar een nul hoort."
        in page
    )
    page = html.unescape(await site.post(NEW, form(password="zon-7schijn"), who="installer", status=422))
    assert "Het heeft een hoofdletter nodig." in page
