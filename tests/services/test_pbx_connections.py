"""Connections to PBXs: what is taken, how the secret is kept, and what a test of the connection says."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import select

from provisioner.access.permissions import Role
from provisioner.errors import BadInput, Forbidden, NotFound
from provisioner.model import AuditEntry, PbxConnection, Tenant
from provisioner.registrar.agent import Address, SipAgent, Timers
from provisioner.registrar.check_sync import Reach
from provisioner.registrar.sip import Request, Response, reply
from provisioner.services.context import SYSTEM, Actor, Context
from provisioner.services.operation.secret_rotation import rotate
from provisioner.services.pbx.connections import (
    delete_connection,
    get_connection,
    opened,
    probe_connection,
    put_connection,
)
from provisioner.services.pbx.links import Errand, Links, Pbx, next_hop
from provisioner.services.people.tenants import create_tenant
from tests.support.scripted import scripted
from tests.support.server import opened_context

URL = "http://192.0.2.10:5080/RPC"
PHONE = Errand(1, "d1", "acme.test", ("sip:d1@192.0.2.51:5060",))


async def put(context: Context, tenant: Tenant, **fields: Any) -> PbxConnection:
    return await put_connection(
        context, SYSTEM, tenant_id=tenant.id, **({"kind": "kamailio", "address": URL} | fields)
    )


async def test_a_connection_is_stored_with_its_secret_sealed(context: Context, tenant: Tenant) -> None:
    await put(context, tenant, username="prov", secret="Blue-kettle-77")
    row = await get_connection(context, SYSTEM, tenant_id=tenant.id)
    assert "kettle" not in row.secret
    assert opened(context, row) == Pbx("kamailio", URL, "prov", "Blue-kettle-77")
    assert "kettle" not in repr(opened(context, row))
    async with context.store.read() as session:
        entries = (await session.execute(select(AuditEntry.detail))).scalars().all()
    assert "kettle" not in json.dumps(entries)


async def test_a_rotation_seals_it_anew(tmp_path: Path) -> None:
    async with opened_context(tmp_path / "data") as context:
        tenant = await create_tenant(context, SYSTEM, key="acme", name="Acme", sip_domain="acme.test")
        await put(context, tenant, username="prov", secret="Blue-kettle-77")
        before = (await get_connection(context, SYSTEM, tenant_id=tenant.id)).secret
        done = await rotate(context, SYSTEM, settle=0)
        row = await get_connection(context, SYSTEM, tenant_id=tenant.id)
    assert row.secret != before
    assert opened(context, row).secret == "Blue-kettle-77"
    assert done.retired == [before.partition(".")[0]]
    assert not done.unreadable


async def test_the_secret_stays_while_the_place_does_and_goes_nowhere_else(
    context: Context, tenant: Tenant
) -> None:
    await put(context, tenant, username="prov", secret="one")
    assert opened(context, await put(context, tenant, username="other")).secret == "one"
    with pytest.raises(BadInput, match="enter its password"):
        await put(context, tenant, username="prov", address="http://198.51.100.1/RPC")
    moved = await put(context, tenant, username="prov", secret="two", address="http://198.51.100.1/RPC")
    assert opened(context, moved).secret == "two"
    assert opened(context, await put(context, tenant, address=moved.address, secret="")).secret == ""


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "nortel"},
        {"address": ""},
        {"address": "192.0.2.10:5080"},
        {"address": "ftp://192.0.2.10/RPC"},
        {"address": "file:///etc/passwd"},
        {"address": "http://prov:secret@192.0.2.10/RPC"},
        {"address": "http://192.0.2.10/RPC#x"},
        {"address": "http://192.0.2.10:99999/RPC"},
        {"address": "http://[::1/RPC"},
        {"address": "http://192.0.2.10/\r\nX: y"},
        {"address": "http://192.0.2.10/" + "x" * 250},
        {"secret": "only a password"},
        {"username": "x" * 81},
        {"username": "a\nb"},
        {"username": "a", "secret": "x" * 129},
        {"username": "a:b", "secret": "x"},
        {"kind": "asterisk", "address": "192.0.2.10", "secret": "x"},
        {"kind": "asterisk", "address": "192.0.2.10", "username": "prov"},
        {"kind": "asterisk", "address": "http://192.0.2.10", "username": "prov", "secret": "x"},
        {"kind": "freeswitch", "address": "192.0.2.10"},
        {"kind": "freeswitch", "address": "192.0.2.10:0", "secret": "x"},
        {"kind": "direct", "address": "192.0.2.10"},
    ],
)
async def test_bad_input_is_refused_and_changes_nothing(
    context: Context, tenant: Tenant, fields: dict[str, str]
) -> None:
    with pytest.raises(BadInput) as caught:
        await put(context, tenant, **fields)
    assert caught.value.field
    with pytest.raises(NotFound):
        await get_connection(context, SYSTEM, tenant_id=tenant.id)


@pytest.mark.parametrize(
    "fields",
    [
        {"address": "https://pbx.example.net/RPC"},
        {"address": "http://[2001:db8::7]:5080/RPC"},
        {"kind": "asterisk", "address": "pbx.example.net", "username": "prov", "secret": "x"},
        {"kind": "freeswitch", "address": "[2001:db8::7]:8021", "secret": "x"},
        {"kind": "direct", "address": ""},
    ],
)
async def test_what_can_be_reached_is_taken(context: Context, tenant: Tenant, fields: dict[str, str]) -> None:
    assert (await put(context, tenant, **fields)).address == fields["address"]


async def test_only_operators_choose_where_this_server_speaks_to(context: Context, tenant: Tenant) -> None:
    admin = Actor(name="a", role=Role.ADMIN, tenant_id=tenant.id)
    with pytest.raises(Forbidden):
        await put_connection(context, admin, tenant_id=tenant.id, kind="direct")
    await put(context, tenant)
    assert (await get_connection(context, admin, tenant_id=tenant.id)).kind == "kamailio"
    for use_case in (probe_connection, delete_connection):
        with pytest.raises(Forbidden):
            await use_case(context, admin, tenant_id=tenant.id)


async def test_another_tenants_connection_does_not_exist(
    context: Context, tenant: Tenant, other_tenant: Tenant
) -> None:
    await put(context, tenant)
    stranger = Actor(name="a", role=Role.ADMIN, tenant_id=other_tenant.id)
    with pytest.raises(NotFound):
        await get_connection(context, stranger, tenant_id=tenant.id)
    with pytest.raises(NotFound):
        await get_connection(context, SYSTEM, tenant_id=other_tenant.id)


async def test_a_removed_connection_is_gone(context: Context, tenant: Tenant) -> None:
    await put(context, tenant)
    await delete_connection(context, SYSTEM, tenant_id=tenant.id)
    for use_case in (get_connection, delete_connection):
        with pytest.raises(NotFound):
            await use_case(context, SYSTEM, tenant_id=tenant.id)


# ---- speaking to them ------------------------------------------------------------------------------------------


@asynccontextmanager
async def pbx_web(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """A web server that answers everything so; its URL."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/RPC"))


def methods(*names: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "result": list(names)}


async def probe(pbx: Pbx) -> str:
    links = Links(patience=1.0)
    try:
        return await links.probe(pbx)
    finally:
        await links.close()


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, methods("core.uptime", "tm.t_uac_start"), ""),
        (200, methods("core.uptime"), "module tm"),
        (403, "not for you", "list of peers"),
        (401, "", "password"),
        (404, "<html>", "path of the address"),
        (200, [1, 2], "no JSON-RPC"),
        (302, "", "no JSON-RPC"),
    ],
)
async def test_a_json_rpc_that_does_not_do_is_told_in_words(status: int, body: Any, words: str) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(status=status, text=text, headers={"Location": "/elsewhere"})

    async with pbx_web(answer) as url:
        found = await probe(Pbx("kamailio", url))
    assert words in found
    assert bool(words) == bool(found)
    assert asked == ["/RPC"], "no redirect is followed"


async def test_nobody_there_is_told_in_words() -> None:
    for pbx in (
        Pbx("kamailio", "http://127.0.0.1:1/RPC"),
        Pbx("asterisk", "127.0.0.1:1", "p", "x"),
        Pbx("freeswitch", "127.0.0.1:1", "", "x"),
    ):
        assert "There is no connection to the PBX" in await probe(pbx)
    assert await probe(Pbx("direct")) == ""


async def test_a_manager_or_event_socket_is_tried_with_its_password() -> None:
    async with scripted(b"Content-Type: auth/request\n\n", (b"auth x\n\n", b"Content-Type: command/reply\nReply-Text: -ERR invalid\n\n")) as switch:  # fmt: skip
        found = await probe(Pbx("freeswitch", f"127.0.0.1:{switch.port}", "", "x"))
    assert "refuses the password" in found


async def test_a_pbx_that_is_away_fails_for_every_phone() -> None:
    links = Links(patience=0.5)
    others = Errand(2, "d2", "acme.test", ("sip:d2@192.0.2.52",))
    for pbx in (Pbx("asterisk", "127.0.0.1:1", "p", "x"), Pbx("kamailio", "http://127.0.0.1:1/RPC")):
        results = await links.send(pbx, [PHONE, others])
        assert {result.reach for result in results.values()} == {Reach.FAILED}
        assert results.keys() == {1, 2}
    await links.close()


async def test_every_contact_is_told_and_the_best_answer_counts() -> None:
    asked: list[list[str]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((await request.json())["params"])
        return web.json_response({"jsonrpc": "2.0", "id": 1, "result": {}})

    errand = Errand(1, "d1", "acme.test", ("not a sip address", "sip:d1@192.0.2.51:5060"))
    links = Links()
    async with pbx_web(answer) as url:
        results = await links.send(Pbx("kamailio", url), [errand])
    await links.close()
    assert results[1].reach is Reach.SENT
    assert [params[:4] for params in asked] == [["NOTIFY", "sip:d1@192.0.2.51:5060", ".", "."]]
    assert "From: <sip:provisioning@acme.test>" in asked[0][4]


@pytest.mark.parametrize(
    ("contact", "source", "hop"),
    [
        ("sip:d1@192.0.2.51:5060", "", ""),
        ("sip:d1@192.0.2.51", "192.0.2.51:5060", ""),
        ("sip:d1@[2001:db8::7]:5060", "[2001:db8::7]:5060", ""),
        ("sip:d1@10.0.0.5:5060", "198.51.100.7:40000", "sip:198.51.100.7:40000"),
        ("sip:d1@10.0.0.5;transport=tcp", "198.51.100.7:40000", "sip:198.51.100.7:40000;transport=tcp"),
        ("sip:d1@10.0.0.5", "[2001:db8::7]:40000", "sip:[2001:db8::7]:40000"),
        ("sip:d1@10.0.0.5", "nonsense", ""),
        ("sip:d1@10.0.0.5", "198.51.100.7:0", ""),
    ],
)
def test_a_phone_behind_a_nat_is_reached_where_it_was_seen(contact: str, source: str, hop: str) -> None:
    assert next_hop(Errand(1, "d1", "acme.test", (contact,), source), contact) == hop


async def test_straight_to_the_phone() -> None:
    heard: list[Request] = []

    async def phone(request: Request, _source: Address) -> Response:
        heard.append(request)
        return reply(request, 200, "OK")

    there = await SipAgent(phone, timers=Timers(t1=0.05)).open("127.0.0.1")
    errand = Errand(1, "d1", "acme.test", ("sip:d1@192.0.2.51:5060",), f"127.0.0.1:{there.port}")
    over_tcp = Errand(2, "d2", "acme.test", ("sip:d2@192.0.2.51:5060;transport=tcp",))
    links = Links()
    results = await links.send(Pbx("direct"), [errand, over_tcp])
    await links.close()
    await there.close()
    assert results[1].reach is Reach.ANSWERED
    assert heard[0].get("Event") == "check-sync;reboot=false"
    assert results[2].reach is Reach.FAILED
    assert "only its PBX" in results[2].detail
