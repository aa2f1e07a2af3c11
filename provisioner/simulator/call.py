"""One call of a virtual phone: a dialog (RFC 3261 §12) without media; and the way its requests take."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from provisioner.errors import Unavailable
from provisioner.registrar.agent import Address, SipAgent
from provisioner.registrar.sip import Request, Response, SipParseError, parse_name_addr, sip_uri
from provisioner.registrar.sip_digest import Credentials
from provisioner.simulator.reader import LineSettings

Headers = Sequence[tuple[str, str]]


class CallRefused(Unavailable):
    """The other side or the registrar said no; `status` in data is the SIP status."""

    title = "The call was refused"


@dataclass(frozen=True, slots=True)
class Leg:
    """From where and as whom a line sends its requests. `address`: the line's SIP address."""

    agent: SipAgent
    line: LineSettings
    destination: Address

    @property
    def domain(self) -> str:
        return self.line.domain or self.line.host

    @property
    def address(self) -> str:
        return sip_uri(self.line.user, self.domain)

    @property
    def contact(self) -> str:
        return self.agent.contact(self.line.user, self.destination)

    @property
    def credentials(self) -> Credentials:
        return Credentials(self.line.auth_user, self.line.password)


@dataclass(slots=True)
class Dialog:
    """What both ends remember of each other. `target` and `routes` are known from the first answer on.

    `own`: the address this end was called by; empty on outgoing calls, which come from the line's.
    """

    to: str
    own: str = ""
    call_id: str = field(default_factory=lambda: secrets.token_hex(12))
    tag: str = field(default_factory=lambda: secrets.token_hex(4))
    remote_tag: str = ""
    target: str = ""
    routes: tuple[str, ...] = ()
    cseq: int = 0

    def request(self, leg: Leg, method: str, *, headers: Headers = (), body: bytes = b"") -> Request:
        """The next request of the dialog."""
        self.cseq += 1
        return self._request(leg, method, self.cseq, headers=headers, body=body)

    def ack(self, leg: Leg, cseq: int) -> Request:
        """The ACK of the INVITE with this CSeq."""
        return self._request(leg, "ACK", cseq)

    def learn(self, response: Response) -> None:
        """Take the other end's tag, its contact and the way to it from an answer that makes a dialog."""
        self.remote_tag = parse_name_addr(response.get("To") or "").params.get("tag", "")
        if contact := response.get("Contact"):
            self.target = parse_name_addr(contact).uri
        self.routes = tuple(reversed(response.values("Record-Route")))

    def _request(
        self, leg: Leg, method: str, cseq: int, *, headers: Headers = (), body: bytes = b""
    ) -> Request:
        tag = f";tag={self.remote_tag}" if self.remote_tag else ""
        return Request(
            method=method,
            uri=self.target or self.to,
            headers=(
                *(("Route", route) for route in self.routes),
                ("From", f"<{self.own or leg.address}>;tag={self.tag}"),
                ("To", f"<{self.to}>{tag}"),
                ("Call-ID", self.call_id),
                ("CSeq", f"{cseq} {method}"),
                ("Contact", leg.contact),
                *headers,
            ),
            body=body,
        )


def dialog_of(invite: Request, tag: str) -> Dialog:
    """The dialog that an answer with this tag makes of an incoming call; SipParseError."""
    caller, called = parse_name_addr(invite.get("From") or ""), parse_name_addr(invite.get("To") or "")
    return Dialog(
        to=caller.uri,
        own=called.uri,
        call_id=invite.call_id,
        tag=tag,
        remote_tag=caller.params.get("tag", ""),
        target=parse_name_addr(invite.get("Contact") or "").uri,
        routes=tuple(invite.values("Record-Route")),
    )


class Call:
    """A call that was answered; `open_call` makes one."""

    def __init__(self, leg: Leg, dialog: Dialog) -> None:
        self.is_held = False
        self.is_over = False
        self._leg = leg
        self._dialog = dialog

    @property
    def call_id(self) -> str:
        return self._dialog.call_id

    async def hold(self, *, headers: Headers = ()) -> None:
        """Stop listening: the other end hears music; CallRefused, SipTimeout."""
        await _invite(self._leg, self._dialog, "sendonly", headers)
        self.is_held = True

    async def resume(self, *, headers: Headers = ()) -> None:
        await _invite(self._leg, self._dialog, "sendrecv", headers)
        self.is_held = False

    async def hang_up(self, *, headers: Headers = ()) -> None:
        """End the call. Nothing happens when it is over already."""
        if self.is_over:
            return
        self.is_over = True
        request = self._dialog.request(self._leg, "BYE", headers=headers)
        await self._leg.agent.request(request, self._leg.destination)


async def open_call(leg: Leg, to: str, *, headers: Headers = ()) -> Call:
    """Call the SIP address `to` and wait for the answer; CallRefused, SipTimeout."""
    dialog = Dialog(to)
    await _invite(leg, dialog, "sendrecv", headers)
    return Call(leg, dialog)


async def _invite(leg: Leg, dialog: Dialog, direction: str, headers: Headers) -> None:
    body = session_description(leg, direction)
    said = (*headers, ("Content-Type", "application/sdp"))
    request = dialog.request(leg, "INVITE", headers=said, body=body)
    response, dialog.cseq = await leg.agent.exchange(request, leg.destination, credentials=leg.credentials)
    if not 200 <= response.status < 300:
        raise CallRefused(f"{response.status} {response.reason}", status=response.status)
    if not dialog.remote_tag:
        dialog.learn(response)
    leg.agent.send(dialog.ack(leg, dialog.cseq), leg.destination)


def session_description(leg: Leg, direction: str) -> bytes:
    """A session description (RFC 8866); nobody listens on the port."""
    host = leg.agent.host_towards(leg.destination)
    family = "IP6" if ":" in host else "IP4"
    lines = [
        "v=0", f"o=- 1 1 IN {family} {host}", "s=-", f"c=IN {family} {host}", "t=0 0", "m=audio 40000 RTP/AVP 8",
        f"a={direction}",
    ]  # fmt: skip
    return "".join(f"{line}\r\n" for line in lines).encode()


async def subscribe(leg: Leg, dialog: Dialog, event: str, expires: int, *, headers: Headers = ()) -> int:
    """(Re)subscribe to `event` of the line's own address; the seconds granted. CallRefused, SipTimeout."""
    said = (("Event", event), ("Expires", str(expires)), *headers)
    request = replace(dialog.request(leg, "SUBSCRIBE", headers=said), uri=dialog.to)
    response, dialog.cseq = await leg.agent.exchange(request, leg.destination, credentials=leg.credentials)
    if not 200 <= response.status < 300:
        raise CallRefused(f"{response.status} {response.reason}", status=response.status)
    try:
        dialog.remote_tag = parse_name_addr(response.get("To") or "").params.get("tag", "")
    except SipParseError:
        dialog.remote_tag = ""
    return response.number("Expires") or expires
