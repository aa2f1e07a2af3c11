"""A virtual phone's shared line against a small server of shared call appearances that answers as Kamailio's sca does."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Self

import pytest

from provisioner.errors import Unavailable
from provisioner.registrar.agent import Address, SipAgent, Timers
from provisioner.registrar.sip import Request, Response, parse_params, reply
from provisioner.simulator.call import CallRefused
from provisioner.simulator.call_info import Lamp, call_info, granted, lamps
from provisioner.simulator.reader import FunctionKey, LineSettings
from provisioner.simulator.shared_lines import SharedLine, appearances
from tests.support.program import until

QUICK = Timers(t1=0.05, t2=0.2)
DOMAIN = "tenant1.test"
IDLE, SEIZED, ACTIVE = Lamp.IDLE, Lamp.SEIZED, Lamp.ACTIVE


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([f"<sip:{DOMAIN}>;appearance-index=*;appearance-state=idle"], (IDLE, IDLE)),
        (
            [
                f'<sip:{DOMAIN}>;appearance-index=2;appearance-state=active;appearance-uri="\\"Bob, B\\" <sip:1@x>"',
                f"<sip:{DOMAIN}>;appearance-index=*;appearance-state=idle",
            ],
            (IDLE, ACTIVE),
        ),
        ([f"<sip:{DOMAIN}>;appearance-index=1;appearance-state=held-private"], (Lamp.HELD_PRIVATE, IDLE)),
        ([f"<sip:{DOMAIN}>;appearance-index=9;appearance-state=active"], (IDLE, IDLE)),
        ([f"<sip:{DOMAIN}>;appearance-index=1;appearance-state=dancing"], (IDLE, IDLE)),
        (
            ["<sip:x", "", "appearance-index=1", "<sip:x>;appearance-index=²;appearance-state=active"],
            (IDLE, IDLE),
        ),
        ([], (IDLE, IDLE)),
    ],
)
def test_lamps_show_what_the_header_tells(values: list[str], expected: tuple[Lamp, ...]) -> None:
    assert lamps(values, 2) == expected


def test_a_granted_appearance_is_read_and_a_request_names_its_own() -> None:
    assert granted([f"<sip:{DOMAIN}>;appearance-index=3;appearance-state=seized"]) == 3
    assert granted([f"<sip:{DOMAIN}>;appearance-index=*"]) == 0
    assert call_info(DOMAIN, 2) == f"<sip:{DOMAIN}>;appearance-index=2"
    assert call_info(DOMAIN, 2, Lamp.HELD_PRIVATE).endswith(";appearance-state=held-private")


def test_as_many_appearances_as_there_are_keys_on_the_line() -> None:
    line = LineSettings(slot=2)
    keys = [FunctionKey(1, "15", line="1"), FunctionKey(2, "15", line="2"), FunctionKey(3, "15", line="2")]
    assert appearances(line, [*keys, FunctionKey(4, "16", line="2")], "15") == 2
    assert appearances(line, [], "15") == 1


class Server:
    """Grants seizures, tells watchers, refuses what `refused` names."""

    def __init__(self) -> None:
        self.agent = SipAgent(self._handle, timers=QUICK)
        self.states: dict[int, str] = {}
        self.refused: set[str] = set()
        self.is_silent = False
        self.heard: list[str] = []
        self.acks = 0
        self._watchers: dict[str, tuple[Request, Address]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.agent.open("127.0.0.1")
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.agent.close()

    async def tell(self) -> None:
        told = ", ".join(
            f"<sip:{DOMAIN}>;appearance-index={index};appearance-state={state}"
            for index, state in self.states.items()
        )
        rest = f"<sip:{DOMAIN}>;appearance-index=*;appearance-state=idle"
        for subscribe, source in tuple(self._watchers.values()):
            await self._notify(subscribe, source, f"{told}, {rest}" if told else rest)

    async def _handle(self, request: Request, source: Address) -> Response | None:
        event, _ = parse_params(request.get("Event") or "")
        self.heard.append(f"{request.method} {event}".strip())
        if request.method == "ACK":
            self.acks += 1
            return None
        if {request.method, event} & self.refused:
            return reply(request, 403, "Not your address", to_tag="x")
        if request.method == "SUBSCRIBE":
            self._subscribed(request, source, event)
        if request.method == "INVITE":
            headers = (("Contact", f"<sip:callee@127.0.0.1:{self.agent.port}>"),)
            return reply(request, 200, "OK", to_tag="callee", headers=headers)
        return reply(request, 200, "OK", to_tag="server", headers=(("Expires", "300"),))

    def _subscribed(self, request: Request, source: Address, event: str) -> None:
        if event == "call-info" and request.get("Expires") != "0":
            self._watchers[request.call_id] = (request, source)
            self._later(self.tell())
        elif event == "call-info":
            self._watchers.pop(request.call_id, None)
        elif not self.is_silent:
            index = granted(request.values("Call-Info"))
            self.states[index] = "seized"
            self._later(self._notify(request, source, f"<sip:{DOMAIN}>;appearance-index={index}"))
            self._later(self.tell())

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _notify(self, subscribe: Request, source: Address, info: str) -> None:
        notify = Request(
            method="NOTIFY",
            uri=(subscribe.get("Contact") or "").strip("<>"),
            headers=(
                ("From", f"{subscribe.get('To')};tag=server"),
                ("To", subscribe.get("From") or ""),
                ("Call-ID", subscribe.call_id),
                ("CSeq", f"{secrets.randbelow(10_000) + 1} NOTIFY"),
                ("Event", subscribe.get("Event") or ""),
                ("Subscription-State", "active"),
                ("Call-Info", info),
            ),
        )
        response = await self.agent.request(notify, source)
        assert response.status == 200


class Phone:
    """Only the shared line of a phone."""

    def __init__(self, server: Server) -> None:
        self.agent = SipAgent(self._handle, timers=QUICK)
        line = LineSettings(
            slot=2,
            user="s1",
            auth_user="d2",
            password="x",
            domain=DOMAIN,
            host="127.0.0.1",
            port=server.agent.port,
        )
        self.shared = SharedLine(self.agent, line, count=2, retry=0.05)

    async def _handle(self, request: Request, _source: Address) -> Response | None:
        event, _ = parse_params(request.get("Event") or "")
        return self.shared.hear(request, event=event, tag="phone") or reply(request, 405, "No")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server() as running:
        yield running


@pytest.fixture
async def line(server: Server) -> AsyncIterator[SharedLine]:
    phone = Phone(server)
    await phone.agent.open("127.0.0.1")
    phone.shared.start()
    try:
        await until(lambda: phone.shared.is_watching, what="the line to be watched")
        yield phone.shared
    finally:
        await phone.shared.stop()
        await phone.agent.close()


async def test_a_line_is_watched_seized_called_on_held_and_hung_up(server: Server, line: SharedLine) -> None:
    assert await line.seize() == 1
    await until(lambda: line.lamps == (SEIZED, IDLE), what="the lamp of a seizure")
    assert await line.call("101", index=1) == 1
    await line.hold(1)
    held = [line.calls[1].is_held]
    await line.retrieve(1)
    assert [*held, line.calls[1].is_held] == [True, False]
    await line.hang_up(1)
    assert not line.calls
    await until(lambda: server.acks == 3, what="an ACK for each INVITE")
    assert server.heard.count("INVITE") == 3
    assert server.heard[-1] == "BYE"


async def test_another_appearance_is_taken_while_the_first_is_in_use(
    server: Server, line: SharedLine
) -> None:
    server.states[1] = "active"
    await server.tell()
    assert line.lamps == (ACTIVE, IDLE)
    assert await line.seize() == 2
    await until(lambda: line.lamps == (ACTIVE, SEIZED), what="both lamps")
    with pytest.raises(Unavailable, match="Every appearance"):
        await line.seize()


async def test_a_refusal_names_the_status_and_leaves_nothing_behind(server: Server, line: SharedLine) -> None:
    server.refused = {"line-seize", "INVITE"}
    with pytest.raises(CallRefused, match="403") as caught:
        await line.seize()
    assert caught.value.data["status"] == 403
    with pytest.raises(CallRefused, match="403"):
        await line.call("101", index=1)
    assert not line.calls
    await until(lambda: server.acks == 1, what="the refusal of an INVITE to be acknowledged")
    for use in (line.hold, line.hang_up):
        with pytest.raises(Unavailable, match="no call"):
            await use(1)


async def test_a_watch_that_was_refused_is_tried_again(server: Server) -> None:
    server.refused = {"call-info"}
    phone = Phone(server)
    await phone.agent.open("127.0.0.1")
    phone.shared.start()
    try:
        await until(lambda: server.heard.count("SUBSCRIBE call-info") > 1, what="another try")
        assert not phone.shared.is_watching
        server.refused = set()
        await until(lambda: phone.shared.is_watching, what="the line to be watched")
    finally:
        await phone.shared.stop()
        await phone.shared.stop()
        await phone.agent.close()


async def test_a_call_that_the_other_side_ends_is_over(server: Server, line: SharedLine) -> None:
    await line.call("101")
    call = line.calls[1]
    bye = Request(
        method="BYE",
        uri="sip:s1@127.0.0.1",
        headers=(
            ("From", "<sip:101@x>;tag=callee"), ("To", "<sip:s1@x>;tag=me"), ("Call-ID", call.call_id), ("CSeq", "1 BYE"),
        ),
    )  # fmt: skip
    answer = line.hear(bye, event="", tag="phone")
    assert answer is not None
    assert answer.status == 200
    assert call.is_over
    assert not line.calls
    assert line.hear(bye, event="", tag="phone") is None
    await call.hang_up()
    assert "BYE" not in server.heard
