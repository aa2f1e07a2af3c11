"""The FastAGI server: Asterisk's dialplan sends hotdesk codes here and does what it is told. Off unless a port is set.

FastAGI has neither passwords nor encryption: the peers are a list of addresses, and the listener stays on the loopback or
a private network. A call says which device account it comes from (`agi_arg_1`), which is unique on the server.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Final

import structlog

from provisioner.access.addresses import is_within, parse_address
from provisioner.access.permissions import Role
from provisioner.errors import CannotStart, ProvisionerError
from provisioner.services.context import Actor, Context
from provisioner.services.hotdesk.dialog import Answer, Collect, begin, go_on
from provisioner.web.pbx.agi import LINE_BYTES, AgiCall, AgiEnded, Reply

log = structlog.get_logger()

MOST_CALLS: Final = 64
"""At once; a dialogue takes half a minute. More are hung up on, and Asterisk goes on with its dialplan."""
CALL_SECONDS: Final = 300.0
MOST_STEPS: Final = 12
"""Extension, PIN, and how often each may be asked again, with room to spare."""
APOLOGY: Final = "hotdesk-try-later"


class FastAgi:
    """`await start()` listens; `await close()` ends calls under way too."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._calls: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port that is open."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Open the listener of the settings; CannotStart when the address or the port cannot be had."""
        settings = self._context.settings
        try:
            self._server = await asyncio.start_server(
                self._accept, settings.fastagi_address, settings.fastagi_port, limit=LINE_BYTES
            )
        except OSError as error:
            raise CannotStart(
                f"FastAGI cannot listen on {settings.fastagi_address} port {settings.fastagi_port}: {error.strerror}."
            ) from None

    async def close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = str((writer.get_extra_info("peername") or ("",))[0])
        address = parse_address(peer)
        if address is None or not is_within(address, self._context.settings.fastagi_peers):
            log.warning("FastAGI: a peer that is not listed in fastagi_peers was turned away", peer=peer)
            writer.transport.abort()
        elif len(self._calls) >= MOST_CALLS:
            log.warning("FastAGI: too many calls at once, one was turned away", peer=peer)
            writer.transport.abort()
        else:
            task = asyncio.create_task(self._serve(reader, writer, str(address)))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await Conversation(self._context, AgiCall(reader, writer), peer).hold()
        except (AgiEnded, TimeoutError) as end:
            log.info("FastAGI: a call ended before its time", peer=peer, why=str(end) or "it took too long")
        except Exception:  # the boundary of a call: the next one must not suffer from it
            log.exception("FastAGI: a call failed", peer=peer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


class Conversation:
    """One call's dialogue, the answers of `services/hotdesk/dialog.py` turned into commands."""

    def __init__(self, context: Context, call: AgiCall, peer: str) -> None:
        self._context, self._call = context, call
        self._peer = peer
        self._actor = Actor(name="FastAGI", role=Role.PBX, address=peer)

    async def hold(self) -> None:
        """From the first line to the last."""
        variables = await self._call.variables()
        await self._call.command("ANSWER")
        try:
            await self._talk(variables)
        except ProvisionerError as error:
            log.warning("FastAGI: a hotdesk call was refused", peer=self._peer, why=error.type)
            await self._play(APOLOGY)
        if not self._call.is_hung_up:
            await self._call.command("HANGUP")

    async def _talk(self, variables: Mapping[str, str]) -> None:
        answer = await begin(
            self._context,
            self._actor,
            call_id=f"agi {self._peer} {variables.get('uniqueid', '')}",
            account=variables.get("arg_1", ""),
            dialled=variables.get("arg_2") or variables.get("extension", ""),
            lang=variables.get("language", ""),
        )
        await self._call.command("SET VARIABLE", "CHANNEL(language)", answer.lang)
        for step in range(1, MOST_STEPS):
            if answer.collect is None:
                break
            digits, outcome = await self._collect(answer, answer.collect)
            answer = await go_on(
                self._context,
                self._actor,
                session=answer.session,
                step=step,
                name=answer.collect.name,
                digits=digits,
                outcome=outcome,
            )
        for prompt in answer.play:
            await self._play(prompt)

    async def _collect(self, answer: Answer, collect: Collect) -> tuple[str, str]:
        """Ask with the last prompt of the answer, after playing those before it; the digits and how it went."""
        *before, prompt = answer.play
        for name in before:
            await self._play(name)
        if self._call.is_hung_up:
            return "", "hangup"
        reply = await self._call.command("GET DATA", prompt, str(collect.first_timeout_ms), str(collect.max))
        if self._call.is_hung_up or reply.result == "-1":
            return "", "hangup"
        if reply.code != 200:
            return "", "invalid"
        return _collected(reply)

    async def _play(self, prompt: str) -> None:
        if self._call.is_hung_up:
            return
        reply = await self._call.command("STREAM FILE", prompt, "")
        if not reply.is_done and not self._call.is_hung_up:
            log.warning("FastAGI: a prompt could not be played; is it recorded?", prompt=prompt)


def _collected(reply: Reply) -> tuple[str, str]:
    if reply.result:
        return reply.result, "ok"
    return "", "timeout" if reply.note == "(timeout)" else "invalid"
