"""The RFC 3680 watcher against a real notifier, Kamailio, with the reference configuration."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from provisioner.registrar.agent import Address, SipAgent
from provisioner.registrar.check_sync import Reach, check_sync_by_rpc
from provisioner.registrar.reg_event import Contact
from provisioner.registrar.sip import Request, Response, reply, sip_uri
from provisioner.registrar.sip_digest import Credentials
from provisioner.registrar.watcher import Pace, RegEventWatcher
from tests.support.door import Door
from tests.support.kamailio import Kamailio, Site
from tests.support.program import is_installed

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not is_installed("kamailio"), reason="Kamailio is not installed"),
]

TOKEN = "canary-token"
DOMAIN = "tenant1.test"
AOR = f"1001@{DOMAIN}"
PACE = Pace(expires=60, settle=1.0, retry_first=0.2, farewell=2.0)


class Seen:
    """The watcher's listener."""

    def __init__(self) -> None:
        self.states: asyncio.Queue[tuple[tuple[Contact, ...], bool]] = asyncio.Queue()

    async def __call__(self, _aor: str, contacts: tuple[Contact, ...], is_final: bool) -> None:
        self.states.put_nowait((contacts, is_final))

    async def next(self) -> tuple[Contact, ...]:
        contacts, is_final = await asyncio.wait_for(self.states.get(), 20)
        assert not is_final
        return contacts


class Phone:
    """Registers when told to; keeps the NOTIFYs it gets."""

    def __init__(self, user_agent: str) -> None:
        self.agent = SipAgent(self._handle, user_agent=user_agent)
        self.call_id, self.cseq = secrets.token_hex(8), 0
        self.events: list[str] = []

    async def _handle(self, request: Request, _source: Address) -> Response:
        self.events.append(request.get("Event") or "")
        return reply(request, 200, "OK", to_tag="p")

    @property
    def contact(self) -> str:
        return sip_uri("1001", "127.0.0.1", port=self.agent.port)

    async def register(self, kamailio: Kamailio, *, expires: int = 60) -> int:
        self.cseq += 1
        request = Request(
            method="REGISTER",
            uri=f"sip:{DOMAIN}",
            headers=(
                ("From", f"<sip:{AOR}>;tag=1"),
                ("To", f"<sip:{AOR}>"),
                ("Call-ID", self.call_id),
                ("CSeq", f"{self.cseq} REGISTER"),
                ("Contact", f"<{self.contact}>"),
                ("Expires", str(expires)),
            ),
        )
        place = (kamailio.address, kamailio.port)
        answer, self.cseq = await self.agent.exchange(
            request, place, credentials=Credentials("1001", "right")
        )
        return answer.status


@pytest.fixture
async def kamailio(tmp_path: Path) -> AsyncIterator[Kamailio]:
    async with Door({"1001": "right"}, token=TOKEN, realm=DOMAIN) as door:
        site = Site(door=door.url, token=TOKEN, domains=(DOMAIN,))
        options = ["WITH_PRES", "MIN_EXPIRES=2"]
        async with Kamailio(tmp_path / "kamailio", site, options=options) as kamailio:
            yield kamailio


@pytest.fixture
async def seen(kamailio: Kamailio) -> AsyncIterator[Seen]:
    seen = Seen()
    watcher = RegEventWatcher(
        kamailio.address, seen, identity=f"sip:provisioning@{DOMAIN}", port=kamailio.port, pace=PACE
    )
    await watcher.start([AOR])
    yield seen
    await watcher.stop()


@pytest.fixture
async def phones() -> AsyncIterator[tuple[Phone, Phone]]:
    one, two = Phone("snomD785/10.1.175.16"), Phone("Yealink SIP-T46U 108.86.0.90")
    for phone in (one, two):
        await phone.agent.open("127.0.0.1")
    yield one, two
    for phone in (one, two):
        await phone.agent.close()


def active(contacts: tuple[Contact, ...]) -> dict[str, str]:
    return {contact.uri: contact.user_agent for contact in contacts if contact.is_active}


def ended(contacts: tuple[Contact, ...]) -> set[str]:
    return {contact.uri for contact in contacts if not contact.is_active}


async def test_the_life_of_two_phones_on_one_address(
    kamailio: Kamailio, seen: Seen, phones: tuple[Phone, Phone]
) -> None:
    one, two = phones
    assert await seen.next() == (), "nobody, said only after the empty NOTIFY had its second chance"

    assert await one.register(kamailio) == 200
    contacts = await seen.next()
    assert active(contacts) == {one.contact: "snomD785/10.1.175.16"}
    assert contacts[0].expires_in is not None
    assert 50 < contacts[0].expires_in <= 60

    assert await two.register(kamailio, expires=2) == 200
    assert active(await seen.next()).keys() == {one.contact, two.contact}

    contacts = await seen.next()  # the second one was not refreshed
    assert active(contacts).keys() == {one.contact}
    assert ended(contacts) == {two.contact}

    assert await one.register(kamailio, expires=0) == 200
    contacts = await seen.next()
    assert active(contacts) == {}
    assert ended(contacts) == {one.contact}


async def test_a_watcher_that_comes_later_is_told_who_is_there(
    kamailio: Kamailio, phones: tuple[Phone, Phone]
) -> None:
    assert await phones[0].register(kamailio) == 200
    late = Seen()
    watcher = RegEventWatcher(
        kamailio.address, late, identity=f"sip:provisioning@{DOMAIN}", port=kamailio.port, pace=PACE
    )
    await watcher.start([AOR])
    assert active(await late.next()).keys() == {phones[0].contact}
    await watcher.stop()


async def test_check_sync_reaches_a_phone_through_json_rpc(
    kamailio: Kamailio, phones: tuple[Phone, Phone]
) -> None:
    phone = phones[0]
    assert await phone.register(kamailio) == 200
    async with aiohttp.ClientSession() as session:
        sender = f"sip:provisioning@{DOMAIN}"
        result = await check_sync_by_rpc(
            session, kamailio.rpc_url, contact=phone.contact, sender=sender, waits=True
        )
        assert (result.reach, result.status) == (Reach.ANSWERED, 200)
        bad = await check_sync_by_rpc(session, kamailio.rpc_url, contact="sip:x@127.0.0.1:1", sender=sender)
        assert bad.reach is Reach.SENT
    assert phone.events == ["check-sync;reboot=false"]
