"""Hotdesk pages on phones' screens, over real connections: who gets them, what they do, and what never comes out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from lxml import etree
from sqlalchemy import text

from provisioner.clock import SteppedClock
from provisioner.model import Device, User
from provisioner.services.context import SYSTEM
from provisioner.services.devices.device_settings import put_settings
from provisioner.services.devices.enrolment import reveal, update_device
from provisioner.services.hotdesk.sessions import seat_of, set_device_hotdesk, set_hotdesk
from provisioner.services.people.tenants import create_site, update_tenant
from provisioner.services.people.users import create_user
from tests.services.places import GOOD_PASSWORD, device_of, mac
from tests.support.canaries import Record, as_json, everything_logged
from tests.support.server import RunningServer
from tests.web.phone.conftest import Desk
from tests.web.phone.wire import Answer, Phone, basic

PIN, WRONG = "4826153907", "5937204816"
HOSTILE = '<b>"O\'Neil" & ]]> </Name><x/>'


@dataclass
class Seat:
    """A hotdesk phone, and a user who may log in on it."""

    server: RunningServer
    device: Device
    user: User

    @property
    def home(self) -> str:
        return f"/x/{self.device.mac}/hotdesk"

    async def show(self, target: str, *, method: str = "GET", status: int = 200) -> Answer:
        answer = await Phone(self.server).fetch(target, self.device.username, GOOD_PASSWORD, method=method)
        assert answer.status == status
        return answer

    async def sitting(self) -> str:
        return (await seat_of(self.server.context, device_id=self.device.id)).user_name

    async def form(self) -> str:
        """The address to which a fresh login form is sent."""
        return follow(await self.show(f"/x/{self.device.mac}/login"), "URL")

    async def log_in(self, pin: str = PIN, extension: str = "101") -> Answer:
        return await self.show(f"{await self.form()}?extension={extension}&pin={pin}")


async def seat_with(server: RunningServer, *, name: str = "Anna de Wit", **fields: Any) -> Seat:
    context, tenant = server.context, server.tenant
    device = await device_of(context, tenant, **fields)
    await set_device_hotdesk(context, SYSTEM, device_id=device.id, enabled=True)
    user = await create_user(context, SYSTEM, tenant_id=tenant.id, name=name, extension="101")
    await set_hotdesk(context, SYSTEM, user_id=user.id, enabled=True, pin=PIN)
    return Seat(server, device, user)


@pytest.fixture
async def seat(server: RunningServer) -> Seat:
    return await seat_with(server)


def tree(answer: Answer) -> etree._Element:
    return etree.fromstring(answer.body, etree.XMLParser(resolve_entities=False))


def words(answer: Answer) -> str:
    return " ".join("".join(str(part) for part in tree(answer).itertext()).split())


def follow(answer: Answer, tag: str, number: int = 0) -> str:
    """The path of an address on the page."""
    found = [element.text or "" for element in tree(answer).iter(tag)]
    return urlsplit(found[number]).path


# ---- logging in and out -------------------------------------------------------------------------------------------


async def test_somebody_logs_in_with_one_question_after_the_other_and_out_again(seat: Seat) -> None:
    home = await seat.show(seat.home)
    assert home.one("content-type") == "text/xml; charset=utf-8"
    assert tree(home).tag == "SnomIPPhoneMenu"
    assert "Nobody is logged in" in words(home)
    first = await seat.show(follow(home, "URL"))
    assert [element.text for element in tree(first).iter("InputFlags")] == ["n"]
    second = await seat.show(f"{follow(first, 'URL')}?extension=101")
    assert [element.text for element in tree(second).iter("InputFlags")] == ["pn"]
    done = await seat.show(f"{follow(second, 'URL')}?pin={PIN}")
    assert "101 Anna de Wit" in words(done)
    assert await seat.sitting() == "Anna de Wit"
    home = await seat.show(seat.home)
    assert "101 Anna de Wit" in words(home)
    assert "Logged out" in words(await seat.show(follow(home, "URL")))
    assert await seat.sitting() == ""


async def test_a_vendor_with_forms_asks_both_at_once_and_hides_the_pin(server: RunningServer) -> None:
    seat = await seat_with(server, profile="yealink", model="T46U", mac="805EC0000001")
    form = await seat.show(f"/x/{seat.device.mac.lower()}/login")
    assert tree(form).tag == "YealinkIPPhoneInputScreen"
    fields = list(tree(form).iter("InputField"))
    assert [field.findtext("Parameter") for field in fields] == ["extension", "pin"]
    assert [field.get("password") for field in fields] == ["no", "yes"]
    assert "Logged in" in words(await seat.show(f"{follow(form, 'URL')}?extension=101&pin={PIN}%23"))
    assert await seat.sitting() == "Anna de Wit"


async def test_somebody_else_takes_over_in_one_step(seat: Seat) -> None:
    context = seat.server.context
    other = await create_user(
        context, SYSTEM, tenant_id=seat.server.tenant.id, name="Bo Smit", extension="102"
    )
    await set_hotdesk(context, SYSTEM, user_id=other.id, enabled=True, pin="60718")
    await seat.log_in()
    assert "102 Bo Smit" in words(await seat.log_in("60718", "102"))
    assert await seat.sitting() == "Bo Smit"


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("nl", "Niemand ingelogd"), ("de", "Niemand angemeldet"), ("pl", "Nikt nie jest zalogowany")],
)
async def test_the_page_speaks_the_language_of_the_phone(seat: Seat, language: str, sentence: str) -> None:
    await put_settings(
        seat.server.context,
        SYSTEM,
        tenant_id=seat.server.tenant.id,
        scope="device",
        ref=str(seat.device.id),
        values={"language": language},
    )
    assert sentence in words(await seat.show(seat.home))


async def test_a_phone_that_is_not_for_hotdesking_says_so(server: RunningServer) -> None:
    device = await device_of(server.context, server.tenant)
    answer = await Phone(server).fetch(f"/x/{device.mac}/login", device.username, GOOD_PASSWORD)
    assert (answer.status, "Nobody can log in on this phone" in words(answer)) == (200, True)


async def test_a_model_without_a_screen_has_no_pages(server: RunningServer) -> None:
    seat = await seat_with(server, model="PA1")
    await seat.show(seat.home, status=404)


# ---- wrong PINs ---------------------------------------------------------------------------------------------------


async def test_a_wrong_pin_and_a_wrong_extension_look_alike_and_lock_after_five(
    seat: Seat, clock: SteppedClock
) -> None:
    """T16."""
    wrong_pin, wrong_extension = await seat.log_in(WRONG), await seat.log_in(PIN, "999")
    assert "not right" in words(wrong_pin)
    assert wrong_pin.body == wrong_extension.body
    for _ in range(3):
        await seat.log_in(WRONG)
    locked = await seat.log_in()
    assert "Too many wrong attempts" in words(locked)
    assert await seat.sitting() == ""
    clock.advance(timedelta(minutes=16))
    assert "Logged in" in words(await seat.log_in())


async def test_asking_for_a_result_again_counts_no_second_wrong_pin(seat: Seat) -> None:
    target = f"{await seat.form()}?extension=101&pin={WRONG}"
    assert "not right" in words(await seat.show(target))
    for _ in range(6):
        assert "This page is over" in words(await seat.show(target))
    assert "Logged in" in words(await seat.log_in())


# ---- replays ------------------------------------------------------------------------------------------------------


async def test_reloading_a_result_logs_nobody_in_again(seat: Seat) -> None:
    target = f"{await seat.form()}?extension=101&pin={PIN}"
    assert "Logged in" in words(await seat.show(target))
    assert "This page is over" in words(await seat.show(target))
    home = await seat.show(seat.home)
    leave = follow(home, "URL")
    await seat.show(leave)
    assert "This page is over" in words(await seat.show(target))
    assert "This page is over" in words(await seat.show(leave))
    assert await seat.sitting() == ""


async def test_a_form_is_good_for_five_minutes(seat: Seat, clock: SteppedClock) -> None:
    form = await seat.form()
    clock.advance(timedelta(minutes=6))
    assert "This page is over" in words(await seat.show(f"{form}?extension=101&pin={PIN}"))
    assert await seat.sitting() == ""


async def test_another_phones_form_is_none_here(seat: Seat) -> None:
    other = await device_of(seat.server.context, seat.server.tenant, 2)
    await set_device_hotdesk(seat.server.context, SYSTEM, device_id=other.id, enabled=True)
    form = (await seat.form()).replace(seat.device.mac, other.mac)
    answer = await Phone(seat.server).fetch(f"{form}?extension=101&pin={PIN}", other.username, GOOD_PASSWORD)
    assert "This page is over" in words(answer)
    assert (await seat_of(seat.server.context, device_id=other.id)).user_id is None


@pytest.mark.parametrize("ticket", ["", "x", "_" * 32, "AAAAAAAAAAAAAAAAAAAAAAAA", "%41%42", "-" * 31])
async def test_nobody_is_logged_out_without_a_ticket(seat: Seat, ticket: str) -> None:
    await seat.log_in()
    target = f"/x/{seat.device.mac}/logout" + (f"/{ticket}" if ticket else "")
    await Phone(seat.server).fetch(target, seat.device.username, GOOD_PASSWORD)
    assert await seat.sitting() == "Anna de Wit"


async def test_looking_at_the_head_of_a_page_does_nothing(seat: Seat) -> None:
    target = f"{await seat.form()}?extension=101&pin={PIN}"
    answer = await seat.show(target, method="HEAD", status=405)
    assert answer.one("allow") == "GET"
    assert await seat.sitting() == ""


# ---- whose page it is ---------------------------------------------------------------------------------------------


async def test_a_page_asks_for_the_same_proof_as_the_file(seat: Seat) -> None:
    """T1: no credentials, wrong ones, another phone's, and an address that nobody registered."""
    other = await device_of(seat.server.context, seat.server.tenant, 2)
    phone, stranger = Phone(seat.server), f"/x/{mac(77)}/hotdesk"
    refused = [
        await phone.ask(seat.home),
        await phone.ask(stranger),
        await phone.fetch(seat.home, seat.device.username, "Wrong-kettle-77"),
        await phone.fetch(seat.home, other.username, GOOD_PASSWORD),
        await phone.fetch(stranger, other.username, GOOD_PASSWORD),
    ]
    assert {answer.status for answer in refused} == {401}
    assert len({str(answer.shape) for answer in refused}) == 1


async def test_digest_covers_the_query_too(seat: Seat) -> None:
    answer = await Phone(seat.server).digest(
        f"{await seat.form()}?extension=101&pin={PIN}", seat.device.username, GOOD_PASSWORD
    )
    assert "Logged in" in words(answer)


async def test_nothing_is_answered_over_http(seat: Seat) -> None:
    answer = await Phone(seat.server).fetch(seat.home, seat.device.username, GOOD_PASSWORD, tls=False)
    assert (answer.status, answer.all("www-authenticate")) == (403, [])


async def test_under_a_token_policy_the_pages_have_the_token(seat: Seat) -> None:
    await update_device(seat.server.context, SYSTEM, device_id=seat.device.id, policy="token")
    token = reveal(seat.server.context, seat.device, "token")
    phone, path = Phone(seat.server), f"/x/t/{token}/{seat.device.mac}/hotdesk"
    home = await phone.ask(path)
    assert home.status == 200
    assert follow(home, "URL") == f"/x/t/{token}/{seat.device.mac}/login"
    assert (await phone.ask(path.replace(token, "x" * 43))).status == 401


async def test_wrong_passwords_here_lock_the_phone_as_they_do_for_its_file(seat: Seat) -> None:
    desk = Desk(seat.server, seat.device)
    for _ in range(12):
        await Phone(seat.server, source="127.7.7.7").fetch(seat.home, seat.device.username, "Wrong-kettle-77")
    stranger = Phone(seat.server, source="127.7.7.7")
    assert (await stranger.fetch(seat.home, seat.device.username, GOOD_PASSWORD)).status == 401
    assert {entry.path for entry in await desk.log()} == {seat.home}


# ---- who is here --------------------------------------------------------------------------------------------------


async def test_who_is_here_names_the_people_of_this_site_only(seat: Seat) -> None:
    context, tenant_id = seat.server.context, seat.server.tenant.id
    site = await create_site(context, SYSTEM, tenant_id=tenant_id, name="Elsewhere")
    await seat.log_in()
    page = f"/x/{seat.device.mac}/here"
    assert "101 Anna de Wit" in words(await seat.show(page))
    away = await device_of(context, seat.server.tenant, 2, site_id=site.id)
    await set_device_hotdesk(context, SYSTEM, device_id=away.id, enabled=True)
    answer = await Phone(seat.server).fetch(f"/x/{away.mac}/here", away.username, GOOD_PASSWORD)
    assert "Nobody is logged in at this site" in words(answer)


async def test_a_hidden_board_is_on_no_screen(seat: Seat) -> None:
    await seat.log_in()
    await update_tenant(seat.server.context, SYSTEM, tenant_id=seat.server.tenant.id, is_seating_hidden=True)
    assert "Who is here" not in words(await seat.show(seat.home))
    page = words(await seat.show(f"/x/{seat.device.mac}/here"))
    assert "Anna" not in page
    assert "does not show who sits where" in page


async def test_many_people_are_shown_on_several_pages(seat: Seat) -> None:
    context, tenant = seat.server.context, seat.server.tenant
    for number in range(2, 16):
        user = await create_user(
            context, SYSTEM, tenant_id=tenant.id, name=f"Person {number:02}", extension=f"2{number:02}"
        )
        await set_hotdesk(context, SYSTEM, user_id=user.id, enabled=True, pin="60718")
        device = await device_of(context, tenant, number, name=f"Desk {number:02}")
        await set_device_hotdesk(context, SYSTEM, device_id=device.id, enabled=True)
        there = Seat(seat.server, device, user)
        await there.log_in("60718", f"2{number:02}")
    first = await seat.show(f"/x/{seat.device.mac}/here")
    second = await seat.show(follow(first, "URL"))
    assert ["Person 02" in words(first), "Person 15" in words(first)] == [True, False]
    assert ["Person 02" in words(second), "Person 15" in words(second)] == [False, True]


# ---- hostile input and secrets ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "extension=%00&pin=%ff",
        "pin[]=1&extension=101",
        "extension=101&pin=" + "9" * 600,
        "&".join(["pin=1"] * 60),
        "extension=%3Cx%3E&pin=abc",
        "pin=%F0%9F%98%80",
        "=&=&=",
        "extension=%D9%A1%D9%A0%D9%A1&pin=%D9%A1%D9%A0%D9%A1%D9%A2",
    ],
)
async def test_whatever_is_typed_never_breaks_the_page(seat: Seat, query: str) -> None:
    answer = await seat.show(f"{await seat.form()}?{query}")
    assert tree(answer).tag in {"SnomIPPhoneInput", "SnomIPPhoneText"}
    assert await seat.sitting() == ""


async def test_odd_paths_lead_nowhere(seat: Seat) -> None:
    phone = Phone(seat.server)
    for path in (
        "/x/", "/x/hotdesk", "/x/zz/hotdesk", f"/x/{seat.device.mac}", f"{seat.home}/a/b/c", f"/x/{seat.device.mac}/other",
        f"/x/../p/{seat.device.mac}.xml", f"{seat.home}/%2e%2e", f"/x/t//{seat.device.mac}/hotdesk", f"{seat.home}/" + "a" * 33,
    ):  # fmt: skip
        assert (await phone.fetch(path, seat.device.username, GOOD_PASSWORD)).status == 404


async def test_a_hostile_name_stays_a_name(server: RunningServer) -> None:
    """For both vendors that have screens."""
    first = await seat_with(server, name=HOSTILE)
    other = await device_of(
        server.context, server.tenant, profile="yealink", model="T46U", mac="805EC0000001"
    )
    await set_device_hotdesk(server.context, SYSTEM, device_id=other.id, enabled=True)
    for seat in (first, replace(first, device=other)):
        await seat.log_in()
        home = await seat.show(seat.home)
        assert tree(home).findtext("Title") == f"101 {HOSTILE}"[:40]
        here = await seat.show(f"/x/{seat.device.mac}/here")
        assert f"101 {HOSTILE}" in words(here)


async def test_a_page_is_never_kept(seat: Seat) -> None:
    for target in (seat.home, await seat.form(), f"/x/{seat.device.mac}/here"):
        assert (await seat.show(target)).one("cache-control") == "no-store"


@asynccontextmanager
async def recorded() -> AsyncIterator[Record]:
    record = Record()
    with everything_logged(record):
        yield record


@pytest.fixture
def overrides() -> dict[str, object]:
    return {"log_level": "debug"}


async def test_the_pin_is_in_no_log_no_page_no_table_and_no_metric(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T16, T19: vendors send it in the address, so everything that could write an address down is searched."""
    async with recorded() as record:
        seat = await seat_with(server)
        phone, pins = Phone(server), {"the PIN": PIN, "a wrong PIN": WRONG}
        right = {"Authorization": basic(seat.device.username, GOOD_PASSWORD)}
        for pin in (WRONG, PIN):
            target = f"{await seat.form()}?extension=101&pin={pin}"
            for path in (
                target,
                target,
                target.replace("login", "logout"),
                seat.home + f"?pin={pin}",
                f"/x/nothing?pin={pin}",
            ):
                for headers in ({}, right, {"Authorization": basic("x", "y")}):
                    for method in ("GET", "HEAD", "POST"):
                        for tls in (True, False):
                            answer = await phone.ask(path, method=method, headers=headers, tls=tls)
                            record.add(
                                f"{method} {answer.status}", str(answer.headers) + answer.body.decode()
                            )

        async def break_down(*_given: object, **_named: object) -> None:
            raise RuntimeError("nobody thought of this")

        with monkeypatch.context() as patched:
            patched.setattr("provisioner.web.phone.screens.log_in_with_pin", break_down)
            target = f"{await seat.form()}?extension=101&pin={PIN}"
            assert (await phone.ask(target, headers=right)).status == 500
        await asyncio.wait_for(server.server.fetches.flush(), 30)
        async with server.context.store.read() as session:
            tables = (
                "fetches", "audit_entries", "hotdesk_sessions", "pin_failures", "directory_events", "users", "resyncs", "devices",
            )  # fmt: skip
            for table in tables:
                for row in (await session.execute(text(f"SELECT * FROM {table}"))).mappings():
                    record.add(f"the table {table}", as_json(dict(row)))
        record.add("the counters", str(dict(server.server.parts.counters.answers)))
    assert any("/login" in entry for where, entry in record.entries if where == "the table fetches")
    assert record.leaks(pins) == set()
