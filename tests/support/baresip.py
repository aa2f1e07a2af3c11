"""baresip 1.0, a second SIP client; it has no HTTP of its own, so its files are written for it."""

import json
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.linphone import Account
from tests.support.ports import loopback
from tests.support.program import Program, ProgramError

_MODULES = ("g711", "aubridge", "uuid", "ctrl_tcp")
_APPS = ("account", "contact", "menu")


class Baresip(Program):
    """A running baresip that answers calls by itself; commands go over its control port."""

    name = "baresip"

    def __init__(
        self, folder: Path, account: Account, *, address: str = "", mac: str = "000413120005"
    ) -> None:
        super().__init__(folder)
        self.account_line = account
        self.address = address or loopback()
        self.mac = mac.lower()

    def prepare(self) -> Sequence[str]:
        a = self.account_line
        (self.folder / "accounts").write_text(
            f'"Phone {a.user}" <sip:{a.user}@{a.domain}>;auth_user={a.user};auth_pass={a.password};'
            f'outbound="{a.proxy};transport=udp";regint={a.expires};answermode=auto;audio_codecs=PCMA\n'
        )
        (self.folder / "config").write_text("\n".join([*self._settings(), ""]))
        (self.folder / "contacts").write_text("")
        (self.folder / "uuid").write_text(f"00000000-0000-1000-8000-{self.mac}")  # becomes +sip.instance
        return ["baresip", "-f", str(self.folder), "-v"]

    def _settings(self) -> list[str]:
        return [
            f"sip_listen {self.address}:5060",
            f"net_interface {self.address}",  # an address: the name of the loopback interface is refused
            "call_max_calls 4",
            "audio_player aubridge,nil",
            "audio_source aubridge,nil",
            "audio_alert aubridge,nil",
            "ausrc_srate 8000",
            "auplay_srate 8000",
            "module_path /usr/lib/baresip/modules",
            *(f"module {name}.so" for name in _MODULES),
            *(f"module_app {name}.so" for name in _APPS),
            f"ctrl_tcp_listen {self.address}:4444",
        ]

    def environment(self) -> Mapping[str, str]:
        return {**os.environ, "HOME": str(self.folder)}

    def is_up(self) -> bool:
        try:
            with socket.create_connection((self.address, 4444), timeout=2):
                return True
        except OSError:
            return False

    def command(self, name: str, params: str = "") -> Any:
        """The answer to a control command (`reginfo`, `dial`, `hangup` ...): its `data`. Raises ProgramError."""
        request = json.dumps({"command": name, "params": params, "token": "t"}).encode()
        with socket.create_connection((self.address, 4444), timeout=5) as channel:
            channel.sendall(str(len(request)).encode() + b":" + request + b",")
            while True:  # events of calls and registrations come over the same channel
                answer = json.loads(_netstring(channel))
                if answer.get("response"):
                    break
        if not answer.get("ok"):
            raise ProgramError(f"baresip refused {name}: {answer.get('data')}")
        return answer.get("data")


def _netstring(channel: socket.socket) -> bytes:
    """One `length:text,` from the channel."""
    head = b""
    while not head.endswith(b":"):
        head += _exactly(channel, 1)
    text = _exactly(channel, int(head[:-1]))
    _exactly(channel, 1)
    return text


def _exactly(channel: socket.socket, count: int) -> bytes:
    text = b""
    while len(text) < count:
        chunk = channel.recv(count - len(text))
        if not chunk:
            raise ProgramError("baresip closed its control channel")
        text += chunk
    return text
