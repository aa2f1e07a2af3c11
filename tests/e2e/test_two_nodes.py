"""More than one process: what one commits, all others serve within a second."""

import http.client
import shutil
import sys
import time
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from provisioner.model.store import Store
from provisioner.services.context import SYSTEM
from provisioner.services.devices.enrolment import enrol
from provisioner.services.operation.installation import open_context
from provisioner.services.people.api_tokens import create_token
from provisioner.services.people.tenants import create_tenant
from provisioner.settings import ServerSettings
from tests.support.lab import phone_session
from tests.support.program import Program, until
from tests.support.server import prepared, server_settings

pytestmark = pytest.mark.e2e

MAC = "000413DD0001"
ROUNDS = 5
ALLOWED = 1.0  # seconds after a change has been confirmed


class Node(Program):
    """`provisioner serve` over a data folder that holds everything, settings included."""

    name = "server"
    start_seconds = 40.0  # on a machine that has other things to do

    def __init__(self, settings: ServerSettings, *, workers: int = 1) -> None:
        super().__init__(settings.data)
        self.settings = settings
        self.workers = workers

    def prepare(self) -> Sequence[str]:
        names = ("phone_address", "https_port", "http_port", "admin_port", "database", "log_level")
        lines = [f"{name} = {getattr(self.settings, name)!r}".replace("'", '"') for name in names]
        (self.folder / "provisioner.toml").write_text("\n".join(lines) + "\n")
        command = [sys.executable, "-m", "provisioner", "--data", str(self.folder), "serve"]
        return [*command, "--workers", str(self.workers)]

    def is_up(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.settings.admin_port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


@dataclass(frozen=True)
class Facts:
    """What the test says to the nodes: tokens and passwords, and the device it is about."""

    token: str
    tenant_id: int
    device_id: int
    authorization: str


async def installed(settings: ServerSettings) -> Facts:
    """One tenant, one device, an admin's token."""
    store = Store(settings.database_url)
    try:
        context = await open_context(settings, store=store)
        tenant = await create_tenant(context, SYSTEM, key="acme", name="Acme", sip_domain="acme.test")
        done = await enrol(context, SYSTEM, tenant_id=tenant.id, profile="snom", model="D785", mac=MAC)
        token = await create_token(context, SYSTEM, name="test", role="admin", tenant_id=tenant.id)
    finally:
        await store.close()
    pair = f"{done.device.username}:{done.password}".encode()
    return Facts(token.text, tenant.id, done.device.id, f"Basic {b64encode(pair).decode()}")


async def change(node: Node, facts: Facts, *, word: str) -> None:
    """Over REST; returns when the node has confirmed it."""
    url = f"http://127.0.0.1:{node.settings.admin_port}/api/v1/tenants/{facts.tenant_id}/settings"
    headers = {"Authorization": f"Bearer {facts.token}"}
    values = {"values": {"ntp_server": word}}
    async with aiohttp.ClientSession(headers=headers) as session, session.patch(url, json=values) as answer:
        assert answer.status == 200, await answer.text()


async def body_of(session: aiohttp.ClientSession, node: Node, facts: Facts) -> str:
    """The phone's file from this node, over a connection of its own."""
    url = f"https://localhost:{node.settings.https_port}/p/{MAC}.xml"
    headers = {"Authorization": facts.authorization, "Connection": "close"}
    async with session.get(url, headers=headers) as answer:
        assert answer.status == 200
        return await answer.text()


async def is_new_everywhere(
    session: aiohttp.ClientSession, node: Node, facts: Facts, *, word: str, times: int
) -> bool:
    """Ask until `times` answers in a row are new; False when an old one was asked for later than allowed."""
    confirmed, row = time.monotonic(), 0
    while row < times:
        asked = time.monotonic()
        if word in await body_of(session, node, facts):
            row += 1
        elif asked - confirmed > ALLOWED:
            return False
        else:
            row = 0
    return True


@pytest.mark.postgres
async def test_two_nodes_on_one_postgresql_serve_each_others_changes(
    tmp_path: Path, postgres_url: str
) -> None:
    first, _ = await prepared(tmp_path / "one", database=postgres_url)
    facts = await installed(first)
    second = server_settings(tmp_path / "two", database=postgres_url)
    shutil.copytree(first.data, second.data)
    nodes = [Node(first), Node(second)]
    async with nodes[0], nodes[1], phone_session(first.data / "certs" / "ca.pem") as session:
        for node in nodes:
            await body_of(session, node, facts)  # from now on it is in that node's memory
        for number in range(ROUNDS):
            here, there = nodes[number % 2], nodes[(number + 1) % 2]
            word = f"ntp{number}.acme.test"
            await change(here, facts, word=word)
            assert word in await body_of(session, here, facts), "the node itself must know at once"
            assert await is_new_everywhere(session, there, facts, word=word, times=3), (
                f"old in round {number}"
            )


@pytest.mark.postgres
async def test_a_device_removed_on_one_node_gets_nothing_from_the_other(
    tmp_path: Path, postgres_url: str
) -> None:
    first, _ = await prepared(tmp_path / "one", database=postgres_url)
    facts = await installed(first)
    second = server_settings(tmp_path / "two", database=postgres_url)
    shutil.copytree(first.data, second.data)
    here, there = Node(first), Node(second)
    async with here, there, phone_session(first.data / "certs" / "ca.pem") as session:
        await body_of(session, there, facts)
        url = f"http://127.0.0.1:{first.admin_port}/api/v1/devices/{facts.device_id}"
        headers = {"Authorization": f"Bearer {facts.token}"}
        async with session.delete(url, headers=headers) as answer:
            assert answer.status == 204, await answer.text()
        confirmed = time.monotonic()
        while True:
            asked = time.monotonic()
            async with session.get(
                f"https://localhost:{second.https_port}/p/{MAC}.xml",
                headers={"Authorization": facts.authorization},
            ) as answer:
                if answer.status == 401:
                    break
            assert asked - confirmed <= ALLOWED, "a removed device was still served"


async def test_two_workers_on_one_sqlite_serve_each_others_changes(tmp_path: Path) -> None:
    settings, _ = await prepared(tmp_path / "data")
    facts = await installed(settings)
    node = Node(settings, workers=2)
    async with node, phone_session(settings.data / "certs" / "ca.pem") as session:
        await until(lambda: len(listeners(settings.https_port)) == 2, what="two processes to listen")
        for _ in range(20):  # connections go to either at random: both have it in memory now
            await body_of(session, node, facts)
        for number in range(ROUNDS):
            word = f"ntp{number}.acme.test"
            await change(node, facts, word=word)
            assert await is_new_everywhere(session, node, facts, word=word, times=16), (
                f"old in round {number}"
            )


def listeners(port: int) -> list[str]:
    """The sockets that listen on this port of 127.0.0.1, as the kernel lists them."""
    wanted = f"0100007F:{port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row[9] for row in rows if row[1] == wanted and row[3] == "0A"]
