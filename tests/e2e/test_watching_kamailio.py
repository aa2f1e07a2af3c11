"""A registrar that tells us nothing: the tick comes from watching a real Kamailio (RFC 3680) instead of its events."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from provisioner.registrar.agent import SipAgent
from provisioner.registrar.sip import Request, sip_uri
from provisioner.registrar.sip_digest import Credentials
from provisioner.services.context import SYSTEM
from provisioner.services.devices.enrolment import remove_device
from provisioner.services.files.phone_files import compose_device
from provisioner.services.people.tenants import update_tenant
from tests.support.door import Door
from tests.support.kamailio import Kamailio, Site
from tests.support.lab import Lab, Phone
from tests.support.program import is_installed, until
from tests.support.server import running_server

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not is_installed("kamailio"), reason="Kamailio is not installed"),
]

TOKEN = "canary-token"
DOMAIN = "acme.test"
AGENT = "snomD785/10.1.175.16"


@dataclass(frozen=True)
class Silent:
    """A lab whose Kamailio asks and informs somebody else: `door` knows the accounts and keeps the events to itself."""

    lab: Lab
    door: Door

    async def phone(self, mac: str) -> Phone:
        phone = await self.lab.phone("snom", "D785", mac)
        config = await compose_device(self.lab.running.context, SYSTEM, device_id=phone.id)
        self.door.accounts[phone.account] = config.lines[0].password
        return phone


class SipPhone:
    """Registers one account when told to, for as long as told."""

    def __init__(self, silent: Silent, phone: Phone) -> None:
        self.agent = SipAgent(user_agent=AGENT)
        self._kamailio = silent.lab.kamailio
        self._account = phone.account
        self._credentials = Credentials(phone.account, silent.door.accounts[phone.account])
        self._call_id, self._cseq = secrets.token_hex(8), 0

    async def register(self, *, expires: int) -> None:
        self._cseq += 1
        address = sip_uri(self._account, DOMAIN)
        contact = sip_uri(self._account, "127.0.0.1", port=self.agent.port)
        request = Request(
            method="REGISTER",
            uri=f"sip:{DOMAIN}",
            headers=(
                ("From", f"<{address}>;tag=1"),
                ("To", f"<{address}>"),
                ("Call-ID", self._call_id),
                ("CSeq", f"{self._cseq} REGISTER"),
                ("Contact", f"<{contact}>"),
                ("Expires", str(expires)),
            ),
        )
        place = (self._kamailio.address, self._kamailio.port)
        answer, self._cseq = await self.agent.exchange(request, place, credentials=self._credentials)
        assert answer.status == 200, answer.reason


@asynccontextmanager
async def switched_on(silent: Silent, phone: Phone) -> AsyncIterator[SipPhone]:
    sip_phone = SipPhone(silent, phone)
    await sip_phone.agent.open("127.0.0.1")
    try:
        yield sip_phone
    finally:
        await sip_phone.agent.close()


@pytest.fixture
async def silent(tmp_path: Path) -> AsyncIterator[Silent]:
    async with (
        running_server(tmp_path / "data") as running,
        Door({}, token=TOKEN, realm=DOMAIN) as door,
        Kamailio(
            tmp_path / "kamailio",
            Site(door=door.url, token=TOKEN, domains=(DOMAIN,)),
            options=["WITH_PRES", "MIN_EXPIRES=2"],
        ) as kamailio,
    ):
        registrar = f"{kamailio.address}:{kamailio.port}"
        await update_tenant(running.context, SYSTEM, tenant_id=running.tenant.id, watch_registrar=registrar)
        yield Silent(Lab(running, kamailio), door)


async def test_a_phone_registers_signs_off_and_falls_silent(silent: Silent) -> None:
    phone = await silent.phone("000413EE0001")
    async with switched_on(silent, phone) as sip_phone:
        await sip_phone.register(expires=60)
        tick = await silent.lab.tick(phone.id, "registered")
        assert (tick.reason, tick.source) == (AGENT, "registrar")
        assert tick.until is not None
        assert 40 < (tick.until - tick.since).total_seconds() <= 61

        await sip_phone.register(expires=0)
        gone = await silent.lab.tick(phone.id, "unregistered")
        assert gone.reason == "the phone signed off"

        await sip_phone.register(expires=2)
        await silent.lab.tick(phone.id, "registered")
    gone = await silent.lab.tick(phone.id, "expired")  # long before the time of grace would be over
    assert gone.reason == "the registration was not renewed in time"


async def test_a_phone_that_was_there_before_is_seen_and_a_removed_one_is_left_alone(silent: Silent) -> None:
    running = silent.lab.running
    tenant_id, registrar = running.tenant.id, f"{silent.lab.kamailio.address}:{silent.lab.kamailio.port}"
    await update_tenant(running.context, SYSTEM, tenant_id=tenant_id, watch_registrar="")
    phone, other = await silent.phone("000413EE0001"), await silent.phone("000413EE0002")
    async with switched_on(silent, phone) as sip_phone:
        await sip_phone.register(expires=60)
        assert await silent.lab.registration(phone.id) is None
        await update_tenant(running.context, SYSTEM, tenant_id=tenant_id, watch_registrar=registrar)
        await silent.lab.tick(phone.id, "registered")

        [watcher] = running.server.watching._watchers.values()
        both = {f"{one.account}@{DOMAIN}" for one in (phone, other)}
        assert watcher.watched == both
        await remove_device(running.context, SYSTEM, device_id=phone.id)
        await until(
            lambda: watcher.watched == {f"{other.account}@{DOMAIN}"}, what="the account to be left alone"
        )
    assert silent.door.events, "Kamailio told its own door, and only that"
