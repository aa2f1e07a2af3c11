"""Two devices log the same user in at the same instant: exactly one holds the user, whatever the nodes (R3.2)."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import func, select

from provisioner.model import DirectoryEvent, HotdeskSession, Line
from provisioner.model.store import Store
from provisioner.services.context import SYSTEM
from provisioner.services.devices.enrolment import enrol
from provisioner.services.hotdesk.sessions import set_device_hotdesk, set_hotdesk
from provisioner.services.operation.installation import open_context
from provisioner.services.people.api_tokens import create_token
from provisioner.services.people.tenants import create_tenant
from provisioner.services.people.users import create_user
from provisioner.settings import ServerSettings
from tests.e2e.test_two_nodes import Node
from tests.support.server import prepared, server_settings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ROUNDS = 200
LONGEST = 20.0  # seconds for one login: nothing may hang


@dataclass(frozen=True)
class Facts:
    token: str
    user_id: int
    code: str
    accounts: tuple[str, str]


async def installed(settings: ServerSettings) -> Facts:
    """One tenant, two hotdesk devices, one user with a PIN, a PBX's token."""
    store = Store(settings.database_url)
    try:
        context = await open_context(settings, store=store)
        tenant = await create_tenant(context, SYSTEM, key="acme", name="Acme", sip_domain="acme.test")
        user = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Anna", extension="101")
        code = (await set_hotdesk(context, SYSTEM, user_id=user.id, enabled=True)).code
        accounts = []
        for mac in ("000413DD0001", "000413DD0002"):
            done = await enrol(
                context, SYSTEM, tenant_id=tenant.id, profile="snom", model="D785", mac=mac, name=mac
            )
            await set_device_hotdesk(context, SYSTEM, device_id=done.device.id, enabled=True)
            accounts.append(done.device.lines[0].account)
        token = await create_token(context, SYSTEM, name="pbx", role="pbx", tenant_id=tenant.id)
    finally:
        await store.close()
    return Facts(token.text, user.id, code, (accounts[0], accounts[1]))


async def logged_in(http: aiohttp.ClientSession, node: Node, facts: Facts, *, account: str, call: str) -> Any:
    """The PBX's answer to the full code, dialled on a device."""
    url = f"http://127.0.0.1:{node.settings.admin_port}/pbx/v1/hotdesk/dialog"
    body = {"call_id": call, "step": 0, "auth_user": account, "dialled": facts.code}
    async with http.post(url, json=body, timeout=aiohttp.ClientTimeout(LONGEST)) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def holders(store: Store, facts: Facts) -> tuple[list[str], list[int]]:
    """Accounts whose line stands for the user, and the devices of open sessions."""
    async with store.read() as session:
        lines = await session.execute(select(Line.account).where(Line.user_id == facts.user_id))
        sittings = await session.execute(
            select(HotdeskSession.device_id).where(HotdeskSession.ended_at.is_(None))
        )
        return list(lines.scalars()), list(sittings.scalars())


async def race(nodes: Sequence[Node], facts: Facts, store: Store) -> None:
    headers = {"Authorization": f"Bearer {facts.token}"}
    winners = set()
    async with aiohttp.ClientSession(headers=headers) as http:
        for number in range(ROUNDS):
            # the same user on both; who sat on one already is only confirmed, which dialling would log out
            await everybody_out(http, nodes[0], facts, store, call=f"out-{number}")
            accounts = facts.accounts if number % 2 else facts.accounts[::-1]
            answers = await asyncio.gather(
                *(
                    logged_in(
                        http, nodes[index % len(nodes)], facts, account=account, call=f"{number}-{index}"
                    )
                    for index, account in enumerate(accounts)
                )
            )
            assert [answer["result"] for answer in answers] == ["logged_in", "logged_in"], number
            lines, sittings = await holders(store, facts)
            assert len(lines) == 1, f"round {number}: {lines}"
            assert len(sittings) == 1
            left = [answer["effects"]["logged_out_device"] for answer in answers]
            assert sorted(bool(device) for device in left) == [False, True], "exactly one took the user over"
            second = accounts[[bool(device) for device in left].index(True)]
            assert lines == [second], "the one that came second holds the user"
            winners.add(second)
    assert winners == set(facts.accounts), "both orders happened"
    await balanced(store)


async def everybody_out(
    http: aiohttp.ClientSession, node: Node, facts: Facts, store: Store, *, call: str
) -> None:
    lines, _ = await holders(store, facts)
    for account in lines:
        assert (await logged_in(http, node, facts, account=account, call=call))["result"] == "logged_out"


async def balanced(store: Store) -> None:
    """Every login but the last has its logout in the PBX's feed."""
    async with store.read() as session:
        rows = await session.execute(
            select(DirectoryEvent.kind, func.count().label("count"))
            .where(DirectoryEvent.kind.startswith("hotdesk_"))
            .group_by(DirectoryEvent.kind)
        )
        counts: dict[str, int] = {kind: count for kind, count in rows}  # noqa: C416 - rows are no pairs to dict()
    assert counts == {"hotdesk_login": 2 * ROUNDS, "hotdesk_logout": 2 * ROUNDS - 1}


@asynccontextmanager
async def opened(settings: ServerSettings) -> AsyncIterator[Store]:
    store = Store(settings.database_url)
    try:
        yield store
    finally:
        await store.close()


async def test_on_sqlite(tmp_path: Path) -> None:
    settings, _ = await prepared(tmp_path / "data")
    facts = await installed(settings)
    node = Node(settings)
    async with node, opened(settings) as store:
        await race([node], facts, store)


@pytest.mark.postgres
async def test_on_postgresql_with_two_server_nodes(tmp_path: Path, postgres_url: str) -> None:
    first, _ = await prepared(tmp_path / "one", database=postgres_url)
    facts = await installed(first)
    second = server_settings(tmp_path / "two", database=postgres_url)
    shutil.copytree(first.data, second.data)
    nodes = [Node(first), Node(second)]
    async with nodes[0], nodes[1], opened(first) as store:
        await race(nodes, facts, store)
