"""Invariant 2: no secret in a log, a URL, an error, a metric or a public file.

Known secrets are planted in a whole server, requests go through every door, the failing ones too, and everything
that comes out, is logged or lies on the disk is searched for them (THREATS T6, T19, T20).
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar
from sqlalchemy import text

from provisioner.errors import RenderingFailed
from provisioner.model.store import Store
from provisioner.services.context import SYSTEM
from provisioner.services.devices.device_settings import get_settings
from provisioner.services.devices.enrolment import enrol, replace_device_password
from provisioner.services.files.phone_files import compose_device
from provisioner.web.api.table import ENDPOINTS
from provisioner.web.ui.routes import ROUTES
from tests.support.canaries import (
    GUESS,
    MAC,
    PASSWORD,
    PERSON,
    PERSON_PASSWORD,
    TOKEN_MAC,
    Planted,
    Record,
    as_json,
    clumsy_form,
    digest_credentials,
    everything_logged,
    filled,
    plant,
    stored_files,
)
from tests.support.server import RunningServer, running_server

OWN_FILE = "the phone's own file"
ENDLESS = ("/live",)
"""Streams that only end when the client goes."""
ALLOWED = {
    OWN_FILE: frozenset(
        {
            "the device password",
            "the phone's admin password",
            "the phone's admin PIN",
            "SIP password",
            "action token",
            "Basic pair",
        }
    ),
    "the PBX asks for HA1": frozenset({"SIP HA1"}),
    # The address to type in: under a token policy the token is part of it, and this page is where it is told.
    "GET /t/acme/devices/2": frozenset({"the other phone's path token"}),
    "GET /reset/": frozenset({"a reset token"}),  # the form goes where the link leads
}
FULL = 60


@dataclass
class Doors:
    """A client for every door of one server, which records what each answers."""

    running: RunningServer
    planted: Planted
    record: Record
    session: ClientSession
    tls: ssl.SSLContext
    sessions: dict[str, str] = field(default_factory=dict)

    async def ask(self, where: str, url: str, *, method: str = "GET", **options: Any) -> int:
        async with self.session.request(method, url, allow_redirects=False, **options) as response:
            head = [f"{name}: {value}" for name, value in response.headers.items() if name != "Set-Cookie"]
            self.record.add(
                where, "\n".join([str(response.status), *head, ""]) + await response.text(errors="replace")
            )
            return response.status

    async def phone(self, where: str, path: str, *, method: str = "GET", **options: Any) -> int:
        return await self.ask(where, self.running.https_url + path, method=method, ssl=self.tls, **options)


@asynccontextmanager
async def open_doors(folder: Path) -> AsyncIterator[Doors]:
    record = Record()
    with everything_logged(record):
        async with running_server(folder, log_level="debug") as running:
            planted = await plant(running, running.server.doorkeeper)
            tls = ssl.create_default_context(cafile=str(running.ca_path))
            async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
                yield Doors(running, planted, record, session, tls)


async def test_no_secret_comes_out_of_the_phone_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_doors(tmp_path / "data") as doors:
        await _phones_ask(doors)
        await _phones_ask_in_vain(doors)
        await _phone_files_cannot_be_made(doors, monkeypatch)
        await _look_at_the_logs(doors)
    assert doors.record.leaks(doors.planted.secrets, allowed=ALLOWED) == set()


async def test_no_secret_comes_out_of_the_programs_doors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_doors(tmp_path / "data") as doors:
        for role in ("operator", "admin", "pbx", "nobody"):
            await _programs_ask(doors, role)
        await _pbx_reports(doors)
        with monkeypatch.context() as patched:
            _break_the_database(patched)
            await _programs_ask(doors, "operator", only={"POST", "PUT", "PATCH"})
        await _look_at_the_logs(doors)
    assert doors.record.leaks(doors.planted.secrets, allowed=ALLOWED) == set()


async def test_no_secret_comes_out_of_the_pages(tmp_path: Path) -> None:
    async with open_doors(tmp_path / "data") as doors:
        assert await _log_in(doors, PERSON, GUESS) == 401
        assert await _log_in(doors, PERSON, PERSON_PASSWORD) == 303
        await _person_clicks(doors)
        await _log_in(doors, "admin", doors.running.operator_password)
        await _person_clicks(doors)
        await _look_at_the_logs(doors)
    assert doors.sessions
    assert doors.record.leaks({**doors.planted.secrets, **doors.sessions}, allowed=ALLOWED) == set()


async def test_no_secret_lies_on_the_disk_in_clear(tmp_path: Path) -> None:
    async with open_doors(tmp_path / "data") as doors:
        await _phones_ask(doors)
        await _phones_ask_in_vain(doors)
        await _log_in(doors, PERSON, GUESS)
        await _log_in(doors, PERSON, PERSON_PASSWORD)
        await _programs_ask(doors, "admin")
    stored = Record()
    for where, content in stored_files(tmp_path / "data"):
        stored.add(where, content)
    assert any(
        where == "the file provisioner.sqlite" and doors.planted.username in content
        for where, content in stored.entries
    )
    assert stored.leaks({**doors.planted.secrets, **doors.sessions}) == set()


async def test_no_secret_shows_when_a_value_is_printed(tmp_path: Path) -> None:
    async with open_doors(tmp_path / "data") as doors:
        await _phones_ask(doors)
        values = await _values(doors)
        shown = Record()
        for name, value in values.items():
            shown.add(f"repr of {name}", repr(value))
            shown.add(f"str of {name}", str(value))
    session = {"a session": values["LoggedIn"].token}
    assert shown.leaks({**doors.planted.secrets, **session}) == set()


def test_a_leak_is_noticed() -> None:
    record = Record()
    record.add("the log", f"refused {GUESS}")
    assert record.leaks({"a wrong password": GUESS}) == {"a wrong password in the log"}
    assert record.leaks({"a wrong password": GUESS}, allowed={"the log": frozenset({"another"})}) == {
        "a wrong password in the log"
    }


async def _values(doors: Doors) -> dict[str, Any]:
    """What a log line or a trace might print by mistake."""
    server, context, tenant_id = doors.running.server, doors.running.context, doors.running.tenant.id
    device_id = int(doors.planted.ids["device_id"])
    made = await enrol(
        context,
        SYSTEM,
        tenant_id=tenant_id,
        profile="yealink",
        model="T46S",
        mac="805EC0CAFE03",
        password=PASSWORD,
    )
    record = await server.files.record(MAC)
    return {
        "Enrolled": made,
        "Enrolled of a new password": await replace_device_password(
            context, SYSTEM, device_id=made.device.id, password=PASSWORD
        ),
        "Device": made.device,
        "Line": made.device.lines[0],
        "LoggedIn": await server.doorkeeper.log_in(PERSON, PERSON_PASSWORD, address="127.0.0.1"),
        "PhoneConfig": await compose_device(context, SYSTEM, device_id=device_id),
        "PhoneRecord": record,
        "Subject": record.subject,
        "NewApiToken": doors.planted.made_token,
        "settings of a device": await get_settings(
            context, SYSTEM, tenant_id=tenant_id, scope="device", ref=str(device_id)
        ),
        "Context": context,
        "ServerSettings": context.settings.model_copy(
            update={"database": f"postgresql+asyncpg://p:{GUESS}@db/p"}
        ),
    }


async def _phones_ask(doors: Doors) -> None:
    planted, target = doors.planted, f"/p/{MAC}.xml"
    pair = {"Authorization": f"Basic {planted.secrets['Basic pair']}"}
    assert await doors.phone(OWN_FILE, target, headers=pair) == 200
    own = doors.record.entries[-1][1]
    assert planted.sip_secret in own  # the search would find it elsewhere too
    assert await doors.phone(OWN_FILE, target, headers={**pair, "If-None-Match": "*"}) == 304
    async with doors.session.get(doors.running.https_url + target, ssl=doors.tls) as response:
        challenge = next(
            each for each in response.headers.getall("WWW-Authenticate") if each.startswith("Digest")
        )
    digest = digest_credentials(
        challenge, username=planted.username, password=PASSWORD, method="GET", target=target
    )
    assert await doors.phone(OWN_FILE, target, headers={"Authorization": digest}) == 200
    for event in ("registered", "failed", "boot", "nonsense"):
        await doors.phone("an action URL", f"/a/{planted.action_token}/{event}")
    for path in ("/p/", "/p/snomD785.htm", f"/p/{TOKEN_MAC}.boot", "/p/y000000000028.cfg", "/ca.pem"):
        await doors.phone(f"the public file {path}", path)
        await doors.ask(f"the public file {path} over http", doors.running.http_url + path)


async def _phones_ask_in_vain(doors: Doors) -> None:
    planted, target = doors.planted, f"/p/{MAC}.xml"
    wrong_pair = planted.secrets["wrong Basic pair"]
    for shown in (
        "", "Basic", "Basic !!!", f"Basic {wrong_pair}", f"Basic {GUESS}", f"Bearer {GUESS}", "Digest", f'Digest username="{GUESS}"',
        f'Digest username="{planted.username}", realm="phone provisioning", nonce="x", uri="{target}", response="{GUESS}"',
    ):  # fmt: skip
        headers = {"Authorization": shown} if shown else {}
        for method in ("GET", "HEAD", "POST"):
            await doors.phone("a refusal", target, method=method, headers=headers)
        await doors.ask("a refusal over http", doors.running.http_url + target, headers=headers)
        await doors.phone("an unknown phone", "/p/000413CAFE99.xml", headers=headers)
    right = {"Authorization": f"Basic {planted.secrets['Basic pair']}"}
    await doors.ask("the right password over http", doors.running.http_url + target, headers=right)
    await doors.phone("another vendor's file", f"/p/{MAC}.cfg", headers=right)
    await doors.phone("no file", f"/p/{MAC}.exe", headers=right)
    await doors.phone("no path", "/elsewhere", headers=right)
    for token in (planted.token, planted.action_token, GUESS):
        await doors.phone("a token", f"/p/t/{token}/{MAC}.xml")
        await doors.phone("a wrong file under a token", f"/p/t/{token}/no-such-file")
        await doors.ask("a token over http", f"{doors.running.http_url}/p/t/{token}/{TOKEN_MAC}.cfg")
    await doors.phone("a wrong action token", f"/a/{GUESS}/registered")


async def _phone_files_cannot_be_made(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    server, right = doors.running.server, {"Authorization": f"Basic {doors.planted.secrets['Basic pair']}"}

    async def fail(*_given: Any) -> None:
        raise RenderingFailed("profile.toml, row 7 cannot be evaluated.")

    async def break_down(*_given: Any) -> None:
        raise RuntimeError("nobody thought of this")

    for failing in (fail, break_down):
        with monkeypatch.context() as patched:
            patched.setattr(server.files, "file", failing)
            (await server.files.record(MAC)).files.clear()
            assert await doors.phone("a file that cannot be made", f"/p/{MAC}.xml", headers=right) == 500
    async with doors.running.context.store.change() as session:
        await session.execute(
            text("UPDATE devices SET password = 'aaaaaaaaaaaa.AAAA' WHERE mac = :mac").bindparams(mac=MAC)
        )
    server.files._drop(MAC)
    assert await doors.phone("an altered secret", f"/p/{MAC}.xml", headers=right) >= 400


async def _programs_ask(
    doors: Doors, role: str, *, only: frozenset[str] | set[str] = frozenset({"GET", "POST", "PUT", "PATCH"})
) -> None:
    planted = doors.planted
    headers = {"Authorization": f"Bearer {planted.api_tokens.get(role, 'prov_aaaaaaaaaaaa_' + GUESS)}"}
    for endpoint in ENDPOINTS:
        if endpoint.method not in only:
            continue
        where = f"{endpoint.method} /api/v1{endpoint.path}"
        url = f"{doors.running.admin_url}/api/v1{filled(endpoint.path, planted.ids)}"
        body = {} if endpoint.method == "GET" else {"json": clumsy_form()}
        await doors.ask(where, url, method=endpoint.method, headers=headers, **body)
        await doors.ask(
            where, url + GUESS, method=endpoint.method, headers=headers, data=f'{{"password": "{GUESS}"'
        )
    for path in ("/healthz", "/readyz", "/metrics", "/api/v1/openapi.json", "/problems", "/no/such/page"):
        await doors.ask(f"GET {path}", doors.running.admin_url + path, headers=headers)


async def _pbx_reports(doors: Doors) -> None:
    planted, base = doors.planted, f"{doors.running.admin_url}/pbx/v1"
    domain = doors.running.tenant.sip_domain
    event = {
        "event": "auth-failed",
        "aor": f"{planted.account}@{domain}",
        "source": "192.0.2.7:5060",
        "time": 1,
    }
    for role, token in {**planted.api_tokens, "nobody": GUESS}.items():
        for name, value in (("Authorization", f"Bearer {token}"), ("X-Token", token)):
            headers = {name: value}
            asked = {"user": planted.account, "realm": domain}
            status = await doors.ask("the PBX asks for HA1", f"{base}/ha1", headers=headers, params=asked)
            assert status == (200 if role == "pbx" else 401 if role == "nobody" else 403)
            await doors.ask(
                "the PBX reports", f"{base}/registrations", method="POST", headers=headers, json=event
            )
            await doors.ask(
                "the PBX reports nonsense",
                f"{base}/registrations",
                method="POST",
                headers=headers,
                json={"event": GUESS},
            )
            await doors.ask(
                "the PBX reports all",
                f"{base}/registrations",
                method="PUT",
                headers=headers,
                json={"time": 1, "contacts": [GUESS]},
            )


async def _log_in(doors: Doors, name: str, password: str) -> int:
    form = {"name": name, "password": password}
    status = await doors.ask("POST /login", f"{doors.running.admin_url}/login", method="POST", data=form)
    doors.sessions.update(
        {f"session {cookie.value[:4]}": cookie.value for cookie in doors.session.cookie_jar}
    )
    return status


async def _person_clicks(doors: Doors) -> None:
    """Open every page; then send every form that ends nothing, with wrong secrets in it."""
    pages = [route for route in ROUTES if not route.path.endswith(ENDLESS)]
    ending = ("/login", "/logout", "/remove", "/block", "/revoke", "/reset")
    for route in sorted(pages, key=lambda each: each.method):
        ids = {
            **doors.planted.ids,
            "token": doors.planted.reset_token
            if route.path.startswith("/reset")
            else doors.planted.ids["token_id"],
        }
        path = filled(route.path, ids)
        if route.method == "GET":
            await doors.ask(f"GET {path}", doors.running.admin_url + path)
        elif not path.endswith(ending) and not path.startswith("/reset"):
            await doors.ask(f"POST {path}", doors.running.admin_url + path, method="POST", data=clumsy_form())
    tenant, other = doors.running.tenant.key, int(doors.planted.ids["device_id"]) + 1
    for page in (
        f"devices/{other}",
        f"devices/{other}/edit",
        f"devices/{other}/files",
        "devices/999999",
        "users?q=" + "x" * 300,
    ):
        await doors.ask(f"GET /t/{tenant}/{page}", f"{doors.running.admin_url}/t/{tenant}/{page}")


def _break_the_database(patched: pytest.MonkeyPatch) -> None:
    def fail(*_given: Any, **_named: Any) -> Any:
        raise RuntimeError("the database is gone")

    patched.setattr(Store, "write", fail)
    patched.setattr(Store, "change", fail)


async def _look_at_the_logs(doors: Doors) -> None:
    """What is written down: the provisioning log, the audit log; and that something was logged at all."""
    await asyncio.wait_for(doors.running.server.fetches.flush(), FULL)
    async with doors.running.context.store.read() as session:
        for table in ("fetches", "audit_entries", "registrations", "bindings"):
            for row in (await session.execute(text(f"SELECT * FROM {table}"))).mappings():
                doors.record.add(f"the table {table}", as_json(dict(row)))
    assert sum(where == "the log" for where, _ in doors.record.entries) > 10
