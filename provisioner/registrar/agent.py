"""A SIP endpoint on UDP: client transactions with retransmission (RFC 3261 §17.1.2), server answers kept for repeats (§17.2.2).

An INVITE gets no more than its three-way handshake; there are no dialogs here. Everything a stranger can grow is capped: requests being handled, kept
answers, datagram size. Works the same on asyncio and uvloop.
"""

import asyncio
import contextlib
import ipaddress
import logging
import secrets
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self, cast

from provisioner.errors import Unavailable
from provisioner.registrar.sip import (
    BRANCH_COOKIE,
    Request,
    Response,
    SipParseError,
    parse,
    parse_via,
    reply,
)
from provisioner.registrar.sip_digest import Credentials, answer, is_stale

log = logging.getLogger(__name__)

Address = tuple[str, int]
MAX_PENDING = 20_000  # own requests without a final answer
MAX_HANDLED = (
    2_000  # requests of others that a handler is working on; more are dropped, the sender repeats them
)
MAX_KEPT = 4_000  # answers kept for repeated requests


@dataclass(frozen=True, slots=True)
class Timers:
    """Seconds (RFC 3261 table 4): T1 is the first repeat, T2 the longest gap; a transaction lives 64 * T1."""

    t1: float = 0.5
    t2: float = 4.0

    @property
    def lifetime(self) -> float:
        return 64 * self.t1


class SipTimeout(Unavailable):
    """The other side did not answer within 64 * T1."""

    title = "The SIP server or phone does not answer"


Handler = Callable[[Request, Address], Awaitable[Response | None]]


async def refuse(request: Request, _source: Address) -> Response | None:
    """The handler of an endpoint that only asks: 405 to everything but an ACK."""
    if request.method == "ACK":
        return None
    return reply(request, 405, "Method Not Allowed", to_tag=secrets.token_hex(4))


class SipAgent(asyncio.DatagramProtocol):
    """One UDP socket. `handler` answers requests of others; None from it means that nothing is sent."""

    def __init__(
        self, handler: Handler = refuse, *, user_agent: str = "provisioner", timers: Timers | None = None
    ) -> None:
        self.user_agent = user_agent
        self.timers = timers or Timers()
        self.dropped = 0  # datagrams that were no SIP or too many at once
        self._handler = handler
        self._transport: asyncio.DatagramTransport | None = None
        self._closed: asyncio.Future[None] | None = None
        self._local: Address = ("", 0)
        self._pending: dict[tuple[str, str], _Transaction] = {}
        self._kept: OrderedDict[tuple[str, str, Address], tuple[float, bytes]] = OrderedDict()
        self._handling: dict[tuple[str, str, Address], asyncio.Task[None]] = {}

    async def open(self, host: str, port: int = 0) -> Self:
        """Bind to `host` (an address) and `port` (0: any free one); raises OSError when that is taken."""
        loop = asyncio.get_running_loop()
        self._closed = loop.create_future()
        await loop.create_datagram_endpoint(lambda: self, local_addr=(host, port))
        return self

    async def close(self) -> None:
        """Give up what is under way and free the socket. May be called twice."""
        for task in list(self._handling.values()):
            task.cancel()
        await asyncio.gather(*self._handling.values(), return_exceptions=True)
        for transaction in list(self._pending.values()):
            transaction.fail("The endpoint was closed")
        if self._transport is not None and self._closed is not None:
            self._transport.close()
            await asyncio.shield(self._closed)

    @property
    def port(self) -> int:
        return self._local[1]

    def host_towards(self, destination: Address) -> str:
        """The local address that `destination` can answer to: the bound one, or what the routing table says."""
        if not ipaddress.ip_address(self._local[0]).is_unspecified:
            return self._local[0]
        family = socket.AF_INET6 if ":" in destination[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.setblocking(False)
            try:
                probe.connect(destination)  # nothing is sent
            except OSError as error:
                raise Unavailable(f"There is no route to {destination[0]}") from error
            return str(probe.getsockname()[0])

    def contact(self, user: str, destination: Address) -> str:
        """`<sip:user@address:port>` of this endpoint as seen from `destination`."""
        return f"<sip:{user}@{_bracketed(self.host_towards(destination))}:{self.port}>"

    async def request(self, request: Request, destination: Address) -> Response:
        """Send `request` (without Via) to an address until a final answer comes; raises SipTimeout, Unavailable."""
        if self._transport is None or self._transport.is_closing():
            raise Unavailable("The SIP endpoint is closed")
        if len(self._pending) >= MAX_PENDING:
            raise Unavailable("Too many SIP requests wait for an answer")
        branch = BRANCH_COOKIE + secrets.token_hex(8)
        sent = self._with_via(request, destination, branch).to_bytes()
        key = (branch, request.method)
        transaction = _Transaction(lambda: self._send(sent, destination), timers=self.timers)
        self._pending[key] = transaction
        try:
            response = await transaction.outcome
        finally:
            transaction.stop()
            self._pending.pop(key, None)
        if request.method == "INVITE" and response.status >= 300:
            self._send(
                self._with_via(_refusal_seen(request, response), destination, branch).to_bytes(), destination
            )
        return response

    def send(self, request: Request, destination: Address) -> None:
        """Send `request` (without Via) once and wait for nothing: the ACK of a 2xx (RFC 3261 §13.2.2.4)."""
        branch = BRANCH_COOKIE + secrets.token_hex(8)
        self._send(self._with_via(request, destination, branch).to_bytes(), destination)

    def announce(self, response: Response, source: Address) -> None:
        """Send a provisional response to a request whose handler has not answered yet."""
        self._send(_with_received(response, source).to_bytes(), source)

    def _with_via(self, request: Request, destination: Address, branch: str) -> Request:
        place = f"{_bracketed(self.host_towards(destination))}:{self.port}"
        return Request(
            method=request.method,
            uri=request.uri,
            headers=(
                ("Via", f"SIP/2.0/UDP {place};branch={branch};rport"),
                *self._usual(request),
                *request.headers,
            ),
            body=request.body,
        )

    async def exchange(
        self, request: Request, destination: Address, *, credentials: Credentials | None = None
    ) -> tuple[Response, int]:
        """`request`, answering a challenge once (twice if the nonce was stale). Returns the final answer and the last CSeq used."""
        cseq, asked_again = request.cseq, 0
        response = await self.request(request, destination)
        while credentials is not None and response.status in (401, 407):
            asks, answers = _CHALLENGES[response.status]
            if asked_again and not (asked_again == 1 and is_stale(response.all(asks))):
                break
            value = answer(response.all(asks), credentials, method=request.method, uri=request.uri)
            if value is None:
                break
            asked_again += 1
            cseq += 1
            again = request.with_headers(("CSeq", f"{cseq} {request.method}"), (answers, value))
            response = await self.request(again, destination)
        return response, cseq

    def _usual(self, request: Request) -> tuple[tuple[str, str], ...]:
        usual = (("Max-Forwards", "70"), ("User-Agent", self.user_agent))
        return tuple(pair for pair in usual if request.get(pair[0]) is None)

    # asyncio.DatagramProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(
            "asyncio.DatagramTransport", transport
        )  # uvloop's class does not inherit from it
        host, port = transport.get_extra_info("sockname")[:2]
        self._local = (str(host), int(port))

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)

    def error_received(self, exc: Exception) -> None:
        log.debug("UDP error: %s", type(exc).__name__)  # the timers decide, not ICMP

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        source = (str(addr[0]), int(addr[1]))
        if not data.strip(b"\r\n\0"):
            return  # keep-alive (RFC 5626 §4.4.1)
        try:
            message = parse(data)
        except SipParseError:
            self.dropped += 1
            return
        if isinstance(message, Response):
            self._response_received(message)
        else:
            self._request_received(message, source)

    def _response_received(self, response: Response) -> None:
        transaction = self._pending.get((response.branch, response.cseq_method))
        if transaction is not None:
            transaction.received(response)

    def _request_received(self, request: Request, source: Address) -> None:
        key = (request.branch or f"{request.call_id} {request.cseq}", request.method, source)
        now = asyncio.get_running_loop().time()
        if key in self._kept and self._kept[key][0] > now:
            self._send(self._kept[key][1], source)
            return
        if key in self._handling:
            return
        if len(self._handling) >= MAX_HANDLED:
            self.dropped += 1
            return
        task = asyncio.get_running_loop().create_task(self._handle(request, source, key=key))
        self._handling[key] = task
        task.add_done_callback(lambda _: self._handling.pop(key, None))

    async def _handle(self, request: Request, source: Address, *, key: tuple[str, str, Address]) -> None:
        try:
            response = await self._handler(request, source)
            if response is None:
                return
            data = _with_received(response, source).to_bytes()
        except Exception:
            # a task boundary: the sender gets an answer and the log the reason
            log.exception("A SIP request could not be handled")
            data = _with_received(reply(request, 500, "Server Internal Error"), source).to_bytes()
        self._kept[key] = (asyncio.get_running_loop().time() + self.timers.lifetime, data)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        self._send(data, source)

    def _send(self, data: bytes, destination: Address) -> None:
        if self._transport is not None and not self._transport.is_closing():
            with contextlib.suppress(OSError):  # no route, too long: the same as lost on the way
                self._transport.sendto(data, destination)


class _Transaction:
    """Sends at once, repeats at T1, 2 T1, … T2 (at T2 after a provisional answer) and gives up after 64 T1."""

    def __init__(self, send: Callable[[], None], *, timers: Timers) -> None:
        loop = asyncio.get_running_loop()
        self.outcome: asyncio.Future[Response] = loop.create_future()
        self._loop = loop
        self._send = send
        self._timers = timers
        self._gap = timers.t1
        self._deadline = loop.call_later(timers.lifetime, self.fail, "No answer")
        self._send()
        self._repeat = loop.call_later(self._gap, self._again)

    def received(self, response: Response) -> None:
        if response.status < 200:
            self._gap = self._timers.t2
        elif not self.outcome.done():
            self.outcome.set_result(response)

    def fail(self, detail: str) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(SipTimeout(detail))

    def stop(self) -> None:
        self._repeat.cancel()
        self._deadline.cancel()

    def _again(self) -> None:
        self._send()
        self._gap = min(2 * self._gap, self._timers.t2)
        self._repeat = self._loop.call_later(self._gap, self._again)


_CHALLENGES = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}


async def resolve(host: str, port: int) -> Address:
    """The first IPv4 or IPv6 address of a host name; raises Unavailable when there is none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:  # a label that IDNA refuses is a UnicodeError
        raise Unavailable(f"The address of the SIP server {host} cannot be found") from error
    found.sort(key=lambda item: item[0] != socket.AF_INET)
    return str(found[0][4][0]), port


def _refusal_seen(request: Request, response: Response) -> Request:
    """The ACK of a final answer that is no 2xx (RFC 3261 §17.1.1.3): it goes the way of its INVITE."""
    kept = tuple(pair for pair in request.headers if pair[0].lower() in {"from", "call-id", "route"})
    return Request(
        method="ACK",
        uri=request.uri,
        headers=(*kept, ("To", response.get("To") or ""), ("CSeq", f"{request.cseq} ACK")),
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _with_received(response: Response, source: Address) -> Response:
    """Note where the request really came from in the topmost Via (RFC 3581 §4)."""
    vias = response.all("Via")
    if not vias:
        return response
    top, comma, others = vias[0].partition(",")
    via = parse_via(top)
    if via.params.get("rport") == "":
        top = top.replace(";rport", f";rport={source[1]}", 1)
    if "received" not in via.params and via.host != source[0]:
        top += f";received={source[0]}"
    rest = [pair for pair in response.headers if pair[0].lower() != "via"]
    lines = [top + comma + others, *vias[1:]]
    return Response(
        status=response.status,
        reason=response.reason,
        headers=(*(("Via", line) for line in lines), *rest),
        body=response.body,
    )
