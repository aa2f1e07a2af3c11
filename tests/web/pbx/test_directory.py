"""What a PBX learns of the directory, over HTTP."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession

from provisioner.clock import SteppedClock
from provisioner.model import Device, User
from provisioner.services.context import SYSTEM
from provisioner.services.devices.device_settings import put_settings
from provisioner.services.directory.changes import MOST_WAITING, prune_changes
from provisioner.services.people.tenants import create_site, create_tenant, update_tenant
from provisioner.services.people.users import create_user, update_user
from provisioner.services.registrations.ticks import RegistrationEvent, apply_events
from tests.services.places import device_of
from tests.support.program import until
from tests.support.server import RunningServer, running_server


class Pbx:
    """The PBX of the test tenant, with a token."""

    def __init__(self, server: RunningServer, token: str, http: ClientSession) -> None:
        self.server, self.token, self.http = server, token, http
        self.context, self.tenant = server.context, server.tenant
        self.etag = ""
        self._cseq = 0

    async def get(self, path: str, *, token: str | None = None, etag: str = "") -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token or self.token}"}
        if etag:
            headers["If-None-Match"] = etag
        async with self.http.get(f"{self.server.admin_url}/pbx/v1{path}", headers=headers) as answer:
            self.etag = answer.headers.get("ETag", "")
            return answer.status, await answer.json() if "json" in answer.content_type else None

    async def ring(self, number: str, query: str = "") -> Any:
        status, plan = await self.get(f"/ring/{number}?domain=acme.test{query}")
        assert status == 200, plan
        return plan

    async def account(self, device: Device) -> Any:
        status, identity = await self.get(f"/accounts/{device.lines[0].account}")
        assert status == 200, identity
        return identity

    async def user(self, name: str, extension: str | None, **fields: Any) -> User:
        return await create_user(
            self.context, SYSTEM, tenant_id=self.tenant.id, name=name, extension=extension, **fields
        )

    async def device(self, number: int, **fields: Any) -> Device:
        return await device_of(self.context, self.tenant, number, **fields)

    async def set(self, scope: str, ref: int | str = "", **values: Any) -> None:
        await put_settings(
            self.context, SYSTEM, tenant_id=self.tenant.id, scope=scope, ref=str(ref), values=values
        )

    async def ask_and_wait(self, path: str) -> "asyncio.Task[tuple[int, Any]]":
        """A question about changes that is kept open by now."""
        before = len(self.context.hub._subscriptions)
        asking = asyncio.create_task(self.get(path))
        await until(lambda: len(self.context.hub._subscriptions) > before, what="an open question")
        return asking

    async def hear(self, device: Device, kind: str = "register") -> None:
        now, self._cseq = self.context.clock(), self._cseq + 1
        event = RegistrationEvent(
            kind=kind, account=device.lines[0].account, at=now, contact="sip:x@192.0.2.7", call_id="a", cseq=self._cseq,
            expires_at=now + timedelta(hours=1),
        )  # fmt: skip
        await apply_events(self.context, [event])


@pytest.fixture
async def pbx(tmp_path: Path, clock: SteppedClock) -> AsyncIterator[Pbx]:
    async with running_server(tmp_path / "data", clock=clock) as server, ClientSession() as http:
        await update_tenant(server.context, SYSTEM, tenant_id=server.tenant.id, is_premium=True)
        yield Pbx(server, await server.token("pbx"), http)


def accounts(plan: Any) -> list[str]:
    return [target["account"] for target in plan["targets"]]


def account(device: Device) -> str:
    return device.lines[0].account


async def test_all_devices_of_a_user_ring_with_the_primary_first(pbx: Pbx) -> None:
    anna = await pbx.user("Anna", "101")
    one, two = await pbx.device(1, user_id=anna.id), await pbx.device(2, user_id=anna.id)
    plan = await pbx.ring("101")
    assert (plan["kind"], plan["user"]) == ("user", {"id": anna.id, "name": "Anna", "extension": "101"})
    assert accounts(plan) == [account(one), account(two)]
    assert plan["targets"][0]["aor"] == f"{account(one)}@acme.test"


async def test_identity_of_a_users_device(pbx: Pbx) -> None:
    site = await create_site(
        pbx.context, SYSTEM, tenant_id=pbx.tenant.id, name="Office", address="Dam 1", emergency_caller_id="+31201110000"
    )  # fmt: skip
    anna = await pbx.user("Anna", "101")
    await update_user(pbx.context, SYSTEM, user_id=anna.id, numbers=["+31201234567"])
    device = await pbx.device(1, user_id=anna.id, site_id=site.id)
    identity = await pbx.account(device)
    assert identity["may_call"] == "internal"  # no main number, no outside calls
    await update_tenant(pbx.context, SYSTEM, tenant_id=pbx.tenant.id, main_number="+31201230000")
    await pbx.set("user", anna.id, outgoing_number="personal", block_outgoing=["mobile", "0900"])
    identity = await pbx.account(device)
    assert identity == {
        "account": account(device),
        "domain": "acme.test",
        "device": {"id": device.id, "name": device.name},
        "line": {"position": 1, "kind": "user"},
        "user": {"id": anna.id, "name": "Anna", "extension": "101"},
        "caller_id": {"number": "+31201234567", "name": "Anna", "is_hidden": False},
        "internal_caller_id": {"number": "101", "name": "Anna"},
        "emergency": {
            "caller_id": "+31201110000", "site": "Office", "address": "Dam 1", "place": "", "numbers": ["112"],
        },
        "may_call": "all",
        "blocked_classes": ["mobile", "0900"],
        "dial_plan": identity["dial_plan"],
    }  # fmt: skip
    assert {"kind": "emergency", "digits": "112"} in identity["dial_plan"]
    assert {"kind": "hotdesk", "digits": "*35"} in identity["dial_plan"]
    assert {"kind": "retrieve", "digits": "*69"} in identity["dial_plan"]


async def test_nobody_on_the_line_and_users_without_a_number_reach_emergency_numbers_only(pbx: Pbx) -> None:
    """R3.4, R5.2: a caller-ID for emergencies is there all the same."""
    await update_tenant(pbx.context, SYSTEM, tenant_id=pbx.tenant.id, main_number="+31201230000")
    nobody = await pbx.account(await pbx.device(1))
    assert (nobody["user"], nobody["may_call"], nobody["line"]["kind"]) == (None, "emergency", "empty")
    assert nobody["caller_id"]["number"] == ""
    assert nobody["emergency"]["caller_id"] == "+31201230000"
    ben = await pbx.user("Ben", None)
    device = await pbx.device(2, user_id=ben.id)
    assert (await pbx.account(device))["may_call"] == "emergency"
    await update_user(pbx.context, SYSTEM, user_id=ben.id, numbers=["+31201234567"])
    assert (await pbx.account(device))["may_call"] == "all"


async def test_an_answer_follows_every_change_at_once(pbx: Pbx) -> None:
    anna = await pbx.user("Anna", "101")
    one = await pbx.device(1, user_id=anna.id)
    assert [target["is_registered"] for target in (await pbx.ring("101"))["targets"]] == [False]
    await pbx.hear(one)
    assert [target["is_registered"] for target in (await pbx.ring("101"))["targets"]] == [True]
    two = await pbx.device(2, user_id=anna.id)
    assert accounts(await pbx.ring("101")) == [account(one), account(two)]
    await pbx.set("device", two.id, dnd=True)
    assert accounts(await pbx.ring("101")) == [account(one)]
    await pbx.set("user", anna.id, forward_busy="+31612345678")
    assert (await pbx.ring("101"))["forward"]["busy"] == "+31612345678"
    await update_user(pbx.context, SYSTEM, user_id=anna.id, name="Anna Other", extension="109")
    assert (await pbx.get("/ring/101?domain=acme.test"))[0] == 404
    assert (await pbx.account(one))["internal_caller_id"] == {"number": "109", "name": "Anna Other"}


async def test_an_answer_follows_the_clock(pbx: Pbx, clock: SteppedClock) -> None:
    anna = await pbx.user("Anna", "101")
    device = await pbx.device(1, user_id=anna.id)
    await pbx.hear(device)
    await pbx.hear(device, "unregister")
    assert (await pbx.ring("101"))["is_registered"] is True
    clock.advance(timedelta(seconds=59))
    assert (await pbx.ring("101"))["is_registered"] is True
    clock.advance(timedelta(seconds=1))
    assert (await pbx.ring("101"))["is_registered"] is False


async def test_a_pbx_that_has_the_answer_already_is_told_so(pbx: Pbx) -> None:
    anna = await pbx.user("Anna", "101")
    device = await pbx.device(1, user_id=anna.id)
    for path in ("/ring/101?domain=acme.test", f"/accounts/{account(device)}"):
        await pbx.get(path)
        etag = pbx.etag
        assert etag.startswith('"')
        assert (await pbx.get(path, etag=etag))[0] == 304
        await update_user(pbx.context, SYSTEM, user_id=anna.id, name=f"Anna {path[1]}")
        status, _ = await pbx.get(path, etag=etag)
        assert (status, pbx.etag != etag) == (200, True)


async def test_a_blocked_caller_and_another_moment_are_asked_about(pbx: Pbx) -> None:
    anna = await pbx.user("Anna", "101")
    await pbx.set("user", anna.id, block_incoming="anonymous")
    assert (await pbx.ring("101"))["is_blocked"] is False
    assert (await pbx.ring("101", "&from=anonymous"))["is_blocked"] is True
    assert (await pbx.ring("101", "&from=%2B31612345678"))["is_blocked"] is False
    assert (await pbx.ring("101", "&at=1795307664"))["kind"] == "user"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/ring/999?domain=acme.test", 404), ("/ring/101?domain=other.test", 404), ("/ring/101?domain=acme.test&at=tomorrow", 422),
        ("/ring/101?domain=acme.test&at=99999999999", 422), ("/ring/%00?domain=acme.test", 404), ("/ring/%ff?domain=%ff", 404), ("/ring/a%2Fb?domain=acme.test", 404),
        ("/accounts/nobody", 404), ("/accounts/%00", 404), ("/accounts/%27%20OR%201=1", 404), ("/changes?after=x", 422), ("/changes?after=-1", 422),
        ("/changes?wait=31", 422), ("/changes?wait=1.5", 422), ("/changes?after=99999999", 410), ("/changes?after=" + "9" * 40, 422),
        ("/ring/" + "1" * 3_000 + "?domain=acme.test", 404), ("/ring/101?domain=" + "a" * 3_000, 404),
    ],
)  # fmt: skip
async def test_questions_that_make_no_sense(pbx: Pbx, path: str, status: int) -> None:
    await pbx.user("Anna", "101")
    assert (await pbx.get(path))[0] == status


@pytest.mark.parametrize("role", ["admin", "installer", "operator", "pbx", ""])
async def test_only_a_pbx_may_ask(pbx: Pbx, role: str) -> None:
    """T15: a hundred times over, so that the short way in is tried too."""
    anna = await pbx.user("Anna", "101")
    device = await pbx.device(1, user_id=anna.id)
    token = await pbx.server.token(role) if role else "prov_aaaaaaaaaaaa_" + "x" * 40
    expected = {"pbx": 200, "": 401}.get(role, 403)
    for path in ("/ring/101?domain=acme.test", f"/accounts/{account(device)}", "/changes"):
        assert (await pbx.get(path))[0] == 200  # in memory now, for those who may
        assert {(await pbx.get(path, token=token))[0] for _ in range(3)} == {expected}


async def test_a_token_sees_its_own_tenant_only(pbx: Pbx) -> None:
    """T27, with the answer of the other tenant's token in memory."""
    other = await create_tenant(pbx.context, SYSTEM, key="globex", name="Globex", sip_domain="globex.test")
    theirs = await pbx.server.token("pbx", tenant_id=other.id)
    anna = await pbx.user("Anna", "101")
    device = await pbx.device(1, user_id=anna.id)
    await create_user(pbx.context, SYSTEM, tenant_id=other.id, name="Zoë", extension="101")
    ring, identity = "/ring/101?domain=acme.test", f"/accounts/{account(device)}"
    for _ in range(2):
        assert (await pbx.get(ring))[1]["name"] == "Anna"
        assert (await pbx.get(identity))[0] == 200
        assert (await pbx.get(ring, token=theirs))[0] == 404
        assert (await pbx.get(identity, token=theirs))[0] == 404
    without = "/ring/101"
    assert (await pbx.get(without))[1]["name"] == "Anna"
    assert (await pbx.get(without, token=theirs))[1]["name"] == "Zoë"
    _, feed = await pbx.get("/changes?after=0", token=theirs)
    assert {event["tenant_id"] for event in feed["events"]} == {other.id}


async def test_a_token_that_is_revoked_is_out_of_the_short_way_too(pbx: Pbx, clock: SteppedClock) -> None:
    from provisioner.services.people.api_tokens import list_tokens, revoke_token

    await pbx.user("Anna", "101")
    for _ in range(2):
        assert (await pbx.get("/ring/101?domain=acme.test"))[0] == 200
    (row,) = [row for row in await list_tokens(pbx.context, SYSTEM) if row.role == "pbx"]
    await revoke_token(pbx.context, SYSTEM, token_id=row.id)
    clock.advance(timedelta(seconds=1))
    assert (await pbx.get("/ring/101?domain=acme.test"))[0] == 401


async def test_the_feed_of_changes_begins_goes_on_and_waits(pbx: Pbx) -> None:
    _, begin = await pbx.get("/changes")
    assert begin["events"] == []
    anna = await pbx.user("Anna", "101")
    _, feed = await pbx.get(f"/changes?after={begin['last']}")
    assert [(event["kind"], event["object"]) for event in feed["events"]] == [("changed", "user.create Anna")]
    assert (await pbx.get(f"/changes?after={feed['last']}"))[1] == {"events": [], "last": feed["last"]}
    waiting = await pbx.ask_and_wait(f"/changes?after={feed['last']}&wait=30")
    await update_user(pbx.context, SYSTEM, user_id=anna.id, name="Anna Other")
    _, woken = await asyncio.wait_for(waiting, 20)
    assert [event["object"] for event in woken["events"]] == ["user.update Anna Other"]


async def test_a_feed_that_is_too_old_starts_over(pbx: Pbx, clock: SteppedClock) -> None:
    await pbx.user("Anna", "101")
    _, begin = await pbx.get("/changes")
    clock.advance(timedelta(days=8))
    await pbx.user("Ben", "102")
    await prune_changes(pbx.context)
    status, problem = await pbx.get("/changes?after=0")
    assert (status, problem["type"]) == (410, "/problems#start-over")
    _, feed = await pbx.get(f"/changes?after={begin['last']}")
    assert [event["object"] for event in feed["events"]] == ["user.create Ben"]
    assert problem["last"] == feed["last"]


async def test_the_server_stops_while_a_pbx_waits(pbx: Pbx) -> None:
    _, begin = await pbx.get("/changes")
    waiting = await pbx.ask_and_wait(f"/changes?after={begin['last']}&wait=30")
    await asyncio.wait_for(pbx.server.server.stop(), 20)  # far less than the question waits
    with pytest.raises(ClientError):
        await waiting


async def test_events_take_the_short_way_with_the_same_answers(pbx: Pbx) -> None:
    device = await pbx.device(1)
    url, headers = f"{pbx.server.admin_url}/pbx/v1/registrations", {"Authorization": f"Bearer {pbx.token}"}
    good = {
        "event": "register",
        "aor": f"{account(device)}@acme.test",
        "contact": "sip:x@192.0.2.7",
        "call_id": "a",
    }
    for body, status in ((good, 200), (good, 200), ({"event": "explode"}, 422), ([], 422)):
        async with pbx.http.post(url, json=body, headers=headers) as answer:
            assert answer.status == status
            assert "json" in answer.content_type
    await pbx.server.server.queue.drained()
    admin = {"Authorization": f"Bearer {await pbx.server.token('admin')}"}
    for _ in range(2):
        async with pbx.http.post(url, json=good, headers=admin) as answer:
            assert answer.status == 403


async def test_one_tenant_cannot_use_up_the_places_of_all(pbx: Pbx) -> None:
    hub = pbx.server.context.hub
    with contextlib.ExitStack() as stack:
        for _ in range(MOST_WAITING):
            stack.enter_context(hub.subscribe(pbx.server.tenant.id))
        status, document = await pbx.get("/changes?after=0&wait=5")
    assert (status, document["type"]) == (503, "/problems#unavailable")
