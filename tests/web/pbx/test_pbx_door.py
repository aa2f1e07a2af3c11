"""The contract of /pbx/v1, over HTTP."""

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from provisioner.clock import SteppedClock
from provisioner.model import Device
from provisioner.services.context import SYSTEM
from provisioner.services.people.tenants import create_tenant
from provisioner.services.registrations.ticks import states_of
from tests.services.places import device_of
from tests.support.server import RunningServer, running_server


class Registrar:
    """A PBX of the test tenant with a token."""

    def __init__(self, server: RunningServer, device: Device, token: str, http: ClientSession) -> None:
        self.server, self.device, self.http, self.token = server, device, http, token
        self.account = device.lines[0].account
        self.now = int(server.context.clock().timestamp())

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}"} if headers is None else headers
        data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        async with self.http.request(
            method, f"{self.server.admin_url}/pbx/v1{path}", data=data, headers=headers
        ) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if "json" in answer.content_type else text

    def event(self, kind: str = "register", **fields: Any) -> dict[str, Any]:
        values = {
            "event": kind,
            "aor": f"{self.account}@acme.test",
            "contact": "sip:x@192.0.2.7",
            "call_id": "a",
            "cseq": 1,
            "time": self.now,
        }
        return {**values, "expires": self.now + 300, **fields}

    async def state(self) -> str:
        await self.server.server.queue.drained()
        row = (await states_of(self.server.context, SYSTEM, device_ids=[self.device.id])).get(self.device.id)
        return row.state if row else "never"


@pytest.fixture
async def registrar(tmp_path: Path, clock: SteppedClock) -> AsyncIterator[Registrar]:
    async with running_server(tmp_path / "data", clock=clock) as server, ClientSession() as http:
        device = await device_of(server.context, server.tenant)
        yield Registrar(server, device, await server.token("pbx"), http)


async def test_ha1_is_that_of_the_password_in_the_phones_file(registrar: Registrar) -> None:
    from provisioner.services.files.phone_files import compose_device

    line = (await compose_device(registrar.server.context, SYSTEM, device_id=registrar.device.id)).lines[0]
    text = f"{line.account}:acme.test:{line.password}".encode()
    path = f"/ha1?user={registrar.account}&realm=acme.test"
    assert await registrar.call("GET", path) == (200, hashlib.md5(text).hexdigest())
    assert await registrar.call("GET", f"{path}&algorithm=SHA-256") == (200, hashlib.sha256(text).hexdigest())
    assert await registrar.call("GET", path, headers={"X-Token": registrar.token}) == (
        200,
        hashlib.md5(text).hexdigest(),
    )


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("user=nobody&realm=acme.test", 404), ("user={account}&realm=globex.test", 404), ("user={account}", 422), ("realm=acme.test", 422),
        ("user={account}&realm=acme.test&algorithm=MD4", 422), ("user=%00&realm=acme.test", 404), ("user=%ff&realm=acme.test", 404),
        ("user={account}%27%20OR%201=1&realm=acme.test", 404),
    ],
)  # fmt: skip
async def test_ha1_of_what_is_not_there(registrar: Registrar, query: str, status: int) -> None:
    assert (await registrar.call("GET", f"/ha1?{query.format(account=registrar.account)}"))[0] == status


async def test_one_tenants_token_knows_nothing_of_the_others(registrar: Registrar) -> None:
    """T27: neither secrets nor ticks."""
    server = registrar.server
    other = await create_tenant(server.context, SYSTEM, key="globex", name="Globex", sip_domain="globex.test")
    theirs = await device_of(server.context, other, 2)
    account = theirs.lines[0].account
    assert (await registrar.call("GET", f"/ha1?user={account}&realm=globex.test"))[0] == 404
    await registrar.call("POST", "/registrations", body=registrar.event(aor=f"{account}@globex.test"))
    await registrar.call(
        "PUT",
        "/registrations",
        body={
            "time": registrar.now,
            "contacts": [
                {"aor": f"{account}@globex.test", "contact": "sip:x@y", "expires": registrar.now + 60}
            ],
        },
    )
    await server.server.queue.drained()
    assert await states_of(server.context, SYSTEM, device_ids=[theirs.id]) == {}
    registrar.token = await server.token("pbx", tenant_id=other.id)
    assert (await registrar.call("GET", f"/ha1?user={account}&realm=globex.test"))[0] == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/ha1?user=a&realm=b"), ("POST", "/registrations"), ("PUT", "/registrations")],
)
async def test_every_address_wants_a_pbx_token(registrar: Registrar, method: str, path: str) -> None:
    """T15: default deny."""
    for headers in (
        {},
        {"Authorization": "Bearer prov_aaaaaaaaaaaa_" + "x" * 40},
        {"Authorization": "Basic YTpi"},
        {"X-Token": "\udcff"},
    ):
        if "\udcff" in headers.get("X-Token", ""):
            continue
        assert (await registrar.call(method, path, body={}, headers=headers))[0] == 401
    for role in ("admin", "installer"):
        token = await registrar.server.token(role)
        assert (await registrar.call(method, path, body={}, headers={"Authorization": f"Bearer {token}"}))[
            0
        ] == 403


async def test_events_single_and_batch_turn_the_tick(registrar: Registrar) -> None:
    assert await registrar.call("POST", "/registrations", body=registrar.event()) == (200, {"accepted": 1})
    assert await registrar.state() == "registered"
    batch = {
        "events": [
            registrar.event("unregister", cseq=2),
            registrar.event("auth-failed", aor="nobody@acme.test"),
        ]
    }
    assert await registrar.call("POST", "/registrations", body=batch) == (200, {"accepted": 2})
    assert await registrar.state() == "unregistered"
    whole = registrar.event(
        time=registrar.now + 5, cseq=3, bindings=[{"uri": "sip:x@192.0.2.7", "expires": registrar.now + 400}]
    )
    await registrar.call("POST", "/registrations", body=whole)
    assert await registrar.state() == "registered"


async def test_a_full_state_reconciles_after_what_was_queued(registrar: Registrar) -> None:
    await registrar.call("POST", "/registrations", body=registrar.event())
    assert await registrar.call(
        "PUT", "/registrations", body={"time": registrar.now + 60, "contacts": []}
    ) == (200, {"changed": 1})
    assert await registrar.state() == "unregistered"
    listed = {
        "aor": f"sip:{registrar.account}@acme.test",
        "contact": "sip:x@192.0.2.7",
        "expires": registrar.now + 300,
        "call_id": "b",
        "cseq": 7,
    }
    assert await registrar.call(
        "PUT", "/registrations", body={"time": registrar.now + 70, "contacts": [listed]}
    ) == (200, {"changed": 1})
    assert await registrar.state() == "registered"


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"not json", b"[]", b"null", b'{"event": "explode", "aor": "a@b"}', b'{"event": "register"}', b'{"events": {}}', b'{"events": [1]}',
        b'{"event": "register", "aor": "a@b", "time": -1}', b'{"event": "register", "aor": "a@b", "time": 1e400}', b'{"event": "register", "aor": "a@b", "cseq": "x"}',
        b"[" * 100_000, b"\xff\xfe",
    ],
)  # fmt: skip
async def test_bodies_that_make_no_sense_are_422_and_say_where(registrar: Registrar, raw: bytes) -> None:
    status, problem = await registrar.call("POST", "/registrations", raw=raw)
    assert (status, problem["type"].startswith("/problems#")) == (422, True)
    assert (await registrar.call("PUT", "/registrations", raw=raw))[0] == 422


async def test_hostile_text_in_events_is_made_harmless(registrar: Registrar) -> None:
    """T25: what phones say ends up on pages and in the database."""
    await registrar.call(
        "POST",
        "/registrations",
        body=registrar.event(
            user_agent="evil\x00\x1b[31m \ud800 <b>" + "x" * 900, source="\x00", contact="sip:x\x00@y"
        ),
    )
    assert await registrar.state() == "registered"
    assert registrar.server.server.queue.left_out == 0


async def test_a_clock_far_ahead_does_not_outweigh_everything_for_ever(registrar: Registrar) -> None:
    await registrar.call(
        "POST",
        "/registrations",
        body=registrar.event(time=registrar.now + 86_400 * 365, expires=registrar.now + 300),
    )
    assert await registrar.state() == "registered"
    await registrar.call(
        "POST",
        "/registrations",
        body=registrar.event("unregister", cseq=2, time=registrar.now + 301, call_id="a"),
    )
    assert await registrar.state() == "unregistered"
