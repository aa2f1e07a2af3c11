"""A SIP phone of an own account that answers every call and lets another caller take a held one over (Replaces, RFC 3891)."""

import secrets
from typing import Self

from provisioner.registrar.agent import Address, SipAgent
from provisioner.registrar.sip import Request, Response, parse_name_addr, reply
from provisioner.simulator.reader import LineSettings
from provisioner.simulator.registration import LineRegistration
from provisioner.simulator.status import Phase

_SESSION = "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio 40002 RTP/AVP 8\r\na={direction}\r\n"


class Callee:
    """Registers `line` and answers: 180, then 200. `calls`: Call-IDs of the calls that are up, oldest first."""

    def __init__(self, line: LineSettings) -> None:
        self._agent = SipAgent(self._handle, user_agent="callee")
        self._registration = LineRegistration(
            self._agent,
            line,
            instance="urn:uuid:00000000-0000-1000-8000-000000000001",
            retry=0.5,
            tell=self._tell,
        )
        self._line = line
        self._tags: dict[str, str] = {}
        self._invites: dict[str, tuple[Request, Address]] = {}
        self.directions: list[str] = []
        """What each INVITE's session says, in order: sendrecv, sendonly …"""
        self.callers: list[str] = []
        """From of each first INVITE."""

    @property
    def is_registered(self) -> bool:
        return self._registration.is_registered

    @property
    def calls(self) -> list[str]:
        return list(self._tags)

    async def __aenter__(self) -> Self:
        await self._agent.open("127.0.0.1")
        self._registration.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._registration.stop()
        await self._agent.close()

    async def _handle(self, request: Request, source: Address) -> Response | None:
        if request.method == "ACK":
            return None
        if request.method == "BYE":
            self._tags.pop(request.call_id, None)
            return reply(request, 200, "OK")
        if request.method == "INVITE":
            return await self._answer(request, source)
        return reply(request, 405, "Method Not Allowed", to_tag=secrets.token_hex(4))

    async def _answer(self, request: Request, source: Address) -> Response:
        is_new = request.call_id not in self._tags
        tag = self._tags.setdefault(request.call_id, secrets.token_hex(4))
        text = request.body.decode()
        direction = "sendonly" if "a=sendonly" in text else "sendrecv"
        self.directions.append(direction)
        if is_new:
            self.callers.append(parse_name_addr(request.get("From") or "").uri)
            self._invites[request.call_id] = (request, source)
            self._agent.announce(
                reply(request, 180, "Ringing", to_tag=tag, headers=self._contact(source)), source
            )
        if replaced := (request.get("Replaces") or "").partition(";")[0]:
            await self._leave(replaced)
        body = _SESSION.format(
            host="127.0.0.1", direction="recvonly" if direction == "sendonly" else "sendrecv"
        )
        headers = (*self._contact(source), ("Content-Type", "application/sdp"))
        return reply(request, 200, "OK", to_tag=tag, headers=headers, body=body.encode())

    async def _leave(self, call_id: str) -> None:
        """End the call that another one replaces."""
        invite, source = self._invites[call_id]
        tag = self._tags.pop(call_id)
        bye = Request(
            method="BYE",
            uri=parse_name_addr(invite.get("Contact") or "").uri,
            headers=(
                *(("Route", route) for route in invite.values("Record-Route")),
                ("From", f"{invite.get('To')};tag={tag}"),
                ("To", invite.get("From") or ""),
                ("Call-ID", call_id),
                ("CSeq", "1 BYE"),
            ),
        )
        response = await self._agent.request(bye, source)
        assert response.status == 200, response

    def _contact(self, source: Address) -> tuple[tuple[str, str], ...]:
        return (("Contact", self._agent.contact(self._line.user, source)),)

    def _tell(self, phase: Phase, line: int, detail: str) -> None:
        assert phase is not Phase.REFUSED, (line, detail)
