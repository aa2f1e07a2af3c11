"""linphone-daemon, a SIP client that can fetch its own configuration over HTTP (version 5.1 as packaged)."""

import contextlib
import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import loopback
from tests.support.program import Program, ProgramError

_PIPES = Path(tempfile.gettempdir())  # the daemon puts its control socket there, whatever TMPDIR says
Sections = Mapping[str, Mapping[str, str | int]]


def _sip(address: str, user_agent: str) -> dict[str, str | int]:
    """Without an address of its own it takes [::]:5060 and collides with the registrar."""
    return {
        "use_ipv6": 0,
        "bind_address": address,
        "sip_port": 5060,
        "sip_tcp_port": 0,
        "sip_tls_port": 0,
        "user_agent": user_agent,
    }


@dataclass(frozen=True)
class Account:
    """A line as Linphone knows it; `proxy` is a SIP URI, the domain is the digest realm."""

    user: str
    password: str
    domain: str
    proxy: str
    expires: int = 60


def provisioned(
    url: str, *, address: str, user_agent: str = "Linphone/1.0", root_ca: Path | None = None
) -> Sections:
    """A start file that holds nothing but where to fetch the rest; credentials go into the URL."""
    sip = _sip(address, user_agent) | ({"root_ca": str(root_ca)} if root_ca else {})
    return {"misc": {"config-uri": url}, "sip": sip}


def registered(account: Account, *, address: str, user_agent: str = "Linphone/1.0") -> Sections:
    """A start file with one account, for tests of the registrar alone."""
    return {
        "sip": {**_sip(address, user_agent), "default_proxy": 0},
        "proxy_0": {
            "reg_identity": f"sip:{account.user}@{account.domain}",
            "reg_proxy": f"<{account.proxy}>",
            "reg_route": f"<{account.proxy}>",
            "reg_expires": account.expires,
            "reg_sendregister": 1,
        },
        "auth_info_0": {
            "username": account.user,
            "domain": account.domain,
            "realm": account.domain,
            "passwd": account.password,
        },
    }


class Linphone(Program):
    """A running daemon. SIGTERM leaves its binding behind, so `stop` says "quit" first and it unregisters."""

    name = "linphone"

    def __init__(self, folder: Path, sections: Sections, *, address: str = "") -> None:
        super().__init__(folder)
        self.sections = sections
        self.address = address or loopback()
        self._pipe = f"provisioner-{os.getpid()}-{self.address}"
        self._socket: socket.socket | None = None

    @property
    def log_file(self) -> Path:
        return self.folder / "linphone.log"

    def prepare(self) -> Sequence[str]:
        for part in (".local/share/linphone", ".config/linphone"):  # without them it hangs silently
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        lines: list[str] = []
        for section, entries in self.sections.items():
            lines += [f"[{section}]", *(f"{key}={value}" for key, value in entries.items()), ""]
        start_file = self.folder / "rc"
        start_file.write_text("\n".join(lines))
        start_file.chmod(0o600)
        return [
            *("linphone-daemon", "--config", str(start_file), "--pipe", self._pipe),
            *("--log", str(self.log_file)),
        ]

    def environment(self) -> Mapping[str, str]:
        return {**os.environ, "HOME": str(self.folder)}

    def is_up(self) -> bool:
        if self._socket is None:
            channel = socket.socket(socket.AF_UNIX)
            try:
                channel.connect(str(_PIPES / self._pipe))
            except OSError:
                channel.close()
                return False
            self._socket = channel  # it serves one connection at a time, so this one is kept
        return True

    def command(self, line: str) -> str:
        """The answer to a control command: `register-status ALL`, `call sip:...`, `terminate` ... Blocks up to 5 s."""
        if self._socket is None:
            raise ProgramError("linphone is not running")
        self._socket.settimeout(5)
        self._socket.sendall(line.encode() + b"\n")
        answer = b""
        while not re.search(rb"Status: (Ok|Error)\n[\s\S]*\n?\Z", answer):
            chunk = self._socket.recv(65536)
            if not chunk:
                break
            answer += chunk
        return answer.decode(errors="replace")

    def restart(self) -> None:
        """What a reboot is to a phone: it fetches at its start only."""
        self.stop()
        self.start()

    def end(self, process: "subprocess.Popen[bytes]") -> None:
        channel, self._socket = self._socket, None
        if channel is None:
            process.terminate()
            return
        with contextlib.closing(channel), contextlib.suppress(OSError):
            channel.sendall(b"quit\n")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(self.stop_seconds)
        if process.poll() is None:
            process.terminate()

    def cut(self) -> None:
        """End it like a power failure: no unregistration."""
        channel, self._socket = self._socket, None
        if channel is not None:
            channel.close()
        if self._process is not None:
            self._process.kill()
        self.stop()
        (_PIPES / self._pipe).unlink(missing_ok=True)
