"""Asterisk's gateway interface on the wire: variables, commands and replies, each bounded. AGI, "FastAGI over TCP"."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LINE_BYTES: Final = 2_048
"""No line of Asterisk's is nearly as long; a peer that sends more is none."""
MOST_LINES: Final = 128
"""Of the variables at the start, and of one reply."""
START_SECONDS: Final = 5.0
REPLY_SECONDS: Final = 60.0
"""A prompt and the digits after it; Asterisk answers when both are over."""

_REPLY = re.compile(r"(\d{3})(?: result=(-?[0-9*#]*))?(?: (.*))?", re.ASCII)
_HEAD = re.compile(r"(\d{3})([ -]).*", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z0-9_().*#/+-]+", re.ASCII)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\"\\]")


class AgiEnded(Exception):
    """The other side is gone, silent or no Asterisk: nothing more can be said to it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """`result` is what stands behind `result=`: a number, digits or nothing; `note` what follows, as `(timeout)`."""

    code: int
    result: str = ""
    note: str = ""

    @property
    def is_done(self) -> bool:
        """Whether the command was carried out and the call is still there."""
        return self.code == 200 and self.result != "-1"


class AgiCall:
    """One call: `variables` of its start, then one command at a time. Everything raises AgiEnded when it is over."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.is_hung_up = False

    async def variables(self) -> Mapping[str, str]:
        """What Asterisk says of the call: `uniqueid`, `extension`, `language`, `arg_1` and more, without their `agi_`."""
        found: dict[str, str] = {}
        try:
            async with asyncio.timeout(START_SECONDS):
                for _ in range(MOST_LINES):
                    line = await self._line()
                    if not line:
                        return found
                    name, separator, value = line.partition(":")
                    if not separator or not name.startswith("agi_"):
                        raise AgiEnded("this is no AGI request")
                    found[name.removeprefix("agi_")] = value.strip()
        except TimeoutError:
            raise AgiEnded("the variables did not come") from None
        raise AgiEnded("too many variables")

    async def command(self, name: str, *words: str) -> Reply:
        """Send a command and wait for its reply; words are quoted where they must be."""
        line = " ".join([name, *(_word(word) for word in words)])
        try:
            async with asyncio.timeout(REPLY_SECONDS):
                self._writer.write(line.encode() + b"\n")
                await self._writer.drain()
                return await self._reply()
        except TimeoutError:
            raise AgiEnded("no reply came") from None
        except ConnectionError:
            raise AgiEnded("the connection is gone") from None

    async def _reply(self) -> Reply:
        last = ""
        for _ in range(MOST_LINES):
            line = await self._line()
            if line == "HANGUP":  # may arrive at any moment; the reply still follows
                self.is_hung_up = True
                continue
            if last and not line.startswith(last):
                continue  # the usage text of a 520
            head = _HEAD.fullmatch(line)
            if head is None:
                raise AgiEnded("this is no AGI reply")
            if head[2] == "-":
                last = f"{head[1]} "
                continue
            found = _REPLY.fullmatch(line)
            reply = Reply(int(head[1]), *((found[2] or "", found[3] or "") if found else ()))
            self.is_hung_up = self.is_hung_up or reply.code == 511
            return reply
        raise AgiEnded("too long a reply")

    async def _line(self) -> str:
        try:
            line = await self._reader.readuntil(b"\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            raise AgiEnded("the connection ended, or a line did not") from None
        return line.decode("utf-8", "replace").rstrip("\r\n")


def _word(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else f'"{_UNSAFE.sub("", text)}"'
