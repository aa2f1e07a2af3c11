"""Virtual phones know nothing but what stands in their rendered files, and register with it at a real Kamailio."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from provisioner.registrar.sip_digest import Credentials
from provisioner.simulator.phone import VirtualPhone
from provisioner.simulator.status import Phase, PhoneStatus
from tests.support.lab import DIALECTS, Lab, Phone, fetches, lab, phone_session
from tests.support.program import is_installed, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not is_installed("kamailio"), reason="Kamailio is not installed"),
]

SNOM, YEALINK = "000413A50001", "805EC0A50002"


@pytest.fixture
async def place(tmp_path: Path, database_url: str) -> AsyncIterator[Lab]:
    async with lab(tmp_path, database=database_url) as place:
        yield place


async def test_two_vendors_phones_ask_in_their_order_register_and_sign_off(place: Lab) -> None:
    anna, ben = await place.user("Anna Desk", "101"), await place.user("Ben Hall", "102")
    snom = await place.phone("snom", "D785", SNOM, user_id=anna)
    yealink = await place.phone("yealink", "T46U", YEALINK, user_id=ben)
    async with phone_session(place.running.ca_path) as session:

        def virtual(vendor: str, mac: str, sheet: Phone) -> VirtualPhone:
            credentials = Credentials(sheet.username, sheet.password)
            return VirtualPhone(
                DIALECTS[vendor], session, mac=mac, url=sheet.url, credentials=credentials, retry=0.5
            )

        phones = {snom.id: virtual("snom", SNOM, snom), yealink.id: virtual("yealink", YEALINK, yealink)}
        said: list[PhoneStatus] = []
        for phone in phones.values():
            phone.listen(said.append)
            await phone.start()
        try:
            for device_id, phone in phones.items():
                assert await until(lambda phone=phone: phone.is_registered, what=f"{phone.mac} to register")  # type: ignore[misc]
                tick = await place.tick(device_id, "registered")
                assert tick.until is not None
                assert tick.source == "registrar"
            await check_what_was_asked(place, snom, yealink, phones)
        finally:
            await asyncio.gather(*(phone.stop() for phone in phones.values()))
    for sheet in (snom, yealink):
        gone = await place.tick(sheet.id, "unregistered")
        assert gone.reason == "the phone signed off"
        assert gone.until is None
    assert not [status for status in said if status.phase in {Phase.REFUSED, Phase.FETCH_FAILED}]


async def check_what_was_asked(
    place: Lab, snom: Phone, yealink: Phone, phones: dict[int, VirtualPhone]
) -> None:
    """The order, the answers, and that the accounts of the files are the ones at the registrar."""
    asked = {
        device_id: [(item.path, item.status) for item in phone.files] for device_id, phone in phones.items()
    }
    assert asked[snom.id] == [(f"/p/{SNOM}.xml", 200), ("/snomD785-firmware.htm", 404)]
    mac = YEALINK.lower()
    assert asked[yealink.id] == [
        (f"/p/{mac}.boot", 200),
        ("/p/y000000000000.cfg", 200),
        (f"/p/{mac}.cfg", 200),
    ]
    for sheet, agent in ((snom, "snomD785/10.1.175.16"), (yealink, "Yealink SIP-T46U 108.86.0.90")):
        line = next(line for line in phones[sheet.id].lines if line.is_active)
        assert (line.user, line.domain) == (sheet.account, "acme.test")
        contacts = place.kamailio.contacts(f"{sheet.account}@acme.test")
        assert [contact["User-Agent"] for contact in contacts] == [agent]
        log = await fetches(place.running, sheet.id)
        assert [(fetch.status, fetch.reason) for fetch in log] == [(401, "no-credentials"), (200, "allowed")]


async def test_a_wrong_configuration_password_is_named_in_the_log_and_nothing_registers(place: Lab) -> None:
    sheet = await place.phone("snom", "D785", SNOM, user_id=await place.user("Anna Desk", "101"))
    async with phone_session(place.running.ca_path) as session:
        phone = VirtualPhone(
            DIALECTS["snom"],
            session,
            mac=SNOM,
            url=sheet.url,
            credentials=Credentials(sheet.username, "Wrong1!wrong"),
            retry=0.2,
        )
        said: list[PhoneStatus] = []
        phone.listen(said.append)
        await phone.start()
        try:
            await until(
                lambda: [status for status in said if status.phase is Phase.FETCH_FAILED],
                what="the wrong password to be refused",
            )
        finally:
            await phone.stop()
    log = await fetches(place.running, sheet.id)
    assert "wrong-password" in {fetch.reason for fetch in log}
    assert await place.registration(sheet.id) is None
