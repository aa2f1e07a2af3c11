"""Kamailio with the reference configuration, on addresses of its own."""

import http.client
import json
import sqlite3
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.ports import free_port, loopback
from tests.support.program import Program, ProgramError

REFERENCE = Path(__file__).resolve().parents[2] / "docker" / "kamailio" / "kamailio.cfg"
_TABLES = Path("/usr/share/kamailio/db_sqlite")


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Other SIP servers of WITH_ANNOUNCE and WITH_GATEWAY, as host:port; `peers` are networks that call in."""

    announce: str = "127.0.0.1:9"
    emergency: str = "127.0.0.1:9"
    trunk: str = "127.0.0.1:9"
    peers: str = "192.0.2.0/24"


@dataclass(frozen=True, kw_only=True)
class Site:
    """What site.cfg says: the door, its token, the domains, who may use JSON-RPC and watch."""

    door: str
    token: str
    domains: tuple[str, ...] = ("tenant1.test",)
    rpc_peers: str = "127.0.0.0/8"
    watchers: str = "127.0.0.0/8"
    ca_file: Path | None = None
    tls_key: Path | None = None
    tls_certificate: Path | None = None
    neighbours: Neighbours = field(default_factory=Neighbours)


class RpcError(AssertionError):
    """Kamailio answered a JSON-RPC call with a fault; `code` is the HTTP status."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


class Kamailio(Program):
    """`options` are -A definitions: WITH_PRES, WITH_SCA, WITH_TLS, MIN_EXPIRES=2 ..."""

    name = "kamailio"
    stop_seconds = 3.0  # 5.6.3 now and then spins for ever when it is stopped soon after its start

    def __init__(
        self, folder: Path, site: Site, *, options: Sequence[str] = (), address: str = "", port: int = 5060
    ) -> None:
        super().__init__(folder)
        self.site = site
        self.address = address or loopback()
        self.port = port
        self.rpc_port = free_port(self.address)
        self.tls_port = free_port(self.address)
        self.options = tuple(options) + (("WITH_CA_FILE",) if site.ca_file else ())

    @property
    def uri(self) -> str:
        """The address a phone without DNS sends to: sip:127.x.y.z:port."""
        return f"sip:{self.address}:{self.port}"

    @property
    def rpc_url(self) -> str:
        return f"http://{self.address}:{self.rpc_port}/RPC"

    def prepare(self) -> Sequence[str]:
        configuration = self.folder / "kamailio.cfg"
        configuration.unlink(missing_ok=True)
        configuration.symlink_to(REFERENCE)  # the file itself; site.cfg is looked for beside the link
        (self.folder / "site.cfg").write_text(self._site())
        _empty_database(self.folder / "scratch.sqlite")
        definitions = [word for option in self.options for word in ("-A", option)]
        return [
            *("kamailio", "-DD", "-E", "-f", str(configuration), "-m", "128", "-M", "64"),
            *("-w", str(self.folder), "-Y", str(self.folder), *definitions),
        ]

    def is_up(self) -> bool:
        try:
            self.rpc("core.uptime")
        except (OSError, http.client.HTTPException, RpcError):
            return False
        return True

    def log(self) -> str:
        output = self.folder / "kamailio.out"
        return output.read_text(errors="replace") if output.exists() else ""

    def rpc(self, method: str, *params: str | int, source: str = "") -> Any:
        """The result of a JSON-RPC call; `source` is the loopback address to call from. Raises RpcError."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        connection = http.client.HTTPConnection(
            self.address, self.rpc_port, timeout=15, source_address=(source, 0) if source else None
        )
        try:
            connection.request("POST", "/RPC", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status != 200:
            raise RpcError(answer.status, text)
        return json.loads(text).get("result")

    def contacts(self, aor: str) -> list[dict[str, Any]]:
        """The bindings of `user@domain` as ul.lookup shows them; empty when there are none."""
        try:
            found = self.rpc("ul.lookup", "location", aor)
        except RpcError as error:
            if error.code in (404, 500):
                return []
            raise
        return [entry["Contact"] for entry in found["Contacts"]]

    def check_config(self) -> str:
        """What `kamailio -c` says to the configuration this object would run with; ProgramError when it refuses."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [*self.prepare(), "-c"]
        command.remove("-DD")
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.folder)
        if done.returncode:
            raise ProgramError(done.stderr[-3000:])
        return done.stdout + done.stderr

    def _site(self) -> str:
        site = self.site
        values = {
            "SITE_DOOR": site.door,
            "SITE_TOKEN": site.token,
            "SITE_CA_FILE": site.ca_file or "",
            "SITE_RPC_PEERS": site.rpc_peers,
            "SITE_RPC_PORT": self.rpc_port,
            "SITE_SIP_URI": self.uri,
            "SITE_WATCHERS": site.watchers,
            "SITE_DB": f"sqlite:///{self.folder / 'scratch.sqlite'}",
            "SITE_ANNOUNCE": site.neighbours.announce,
            "SITE_EMERGENCY": site.neighbours.emergency,
            "SITE_TRUNK": site.neighbours.trunk,
            "SITE_PEERS": site.neighbours.peers,
            "SITE_TLS_KEY": site.tls_key or "",
            "SITE_TLS_CERTIFICATE": site.tls_certificate or "",
        }
        lines = [f'#!substdef "!{name}!{value}!g"' for name, value in values.items()]
        lines += [f"listen={kind}:{self.address}:{self.port}" for kind in ("udp", "tcp")]
        lines += [f"listen=tcp:{self.address}:{self.rpc_port}"]
        lines += ["#!ifdef WITH_TLS", f"listen=tls:{self.address}:{self.tls_port}", "#!endif"]
        lines += [f'alias="{domain}"' for domain in site.domains]
        return "\n".join(lines) + "\n"


def _empty_database(file: Path) -> None:
    """Fresh tables for presence and sca; 5.6.3 crashes when sca finds old subscriptions."""
    file.unlink(missing_ok=True)
    scripts = [_TABLES / f"{name}-create.sql" for name in ("standard", "presence", "sca")]
    connection = sqlite3.connect(file)
    try:
        for script in scripts:
            if script.exists():
                connection.executescript(script.read_text())
    finally:
        connection.close()
