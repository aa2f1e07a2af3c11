import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from provisioner.registrar.agent import Address, SipAgent, Timers
from provisioner.registrar.check_sync import (
    REBOOT,
    CheckSyncResult,
    Reach,
    check_sync_by_rpc,
    check_sync_directly,
)
from provisioner.registrar.sip import Request, Response, SipParseError, reply
from provisioner.registrar.sip_digest import Credentials

PHONE = "sip:101@192.0.2.51:5060;line=1"
SENDER = "sip:provisioning@pbx.test"


class Rpc:
    """A PBX's JSON-RPC that answers what it is told."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.status = 200
        self.answer: Any = {"jsonrpc": "2.0", "id": 1, "result": {}}
        self.url = ""
        self.authorization = ""
        self.gate: asyncio.Event | None = None

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(await request.json())
        self.authorization = request.headers.get("Authorization", "")
        if self.gate is not None:
            await self.gate.wait()
        return web.json_response(self.answer, status=self.status)


@pytest.fixture
async def rpc() -> AsyncIterator[Rpc]:
    rpc, app = Rpc(), web.Application()
    app.router.add_post("/RPC", rpc.handle)
    async with TestServer(app) as server:
        rpc.url = str(server.make_url("/RPC"))
        yield rpc


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_the_pbx_gets_a_notify_that_every_phone_takes(rpc: Rpc, session: aiohttp.ClientSession) -> None:
    result = await check_sync_by_rpc(session, rpc.url, contact=PHONE, sender=SENDER)
    assert result == CheckSyncResult(Reach.SENT)
    (asked,) = rpc.asked
    assert asked["method"] == "tm.t_uac_start"
    assert asked["params"][:4] == ["NOTIFY", PHONE, ".", "."]
    headers = asked["params"][4].split("\r\n")
    assert f"From: <{SENDER}>" in headers
    assert "Event: check-sync;reboot=false" in headers
    assert "Subscription-State: terminated" in headers
    assert headers[-1] == ""


@pytest.mark.parametrize(
    ("code", "reach"),
    [(200, Reach.ANSWERED), (401, Reach.CHALLENGED), (481, Reach.REFUSED), (408, Reach.SILENT)],
)
async def test_the_phones_own_answer_is_told_when_waited_for(
    rpc: Rpc, session: aiohttp.ClientSession, code: int, reach: Reach
) -> None:
    rpc.answer["result"] = {"code": code, "text": "Said so"}
    result = await check_sync_by_rpc(session, rpc.url, contact=PHONE, sender=SENDER, event=REBOOT, waits=True)
    assert result == CheckSyncResult(reach, code, "Said so")
    assert rpc.asked[0]["method"] == "tm.t_uac_wait_block"


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, {"jsonrpc": "2.0", "id": 1, "error": {"code": 500, "message": "Invalid URI"}}),
        (200, []),
        (200, "text"),
        (200, {"jsonrpc": "2.0", "id": 1, "error": "odd"}),
    ],
)
async def test_a_pbx_that_refuses_is_a_failure_and_no_exception(
    rpc: Rpc, session: aiohttp.ClientSession, status: int, answer: Any
) -> None:
    rpc.status, rpc.answer = status, answer
    result = await check_sync_by_rpc(session, rpc.url, contact=PHONE, sender=SENDER)
    assert result.reach is Reach.FAILED


async def test_a_pbx_behind_basic_authentication_gets_it(rpc: Rpc, session: aiohttp.ClientSession) -> None:
    credentials = Credentials("prov", "secret")
    await check_sync_by_rpc(session, rpc.url, contact=PHONE, sender=SENDER, credentials=credentials)
    assert rpc.authorization == "Basic cHJvdjpzZWNyZXQ="


async def test_an_answer_without_a_code_is_a_failure_when_waited_for(
    rpc: Rpc, session: aiohttp.ClientSession
) -> None:
    rpc.answer["result"] = {"code": "soon"}
    result = await check_sync_by_rpc(session, rpc.url, contact=PHONE, sender=SENDER, waits=True)
    assert result.reach is Reach.FAILED


async def test_a_pbx_that_is_away_or_slow(rpc: Rpc, session: aiohttp.ClientSession) -> None:
    gone = await check_sync_by_rpc(session, "http://127.0.0.1:1/RPC", contact=PHONE, sender=SENDER)
    assert gone.reach is Reach.FAILED
    rpc.gate = asyncio.Event()
    slow = await check_sync_by_rpc(session, rpc.url, contact=PHONE, sender=SENDER, waits=True, patience=0.05)
    assert slow.reach is Reach.SILENT
    rpc.gate.set()


async def test_addresses_and_events_with_line_breaks_are_refused(
    rpc: Rpc, session: aiohttp.ClientSession
) -> None:
    plain = "check-sync"
    bad = [
        (PHONE + "\r\nX: y", SENDER, plain),
        (PHONE, "nobody", plain),
        (PHONE, SENDER, "check-sync\r\nX: y"),
    ]
    for contact, sender, event in bad:
        with pytest.raises(SipParseError):
            await check_sync_by_rpc(session, rpc.url, contact=contact, sender=sender, event=event)
    assert rpc.asked == []


async def test_directly_to_a_phone() -> None:
    got: list[Request] = []

    async def phone(request: Request, _source: Address) -> Response:
        got.append(request)
        return reply(request, 200 if len(got) == 1 else 481, "OK")

    quick = Timers(t1=0.01, t2=0.02)
    there, here = SipAgent(phone, timers=quick), SipAgent(timers=quick)
    await there.open("127.0.0.1")
    await here.open("127.0.0.1")
    contact = f"sip:101@127.0.0.1:{there.port}"
    first = await check_sync_directly(here, contact=contact, sender=SENDER)
    second = await check_sync_directly(here, contact=contact, sender=SENDER)
    assert (first.reach, second.reach) == (Reach.ANSWERED, Reach.REFUSED)
    assert [got[0].get(name) for name in ("Event", "Subscription-State")] == [
        "check-sync;reboot=false",
        "terminated",
    ]
    await there.close()
    assert (await check_sync_directly(here, contact=contact, sender=SENDER)).reach is Reach.SILENT
    await here.close()
    assert (await check_sync_directly(here, contact=contact, sender=SENDER)).reach is Reach.FAILED
