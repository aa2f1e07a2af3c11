"""The Asterisk side of a FastAGI call, in the bytes that a real one (22.10) sent and answered."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

VARIABLES = """agi_network: yes
agi_network_script: hotdesk?v=1
agi_request: agi://{host}:{port}/hotdesk?v=1
agi_channel: PJSIP/{account}-00000000
agi_language: {language}
agi_type: PJSIP
agi_uniqueid: {uniqueid}
agi_version: 22.10.1+rc1
agi_callerid: {account}
agi_calleridname: unknown
agi_callingpres: 0
agi_callingani2: 0
agi_callington: 0
agi_callingtns: 0
agi_dnid: {dialled}
agi_rdnis: unknown
agi_context: phones
agi_extension: {dialled}
agi_priority: 2
agi_enhanced: 0.0
agi_accountcode:
agi_threadid: 140425369052864
agi_arg_1: {account}
agi_arg_2: {dialled}

"""
USAGE = """520-Invalid command syntax.  Proper usage follows:
Usage: GET DATA <file to be streamed> [timeout] [max digits]
Stream the given <file>, and receive DTMF data.
520 End of proper usage.
"""
DIGITS = "200 result={}\n"
"""Digits ended by #, which is not among them."""
SILENCE = "200 result= (timeout)\n"
GONE = "HANGUP\n200 result=-1\n"
REPLIES = {
    "ANSWER": "200 result=0\n",
    "SET VARIABLE": "200 result=1\n",
    "STREAM FILE": "200 result=0 endpos=7680\n",
    "GET DATA": SILENCE,
    "HANGUP": "200 result=1\nHANGUP\n",
}


@dataclass
class AsteriskCall:
    """One call from dialling to hanging up; `data` are the replies to GET DATA in turn, `replies` those to other commands."""

    account: str
    dialled: str
    data: Iterable[str] = ()
    replies: dict[str, str] = field(default_factory=dict)
    language: str = "en"
    uniqueid: str = "1795297900.0"
    commands: list[str] = field(default_factory=list)

    async def run(self, host: str, port: int) -> list[str]:
        """What the server commanded, in order, until it closed the connection."""
        reader, writer = await asyncio.open_connection(host, port)
        data = iter(self.data)
        try:
            text = VARIABLES.format(
                host=host,
                port=port,
                account=self.account,
                dialled=self.dialled,
                language=self.language,
                uniqueid=self.uniqueid,
            )
            writer.write(text.encode())
            while line := (await asyncio.wait_for(reader.readline(), 20)).decode().rstrip("\n"):
                self.commands.append(line)
                writer.write(self._reply(line, data).encode())
                await writer.drain()
        except ConnectionError:
            pass  # the server hung up first
        finally:
            writer.close()
        return self.commands

    def _reply(self, line: str, data: Iterable[str]) -> str:
        replies = {**REPLIES, **self.replies}
        for command, reply in replies.items():
            if line.startswith(command):
                return next(iter(data), reply) if command == "GET DATA" else reply
        return "510 Invalid or unknown command\n"
