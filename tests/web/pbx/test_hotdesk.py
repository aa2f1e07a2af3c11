"""What a PBX says and hears about hotdesking, over HTTP."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from provisioner.model import RunningCall
from provisioner.services.context import SYSTEM
from provisioner.services.hotdesk.sessions import log_out
from tests.services.hotdesks import ANNA_PIN, BEN_PIN, WRONG_PIN, Office, line_of, make_office, quick_answers
from tests.support.canaries import Record, everything_logged
from tests.support.server import RunningServer, running_server

__all__ = ["quick_answers"]


class Pbx:
    """A PBX with a token, and the offices phones."""

    def __init__(self, server: RunningServer, office: Office, token: str, http: ClientSession) -> None:
        self.server, self.office, self.token, self.http = server, office, token, http

    async def raw(self, path: str, body: Any, *, token: str | None = None) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {token or self.token}", "Content-Type": "application/json"}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = f"{self.server.admin_url}/pbx/v1{path}"
        async with self.http.post(url, data=data, headers=headers) as answer:
            return answer.status, await answer.read()

    async def post(self, path: str, body: Any, *, expect: int = 200) -> Any:
        status, content = await self.raw(path, body)
        assert status == expect, content
        return json.loads(content)

    async def account(self) -> str:
        return (await line_of(self.office.context, self.office.left)).account

    async def first(self, dialled: str, *, call_id: str = "1795297900.0") -> dict[str, Any]:
        """A step 0 as the facts have it."""
        return {
            "call_id": call_id, "step": 0, "pbx": "pbx1", "device": "alice", "auth_user": await self.account(), "dialled": dialled,
            "source": "udp:192.0.2.51:5060", "lang": "nl",
        }  # fmt: skip


@pytest.fixture
async def pbx(tmp_path: Path) -> AsyncIterator[Pbx]:
    async with running_server(tmp_path / "data") as server, ClientSession() as http:
        office = await make_office(server.context, server.tenant)
        yield Pbx(server, office, await server.token("pbx"), http)


def step(number: int, name: str, digits: str, outcome: str = "ok") -> dict[str, Any]:
    return {"step": number, "input": {"name": name, "digits": digits, "outcome": outcome}}


async def test_the_dialogue_of_the_contract(pbx: Pbx) -> None:
    """facts/standards.md §6.2."""
    first = await pbx.post("/hotdesk/dialog", await pbx.first("*35"))
    assert first == {
        "session": first["session"], "state": "collect", "play": ["hotdesk-enter-extension"], "lang": "nl",
        "collect": {
            "name": "extension", "max": 6, "min": 2, "secret": False, "terminators": "#", "first_timeout_ms": 8000, "inter_timeout_ms": 3000, "retries": 2,
        },
        "next": f"/pbx/v1/hotdesk/dialog/{first['session']}", "hangup": False,
    }  # fmt: skip
    following = first["next"].removeprefix("/pbx/v1")
    second = await pbx.post(following, step(1, "extension", "101"))
    assert (second["collect"]["name"], second["collect"]["secret"]) == ("pin", True)
    done = await pbx.post(following, step(2, "pin", ANNA_PIN))
    device = f"d_{pbx.office.left.id}"
    assert done == {
        "session": first["session"], "state": "done", "result": "logged_in", "play": ["hotdesk-logged-in"], "lang": "nl",
        "effects": {"device": device, "user": f"u_{pbx.office.anna.id}", "logged_out_device": "", "resync": [device]}, "hangup": True,
    }  # fmt: skip


async def test_a_repeated_step_is_answered_byte_for_byte(pbx: Pbx) -> None:
    body = await pbx.first(f"*35*101*{ANNA_PIN}")
    answers = [await pbx.raw("/hotdesk/dialog", body) for _ in range(3)]
    assert answers[0][0] == 200
    assert len(set(answers)) == 1
    asked = json.loads((await pbx.raw("/hotdesk/dialog", await pbx.first("*35*102", call_id="2")))[1])
    path = f"/hotdesk/dialog/{asked['session']}"
    steps = [await pbx.raw(path, step(1, "pin", BEN_PIN)) for _ in range(3)]
    assert json.loads(steps[0][1])["result"] == "switched"
    assert len(set(steps)) == 1
    assert len(await pbx.office.events("hotdesk_login")) == 2


async def test_a_single_shot(pbx: Pbx) -> None:
    account = await pbx.account()
    done = await pbx.post("/hotdesk", {"device": account, "dialled": f"*35*101*{ANNA_PIN}"})
    assert (done["result"], done["play"]) == ("logged_in", ["hotdesk-logged-in"])
    wrong = await pbx.post(
        "/hotdesk", {"device": f"sip:{account}@acme.test", "dialled": f"*35*102*{WRONG_PIN}"}
    )
    assert wrong == {"state": "done", "result": "denied_pin", "play": ["hotdesk-denied"]}
    again = [
        await pbx.raw("/hotdesk", {"device": account, "dialled": "*35", "call_id": "c1"}) for _ in range(2)
    ]
    assert again[0] == again[1]
    assert json.loads(again[0][1])["result"] == "logged_out"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{", b"null", b'{"dialled": "*35"', b"\xff\xfe", {"dialled": "*35"}, {"call_id": "", "dialled": "*35"},
        {"call_id": "c", "dialled": "*35", "extra": 1}, {"call_id": "c", "dialled": 35}, {"call_id": "c", "dialled": "*35\n"},
        {"call_id": "c", "dialled": "*35", "step": 1}, {"call_id": "c" * 191, "dialled": "*35"}, {"call_id": "c", "dialled": "*35", "lang": "../x"},
        {"call_id": "c\x00", "dialled": "*35"}, {"call_id": "c", "dialled": "9" * 65}, {"call_id": "c", "dialled": "*35", "device": "\x00"},
    ],
)  # fmt: skip
async def test_a_malformed_step_is_refused_without_harm(pbx: Pbx, body: Any) -> None:
    """T13."""
    if isinstance(body, dict) and "device" not in body and len(body) > 1:
        body = {"device": await pbx.account(), **body}
    status, content = await pbx.raw("/hotdesk/dialog", body)
    assert status == 422, content
    assert json.loads(content)["type"].endswith("bad-input")


async def test_further_steps_are_checked_too(pbx: Pbx) -> None:
    asked = await pbx.post("/hotdesk/dialog", await pbx.first("*35"))
    path = f"/hotdesk/dialog/{asked['session']}"
    for body in (
        {"step": 1}, step(0, "extension", "101"), step(1, "password", "101"), step(1, "extension", "a"), step(1, "extension", "1" * 65),
        step(1, "extension", "1", "maybe"), step(101, "extension", "1"), {**step(1, "extension", "1"), "x": 1},
    ):  # fmt: skip
        assert (await pbx.raw(path, body))[0] == 422, body
    assert (await pbx.raw("/hotdesk/dialog/h_nothing", step(1, "extension", "101")))[0] == 404
    assert (await pbx.raw("/hotdesk/dialog/%00", step(1, "extension", "101")))[0] in {400, 404}
    assert (await pbx.raw(path, step(2, "extension", "101")))[0] == 409
    assert (await pbx.raw(path, b" " * 20_000))[0] == 413


@pytest.mark.parametrize("path", ["/hotdesk", "/hotdesk/dialog", "/hotdesk/dialog/h_x", "/calls"])
async def test_only_a_pbx_may_ask(pbx: Pbx, path: str) -> None:
    """T15."""
    assert (await pbx.raw(path, {}, token="prov_nothing"))[0] == 401
    assert (await pbx.raw(path, {}, token=await pbx.server.token("admin")))[0] == 403


async def test_calls_are_reported_and_defer_a_logout(pbx: Pbx) -> None:
    account, office = await pbx.account(), pbx.office
    report = {
        "account": f"sip:{account}@acme.test",
        "call_id": "c1",
        "state": "started",
        "is_emergency": True,
    }
    assert await pbx.post("/calls", report) == {"known": True}
    assert [row.is_emergency for row in await office.rows(RunningCall)] == [True]
    await office.anna_enters(office.left)
    done = await log_out(office.context, SYSTEM, device_id=office.left.id, origin="admin", ending="admin")
    assert done.result == "busy"
    assert await pbx.post("/calls", {**report, "state": "ended"}) == {"known": True}
    assert await pbx.post("/calls", {**report, "account": "trunk"}) == {"known": False}
    for wrong in (
        {},
        {**report, "state": "ringing"},
        {**report, "call_id": ""},
        {**report, "is_emergency": "yes"},
    ):
        assert (await pbx.raw("/calls", wrong))[0] == 422


async def test_a_pin_is_in_no_log_and_no_answer(pbx: Pbx) -> None:
    """R3.8, T6."""
    record, wrong = Record(), "2685019374"  # ten digits, which stand in no address and no time by chance
    with everything_logged(record):
        for number, dialled in enumerate((f"*35*101*{wrong}", f"*35*102*{BEN_PIN}")):
            record.add(
                "answer", str(await pbx.raw("/hotdesk/dialog", await pbx.first(dialled, call_id=f"{number}")))
            )
        record.add(
            "answer", str(await pbx.raw("/hotdesk", {"device": "x" * 201, "dialled": f"*35*101*{BEN_PIN}"}))
        )
        record.add(
            "answer", str(await pbx.raw("/hotdesk", {"device": "x", "dialled": f"*35*101*{BEN_PIN}x"}))
        )
        asked = await pbx.post("/hotdesk/dialog", await pbx.first("*35*101", call_id="9"))
        path = f"/hotdesk/dialog/{asked['session']}"
        record.add("answer", str(await pbx.raw(path, step(1, "pin", f"{BEN_PIN}x"))))
        record.add("answer", str(await pbx.raw(path, step(7, "pin", BEN_PIN))))
        record.add("answer", str(await pbx.raw(path, step(1, "extension", BEN_PIN))))
    assert record.leaks({"a right PIN": BEN_PIN, "a wrong PIN": wrong}, allowed={}) == set()
