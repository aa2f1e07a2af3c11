"""One line of a virtual phone at its registrar: registers, renews in time, tries again after a refusal, says goodbye."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from typing import Final

from provisioner.errors import ProvisionerError
from provisioner.registrar.agent import Address, SipAgent, resolve
from provisioner.registrar.sip import Request, Response, SipParseError, parse_name_addr, sip_uri
from provisioner.registrar.sip_digest import Credentials
from provisioner.simulator.reader import LineSettings
from provisioner.simulator.status import Phase

FAREWELL: Final = 2.0  # seconds that a phone waits for the answer to its last REGISTER


class LineRegistration:
    """Keeps one line registered until it is stopped."""

    def __init__(
        self,
        agent: SipAgent,
        line: LineSettings,
        *,
        instance: str,
        retry: float,
        tell: Callable[[Phase, int, str], None],
    ) -> None:
        self.line = line
        self.is_registered = False
        self._agent = agent
        self._instance = instance
        self._retry = retry
        self._tell = tell
        self._call_id = secrets.token_hex(12)
        self._tag = secrets.token_hex(4)
        self._cseq = 0
        self._expires = line.expires
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self.is_registered:
            self.is_registered = False
            with contextlib.suppress(ProvisionerError, TimeoutError):
                async with asyncio.timeout(FAREWELL):
                    await self._register(expires=0)
            self._tell(Phase.UNREGISTERED, self.line.slot, "")

    async def _keep(self) -> None:
        while True:
            try:
                pause = await self._renew()
            except ProvisionerError as error:
                self._refused(error.detail)
                pause = self._retry
            await asyncio.sleep(pause)

    async def _renew(self) -> float:
        """One REGISTER; the seconds until the next one."""
        response = await self._register(expires=self._expires)
        least = response.number("Min-Expires") or 0
        if response.status == 423 and least > self._expires:
            self._expires = least
            return 0.0
        if not 200 <= response.status < 300:
            self._refused(f"{response.status} {response.reason}")
            return self._retry
        granted = self._granted(response)
        self.is_registered = True
        self._tell(Phase.REGISTERED, self.line.slot, f"{granted} s")
        return 0.8 * granted

    def _refused(self, detail: str) -> None:
        self.is_registered = False
        self._tell(Phase.REFUSED, self.line.slot, detail)

    async def _register(self, *, expires: int) -> Response:
        line, agent = self.line, self._agent
        if line.transport != "udp":
            raise SipParseError(f"A virtual phone speaks SIP over UDP, not {line.transport}")
        destination = await resolve(line.host, line.port)
        self._cseq += 1
        me = sip_uri(line.user, line.domain or line.host)
        contact = f'{self._contact(destination)};+sip.instance="<{self._instance}>"'
        request = Request(
            method="REGISTER",
            uri=sip_uri("", line.domain or line.host),
            headers=(
                ("From", f"<{me}>;tag={self._tag}"),
                ("To", f"<{me}>"),
                ("Call-ID", self._call_id),
                ("CSeq", f"{self._cseq} REGISTER"),
                ("Contact", contact),
                ("Expires", str(expires)),
                ("Allow", "NOTIFY, OPTIONS"),
            ),
        )
        credentials = Credentials(line.auth_user, line.password)
        response, self._cseq = await agent.exchange(request, destination, credentials=credentials)
        return response

    def _contact(self, destination: Address) -> str:
        uri = sip_uri(self.line.user, self._agent.host_towards(destination), port=self._agent.port)
        return f"<{uri}>" if self.line.slot == 1 else f"<{uri};line={self.line.slot}>"

    def _granted(self, response: Response) -> int:
        """Seconds until the registrar forgets us: from our own Contact, else from Expires (RFC 3261 §10.2.4)."""
        mine = f":{self._agent.port}"
        for value in response.values("Contact"):
            contact = parse_name_addr(value)
            seconds = contact.params.get("expires", "")
            if mine in contact.uri and seconds.isascii() and seconds.isdigit() and len(seconds) < 8:
                return max(1, int(seconds))
        return max(1, response.number("Expires") or self._expires)
