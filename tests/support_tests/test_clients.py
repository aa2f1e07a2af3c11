import asyncio
import html
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.baresip import Baresip
from tests.support.door import Door
from tests.support.kamailio import Kamailio, Site
from tests.support.linphone import Account, Linphone, provisioned, registered
from tests.support.ports import loopback
from tests.support.program import is_installed, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not is_installed("kamailio", "linphone-daemon", "baresip"),
        reason="Kamailio, Linphone or baresip is not installed",
    ),
]

TOKEN = "canary-token"
DOMAIN = "tenant1.test"


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with Door({"1001": "right"}, token=TOKEN) as door:
        yield door


@pytest.fixture
async def kamailio(door: Door, tmp_path: Path) -> AsyncIterator[Kamailio]:
    async with Kamailio(tmp_path / "kamailio", Site(door=door.url, token=TOKEN)) as kamailio:
        yield kamailio


async def test_linphone_registers_and_quits(door: Door, kamailio: Kamailio, tmp_path: Path) -> None:
    address = loopback()
    account = Account("1001", "right", DOMAIN, kamailio.uri)
    phone = Linphone(tmp_path / "linphone", registered(account, address=address), address=address)
    async with phone:
        await until(lambda: door.of("register"), what="the registration")
        assert door.of("register")[0]["user_agent"].startswith("Linphone/1.0")
        assert "Ok" in await asyncio.to_thread(phone.command, "register-status ALL")
    await until(lambda: door.of("unregister"), what="the end of the registration")
    assert door.of("unregister")[0]["bindings"] == []


XML = """<?xml version="1.0" encoding="UTF-8"?>
<config xmlns="http://www.linphone.org/xsds/lpconfig.xsd">{sections}</config>"""


async def test_linphone_fetches_its_configuration_over_https_and_registers(
    door: Door, kamailio: Kamailio, tmp_path: Path
) -> None:
    address = loopback()
    account = Account("1001", "right", DOMAIN, kamailio.uri)
    sections = "".join(
        f'<section name="{name}">'
        + "".join(
            f'<entry name="{key}" overwrite="true">{html.escape(str(value))}</entry>'
            for key, value in entries.items()
        )
        + "</section>"
        for name, entries in registered(account, address=address, user_agent="Phone/2 000413ABCDEF").items()
    )
    agents: list[str] = []

    async def configuration(request: web.Request) -> web.Response:
        agents.append(request.headers["User-Agent"])
        return web.Response(text=XML.format(sections=sections), content_type="application/xml")

    app = web.Application()
    app.router.add_get("/phone.xml", configuration)
    ca, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("localhost").configure_cert(context)
    root = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(root)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server(ssl=context)
    try:
        start = provisioned(
            f"https://localhost:{server.port}/phone.xml",
            address=address,
            user_agent="Phone/2 000413ABCDEF",
            root_ca=root,
        )
        async with Linphone(tmp_path / "linphone", start, address=address):
            await until(lambda: door.of("register"), what="the registration")
    finally:
        await server.close()
    assert agents == ["Phone/2 000413ABCDEF"]
    assert door.of("register")[0]["user_agent"].startswith("Phone/2 000413ABCDEF")


async def test_linphone_cut_off_leaves_its_binding_and_comes_back(
    door: Door, kamailio: Kamailio, tmp_path: Path
) -> None:
    address = loopback()
    account = Account("1001", "right", DOMAIN, kamailio.uri)
    phone = Linphone(tmp_path / "linphone", registered(account, address=address), address=address)
    async with phone:
        await until(lambda: door.of("register"), what="the registration")
        await asyncio.to_thread(phone.cut)
        assert len(await asyncio.to_thread(kamailio.contacts, f"1001@{DOMAIN}")) == 1
        seen = len(door.events)
        await asyncio.to_thread(phone.start)
        await until(lambda: len(door.events) > seen, what="the registration after the power came back")
    assert door.of("unregister")


async def test_linphone_with_a_wrong_password_is_told_as_failed(
    door: Door, kamailio: Kamailio, tmp_path: Path
) -> None:
    address = loopback()
    account = Account("1001", "wrong", DOMAIN, kamailio.uri)
    async with Linphone(tmp_path / "linphone", registered(account, address=address), address=address):
        await until(lambda: door.of("auth-failed"), what="the failure")
    assert door.of("register") == []


async def test_baresip_registers_with_its_mac_and_shows_it(
    door: Door, kamailio: Kamailio, tmp_path: Path
) -> None:
    account = Account("1001", "right", DOMAIN, kamailio.uri)
    async with Baresip(tmp_path / "baresip", account, mac="000413120005") as phone:
        await until(lambda: door.of("register"), what="the registration")
        assert "000413120005" in door.of("register")[0]["bindings"][0]["instance"]
        assert "1001" in await asyncio.to_thread(phone.command, "reginfo")
    await until(lambda: door.of("unregister"), what="the end of the registration")
