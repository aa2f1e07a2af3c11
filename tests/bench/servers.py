"""The programs under measurement, each started on the server's core."""

import contextlib
import getpass
import http.client
import json
import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from tests.bench.machine import pinned, server_core
from tests.support.nginx import Nginx
from tests.support.ports import free_port
from tests.support.program import Program

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "127.0.0.1"
_PATIENCE = 60.0


class Measurable(Program):
    """A Python program of this repository that answers a GET on a loopback port."""

    def __init__(
        self, folder: Path, *, port: int, target: str, headers: Mapping[str, str], core: int | None
    ) -> None:
        """Up when `target` is answered with 200. `core` None: on all cores."""
        super().__init__(folder)
        self.port = port
        self._target = target
        self._headers = headers
        self._core = core

    def start(self) -> Self:
        if self._core is None:
            return super().start()
        with pinned(self._core):
            return super().start()

    @property
    def pid(self) -> int:
        """The process, which leads a session of its own."""
        assert self._process is not None
        return self._process.pid

    def environment(self) -> Mapping[str, str]:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        # byte code is kept, as it is in an installation, whatever this shell says
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {**kept, "PYTHONPATH": path}

    def is_up(self) -> bool:
        # asked in a finer rhythm and longer than other programs are: the start of a large fleet is a figure of its own
        end = time.monotonic() + _PATIENCE
        while not (answers := self._answers()) and self.is_running and time.monotonic() < end:
            time.sleep(0.01)
        return answers

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(ADDRESS, self.port, timeout=10)
        try:
            connection.request("GET", self._target, headers=dict(self._headers))
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


class Bare(Measurable):
    """The floor. `port` given: one of two processes that share it, on all cores. With `pairs` it speaks TLS."""

    name = "bare"

    def __init__(
        self,
        folder: Path,
        *,
        body: bytes,
        target: str,
        port: int | None = None,
        pairs: Sequence[tuple[Path, Path]] = (),
    ) -> None:
        core = server_core() if port is None else None
        super().__init__(folder, port=port or free_port(ADDRESS), target=target, headers={}, core=core)
        self._body = body
        self._pairs = [str(path) for pair in pairs for path in pair]
        self._is_shared = port is not None

    def prepare(self) -> Sequence[str]:
        body = self.folder / "body"
        body.write_bytes(self._body)
        words = [str(self.port), str(body), self._target.removeprefix("/p/")]
        words += ["--shared"] if self._is_shared else []
        words += ["--pairs", *self._pairs] if self._pairs else []
        return [sys.executable, "-m", "tests.bench.bare", *words]

    def _answers(self) -> bool:
        return is_listening(self.port) if self._pairs else super()._answers()


class BarePbx(Measurable):
    """The floor of the PBX door: one route that answers and one that takes, both with one JSON body."""

    name = "bare-pbx"

    def __init__(self, folder: Path, *, body: bytes) -> None:
        super().__init__(
            folder, port=free_port(ADDRESS), target="/pbx/v1/ring/1000", headers={}, core=server_core()
        )
        self._body = body

    def prepare(self) -> Sequence[str]:
        body = self.folder / "body"
        body.write_bytes(self._body)
        return [sys.executable, "-m", "tests.bench.bare_pbx", str(self.port), str(body)]


class Ours(Measurable):
    """The real server over an installed data folder; up when `headers` fetch `target`."""

    name = "server"

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, object],
        *,
        target: str,
        headers: Mapping[str, str],
        options: Sequence[str] = (),
        core: int | None = None,
    ) -> None:
        port = int(str(settings["http_port"]))
        super().__init__(folder, port=port, target=target, headers=headers, core=core)
        self._settings = settings
        self._options = options

    def prepare(self) -> Sequence[str]:
        return [sys.executable, "-m", "tests.bench.ours", json.dumps(self._settings), *self._options]


class PinnedNginx(Nginx):
    """nginx on the server's core."""

    def start(self) -> Self:
        with pinned(server_core()):
            return super().start()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid


def is_listening(port: int) -> bool:
    """Whether somebody takes connections there."""
    with contextlib.suppress(OSError), socket.create_connection((ADDRESS, port), timeout=5):
        return True
    return False


_STATIC = """
  sendfile on; tcp_nopush on; open_file_cache max=1000 inactive=600s; keepalive_requests 1000000000;
  server {{
    listen {address}:{plain} backlog=4096; root {www};
    location /locked/ {{ alias {www}/; auth_basic "phones"; auth_basic_user_file {folder}/users; }}
  }}
"""
_TLS = """
  server {{
    listen {address}:{port} ssl backlog=4096; root {www};
    ssl_certificate {certificate}; ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets off; ssl_session_cache off;
  }}
"""


class StaticFiles:
    """nginx with one body: `plain` serves it at `target` and below /locked/ with Basic, `ecdsa` and `rsa` over TLS."""

    def __init__(
        self,
        folder: Path,
        *,
        body: bytes,
        target: str,
        pair: str,
        certificates: Mapping[str, tuple[Path, Path]],
    ) -> None:
        """`pair` is "name:password" for /locked/; `certificates` maps "ecdsa" and "rsa" to certificate and key."""
        www = folder / "www"
        place = www / target.lstrip("/")
        place.parent.mkdir(parents=True)
        place.write_bytes(body)
        name, _, password = pair.partition(":")
        (folder / "users").write_text(f"{name}:{{PLAIN}}{password}\n")
        self.plain = free_port(ADDRESS)
        self.tls = {kind: free_port(ADDRESS) for kind in certificates}
        text = _STATIC.format(address=ADDRESS, plain=self.plain, www=www, folder=folder)
        for kind, (certificate, key) in certificates.items():
            text += _TLS.format(
                address=ADDRESS, port=self.tls[kind], www=www, certificate=certificate, key=key
            )
        user = getpass.getuser() if os.geteuid() == 0 else ""
        self.program = PinnedNginx(folder, text, address=ADDRESS, port=self.plain, user=user)


def running(*programs: Program) -> Sequence[AbstractContextManager[Program]]:
    """The programs as contexts, for an ExitStack."""
    return programs
