"""Calls through the reference configuration, with a stand-in for the door: who rings, who is shown, who may call."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support import sipp
from tests.support.door import Door
from tests.support.kamailio import Kamailio, Neighbours, Site
from tests.support.program import is_installed, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not is_installed("kamailio", "sipp"), reason="Kamailio or SIPp is not installed"),
]

TOKEN = "canary-token"
DOMAIN = "tenant1.test"
ANNA, BEN, CARL, NOBODY = "devanna", "devben", "devcarl", "devnobody"
PIN = "9706138425"


def caller(
    *,
    may: str = "all",
    number: str = "101",
    name: str = "Anna",
    emergency: str = "0201234567",
    barred: tuple[str, ...] = (),
    is_hidden: bool = False,
) -> tuple[int, Any]:
    return 200, {
        "may_call": may,
        "user": None,
        "caller_id": {"number": "0207654321", "name": "Acme", "is_hidden": is_hidden},
        "internal_caller_id": {"number": number, "name": name},
        "emergency": {"caller_id": emergency, "numbers": ["112", "144"]},
        "blocked_classes": list(barred),
        "dial_plan": [{"kind": "pickup", "digits": "*8"}, {"kind": "hotdesk", "digits": "*35"}],
    }


def ring(*accounts: str, kind: str = "user", **more: Any) -> tuple[int, Any]:
    targets = [{"account": account, "aor": f"{account}@{DOMAIN}"} for account in accounts]
    forward = {"always": "", "not_registered": ""}
    return 200, {
        "kind": kind,
        "targets": targets,
        "is_blocked": False,
        "shared_line": None,
        "forward": forward,
        **more,
    }


def asking(number: str, caller: str = "101") -> str:
    """The door's address for the plan of a call from `caller` to `number`."""
    return f"ring/{number}?domain={DOMAIN}&from={caller}"


class House:
    """A door, a Kamailio, and phones that answer."""

    def __init__(self, folder: Path, door: Door, stack: AsyncExitStack) -> None:
        self.folder, self.door, self._stack = folder, door, stack
        self.phones: dict[str, sipp.Answering] = {}
        self.kamailio: Kamailio

    async def open(self, *options: str, **neighbours: str) -> None:
        described = Site(door=self.door.url, token=TOKEN, neighbours=Neighbours(**neighbours))
        started = Kamailio(self.folder / "kamailio", described, options=options)
        self.kamailio = await self._stack.enter_async_context(started)

    async def answering(self, name: str, scenario: str = "answer") -> sipp.Answering:
        program = sipp.Answering(self.folder / name, scenario)
        return await self._stack.enter_async_context(program)

    async def phone(self, account: str, *, at: sipp.Answering | None = None, user: str = "") -> None:
        """Registered, and answering its calls; `user` is the account that proves itself, when it is another."""
        self.phones[account] = at or await self.answering(account)
        who = user or account
        row = (account, sipp.credentials(who, self.door.accounts[who]), self.phones[account].place)
        keys = {"domain": DOMAIN, "expires": "60"}
        done = await self._run("register_at", row, keys)
        assert done.code == 0, done.errors

    async def call(self, account: str, number: str, *, user: str = "") -> str:
        """The final answer as the caller sees it: `200|contact|From`, or status and phrase."""
        who = user or account
        row = (account, sipp.credentials(who, self.door.accounts[who]), number)
        done = await self._run("call", row, {"domain": DOMAIN})
        assert done.code == 0, done.errors
        return done.logged[-1].strip()

    async def _run(self, scenario: str, row: tuple[str, ...], keys: Mapping[str, str]) -> sipp.Outcome:
        return await sipp.run_beside(
            scenario,
            f"{self.kamailio.address}:{self.kamailio.port}",
            folder=self.folder / "sipp",
            rows=[row],
            keys=keys,
            seconds=15,
        )

    def calls(self, account: str) -> tuple[str, ...]:
        return self.phones[account].calls


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        accounts = dict.fromkeys((ANNA, BEN, CARL, NOBODY), "right")
        door = await stack.enter_async_context(Door(accounts, token=TOKEN))
        door.answers[f"accounts/{ANNA}"] = caller()
        door.answers[f"accounts/{NOBODY}"] = caller(may="emergency", number="", name="")
        yield House(tmp_path, door, stack)


async def test_a_number_rings_the_devices_of_its_ring_plan_and_shows_who_calls(house: House) -> None:
    await house.open()
    await house.phone(BEN)
    await house.phone(CARL)
    house.door.answers[asking("102")] = ring(BEN)
    said = await house.call(ANNA, "102")
    assert said.startswith("200|")
    assert house.phones[BEN].place in said
    assert f"sip:{ANNA}@{DOMAIN}" in said, "the caller sees the From that it sent"
    (seen,) = house.calls(BEN)
    _, sender, _, identity, _ = seen.split("|")
    assert f'"Anna" <sip:101@{DOMAIN}>' in sender
    assert f'"Anna" <sip:101@{DOMAIN}>' in identity
    assert "somebody.else" not in seen
    assert ANNA not in seen
    assert house.calls(CARL) == ()

    house.door.answers[asking("102")] = ring("devgone", CARL)
    said = await house.call(ANNA, "102")
    assert house.phones[CARL].place in said
    assert len(house.calls(BEN)) == 1


async def test_every_device_of_the_plan_rings_at_once(house: House) -> None:
    await house.open()
    for account in (BEN, CARL):
        await house.phone(account)
    house.door.answers[asking("102")] = ring(BEN, "devgone", CARL, NOBODY)
    assert (await house.call(ANNA, "102")).startswith("200|")
    await until(lambda: house.calls(BEN) and house.calls(CARL), what="both to ring")


async def test_a_name_that_is_no_header_does_not_break_one(house: House) -> None:
    await house.open()
    await house.phone(BEN)
    house.door.answers[asking("102")] = ring(BEN)
    house.door.answers[f"accounts/{ANNA}"] = caller(name='Änna "the\\boss" <sip:x@y>')
    assert (await house.call(ANNA, "102")).startswith("200|")
    assert r'"Änna \"the\\boss\" <sip:x@y>"' in house.calls(BEN)[0]
    house.door.answers[f"accounts/{ANNA}"] = caller(name="Anna\r\nX-Evil: 1", number="101>")
    house.door.answers[asking("102", "101%3e")] = ring(BEN)
    assert (await house.call(ANNA, "102")).startswith("200|"), house.door.asked
    assert "Evil" not in house.calls(BEN)[1]


@pytest.mark.parametrize(
    ("plan", "answer"),
    [
        (ring("devgone"), "480 Not registered"),
        (ring(), "480 Not registered"),
        ((404, None), "404 No such number"),
        (ring(kind="outside", dial="0612345678"), "403 No outside calls"),
    ],
)
async def test_a_number_without_a_phone_says_why(house: House, plan: tuple[int, Any], answer: str) -> None:
    await house.open()
    house.door.answers[asking("109")] = plan
    assert await house.call(ANNA, "109") == answer


async def test_where_nobody_is_logged_in_only_emergency_calls_leave(house: House) -> None:
    gateway = await house.answering("gateway")
    await house.open("WITH_GATEWAY", emergency=gateway.place)
    house.door.answers[asking("101")] = ring(ANNA)
    assert await house.call(NOBODY, "101") == "403 Log in first"
    for number in ("112", "144"):
        assert (await house.call(NOBODY, number)).startswith("200|")
    assert (await house.call(ANNA, "112")).startswith("200|")
    for seen, number in zip(gateway.calls, ("112", "144", "112"), strict=True):
        assert f"INVITE sip:{number}@{gateway.place}" in seen
        assert f"sip:0201234567@{DOMAIN}" in seen, "the site's number"
        assert "101" not in seen.split("|")[1], "never the user's"


async def test_emergency_calls_need_no_directory(house: House) -> None:
    gateway = await house.answering("gateway")
    await house.open("WITH_GATEWAY", emergency=gateway.place)
    assert (await house.call(ANNA, "112")).startswith("200|")
    await house.door.close()
    assert (await house.call(ANNA, "112")).startswith("200|")
    assert "sip:0201234567@" in gateway.calls[1], "the door's last word is remembered"
    assert (await house.call(ANNA, "109")).startswith("503 Directory not reachable")


async def test_calls_go_on_by_the_last_plans_while_the_door_is_away(house: House) -> None:
    await house.open()
    await house.phone(BEN)
    house.door.answers[asking("102")] = ring(BEN)
    await house.call(ANNA, "102")
    await house.door.close()
    assert house.phones[BEN].place in await house.call(ANNA, "102")


async def test_a_plan_may_send_the_call_on(house: House) -> None:
    await house.open()
    await house.phone(BEN)
    house.door.answers[asking("102")] = ring(CARL, forward={"always": "103", "not_registered": ""})
    house.door.answers[asking("103")] = ring(CARL, forward={"always": "", "not_registered": "104"})
    house.door.answers[asking("104")] = ring(BEN)
    assert house.phones[BEN].place in await house.call(ANNA, "102")
    house.door.answers[asking("104")] = ring(BEN, forward={"always": "102", "not_registered": ""})
    assert await house.call(ANNA, "102") == "480 Forwarded too often"


async def test_a_blocked_caller_is_declined(house: House) -> None:
    await house.open()
    await house.phone(BEN)
    house.door.answers[asking("102")] = ring(BEN, is_blocked=True)
    assert await house.call(ANNA, "102") == "603 Not accepted"
    await house.door.close()
    assert (await house.call(ANNA, "102")).startswith("503"), "a refusal is not remembered for others"


async def test_the_number_of_a_shared_line_rings_its_own_address(house: House) -> None:
    await house.open()
    house.door.answers[f"owner?account={BEN}&address=shared7%40{DOMAIN}"] = (204, None)
    await house.phone("shared7", user=BEN)
    shared = {"aor": f"shared7@{DOMAIN}", "mode": "sca"}
    house.door.answers[asking("200")] = ring(BEN, CARL, kind="shared_line", shared_line=shared)
    assert house.phones["shared7"].place in await house.call(ANNA, "200")


@pytest.mark.parametrize(
    ("barred", "number", "answer"),
    [
        ((), "0612345678", "200"), (("international",), "0612345678", "200"), (("mobile",), "0612345678", "403 Barred"),
        (("mobile",), "+31612345678", "403 Barred"), (("mobile",), "+32612345678", "200"), (("international",), "0032612345", "403 Barred"),
        (("0900",), "09001234", "403 Barred"), (("0900",), "09061234", "200"), (("0906", "0909"), "0031909123", "403 Barred"),
        ((), "1234", "404 No such number"),
    ],
)  # fmt: skip
async def test_numbers_of_nobody_in_the_house_go_to_the_trunk_unless_barred(
    house: House, barred: tuple[str, ...], number: str, answer: str
) -> None:
    trunk = await house.answering("trunk")
    await house.open("WITH_GATEWAY", trunk=trunk.place)
    house.door.answers[f"accounts/{ANNA}"] = caller(barred=barred)
    assert (await house.call(ANNA, number)).startswith(answer)


@pytest.mark.parametrize("dialled", ["*35", "*35*101", "*35#", "%2A35%2A101"])
async def test_every_form_of_the_code_reaches_the_door(house: House, dialled: str) -> None:
    await house.open()
    house.door.answers["hotdesk"] = (200, {"state": "done", "result": "logged_out", "play": ["hotdesk-x"]})
    assert await house.call(NOBODY, dialled.replace("#", "%23")) == "480 Logged out"
    assert house.door.asked[-1][1]["dialled"] == dialled.replace("%2A", "*")
    for other in ("*350", "*3", "35"):
        assert await house.call(NOBODY, other) == "403 Log in first"


async def test_outside_calls_show_the_number_for_outside(house: House) -> None:
    trunk = await house.answering("trunk")
    await house.open("WITH_GATEWAY", trunk=trunk.place)
    house.door.answers[asking("0612345678")] = ring(kind="outside", dial="0612345678")
    assert (await house.call(ANNA, "0612345678")).startswith("200|")
    assert f"INVITE sip:0612345678@{trunk.place}" in trunk.calls[0]
    assert f"sip:0207654321@{DOMAIN}" in trunk.calls[0]
    assert "Privacy" not in trunk.calls[0]
    house.door.answers[f"accounts/{ANNA}"] = caller(is_hidden=True)
    assert (await house.call(ANNA, "0612345678")).startswith("200|")
    assert "Privacy: id" in trunk.calls[1]
    house.door.answers[f"accounts/{ANNA}"] = caller(may="internal")
    assert await house.call(ANNA, "0612345678") == "403 Outside calls not allowed"


async def test_calls_from_the_gateway_need_no_password_and_keep_their_caller(house: House) -> None:
    await house.open("WITH_GATEWAY", peers="127.0.0.0/8")
    await house.phone(BEN)
    house.door.answers[asking("102", "0611111111")] = ring(BEN)
    row = ("0611111111", "", "102")
    done = await house._run("call_in", row, {"domain": DOMAIN})
    assert done.code == 0, done.errors
    assert f"<sip:0611111111@{DOMAIN}>" in house.calls(BEN)[0]
    assert not [path for path, _ in house.door.asked if path.startswith("accounts/")]


@pytest.mark.parametrize(
    ("result", "answer"),
    [
        ("logged_in", "480 Logged in"), ("logged_out", "480 Logged out"),
        ("switched", "480 Logged in, other user logged out"), ("denied_pin", "403 Extension or PIN not right"),
        ("locked", "403 Too many attempts"), ("unknown_device", "403 No hotdesking here"), ("busy", "503 Try again later"),
    ],
)  # fmt: skip
async def test_without_a_voice_the_phrase_says_what_a_code_did(
    house: House, result: str, answer: str
) -> None:
    await house.open()
    house.door.answers["hotdesk"] = (200, {"state": "done", "result": result, "play": ["hotdesk-x"]})
    assert await house.call(NOBODY, f"*35*101*{PIN}") == answer
    path, told = house.door.asked[-1]
    assert path == "hotdesk"
    assert (told["auth_user"], told["dialled"]) == (NOBODY, f"*35*101*{PIN}")
    assert told["call_id"]
    assert PIN not in house.kamailio.log()


async def test_the_announcement_box_hears_the_prompt_and_not_the_pin(house: House) -> None:
    box = await house.answering("box", "announce")
    await house.open("WITH_ANNOUNCE", announce=box.place)
    house.door.answers["hotdesk"] = (
        200,
        {"state": "done", "result": "logged_in", "play": ["hotdesk-logged-in"]},
    )
    row = (NOBODY, sipp.credentials(NOBODY, "right"), f"*35*101*{PIN}")
    done = await house._run("code", row, {"domain": DOMAIN})
    assert done.code == 0, done.errors
    (heard,) = box.calls
    assert f"INVITE sip:hotdesk-logged-in@{box.place};lang=en" in heard
    assert PIN not in heard
    assert PIN in done.logged[0], "the caller sees the To that it sent"
    house.door.answers["hotdesk"] = (500, None)
    await house._run("code", row, {"domain": DOMAIN})
    assert "sip:hotdesk-try-later@" in box.calls[1]
    assert "answered 500 to a hotdesk code" in house.kamailio.log()
    assert PIN not in house.kamailio.log()


async def test_a_shared_address_is_open_to_the_accounts_the_door_names(house: House) -> None:
    await house.open()
    owner = f"owner?account={BEN}&address=shared7%40{DOMAIN}"
    house.door.answers[owner] = (204, None)
    await house.phone("shared7", user=BEN)
    assert len(await asyncio.to_thread(house.kamailio.contacts, f"shared7@{DOMAIN}")) == 1
    with pytest.raises(AssertionError, match="403 Not your address"):
        await house.phone("shared7", user=CARL)
    asked = [path for path, _ in house.door.asked]
    assert asked == [owner, f"owner?account={CARL}&address=shared7%40{DOMAIN}"]

    house.door.answers[f"accounts/{BEN}"] = caller(number="102", name="Ben")
    house.door.answers[asking("101", "102")] = ring(ANNA)
    await house.phone(ANNA)
    assert (await house.call("shared7", "101", user=BEN)).startswith("200|")
    (seen,) = house.calls(ANNA)
    _, sender, _, identity, _ = seen.split("|")
    assert "sip:shared7@" in sender
    assert f'"Ben" <sip:102@{DOMAIN}>' in identity
    asked = [path for path, _ in house.door.asked if path.startswith("owner")]
    assert len(asked) == 2, "the answer is kept"


async def test_the_door_is_told_which_devices_are_in_a_call(house: House) -> None:
    gateway = await house.answering("gateway")
    await house.open("WITH_GATEWAY", emergency=gateway.place)
    for account in (BEN, CARL):
        await house.phone(account)
    house.door.answers["calls"] = (200, {"known": True})
    house.door.answers[asking("102")] = ring(BEN)
    await house.call(ANNA, "102")

    def told() -> list[dict[str, Any]]:
        return [body for path, body in house.door.asked if path == "calls"]

    await until(lambda: len(told()) == 4, what="both ends of a call")
    assert [(each["account"], each["state"]) for each in told()] == [
        (ANNA, "started"),
        (BEN, "started"),
        (ANNA, "ended"),
        (BEN, "ended"),
    ]
    assert len({each["call_id"] for each in told()}) == 1
    assert not any("is_emergency" in each for each in told())

    await house.call(NOBODY, "112")
    await until(lambda: len(told()) == 6, what="the emergency call")
    assert [(each["account"], each["is_emergency"]) for each in told()[4:]] == [
        (NOBODY, True),
        (NOBODY, True),
    ]


async def test_a_made_up_dialogue_carries_no_call_past_the_checks(house: House) -> None:
    await house.open()
    await house.phone(BEN)
    kamailio = house.kamailio

    def forge() -> str:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
            channel.bind(("127.0.0.1", 0))
            channel.settimeout(5)
            here = f"127.0.0.1:{channel.getsockname()[1]}"
            lines = [
                f"INVITE sip:{BEN}@{house.phones[BEN].place} SIP/2.0",
                f"Via: SIP/2.0/UDP {here};branch=z9hG4bK-forged",
                "Max-Forwards: 70",
                f"Route: <sip:{kamailio.address};lr;ftag=1>",
                f"From: <sip:boss@{DOMAIN}>;tag=1",
                f"To: <sip:{BEN}@{DOMAIN}>;tag=2",
                "Call-ID: forged",
                "CSeq: 1 INVITE",
                f"Contact: <sip:boss@{here}>",
                "Content-Length: 0",
            ]
            channel.sendto("\r\n".join([*lines, "", ""]).encode(), (kamailio.address, kamailio.port))
            return channel.recv(4096).decode().splitlines()[0]

    assert await asyncio.to_thread(forge) == "SIP/2.0 481 No such call"
    assert house.calls(BEN) == ()
