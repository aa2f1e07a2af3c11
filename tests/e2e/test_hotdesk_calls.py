"""People move between phones: a real Linphone and a real baresip dial the codes, and real calls follow them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from provisioner.services.context import SYSTEM
from provisioner.services.devices.enrolment import update_device
from provisioner.services.files.phone_files import compose_device
from provisioner.services.hotdesk.sessions import seat_of, set_device_hotdesk, set_hotdesk
from provisioner.services.people.tenants import create_site, update_tenant
from tests.support import sipp
from tests.support.baresip import Baresip
from tests.support.kamailio import Neighbours
from tests.support.lab import Lab, Phone, lab
from tests.support.linphone import Account, Linphone, registered
from tests.support.ports import loopback
from tests.support.program import is_installed, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not is_installed("kamailio", "sipp", "linphone-daemon", "baresip"),
        reason="Kamailio, SIPp, Linphone or baresip is not installed",
    ),
]

DOMAIN = "acme.test"
ANNA, BEN, CARL = "101", "102", "103"
ANNA_PIN, BEN_PIN = "86420", "7391058264"
SITE_NUMBER = "0201234567"


@dataclass
class Office:
    """Anna and Ben have no phones of their own; `left` is a Linphone, `right` a baresip, Carl's own phone is a SIPp."""

    lab: Lab
    box: sipp.Answering
    gateway: sipp.Answering
    carls: sipp.Answering
    left: Linphone
    left_account: str
    right: Baresip
    ids: dict[str, int]
    carl: Account

    @property
    def kamailio_place(self) -> str:
        return f"{self.lab.kamailio.address}:{self.lab.kamailio.port}"

    async def dial_left(self, number: str) -> None:
        answer = await asyncio.to_thread(self.left.command, f"call sip:{number}@{DOMAIN}")
        assert "Status: Ok" in answer

    async def dial_right(self, number: str) -> None:
        await asyncio.to_thread(self.right.command, "dial", f"sip:{number}@{DOMAIN}")

    async def hang_up_right(self) -> None:
        await asyncio.to_thread(self.right.command, "hangup")

    async def hears(self, prompt: str, *, calls: int) -> None:
        """Wait until the announcement box has had so many calls; the last was for this prompt."""
        await until(lambda: len(self.box.calls) >= calls, what=f"the announcement {prompt}")
        assert f"sip:{prompt}@{self.box.place}" in self.box.calls[-1]

    async def seat(self, name: str) -> str:
        return (await seat_of(self.lab.running.context, device_id=self.ids[name])).extension

    async def carl_calls(self, number: str) -> sipp.Outcome:
        """A call of Carl's, hung up as soon as somebody has answered."""
        return await sipp.run_beside(
            "call",
            self.kamailio_place,
            folder=self.lab.kamailio.folder / "carl",
            rows=[(self.carl.user, sipp.credentials(self.carl.user, self.carl.password), number)],
            keys={"domain": DOMAIN},
            seconds=20,
        )

    async def right_calls_carl(self, *, calls: int) -> str:
        """How Carl's phone is called when the right phone dials 103."""
        await self.dial_right(CARL)
        await until(lambda: len(self.carls.calls) >= calls, what="Carl's phone to ring")
        await self.hang_up_right()
        return self.carls.calls[-1]

    def left_rang(self) -> int:
        return self.left.log_file.read_text(errors="replace").count(f"INVITE sip:{self.left_account}@")

    def right_said(self) -> str:
        return (self.right.folder / "baresip.out").read_text(errors="replace")


async def password_of(place: Lab, phone: Phone) -> str:
    return (await compose_device(place.running.context, SYSTEM, device_id=phone.id)).lines[0].password


async def furnish(place: Lab) -> tuple[dict[str, Phone], dict[str, int]]:
    """Users, hotdesk devices at a site with a number for emergencies, and Carl's phone."""
    context, tenant_id = place.running.context, place.tenant_id
    await update_tenant(context, SYSTEM, tenant_id=tenant_id, main_number="0207654321")
    site = await create_site(
        context, SYSTEM, tenant_id=tenant_id, name="Amsterdam", emergency_caller_id=SITE_NUMBER
    )
    for name, extension, pin in (("Anna Desk", ANNA, ANNA_PIN), ("Ben Hall", BEN, BEN_PIN)):
        user_id = await place.user(name, extension)
        await set_hotdesk(context, SYSTEM, user_id=user_id, enabled=True, pin=pin)
    carl = await place.user("Carl Own", CARL)
    phones = {
        "left": await place.phone("snom", "D785", "000413EE0001"),
        "right": await place.phone("snom", "D785", "000413EE0002"),
        "carl": await place.phone("snom", "D785", "000413EE0003", user_id=carl),
    }
    for name in ("left", "right"):
        await update_device(context, SYSTEM, device_id=phones[name].id, site_id=site.id)
        await set_device_hotdesk(context, SYSTEM, device_id=phones[name].id, enabled=True)
    return phones, {name: phone.id for name, phone in phones.items()}


async def register_carl(place: Lab, account: Account, at: sipp.Answering) -> None:
    done = await sipp.run_beside(
        "register_at",
        f"{place.kamailio.address}:{place.kamailio.port}",
        folder=place.kamailio.folder / "carl",
        rows=[(account.user, sipp.credentials(account.user, account.password), at.place)],
        keys={"domain": DOMAIN, "expires": "600"},
        seconds=15,
    )
    assert done.code == 0, done.errors


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with AsyncExitStack() as stack:
        box, gateway, carls = [
            await stack.enter_async_context(sipp.Answering(tmp_path / name, scenario))
            for name, scenario in (("box", "announce"), ("gateway", "answer"), ("carls", "answer"))
        ]
        place = await stack.enter_async_context(
            lab(
                tmp_path,
                options=["WITH_ANNOUNCE", "WITH_GATEWAY"],
                neighbours=Neighbours(announce=box.place, emergency=gateway.place),
            )
        )
        phones, ids = await furnish(place)
        accounts = {
            name: Account(phone.account, await password_of(place, phone), DOMAIN, place.kamailio.uri, 600)
            for name, phone in phones.items()
        }
        address = loopback()
        left = Linphone(tmp_path / "left", registered(accounts["left"], address=address), address=address)
        right = Baresip(tmp_path / "right", accounts["right"])
        for phone in (left, right):
            await stack.enter_async_context(phone)
        await register_carl(place, accounts["carl"], carls)
        for name in ("left", "right", "carl"):
            await place.tick(ids[name], "registered")
        yield Office(place, box, gateway, carls, left, accounts["left"].user, right, ids, accounts["carl"])


async def test_a_user_moves_from_phone_to_phone_and_calls_follow(office: Office) -> None:
    await office.dial_left(f"*35*{ANNA}*{ANNA_PIN}")
    await office.hears("hotdesk-logged-in", calls=1)
    assert (await office.seat("left"), await office.seat("right")) == (ANNA, "")
    await check_the_left_phone_rings(office)

    await office.dial_right(f"*35*{ANNA}*{ANNA_PIN}")
    await office.hears("hotdesk-logged-in", calls=2)
    assert (await office.seat("left"), await office.seat("right")) == ("", ANNA)
    rang = office.left_rang()
    done = await office.carl_calls(ANNA)
    assert done.code == 0, done.errors
    assert office.right.address in done.logged[-1], "the right phone has answered"
    assert office.left_rang() == rang, "and the left one is silent"

    seen = await office.right_calls_carl(calls=1)
    assert f'"Anna Desk" <sip:{ANNA}@{DOMAIN}>' in seen.split("|")[1]
    assert f'"Anna Desk" <sip:{ANNA}@{DOMAIN}>' in seen.split("|")[3]

    await office.dial_right(f"*35*{BEN}*{BEN_PIN}")
    await office.hears("hotdesk-switched", calls=3)
    assert await office.seat("right") == BEN
    seen = await office.right_calls_carl(calls=2)
    assert f'"Ben Hall" <sip:{BEN}@{DOMAIN}>' in seen.split("|")[1]

    await office.dial_right("*35")
    await office.hears("hotdesk-logged-out", calls=4)
    assert await office.seat("right") == ""
    await check_nothing_but_an_emergency_call_leaves(office)

    heard = "\n".join([*office.box.calls, office.lab.kamailio.log()])
    assert ANNA_PIN not in heard
    assert BEN_PIN not in heard


async def check_the_left_phone_rings(office: Office) -> None:
    """Carl calls 101; Linphone says so, answers, and Carl hangs up."""
    call = asyncio.create_task(office.carl_calls(ANNA))
    await until(office.left_rang, what="the left phone to ring")
    await asyncio.to_thread(office.left.command, "answer")
    done = await call
    assert done.code == 0, done.errors
    assert office.left.address in done.logged[-1]


async def check_nothing_but_an_emergency_call_leaves(office: Office) -> None:
    calls = len(office.carls.calls)
    await office.dial_right(CARL)
    await until(lambda: "403 Log in first" in office.right_said(), what="the refusal")
    assert len(office.carls.calls) == calls
    await office.dial_right("112")
    await until(lambda: office.gateway.calls, what="the emergency call")
    await office.hang_up_right()
    assert f"INVITE sip:112@{office.gateway.place}" in office.gateway.calls[0]
    assert f"<sip:{SITE_NUMBER}@{DOMAIN}>" in office.gateway.calls[0].split("|")[1]
    assert (await office.carl_calls(BEN)).logged[-1].startswith("480"), "nobody answers for Ben any more"


async def test_a_wrong_pin_is_said_and_leaves_everything_as_it_was(office: Office) -> None:
    await office.dial_right(f"*35*{ANNA}*5077")
    await office.hears("hotdesk-denied", calls=1)
    assert await office.seat("right") == ""
