"""A hotdesk login reaches the phone itself: check-sync through a real Kamailio, a fetch, a new registration, the user's keys.

The phones are virtual: they know nothing but what stands in the files they fetch.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from provisioner.composition.phone_config import KeyConfig
from provisioner.model import Resync
from provisioner.registrar.sip_digest import Credentials
from provisioner.services.context import SYSTEM
from provisioner.services.hotdesk.sessions import (
    Outcome,
    Result,
    log_in_with_pin,
    log_out,
    set_device_hotdesk,
    set_hotdesk,
)
from provisioner.services.keys.function_keys import put_keys
from provisioner.services.pbx.connections import probe_connection, put_connection
from provisioner.services.pbx.resync_state import Freshness, resync_now, resync_state
from provisioner.simulator.phone import VirtualPhone
from provisioner.simulator.status import Phase, PhoneStatus
from tests.support.lab import DIALECTS, Lab, Phone, lab, phone_session
from tests.support.program import is_installed, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not is_installed("kamailio"), reason="Kamailio is not installed"),
]

SNOM, YEALINK = "000413A50001", "805EC0A50002"
PIN = "7204"
SECONDS = 2.0
"""What the issue allows between the login and the fetch."""
BEN, MOTHER = "Ben Hall", "Anna's mother"
NUMBER = "+31612345678"
EXTENSION = re.compile(r"(?<![0-9A-Za-z])101(?![0-9A-Za-z])")
OF_ANNA = ("Anna Desk", MOTHER, "31612345678", BEN)


@pytest.fixture
async def place(tmp_path: Path, database_url: str) -> AsyncIterator[Lab]:
    async with lab(tmp_path, database=database_url) as place:
        yield place


@dataclass(eq=False)
class Desk:
    """A hotdesk device and the phone that stands there. `said` is what the phone tells about itself."""

    place: Lab
    sheet: Phone
    phone: VirtualPhone
    said: list[PhoneStatus] = field(default_factory=list)
    before: dict[str, str] = field(default_factory=dict)
    """What it had stored before anybody sat there: 101 is also the payload type of DTMF."""

    @property
    def texts(self) -> dict[str, str]:
        """Everything the phone has stored, without the registrar's address, in which any number may stand."""
        return {
            key: value.replace(self.place.kamailio.address, "registrar")
            for key, value in self.phone._stored.items()
        }

    @property
    def labels(self) -> set[str]:
        return {key.label for key in self.phone.keys}

    @property
    def targets(self) -> str:
        return " ".join(key.value for key in self.phone.keys)

    def shows_anna(self) -> bool:
        return any("Anna Desk" in line.display_name for line in self.phone.lines)

    def phases(self) -> list[Phase]:
        return [status.phase for status in self.said]

    async def within_two_seconds(self, act: Callable[[], object], *, what: str) -> None:
        started = asyncio.get_running_loop().time()
        await until(act, what=what)
        assert asyncio.get_running_loop().time() - started < SECONDS, what

    async def settled(self) -> None:
        """The phone is registered, and the server knows it."""
        await until(lambda: self.phone.is_registered, what=f"{self.phone.mac} to register")
        await self.place.tick(self.sheet.id, "registered")
        await self.fetched()  # becoming a hotdesk device was a change too
        self.before = self.texts

    async def log_in(self) -> Outcome:
        self.said.clear()
        return await log_in_with_pin(
            self.place.running.context,
            SYSTEM,
            device_id=self.sheet.id,
            extension="101",
            pin=PIN,
            origin="code",
        )

    async def fetched(self) -> Resync:
        """The phone's fetch counts as the success of what it was asked for."""
        for _ in range(500):
            if (await self.resync()).result == "fetched":
                break
            await asyncio.sleep(0.02)
        row = await self.resync()
        assert (row.result, row.next_at) == ("fetched", None)
        return row

    async def resync(self) -> Resync:
        async with self.place.running.context.store.read() as session:
            row = await session.get(Resync, self.sheet.id)
        assert row is not None
        return row


@asynccontextmanager
async def desks(place: Lab) -> AsyncIterator[tuple[Desk, Desk]]:
    """A Snom and a Yealink, free for anybody, registered at Kamailio."""
    made = [
        (vendor, mac, await place.phone(vendor, model, mac))
        for vendor, model, mac in (("snom", "D785", SNOM), ("yealink", "T46U", YEALINK))
    ]
    async with phone_session(place.running.ca_path) as session:
        found = []
        for vendor, mac, sheet in made:
            await set_device_hotdesk(place.running.context, SYSTEM, device_id=sheet.id, enabled=True)
            credentials = Credentials(sheet.username, sheet.password)
            phone = VirtualPhone(
                DIALECTS[vendor], session, mac=mac, url=sheet.url, credentials=credentials, retry=0.5
            )
            desk = Desk(place, sheet, phone)
            phone.listen(desk.said.append)
            await phone.start()
            found.append(desk)
        try:
            for desk in found:
                await desk.settled()
            yield found[0], found[1]
        finally:
            await asyncio.gather(*(desk.phone.stop() for desk in found))


async def connect(place: Lab) -> None:
    context, tenant_id = place.running.context, place.tenant_id
    await put_connection(
        context, SYSTEM, tenant_id=tenant_id, kind="kamailio", address=place.kamailio.rpc_url
    )
    assert await probe_connection(context, SYSTEM, tenant_id=tenant_id) == ""


async def anna(place: Lab) -> None:
    """User 101 with a PIN and two keys of her own."""
    context, tenant_id = place.running.context, place.tenant_id
    user_id, ben = await place.user("Anna Desk", "101"), await place.user(BEN, "102")
    await set_hotdesk(context, SYSTEM, user_id=user_id, enabled=True, pin=PIN)
    keys = [
        KeyConfig(slot=2, type="blf", user_id=ben),
        KeyConfig(slot=3, type="speed_dial", target=NUMBER, label=MOTHER),
    ]
    await put_keys(context, SYSTEM, tenant_id=tenant_id, scope="user", ref=str(user_id), keys=keys)


async def test_a_login_brings_the_users_line_and_keys_and_a_logout_takes_them_away(place: Lab) -> None:
    await anna(place)
    await connect(place)
    async with desks(place) as (snom, yealink):
        assert (await snom.log_in()).result is Result.LOGGED_IN
        await snom.within_two_seconds(snom.shows_anna, what="the snom to show Anna")
        await check_seated(snom)

        # one user, one hotdesk device: the login elsewhere reaches both phones
        assert (await yealink.log_in()).result is Result.LOGGED_IN
        await yealink.within_two_seconds(yealink.shows_anna, what="the yealink to show Anna")
        await snom.within_two_seconds(lambda: not snom.shows_anna(), what="the snom to forget Anna")
        await check_seated(yealink)
        await check_free(snom)

        yealink.said.clear()
        await log_out(place.running.context, SYSTEM, device_id=yealink.sheet.id, origin="code")
        await yealink.within_two_seconds(lambda: not yealink.shows_anna(), what="the yealink to forget Anna")
        await check_free(yealink)


async def check_seated(desk: Desk) -> None:
    """Registered anew with what it fetched; Anna's name, extension and keys; nothing restarted."""
    await until(lambda: Phase.REGISTERED in desk.phases(), what="the phone to register anew")
    assert desk.phone.is_registered
    assert {BEN, MOTHER} <= desk.labels
    assert "102" in desk.targets
    assert "31612345678" in desk.targets
    assert any("101" in line.display_name + line.label for line in desk.phone.lines)
    await done(desk)


async def check_free(desk: Desk) -> None:
    """Still registered with the device's own account, and nothing of Anna is left in anything the phone knows."""
    await until(lambda: desk.phone.is_registered, what="the phone to stay registered")
    left = {
        key: text
        for key, text in desk.texts.items()
        if any(word in text for word in OF_ANNA) or (EXTENSION.search(text) and text != desk.before.get(key))
    }
    assert left == {}
    await done(desk)


async def done(desk: Desk) -> None:
    """The server has seen the fetch and counts it as the success; the phone is what it should be, byte for byte."""
    assert (await desk.fetched()).attempts == 1
    state = await resync_state(desk.place.running.context, SYSTEM, device_id=desk.sheet.id)
    assert state.freshness is Freshness.CURRENT


async def test_a_phone_that_is_told_by_hand_fetches_though_nothing_changed(place: Lab) -> None:
    await connect(place)
    async with desks(place) as (snom, yealink):
        for desk in (snom, yealink):
            desk.said.clear()
        await resync_now(place.running.context, SYSTEM, device_id=snom.sheet.id)
        await snom.within_two_seconds(lambda: Phase.CONFIGURED in snom.phases(), what="the snom to fetch")
        await done(snom)
        assert Phase.FETCHING not in yealink.phases()
        assert snom.phone.is_registered
