"""One user, three phones: real calls through Kamailio ring what the directory says (R4)."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from provisioner.services.calls.call_groups import create_group
from provisioner.services.calls.internal_numbers import create_number
from provisioner.services.context import SYSTEM
from provisioner.services.devices.device_settings import put_settings
from provisioner.services.files.phone_files import compose_device
from provisioner.services.people.tenants import update_tenant
from tests.support import sipp
from tests.support.lab import Lab, lab
from tests.support.program import is_installed, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not is_installed("kamailio", "sipp"), reason="Kamailio or SIPp is not installed"),
]

DOMAIN = "acme.test"
ANNA, CARL, QUEUE = "101", "103", "200"
GRACE = 2
PHONES = ("one", "two", "three", "carl")


@dataclass
class Office:
    """Anna has three phones, of which `one` is the primary; Carl calls. Every phone is a SIPp that answers."""

    lab: Lab
    phones: Mapping[str, sipp.Answering]
    ids: Mapping[str, int]
    logins: Mapping[str, tuple[str, str]]
    """Account and credentials."""
    http: ClientSession
    token: str

    @property
    def registrar(self) -> str:
        return f"{self.lab.kamailio.address}:{self.lab.kamailio.port}"

    async def register(self, name: str, *, expires: int) -> None:
        done = await sipp.run_beside(
            "register_at",
            self.registrar,
            folder=self.lab.kamailio.folder / f"register-{name}-{expires}",
            rows=[(*self.logins[name], self.phones[name].place)],
            keys={"domain": DOMAIN, "expires": str(expires)},
            seconds=20,
        )
        assert done.code == 0, done.errors

    async def carl_calls(self, number: str) -> list[str]:
        """The phones of Anna that a call rings, which the first to answer gets."""
        before = {name: len(phone.calls) for name, phone in self.phones.items()}
        done = await sipp.run_beside(
            "call",
            self.registrar,
            folder=self.lab.kamailio.folder / "caller",
            rows=[(*self.logins["carl"], number)],
            keys={"domain": DOMAIN},
            seconds=30,
        )
        assert done.code == 0, (done.logged, done.errors)
        return [name for name, phone in self.phones.items() if len(phone.calls) > before[name]]

    async def directory(self, number: str) -> Any:
        url = f"{self.lab.running.admin_url}/pbx/v1/ring/{number}?domain={DOMAIN}"
        async with self.http.get(url, headers={"Authorization": f"Bearer {self.token}"}) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def changes(self, after: int) -> Any:
        url = f"{self.lab.running.admin_url}/pbx/v1/changes?after={after}&wait=20"
        async with self.http.get(url, headers={"Authorization": f"Bearer {self.token}"}) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()


async def furnish(place: Lab) -> dict[str, int]:
    context, tenant_id = place.running.context, place.tenant_id
    await update_tenant(context, SYSTEM, tenant_id=tenant_id, is_premium=True, primary_grace=GRACE)
    anna, carl = await place.user("Anna Many", ANNA), await place.user("Carl Own", CARL)
    owners = {"one": anna, "two": anna, "three": anna, "carl": carl}
    ids = {
        name: (await place.phone("snom", "D785", f"000413EE001{number}", user_id=owner)).id
        for number, (name, owner) in enumerate(owners.items())
    }
    group = await create_group(
        context, SYSTEM, tenant_id=tenant_id, name="Service", is_queue=True, members=[anna]
    )
    await create_number(context, SYSTEM, tenant_id=tenant_id, digits=QUEUE, kind="group", target_id=group.id)
    return ids


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with AsyncExitStack() as stack:
        phones = {
            name: await stack.enter_async_context(sipp.Answering(tmp_path / name, "answer"))
            for name in PHONES
        }
        place = await stack.enter_async_context(lab(tmp_path))
        http = await stack.enter_async_context(ClientSession())
        ids = await furnish(place)
        logins = {}
        for name, device_id in ids.items():
            line = (await compose_device(place.running.context, SYSTEM, device_id=device_id)).lines[0]
            logins[name] = (line.account, sipp.credentials(line.account, line.password))
        office = Office(place, phones, ids, logins, http, await place.running.token("pbx"))
        for name in PHONES:
            await office.register(name, expires=600)
        for device_id in ids.values():
            await place.tick(device_id, "registered")
        yield office


async def test_calls_ring_what_the_rules_of_premium_say(office: Office) -> None:
    assert await office.carl_calls(ANNA) == ["one", "two", "three"]

    context, tenant_id = office.lab.running.context, office.lab.tenant_id
    await put_settings(
        context, SYSTEM, tenant_id=tenant_id, scope="device", ref=str(office.ids["two"]), values={"dnd": True}
    )
    assert await office.carl_calls(ANNA) == ["one", "three"], "do not disturb silences that phone alone"
    assert await office.carl_calls(QUEUE) == ["one"], "a queue rings the primary alone"


async def test_the_primary_that_goes_is_reported_after_its_grace(office: Office) -> None:
    assert (await office.directory(ANNA))["is_registered"] is True
    last = (await office.changes(0))["last"]

    # Kamailio tells whole seconds, and of two calls that speak in the same one the living contact wins
    since = (await office.lab.tick(office.ids["one"], "registered")).since + timedelta(seconds=1)
    await until(lambda: office.lab.running.context.clock() > since, what="the next second")
    await office.register("one", expires=0)
    gone = await office.lab.tick(office.ids["one"], "unregistered")

    async with asyncio.timeout(GRACE + 10):
        while (await office.directory(ANNA))["is_registered"]:  # noqa: ASYNC110 - a PBX asks for every call, nothing tells it
            await asyncio.sleep(0.1)
    delay = (office.lab.running.context.clock() - gone.since).total_seconds()
    assert GRACE <= delay < GRACE + 5, "not before the grace is over, and soon after it"
    plan = await office.directory(ANNA)
    assert [target["is_registered"] for target in plan["targets"]] == [False, True, True]

    events: list[Any] = []
    while not events:
        answer = await office.changes(last)
        events, last = [e for e in answer["events"] if e["kind"] == "primary_unregistered"], answer["last"]
    assert events[0]["object"] == "Anna Many"
    assert events[0]["detail"]["device_id"] == office.ids["one"]

    await office.register("one", expires=600)
    back: list[Any] = []
    while not back:
        answer = await office.changes(last)
        back, last = [e for e in answer["events"] if e["kind"] == "primary_registered"], answer["last"]
    assert (await office.directory(ANNA))["is_registered"] is True
