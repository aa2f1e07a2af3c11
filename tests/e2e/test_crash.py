"""The server is killed in the middle of changes: nothing is half done afterwards, phones are served, ticks are right again."""

import json
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import (
    HTTPDigestAuthHandler,
    HTTPPasswordMgrWithDefaultRealm,
    HTTPSHandler,
    Request,
    build_opener,
    urlopen,
)

import pytest

from tests.cli.serving import Serving
from tests.cli.terminal import Terminal
from tests.e2e.crashing import ROWS, TABLE
from tests.support.fixtures import postgres_cluster, postgres_url
from tests.support.program import wait_until

__all__ = ["postgres_cluster", "postgres_url"]
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

MAC = "000413AABB01"
NAMES = ("language", "timezone")


@pytest.fixture(params=["sqlite", "postgres"])
def serving(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Serving]:
    """A running server with the tenant Acme and one device, on either database."""
    environment = {}
    if request.param == "postgres":
        environment["PROVISIONER_DATABASE"] = request.getfixturevalue("postgres_url")
        monkeypatch.setenv("PROVISIONER_DATABASE", environment["PROVISIONER_DATABASE"])
    server = Serving(tmp_path / "data", environment=environment)
    terminal = Terminal(server.data)
    terminal.run("init")
    terminal.run("tenant", "add", "acme", "--name", "Acme", "--sip-domain", "acme.test")
    with server:
        yield server


def answer(server: Serving, *words: str) -> Any:
    return Terminal(server.data).json(*words)


def counted(server: Serving) -> tuple[int, int]:
    """(users, devices) of Acme."""
    tenant = answer(server, "tenant", "show", "acme")
    listed = next(row for row in answer(server, "tenant", "list") if row["key"] == tenant["key"])
    return listed["users"], listed["devices"]


def fetch(server: Serving, credentials: dict[str, str]) -> bytes:
    """The device's file over the real door, with Digest."""
    base = f"https://localhost:{server.ports['https']}"
    passwords = HTTPPasswordMgrWithDefaultRealm()
    passwords.add_password(None, base, credentials["username"], credentials["password"])
    tls = ssl.create_default_context(cafile=server.data / "certs" / "ca.pem")
    opener = build_opener(HTTPSHandler(context=tls), HTTPDigestAuthHandler(passwords))
    with opener.open(f"{base}/p/{MAC}.xml", timeout=60) as found:
        body: bytes = found.read()
    return body


def put_state(server: Serving, token: str, contacts: list[dict[str, Any]]) -> None:
    """The registrar's whole state, as it sends it after the server was away."""
    request = Request(
        f"{server.admin}/pbx/v1/registrations",
        data=json.dumps({"time": int(time.time()), "contacts": contacts}).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        method="PUT",
    )
    with urlopen(request, timeout=60) as answered:
        assert answered.status == 200


def state(server: Serving) -> str:
    found: str = answer(server, "device", "show", MAC)["state"]
    return found


def crash(server: Serving, change: str) -> None:
    """Run the server until it is killed in the middle of `change`."""
    server.terminate()
    command = [sys.executable, "-m", "tests.e2e.crashing", str(server.data), change]
    done = subprocess.run(
        command, env=server.environment(), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def registered_phone(server: Serving) -> tuple[dict[str, str], str, list[dict[str, Any]]]:
    """Credentials of a device that has its file and its tick, the PBX's token, and what the registrar lists."""
    credentials = answer(server, "device", "add", MAC, "snom/D785")
    token = answer(server, "token", "create", "pbx", "--role", "pbx", "--tenant", "acme")["token"]
    account = (
        fetch(server, credentials)
        .decode()
        .partition('user_name idx="1"')[2]
        .partition(">")[2]
        .partition("<")[0]
    )
    listed = [
        {
            "aor": f"{account}@acme.test",
            "contact": f"sip:{account}@127.0.0.1:5060",
            "expires": int(time.time()) + 3600,
        }
    ]
    put_state(server, token, listed)
    assert state(server) == "registered"
    return credentials, token, listed


def ticks_are_right(server: Serving, token: str, listed: list[dict[str, Any]]) -> None:
    """The tick survived; the registrar's whole state decides."""
    assert state(server) == "registered"
    put_state(server, token, [])
    wait_until(lambda: state(server) == "unregistered", seconds=60, what="the tick to go")
    put_state(server, token, listed)
    wait_until(lambda: state(server) == "registered", seconds=60, what="the tick to come back")


def test_an_import_that_was_killed_left_nothing_and_can_be_repeated(serving: Serving, tmp_path: Path) -> None:
    credentials, token, listed = registered_phone(serving)
    before = fetch(serving, credentials)
    crash(serving, "import")
    serving.start()
    assert counted(serving) == (0, 1)
    assert fetch(serving, credentials) == before
    ticks_are_right(serving, token, listed)
    table = tmp_path / "devices.csv"
    table.write_text(TABLE)
    done = answer(serving, "device", "import", str(table), "--create-users")
    assert len(done["devices"]) == ROWS
    assert counted(serving) == (ROWS, ROWS + 1)
    answer(serving, "db", "check")


def test_a_settings_change_that_was_killed_left_nothing_and_can_be_repeated(serving: Serving) -> None:
    credentials, token, listed = registered_phone(serving)
    before, revision = fetch(serving, credentials), answer(serving, "device", "show", MAC)["revision"]
    crash(serving, "settings")
    serving.start()
    assert answer(serving, "setting", "get") == []
    assert {
        row["name"]: row["origin"]["scope"] for row in answer(serving, "explain", MAC) if row["name"] in NAMES
    } == dict.fromkeys(NAMES, "default")
    assert answer(serving, "device", "show", MAC)["revision"] == revision
    assert fetch(serving, credentials) == before
    ticks_are_right(serving, token, listed)
    answer(serving, "setting", "set", "language=de", "timezone=Europe/Berlin")
    wait_until(lambda: fetch(serving, credentials) != before, seconds=60, what="the new file")
    answer(serving, "db", "check")
