import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

import pytest
import uvloop

from provisioner.errors import Unavailable
from provisioner.registrar import agent as agent_module
from provisioner.registrar.agent import Address, Handler, SipAgent, SipTimeout, Timers, resolve
from provisioner.registrar.sip import Request, Response, parse, reply
from provisioner.registrar.sip_digest import Credentials, ha1, parse_digest, response

QUICK = Timers(t1=0.01, t2=0.04)  # a transaction lives 0.64 s
Opener = Callable[..., Awaitable[SipAgent]]


@pytest.fixture
async def opened() -> AsyncIterator[Opener]:
    agents: list[SipAgent] = []

    async def open_agent(handler: Handler | None = None, *, timers: Timers = QUICK) -> SipAgent:
        agent = SipAgent(handler, timers=timers) if handler else SipAgent(timers=timers)
        agents.append(await agent.open("127.0.0.1"))
        return agent

    yield open_agent
    for agent in agents:
        await agent.close()


def options(call_id: str = "c1") -> Request:
    headers = (
        ("From", "<sip:a@x.test>;tag=1"),
        ("To", "<sip:b@x.test>"),
        ("Call-ID", call_id),
        ("CSeq", "1 OPTIONS"),
    )
    return Request(method="OPTIONS", uri="sip:b@x.test", headers=headers)


class Wire(asyncio.DatagramProtocol):
    """A bare socket that keeps what arrives."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[tuple[bytes, Address]] = asyncio.Queue()
        self.transport: asyncio.DatagramTransport | None = None
        self.gone: asyncio.Future[None]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)
        self.gone = asyncio.get_running_loop().create_future()

    def connection_lost(self, _exc: Exception | None) -> None:
        self.gone.set_result(None)

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        self.arrived.put_nowait((data, (str(addr[0]), int(addr[1]))))

    async def next(self) -> tuple[bytes, Address]:
        return await asyncio.wait_for(self.arrived.get(), 5)

    def send(self, data: bytes, to: Address) -> None:
        assert self.transport is not None
        self.transport.sendto(data, to)

    @property
    def address(self) -> Address:
        assert self.transport is not None
        host, port = self.transport.get_extra_info("sockname")
        return str(host), int(port)


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    _, wire = await asyncio.get_running_loop().create_datagram_endpoint(Wire, local_addr=("127.0.0.1", 0))
    yield wire
    assert wire.transport is not None
    wire.transport.close()
    await wire.gone


async def ok(request: Request, _source: Address) -> Response:
    return reply(request, 200, "OK", to_tag="t")


async def test_a_request_gets_its_answer(opened: Opener) -> None:
    server, client = await opened(ok), await opened()
    answer = await client.request(options(), ("127.0.0.1", server.port))
    assert (answer.status, answer.call_id) == (200, "c1")
    assert f"rport={client.port}" in (answer.get("Via") or "")


async def test_it_is_repeated_until_answered_and_then_no_more(opened: Opener, wire: Wire) -> None:
    client = await opened()
    asking = asyncio.create_task(client.request(options(), wire.address))
    first, source = await wire.next()
    second, _ = await wire.next()
    third, _ = await wire.next()
    assert first == second == third
    request = parse(first)
    assert isinstance(request, Request)
    wire.send(reply(request, 100, "Trying").to_bytes(), source)
    wire.send(reply(request, 200, "OK").to_bytes(), source)
    assert (await asking).status == 200
    assert client._pending == {}


async def test_answers_to_another_branch_or_method_do_not_count(opened: Opener, wire: Wire) -> None:
    client = await opened()
    asking = asyncio.create_task(client.request(options(), wire.address))
    data, source = await wire.next()
    wrong = parse(data.replace(b"branch=z9hG4bK", b"branch=z9hG4bKother"))
    assert isinstance(wrong, Request)
    wire.send(reply(wrong, 200, "OK").to_bytes(), source)
    with pytest.raises(SipTimeout):
        await asking


async def test_silence_ends_in_a_timeout_after_64_t1(opened: Opener, wire: Wire) -> None:
    client, begin = await opened(), time.monotonic()
    with pytest.raises(SipTimeout):
        await client.request(options(), wire.address)
    assert 0.5 < time.monotonic() - begin < 5
    assert wire.arrived.qsize() >= 8
    assert client._pending == {}


async def test_a_repeated_request_is_handled_once_and_answered_again(opened: Opener, wire: Wire) -> None:
    handled: list[str] = []

    async def count(request: Request, _source: Address) -> Response:
        handled.append(request.call_id)
        return reply(request, 200, "OK", to_tag=f"t{len(handled)}")

    server = await opened(count)
    place = f"127.0.0.1:{wire.address[1]}"
    request = Request(
        method="OPTIONS",
        uri="sip:x",
        headers=(("Via", f"SIP/2.0/UDP {place};branch=z9hG4bKx"), *options().headers),
    ).to_bytes()
    wire.send(request, ("127.0.0.1", server.port))
    first, _ = await wire.next()
    wire.send(request, ("127.0.0.1", server.port))
    second, _ = await wire.next()
    assert first == second
    assert handled == ["c1"]


async def test_junk_is_dropped_and_keep_alives_are_not_counted(opened: Opener, wire: Wire) -> None:
    server = await opened(ok)
    for junk in (b"\r\n\r\n", b"\0", b"junk", b"\xff" * 1000):
        wire.send(junk, ("127.0.0.1", server.port))
    client = await opened()
    assert (await client.request(options(), ("127.0.0.1", server.port))).status == 200
    assert server.dropped == 2


async def test_a_handler_that_fails_is_answered_with_500(opened: Opener) -> None:
    async def broken(_request: Request, _source: Address) -> Response:
        raise RuntimeError

    server, client = await opened(broken), await opened()
    assert (await client.request(options(), ("127.0.0.1", server.port))).status == 500


async def test_what_strangers_can_grow_is_bounded(
    opened: Opener, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_module, "MAX_HANDLED", 3)
    monkeypatch.setattr(agent_module, "MAX_KEPT", 2)
    gate = asyncio.Event()

    async def slow(request: Request, _source: Address) -> Response:
        await gate.wait()
        return reply(request, 200, "OK")

    server = await opened(slow)
    for number in range(10):
        via = ("Via", f"SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK{number}")
        request = Request(method="OPTIONS", uri="sip:x", headers=(via, *options(f"c{number}").headers))
        server.datagram_received(request.to_bytes(), wire.address)
    assert len(server._handling) == 3
    assert server.dropped == 7
    gate.set()
    for _ in range(3):
        await wire.next()
    assert len(server._kept) == 2


async def test_a_challenge_is_answered_once_and_a_stale_nonce_once_more(opened: Opener) -> None:
    seen: list[dict[str, str] | None] = []
    nonces = iter(("n1", "n2", "n3"))
    secret = ha1("a", "x.test", "right")

    async def guarded(request: Request, _source: Address) -> Response:
        fields = parse_digest(request.get("Authorization") or "")
        seen.append(fields)
        is_right = fields is not None and fields["response"] == response(secret, "OPTIONS", fields)
        if fields is not None and fields["nonce"] == "n2" and is_right:
            return reply(request, 200, "OK")
        stale = ", stale=true" if fields is not None and is_right else ""
        challenge = f'Digest realm="x.test", nonce="{next(nonces)}", qop="auth"{stale}'
        return reply(request, 401, "Unauthorized", headers=(("WWW-Authenticate", challenge),))

    server, client = await opened(guarded), await opened()
    place = ("127.0.0.1", server.port)
    answer, cseq = await client.exchange(options(), place, credentials=Credentials("a", "right"))
    assert (answer.status, cseq, len(seen)) == (200, 3, 3)

    nonces = iter(("n1", "n2", "n3"))
    seen.clear()
    answer, _ = await client.exchange(options("c2"), place, credentials=Credentials("a", "wrong"))
    assert (answer.status, len(seen)) == (401, 2)


async def test_closing_frees_the_port_and_ends_what_waits(wire: Wire) -> None:
    client = await SipAgent(timers=QUICK).open("127.0.0.1")
    port = client.port
    asking = asyncio.create_task(client.request(options(), wire.address))
    await wire.next()
    await client.close()
    with pytest.raises(SipTimeout):
        await asking
    again = await SipAgent(timers=QUICK).open("127.0.0.1", port)
    await again.close()
    with pytest.raises(Unavailable):
        await again.request(options(), wire.address)


async def test_the_address_that_the_other_side_can_answer_to_is_told() -> None:
    agent = await SipAgent(timers=QUICK).open("0.0.0.0")
    assert agent.host_towards(("127.0.0.1", 5060)) == "127.0.0.1"
    assert agent.contact("prov", ("127.0.0.1", 5060)) == f"<sip:prov@127.0.0.1:{agent.port}>"
    await agent.close()


async def test_a_name_that_does_not_exist_is_unavailable() -> None:
    assert await resolve("127.0.0.9", 5060) == ("127.0.0.9", 5060)
    with pytest.raises(Unavailable):
        await resolve("x" * 80, 5060)


def test_it_runs_on_uvloop() -> None:
    async def both() -> int:
        server = await SipAgent(ok, timers=QUICK).open("127.0.0.1")
        client = await SipAgent(timers=QUICK).open("127.0.0.1")
        answer = await client.request(options(), ("127.0.0.1", server.port))
        await client.close()
        await server.close()
        return answer.status

    assert uvloop.run(both()) == 200
