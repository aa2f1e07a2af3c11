"""Asterisk's manager interface: logs in by challenge and has Asterisk send NOTIFY check-sync to an endpoint.

Frames are lines `Key: Value` ended by CR LF, a blank line ends a frame (facts: standards.md §4.3, §5.2). The password never
goes over the wire. Asterisk answers "NOTIFY sent" for an endpoint without any contact too: success is the fetch that follows.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from provisioner.errors import BadInput, Unavailable
from provisioner.registrar.check_sync import REREAD, CheckSyncResult, Reach
from provisioner.registrar.sip_digest import Credentials
from provisioner.registrar.talk import PATIENCE, Talk, talk

PORT = 5038
NOTIFY = "PJSIPNotify"
_BANNER = "Asterisk Call Manager/"
MAX_LINES = 2_000  # in one frame; the list of all actions has about two hundred
MAX_SKIPPED = 500  # events and foreign answers before our own

Frame = Mapping[str, str]
"""Keys as sent, of equal ones the first."""


class AmiSession:
    """A manager connection after its login. One question at a time."""

    def __init__(self, wire: Talk) -> None:
        self._wire = wire
        self._asked = 0

    async def ask(self, action: str, *fields: tuple[str, str]) -> Frame:
        """Send an action and wait for its answer; raises Unavailable, and BadInput for a field with a line break."""
        self._asked += 1
        number = str(self._asked)
        pairs = (("Action", action), ("ActionID", number), *fields)
        if any(char in value for _, value in pairs for char in "\r\n\0"):
            raise BadInput("A field for the PBX holds a line break.")
        frame = "".join(f"{name}: {value}\r\n" for name, value in pairs) + "\r\n"
        async with self._wire.patient():
            await self._wire.send(frame.encode())
            for _ in range(MAX_SKIPPED):
                answer = await self._frame()
                if answer.get("ActionID") == number and "Response" in answer:
                    return answer
        raise Unavailable("The PBX talks about other things and does not answer.")

    async def log_in(self, credentials: Credentials) -> None:
        """Prove the password by MD5 over the manager's challenge; raises Unavailable when it is refused."""
        async with self._wire.patient():
            if not (await self._wire.line()).startswith(_BANNER):
                raise Unavailable("What answers there is no Asterisk manager interface.")
        answer = await self.ask("Challenge", ("AuthType", "MD5"))
        challenge = answer.get("Challenge", "")
        if answer["Response"] != "Success" or not challenge:
            raise Unavailable("The Asterisk manager gives no challenge to log in with.")
        key = hashlib.md5((challenge + credentials.password).encode(), usedforsecurity=False).hexdigest()
        fields = (("AuthType", "MD5"), ("Username", credentials.username), ("Key", key), ("Events", "off"))
        if (await self.ask("Login", *fields))["Response"] != "Success":
            raise Unavailable("The Asterisk manager refuses the user name or the password.")

    async def check_sync(self, endpoint: str, *, event: str = REREAD) -> CheckSyncResult:
        """Have a NOTIFY sent to every contact of the endpoint; FAILED when Asterisk does not know it or may not."""
        answer = await self.ask(NOTIFY, ("Endpoint", endpoint), ("Variable", f"Event={event}"))
        if answer["Response"] == "Success":
            return CheckSyncResult(Reach.SENT)
        return CheckSyncResult(Reach.FAILED, detail=f"The PBX refused: {answer.get('Message', '')}"[:200])

    async def may_notify(self) -> bool:
        """Whether this manager user has the action at all: Asterisk lists only what the user may do."""
        return NOTIFY in await self.ask("ListCommands")

    async def log_off(self) -> None:
        async with self._wire.patient():
            await self._wire.send(b"Action: Logoff\r\n\r\n")

    async def _frame(self) -> Frame:
        frame: dict[str, str] = {}
        for _ in range(MAX_LINES):
            line = await self._wire.line()
            if line:
                key, _, value = line.partition(":")
                frame.setdefault(key.strip(), value.strip())
            elif frame:
                return frame
        raise Unavailable("The PBX sends an answer without end.")


@asynccontextmanager
async def ami_session(
    host: str, port: int = PORT, *, credentials: Credentials, patience: float = PATIENCE
) -> AsyncIterator[AmiSession]:
    """Connect and log in; log off and close at the end. Raises Unavailable, in words, for whatever goes wrong."""
    async with talk(host, port, patience=patience) as wire:
        session = AmiSession(wire)
        await session.log_in(credentials)
        yield session
        await session.log_off()
