"""A PBX played from a script: it says its banner, expects exact bytes and answers with exact bytes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Step = tuple[bytes, bytes]
"""What is expected, and what is answered to it."""


@dataclass(eq=False)
class Scripted:
    """`heard` is everything that came, in order; `unexpected` what did not stand in the script."""

    banner: bytes
    steps: Sequence[Step]
    port: int = 0
    heard: list[bytes] = field(default_factory=list)
    unexpected: list[bytes] = field(default_factory=list)
    connections: int = 0
    stays_silent: bool = False
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        writer.write(self.banner)
        try:
            for expected, answer in self.steps:
                got = await reader.readexactly(len(expected))
                self.heard.append(got)
                if got != expected:
                    self.unexpected.append(got)
                    return
                writer.write(answer)
            if self.stays_silent:
                await reader.read()
        except asyncio.IncompleteReadError as short:
            if short.partial:
                self.unexpected.append(short.partial)
        finally:
            writer.close()


@asynccontextmanager
async def scripted(banner: bytes, *steps: Step, stays_silent: bool = False) -> AsyncIterator[Scripted]:
    """The script runs once for each connection to 127.0.0.1 at the given port."""
    script = Scripted(banner, steps, stays_silent=stays_silent)
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    script.port = server.sockets[0].getsockname()[1]
    async with server:
        yield script
        if script.serving:  # what was sent last is heard too
            await asyncio.wait(script.serving, timeout=10)
