"""The whole chain for end-to-end tests: our server, a real Kamailio that asks it, and what a person would look at."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from provisioner.model import Fetch, Registration
from provisioner.services.context import SYSTEM
from provisioner.services.devices.device_settings import put_settings
from provisioner.services.devices.enrolment import Enrolled, enrol
from provisioner.services.devices.onboarding import onboarding
from provisioner.services.files.fetch_log import list_fetches
from provisioner.services.files.phone_files import compose_device
from provisioner.services.people.users import create_user
from provisioner.services.registrations.ticks import states_of
from provisioner.simulator.dialect import load_dialects
from tests.support.kamailio import Kamailio, Neighbours, Site
from tests.support.program import ProgramError, until
from tests.support.server import RunningServer, running_server

DIALECTS = load_dialects(Path(__file__).resolve().parents[2] / "vendor_profiles")


@dataclass(frozen=True)
class Phone:
    """A registered device: what an installer types in, and the number the server knows it by."""

    id: int
    account: str
    url: str
    username: str
    password: str


@dataclass(frozen=True)
class Lab:
    """A server with one tenant, whose phones register at this Kamailio."""

    running: RunningServer
    kamailio: Kamailio

    @property
    def tenant_id(self) -> int:
        return self.running.tenant.id

    async def user(self, name: str, extension: str) -> int:
        user = await create_user(
            self.running.context, SYSTEM, tenant_id=self.tenant_id, name=name, extension=extension
        )
        return user.id

    async def phone(self, profile: str, model: str, mac: str, *, user_id: int | None = None) -> Phone:
        """A device registered as the "New device" page does it."""
        return await register(self.running, profile, model, mac, user_id=user_id)

    async def registration(self, device_id: int) -> Registration | None:
        """The newest truth of the device's first line; None when the registrar never spoke of it."""
        return (await states_of(self.running.context, SYSTEM, device_ids=[device_id])).get(device_id)

    async def tick(self, device_id: int, state: str, *, seconds: float = 20.0) -> Registration:
        """Wait until the registration has this state; ProgramError when it does not get there."""
        found = await _until_state(self, device_id, state, seconds)
        if found is None or found.state != state:
            known = f"{found.state}: {found.reason}" if found else "never"
            raise ProgramError(f"waited in vain for {state}, it is {known}\n{self.kamailio.log()[-2000:]}")
        return found


async def register(
    running: RunningServer,
    profile: str,
    model: str,
    mac: str,
    *,
    user_id: int | None = None,
    policy: str = "",
) -> Phone:
    """A new device of the test's tenant and what its onboarding sheet says."""
    done: Enrolled = await enrol(
        running.context,
        SYSTEM,
        tenant_id=running.tenant.id,
        profile=profile,
        model=model,
        mac=mac,
        user_id=user_id,
        policy=policy,
    )
    config = await compose_device(running.context, SYSTEM, device_id=done.device.id)
    sheet = onboarding(running.context, config)
    return Phone(done.device.id, done.device.lines[0].account, sheet.url, sheet.username, done.password)


async def fetches(running: RunningServer, device_id: int) -> Sequence[Fetch]:
    """The provisioning log of a device, oldest first, with everything noted so far."""
    waiting = running.server.fetches._notes  # emptied only when they are written
    await until(lambda: not waiting, what="the provisioning log to be written")
    page = await list_fetches(running.context, SYSTEM, device_id=device_id)
    return list(reversed(page.items))


@asynccontextmanager
async def lab(
    folder: Path,
    *,
    database: str = "",
    options: Sequence[str] = ("MIN_EXPIRES=2",),
    neighbours: Neighbours | None = None,
    **settings: Any,
) -> AsyncIterator[Lab]:
    """Server and Kamailio with the reference configuration; the phones' files name this Kamailio as registrar."""
    async with running_server(folder / "data", database=database, **settings) as running:
        token = await running.token("pbx")
        site = Site(
            door=f"{running.admin_url}/pbx/v1",
            token=token,
            domains=(running.tenant.sip_domain,),
            neighbours=neighbours or Neighbours(),
        )
        async with Kamailio(folder / "kamailio", site, options=options) as kamailio:
            values = {"registrar_host": kamailio.address, "registrar_port": kamailio.port}
            await put_settings(
                running.context, SYSTEM, tenant_id=running.tenant.id, scope="tenant", values=values
            )
            yield Lab(running, kamailio)


@asynccontextmanager
async def phone_session(ca: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """What a phone trusts: our own CA and nobody else."""
    trust = ssl.create_default_context(cafile=str(ca))
    connector = aiohttp.TCPConnector(ssl=trust)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


async def _until_state(lab: Lab, device_id: int, state: str, seconds: float) -> Registration | None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        found = await lab.registration(device_id)
        if (found is not None and found.state == state) or loop.time() > deadline:
            return found
        await asyncio.sleep(0.05)
