"""GET /pbx/v1/owner: whose address is it?"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from provisioner.services.context import SYSTEM
from provisioner.services.people.tenants import create_tenant
from provisioner.services.shared_lines.members import Wish
from provisioner.services.shared_lines.shared_lines import create_shared_line, update_shared_line
from provisioner.services.shared_lines.views import Shared
from tests.services.places import device_of
from tests.support.server import RunningServer, running_server


class Registrar:
    """A PBX with a token that asks, and a shared line with two members."""

    def __init__(self, server: RunningServer, http: ClientSession, token: str, line: Shared) -> None:
        self.server, self.line = server, line
        self._http, self._token = http, token

    async def status(self, account: str, address: str, *, token: str | None = None) -> int:
        headers = {"Authorization": f"Bearer {self._token if token is None else token}"}
        query = {"account": account, "address": address}
        async with self._http.get(
            f"{self.server.admin_url}/pbx/v1/owner", params=query, headers=headers
        ) as answer:
            assert answer.status != 204 or not await answer.read()
            return answer.status


@pytest.fixture
async def registrar(tmp_path: Path) -> AsyncIterator[Registrar]:
    async with running_server(tmp_path / "data") as server, ClientSession() as http:
        devices = [await device_of(server.context, server.tenant, number) for number in (1, 2)]
        line = await create_shared_line(
            server.context,
            SYSTEM,
            tenant_id=server.tenant.id,
            name="Sales",
            number="210",
            members=[Wish(device.id) for device in devices],
        )
        yield Registrar(server, http, await server.token("pbx"), line)


async def test_an_account_may_use_its_own_address_and_its_shared_line_s(registrar: Registrar) -> None:
    line = registrar.line
    for member in line.members:
        assert await registrar.status(member.account, f"{member.account}@acme.test") == 204
        assert await registrar.status(member.account, f"{line.account}@ACME.test") == 204


async def test_nobody_else_may_use_an_address(registrar: Registrar) -> None:
    line = registrar.line
    one, two = (member.account for member in line.members)
    stranger = (await device_of(registrar.server.context, registrar.server.tenant, 3)).lines[0].account
    refused: list[tuple[str, str]] = [
        (one, f"{two}@acme.test"),
        (stranger, f"{line.account}@acme.test"),
        (line.account, f"{line.account}@acme.test"),
        (one, f"{line.account}@globex.test"),
        (one, line.account),
        (one, "@acme.test"),
        ("nobody", "nobody@acme.test"),
        ("x" * 65, f"{'x' * 65}@acme.test"),
        ("a\x00b", "a\x00b@acme.test"),
        (one, f"%@{line.account}@acme.test"),
    ]
    for account, address in refused:
        assert await registrar.status(account, address) == 404, (account, address)


async def test_with_lamps_only_the_shared_address_is_nobody_s(registrar: Registrar) -> None:
    line = registrar.line
    await update_shared_line(registrar.server.context, SYSTEM, shared_line_id=line.id, mode="blf")
    account = line.members[0].account
    assert await registrar.status(account, f"{line.account}@acme.test") == 404
    assert await registrar.status(account, f"{account}@acme.test") == 204


async def test_a_question_without_both_names_is_refused(registrar: Registrar) -> None:
    for account, address in (("", "a@acme.test"), ("a", "")):
        assert await registrar.status(account, address) == 422


async def test_only_a_pbx_of_the_same_tenant_is_told(registrar: Registrar) -> None:
    server, line = registrar.server, registrar.line
    globex = await create_tenant(
        server.context, SYSTEM, key="globex", name="Globex", sip_domain="globex.test"
    )
    address: tuple[Any, Any] = (line.members[0].account, f"{line.account}@acme.test")
    assert await registrar.status(*address, token=await server.token("pbx", tenant_id=globex.id)) == 404
    assert await registrar.status(*address, token=await server.token("admin")) == 403
    assert await registrar.status(*address, token="wrong") == 401
