"""A phone that was only told an http address ends on https, and no secret ever goes over http."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from lxml import etree

from provisioner.registrar.sip_digest import Credentials
from provisioner.simulator.phone import VirtualPhone
from provisioner.simulator.status import Phase, PhoneStatus
from tests.support.lab import DIALECTS, Lab, Phone, fetches, lab, phone_session
from tests.support.program import is_installed, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not is_installed("kamailio"), reason="Kamailio is not installed"),
]

SNOM, YEALINK = "000413A50011", "805EC0A50012"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab(tmp_path) as place:
        yield place


async def run(place: Lab, vendor: str, mac: str, *, url: str, sheet: Phone) -> list[tuple[str, int]]:
    """Power on with a typed address until the tick is green, or nothing more is to be had; what was asked for."""
    credentials = Credentials(sheet.username, sheet.password)
    said: list[PhoneStatus] = []
    async with phone_session(place.running.ca_path) as session:
        phone = VirtualPhone(DIALECTS[vendor], session, mac=mac, url=url, credentials=credentials)
        phone.listen(said.append)
        await phone.start()
        try:
            await until(
                lambda: phone.is_registered or Phase.FETCH_FAILED in {status.phase for status in said},
                what="the phone to finish",
            )
            if phone.is_registered:
                await place.tick(sheet.id, "registered")
            return [(item.path, item.status) for item in phone.files]
        finally:
            await phone.stop()


async def test_a_boot_file_over_http_leads_to_the_secret_one_over_https(place: Lab) -> None:
    sheet = await place.phone("yealink", "T46U", YEALINK, user_id=await place.user("Ben Hall", "102"))
    mac = YEALINK.lower()
    asked = await run(place, "yealink", YEALINK, url=f"{place.running.http_url}/p/", sheet=sheet)
    assert asked == [(f"/p/{mac}.boot", 200), ("/p/y000000000000.cfg", 200), (f"/p/{mac}.cfg", 200)]
    log = await fetches(place.running, sheet.id)
    assert [(fetch.status, fetch.reason) for fetch in log] == [(401, "no-credentials"), (200, "allowed")]
    await place.tick(sheet.id, "unregistered")


async def test_a_bootstrap_file_gives_the_address_that_the_next_boot_uses(place: Lab) -> None:
    sheet = await place.phone("snom", "D785", SNOM, user_id=await place.user("Anna Desk", "101"))
    first = await run(place, "snom", SNOM, url=f"{place.running.http_url}/p/", sheet=sheet)
    assert first == [
        ("/p/snomD785.htm", 200),
        (f"/p/snomD785-{SNOM}.htm", 403),
        ("/p/snomD785-firmware.htm", 404),
    ]
    log = await fetches(place.running, sheet.id)
    assert [(fetch.status, fetch.reason) for fetch in log] == [(403, "needs-tls")]
    assert await place.registration(sheet.id) is None

    learnt = await stored_address(place)
    assert learnt == f"{place.running.https_url}/p/{{mac}}.xml"
    second = await run(place, "snom", SNOM, url=learnt, sheet=sheet)
    assert second[0] == (f"/p/{SNOM}.xml", 200)
    await place.tick(sheet.id, "unregistered")


async def test_over_http_there_is_no_challenge_that_a_password_could_answer(place: Lab) -> None:
    sheet = await place.phone("snom", "D785", SNOM, user_id=await place.user("Anna Desk", "101"))
    async with phone_session(place.running.ca_path) as session:
        async with session.get(f"{place.running.http_url}/p/{SNOM}.xml") as answer:
            assert answer.status == 403
            assert "WWW-Authenticate" not in answer.headers
        async with session.get(f"{place.running.http_url}/ca.pem") as answer:
            assert await answer.read() == place.running.ca_path.read_bytes()
        for path in ("snomD785.htm", f"{YEALINK.lower()}.boot", "y000000000108.cfg"):
            async with session.get(f"{place.running.http_url}/p/{path}") as answer:
                body = await answer.text()
                assert answer.status == 200
                for secret in (sheet.account, sheet.username, sheet.password, "acme"):
                    assert secret not in body, f"{path} says {secret}"


async def stored_address(place: Lab) -> str:
    """What a phone stores as its setting server after the bootstrap file."""
    async with (
        phone_session(place.running.ca_path) as session,
        session.get(f"{place.running.http_url}/p/snomD785.htm") as answer,
    ):
        found = etree.fromstring(await answer.read()).find("phone-settings/setting_server")
    assert found is not None
    return found.text or ""
