"""A line-by-line conversation over TCP with a PBX: every wait has an end, every line and body a limit."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from provisioner.errors import Unavailable

PATIENCE = 5.0
"""Seconds for connecting, and for each question with its answer."""
MAX_LINE = 8_192  # bytes
MAX_BODY = 65_536  # bytes


class Talk:
    """An open connection; whatever goes wrong is Unavailable, in words."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, patience: float
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._patience = patience

    @asynccontextmanager
    async def patient(self) -> AsyncIterator[None]:
        """What happens inside may take `patience` seconds altogether."""
        try:
            async with asyncio.timeout(self._patience):
                yield
        except TimeoutError:
            raise Unavailable("The PBX did not answer in time.") from None

    async def send(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise Unavailable("The PBX closed the connection.") from error

    async def line(self) -> str:
        """The next line without its end; "" for a blank one."""
        try:
            data = await self._reader.readline()
        except ValueError:  # longer than the limit
            raise Unavailable("The PBX sends lines without end.") from None
        except OSError as error:
            raise Unavailable("The PBX closed the connection.") from error
        if not data.endswith(b"\n"):
            raise Unavailable("The PBX closed the connection.")
        return data.decode(errors="replace").rstrip("\r\n")

    async def body(self, length: int) -> str:
        """The next `length` bytes as text."""
        if length > MAX_BODY:
            raise Unavailable("The PBX sends more than anybody asked for.")
        try:
            return (await self._reader.readexactly(length)).decode(errors="replace")
        except (asyncio.IncompleteReadError, OSError) as error:
            raise Unavailable("The PBX closed the connection.") from error


@asynccontextmanager
async def talk(host: str, port: int, *, patience: float = PATIENCE) -> AsyncIterator[Talk]:
    """Connect to `host` (a name or an address) and close at the end; raises Unavailable when nobody is there."""
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection(host, port, limit=MAX_LINE)
    except TimeoutError:
        raise Unavailable("The PBX did not answer in time.") from None
    except (OSError, UnicodeError) as error:  # a label that IDNA refuses is a UnicodeError
        raise Unavailable("There is no connection to the PBX: nobody listens at its address.") from error
    try:
        yield Talk(reader, writer, patience=patience)
    finally:
        writer.close()
        with contextlib.suppress(OSError):  # a TimeoutError is one: what the PBX does not take now is lost
            async with asyncio.timeout(1.0):
                await writer.wait_closed()
