"""Two virtual phones of two vendors share a line at a real Kamailio: they know of it only what their rendered files say (R6)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from provisioner.registrar.agent import Address, SipAgent
from provisioner.registrar.sip import Request, Response, reply
from provisioner.registrar.sip_digest import Credentials
from provisioner.services.context import SYSTEM
from provisioner.services.files.phone_files import compose_device
from provisioner.services.shared_lines.members import Wish
from provisioner.services.shared_lines.shared_lines import create_shared_line, update_shared_line
from provisioner.services.shared_lines.views import Shared
from provisioner.simulator.call import CallRefused, Leg, open_call
from provisioner.simulator.call_info import Lamp
from provisioner.simulator.phone import VirtualPhone
from provisioner.simulator.reader import LineSettings
from provisioner.simulator.shared_lines import SharedLine
from tests.support.callee import Callee
from tests.support.lab import DIALECTS, Lab, lab, phone_session
from tests.support.program import is_installed, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not is_installed("kamailio"), reason="Kamailio is not installed"),
]

MACS = {"snom": "000413A50001", "yealink": "805EC0A50002"}
MODELS = {"snom": "D785", "yealink": "T46U"}
IDLE, SEIZED, ACTIVE, HELD = Lamp.IDLE, Lamp.SEIZED, Lamp.ACTIVE, Lamp.HELD


@dataclass(frozen=True)
class Office:
    """A shared line with two appearances on a Snom and a Yealink, and somebody at extension 101 who answers."""

    place: Lab
    line: Shared
    phones: dict[str, VirtualPhone]
    callee: Callee
    caller: LineSettings
    """The callee's account, for a call the other way round."""

    @property
    def snom(self) -> SharedLine:
        return self.phones["snom"].shared[2]

    @property
    def yealink(self) -> SharedLine:
        return self.phones["yealink"].shared[2]

    async def lamps(self, *expected: Lamp) -> None:
        """Both phones' lamps show this."""
        for name, shared in (("snom", self.snom), ("yealink", self.yealink)):
            await until(
                lambda shared=shared: shared.lamps == expected,  # type: ignore[misc]
                what=f"the lamps of {name} to be {expected}; they were {shared.history}",
            )


async def answering(place: Lab) -> LineSettings:
    """Extension 101: a device that is no virtual phone, at this Kamailio."""
    ben = await place.user("Ben Hall", "101")
    sheet = await place.phone("generic", "Linphone", "02A4C3000001", user_id=ben)
    config = await compose_device(place.running.context, SYSTEM, device_id=sheet.id)
    line = config.lines[0]
    return LineSettings(
        slot=1,
        user=line.account,
        auth_user=line.auth_user,
        password=line.password,
        domain=line.domain,
        host=place.kamailio.address,
        port=place.kamailio.port,
        expires=120,
        is_active=True,
    )


@asynccontextmanager
async def office(folder: Path, database: str) -> AsyncIterator[Office]:
    async with lab(folder, database=database, options=("WITH_SCA", "MIN_EXPIRES=2")) as place:
        sheets = {name: await place.phone(name, MODELS[name], MACS[name]) for name in MACS}
        line = await create_shared_line(
            place.running.context,
            SYSTEM,
            tenant_id=place.tenant_id,
            name="Sales",
            number="210",
            members=[Wish(sheet.id) for sheet in sheets.values()],
        )
        other = await answering(place)
        async with phone_session(place.running.ca_path) as session, Callee(other) as callee:
            phones = {
                name: VirtualPhone(
                    DIALECTS[name],
                    session,
                    mac=MACS[name],
                    url=sheet.url,
                    credentials=Credentials(sheet.username, sheet.password),
                    retry=0.5,
                )
                for name, sheet in sheets.items()
            }
            for phone in phones.values():
                await phone.start()
            try:
                for name, phone in phones.items():
                    await until(lambda phone=phone: phone.is_registered, what=f"{name} to register")  # type: ignore[misc]
                    await until(
                        lambda phone=phone: 2 in phone.shared and phone.shared[2].is_watching,  # type: ignore[misc]
                        what=f"{name} to watch the shared line",
                    )
                await until(lambda: callee.is_registered, what="the callee to register")
                yield Office(place, line, phones, callee, other)
            finally:
                await asyncio.gather(*(phone.stop() for phone in phones.values()))


@pytest.fixture
async def sales(tmp_path: Path, database_url: str) -> AsyncIterator[Office]:
    async with office(tmp_path, database_url) as found:
        yield found


async def test_the_files_say_all_a_phone_needs_to_share(sales: Office) -> None:
    """R6.5: the same address, own credentials, one key for each appearance; at the registrar both are one address."""
    for name, member in zip(MACS, sales.line.members, strict=True):
        settings = next(line for line in sales.phones[name].lines if line.slot == 2)
        assert (settings.user, settings.auth_user) == (sales.line.account, member.account)
        assert settings.is_shared
        assert len(sales.phones[name].shared[2].lamps) == 2
        own = next(line for line in sales.phones[name].lines if line.slot == 1)
        assert not own.is_shared
    contacts = sales.place.kamailio.contacts(f"{sales.line.account}@acme.test")
    assert len(contacts) == 2


async def test_a_call_is_held_on_one_phone_and_retrieved_on_the_other(sales: Office) -> None:
    """Issue 8.5: idle → seized → active → held → retrieved on the other → idle."""
    await sales.lamps(IDLE, IDLE)
    assert await sales.snom.seize() == 1
    await sales.lamps(SEIZED, IDLE)
    await sales.snom.call("101", index=1)
    await sales.lamps(ACTIVE, IDLE)
    assert sales.callee.callers == [f"sip:{sales.line.account}@acme.test"]
    await sales.snom.hold(1)
    await sales.lamps(HELD, IDLE)
    first = sales.callee.calls
    await sales.yealink.retrieve(1)
    await sales.lamps(ACTIVE, IDLE)
    await until(lambda: 1 not in sales.snom.calls, what="the first phone's call to end")
    assert len(sales.callee.calls) == 1
    assert sales.callee.calls != first
    await sales.yealink.hang_up(1)
    await sales.lamps(IDLE, IDLE)
    assert not sales.callee.calls
    assert sales.callee.directions == ["sendrecv", "sendonly", "sendrecv"]


async def test_two_calls_run_at_once_and_a_third_finds_no_appearance(sales: Office) -> None:
    """R6.2."""
    assert await sales.snom.call("101") == 1
    await sales.lamps(ACTIVE, IDLE)
    assert await sales.yealink.call("101") == 2
    await sales.lamps(ACTIVE, ACTIVE)
    assert len(sales.callee.calls) == 2
    with pytest.raises(Exception, match="Every appearance"):
        await sales.snom.seize()
    await sales.snom.hang_up(1)
    await sales.lamps(IDLE, ACTIVE)
    await sales.yealink.hang_up(2)
    await sales.lamps(IDLE, IDLE)


async def test_one_holds_and_goes_on_with_the_own_call(sales: Office) -> None:
    index = await sales.yealink.call("101")
    await sales.yealink.hold(index)
    await sales.lamps(HELD, IDLE)
    await sales.yealink.retrieve(index)
    await sales.lamps(ACTIVE, IDLE)
    await sales.yealink.hang_up(index)
    await sales.lamps(IDLE, IDLE)


async def agreeing(request: Request, _source: Address) -> Response | None:
    """A caller's phone that takes whatever the other side changes."""
    return None if request.method == "ACK" else reply(request, 200, "OK")


async def test_a_call_to_the_number_rings_on_all_and_any_of_them_answers(sales: Office) -> None:
    """R6.1, R6.2: the caller hears one; the lamps of both show it until the caller hangs up."""
    caller = SipAgent(agreeing)
    await caller.open("127.0.0.1")
    try:
        line = sales.caller
        leg = Leg(caller, line, (line.host, line.port))
        calling = asyncio.ensure_future(open_call(leg, "sip:210@acme.test"))
        for name, shared in (("snom", sales.snom), ("yealink", sales.yealink)):
            await until(lambda shared=shared: shared.ringing, what=f"{name} to ring")  # type: ignore[misc]
        assert sales.yealink.answer() == 1
        call = await calling
        await until(lambda: not sales.snom.ringing, what="the other phone to be silent")
        await sales.lamps(ACTIVE, IDLE)
        await sales.yealink.hold(1)
        await sales.lamps(HELD, IDLE)
        await sales.yealink.retrieve(1)
        await sales.lamps(ACTIVE, IDLE)
        await call.hang_up()
        await sales.lamps(IDLE, IDLE)
        assert not sales.yealink.calls
    finally:
        await caller.close()


async def test_who_is_no_member_any_more_may_not_use_the_address(sales: Office) -> None:
    """The digest account is asked of at the server, so that a right password is no right to the shared address."""
    context, line = sales.place.running.context, sales.line
    stays = line.members[0].device_id
    await update_shared_line(context, SYSTEM, shared_line_id=line.id, members=[Wish(stays)])
    leaver = sales.yealink
    # the registrar remembers an owner for a minute; the test does not wait so long
    sales.place.kamailio.rpc("htable.flush", "owner")
    with pytest.raises(CallRefused) as caught:
        await leaver.seize()
    assert caught.value.data["status"] == 403
    sales.phones["yealink"].resync()
    await until(lambda: 2 not in sales.phones["yealink"].shared, what="the phone to give the line up")
    assert not [entry for entry in sales.phones["yealink"].lines if entry.slot == 2]
