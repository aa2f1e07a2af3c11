"""What a real Asterisk sent and answered, replayed over TCP against a whole server; the directory follows at once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from provisioner.services.context import SYSTEM
from provisioner.services.hotdesk.sessions import set_device_hotdesk, set_hotdesk
from provisioner.services.people.users import create_user
from tests.services.places import device_of
from tests.support.asterisk import DIGITS, AsteriskCall
from tests.support.ports import free_port
from tests.support.server import RunningServer, running_server

pytestmark = pytest.mark.e2e

PIN = "86420"


class Pbx:
    """The directory, as the Asterisk of the tenant asks it."""

    def __init__(self, server: RunningServer, token: str, http: ClientSession) -> None:
        self.server, self.http = server, http
        self._headers = {"Authorization": f"Bearer {token}"}

    async def get(self, path: str) -> Any:
        async with self.http.get(f"{self.server.admin_url}/pbx/v1/{path}", headers=self._headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def call(self, account: str, dialled: str, *data: str, number: int) -> list[str]:
        call = AsteriskCall(account, dialled, data, language="de", uniqueid=f"1795297900.{number}")
        return await call.run("127.0.0.1", self.server.server.ports["fastagi"])


@asynccontextmanager
async def house(folder: Path, database: str) -> AsyncIterator[Pbx]:
    async with (
        running_server(folder / "data", database=database, fastagi_port=free_port()) as server,
        ClientSession() as http,
    ):
        yield Pbx(server, await server.token("pbx"), http)


async def test_a_user_logs_in_by_voice_moves_on_and_logs_out(tmp_path: Path, database_url: str) -> None:
    async with house(tmp_path, database_url) as pbx:
        context, tenant = pbx.server.context, pbx.server.tenant
        anna = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Anna", extension="101")
        await set_hotdesk(context, SYSTEM, user_id=anna.id, enabled=True, pin=PIN)
        accounts = []
        for number in (1, 2):
            device = await device_of(context, tenant, number)
            await set_device_hotdesk(context, SYSTEM, device_id=device.id, enabled=True)
            accounts.append(device.lines[0].account)
        left, right = accounts

        said = await pbx.call(left, "*35", DIGITS.format("101"), DIGITS.format(PIN), number=1)
        assert said == [
            "ANSWER",
            "SET VARIABLE CHANNEL(language) de",
            "GET DATA hotdesk-enter-extension 8000 6",
            "GET DATA hotdesk-enter-pin 8000 10",
            'STREAM FILE hotdesk-logged-in ""',
            "HANGUP",
        ]
        assert (await pbx.get(f"accounts/{left}"))["user"]["extension"] == "101"
        assert [target["account"] for target in (await pbx.get("ring/101"))["targets"]] == [left]

        said = await pbx.call(right, f"*35*101*{PIN}", number=2)
        assert said[2:] == ['STREAM FILE hotdesk-logged-in ""', "HANGUP"]
        assert (await pbx.get(f"accounts/{left}"))["may_call"] == "emergency"
        assert [target["account"] for target in (await pbx.get("ring/101"))["targets"]] == [right]

        said = await pbx.call(right, "*35", number=3)
        assert said[2:] == ['STREAM FILE hotdesk-logged-out ""', "HANGUP"]
        assert (await pbx.get("ring/101"))["targets"] == []


async def test_the_prompts_it_plays_are_listed_for_whoever_records_them(tmp_path: Path) -> None:
    async with house(tmp_path, "") as pbx:
        listed = {each["name"]: each["texts"] for each in (await pbx.get("prompts"))["prompts"]}
        assert set(listed["hotdesk-logged-in"]) == {"en", "nl", "de", "pl"}
        dutch = await pbx.get("prompts?lang=nl")
        assert {"name": "hotdesk-logged-in", "texts": {"nl": "U bent ingelogd."}} in dutch["prompts"]
