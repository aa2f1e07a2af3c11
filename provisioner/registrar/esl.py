"""FreeSWITCH's event socket: logs in and fires the NOTIFY event that makes a phone fetch its configuration again.

Blocks are lines `Key: Value`, a blank line ends the header, Content-Length bytes of body may follow (facts: standards.md
§4.6, §5.2). `sofia profile … check_sync` is never used: it reboots phones, and without an argument it deletes registrations.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from provisioner.errors import BadInput, Unavailable
from provisioner.registrar.check_sync import REREAD, CheckSyncResult, Reach
from provisioner.registrar.talk import PATIENCE, Talk, talk

PORT = 8021
PROFILE = "internal"
MAX_LINES = 200  # in one header
MAX_SKIPPED = 200  # blocks that are no reply


class EslSession:
    """An event socket after its login. One command at a time."""

    def __init__(self, wire: Talk) -> None:
        self._wire = wire

    async def log_in(self, password: str) -> None:
        """Raises Unavailable when what answers is no event socket, or refuses this address or the password."""
        async with self._wire.patient():
            kind = (await self._block()).get("content-type", "")
        if kind == "text/rude-rejection":
            raise Unavailable("The event socket's access list refuses this server's address.")
        if kind != "auth/request":
            raise Unavailable("What answers there is no FreeSWITCH event socket.")
        if not (await self.command(f"auth {password}")).startswith("+OK"):
            raise Unavailable("The FreeSWITCH event socket refuses the password.")

    async def command(self, line: str, *headers: tuple[str, str]) -> str:
        """Send a command with its headers; the text of the reply. Raises Unavailable, and BadInput for a line break."""
        lines = [line, *(f"{name}: {value}" for name, value in headers)]
        if any(char in part for part in lines for char in "\r\n\0"):
            raise BadInput("A field for the PBX holds a line break.")
        async with self._wire.patient():
            await self._wire.send(("\n".join(lines) + "\n\n").encode())
            for _ in range(MAX_SKIPPED):
                block = await self._block()
                if block.get("content-type") == "command/reply":
                    return block.get("reply-text", "")
                if block.get("content-type") == "text/disconnect-notice":
                    raise Unavailable("The PBX closed the connection.")
        raise Unavailable("The PBX talks about other things and does not answer.")

    async def check_sync(
        self, user: str, host: str, *, profile: str = PROFILE, event: str = REREAD
    ) -> CheckSyncResult:
        """Fire a NOTIFY at every contact of `user`@`host` on the Sofia profile."""
        said = await self.command(
            "sendevent NOTIFY",
            ("profile", profile),
            ("user", user),
            ("host", host),
            ("event-string", event),
            ("content-type", "application/simple-message-summary"),
        )
        if said.startswith("+OK"):
            return CheckSyncResult(Reach.SENT)
        return CheckSyncResult(Reach.FAILED, detail=f"The PBX refused: {said}"[:200])

    async def _block(self) -> Mapping[str, str]:
        """Names in lower case; a body is read and left out."""
        block: dict[str, str] = {}
        for _ in range(MAX_LINES):
            line = await self._wire.line()
            if line:
                key, _, value = line.partition(":")
                block.setdefault(key.strip().lower(), value.strip())
            elif block:
                length = block.get("content-length", "0")
                if not (length.isascii() and length.isdigit() and len(length) < 10):
                    raise Unavailable("The PBX sends an answer without end.")
                await self._wire.body(int(length))
                return block
        raise Unavailable("The PBX sends an answer without end.")


@asynccontextmanager
async def esl_session(
    host: str, port: int = PORT, *, password: str, patience: float = PATIENCE
) -> AsyncIterator[EslSession]:
    """Connect, log in, close at the end. Raises Unavailable, in words, for whatever goes wrong."""
    async with talk(host, port, patience=patience) as wire:
        session = EslSession(wire)
        await session.log_in(password)
        yield session
