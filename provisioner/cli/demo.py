"""`provisioner serve --demo`: sample data, a simulated registrar and simulated phones, all labelled as such."""

import tomllib
from importlib.resources import files
from typing import Any

import aiohttp
import click
from sqlalchemy import func, select

from provisioner.access.permissions import Role
from provisioner.app import Server
from provisioner.cli.output import say
from provisioner.cli.pbx_door import PbxDoor
from provisioner.cli.phone import connector, trusting, virtual_phones
from provisioner.cli.work import Work
from provisioner.errors import Conflict
from provisioner.model import Device, InternalNumber, ServerFact, Tenant
from provisioner.services.context import Context
from provisioner.services.devices.device_settings import get_settings, put_settings
from provisioner.services.devices.enrolment import enrol
from provisioner.services.operation.installation import CERTIFICATES
from provisioner.services.people.api_tokens import create_token, list_tokens, revoke_token
from provisioner.services.people.tenant_keys import tenant_by_key
from provisioner.services.people.tenants import create_tenant
from provisioner.services.people.users import create_user
from provisioner.simulator.phone import VirtualPhone
from provisioner.simulator.registrar import SimulatedRegistrar
from provisioner.simulator.status import Phase, PhoneStatus

FACT = "demo"
USUAL_PORT = 5070
TOKEN_NAME = "simulated registrar (demo)"  # noqa: S105 - a name, not a token
RETRY_SECONDS = 3.0


class Demo:
    """What `--demo` adds to a running server. `start` returns as soon as the phones are switched on."""

    def __init__(self, work: Work, server: Server) -> None:
        self._work = work
        self._server = server
        self._context: Context = server.context
        self._registrar: SimulatedRegistrar | None = None
        self._phones: list[VirtualPhone] = []
        self._sessions: list[aiohttp.ClientSession] = []
        self._registered: set[str] = set()
        self._token_id: int | None = None

    async def start(self) -> None:
        """Conflict when the database holds somebody's own data."""
        sample = read_sample()
        tenant = await prepare(self._work, self._context, sample)
        registrar = await self._start_registrar(tenant)
        say(
            self._work,
            f"DEMO: sample tenant “{tenant.name}”; simulated registrar at {registrar.host}:{registrar.port}/udp.",
        )
        session = aiohttp.ClientSession(
            connector=connector(self._work, None), cookie_jar=aiohttp.DummyCookieJar()
        )
        self._sessions.append(session)
        macs = frozenset(device["mac"] for device in sample["devices"])
        self._phones = await virtual_phones(
            self._work,
            self._context,
            session,
            tenant_id=tenant.id,
            count=len(macs),
            macs=macs,
            retry=RETRY_SECONDS,
        )
        for phone in self._phones:
            phone.listen(self._told)
            await phone.start()

    async def stop(self) -> None:
        """Phones say goodbye, the registrar tells it, and its token ends."""
        for phone in self._phones:
            await phone.stop()
        if self._registrar is not None:
            await self._registrar.stop()
        for session in self._sessions:
            await session.close()
        if self._token_id is not None:
            await revoke_token(self._context, self._work.actor, token_id=self._token_id)
            self._token_id = None

    async def _start_registrar(self, tenant: Tenant) -> SimulatedRegistrar:
        context, actor = self._context, self._work.actor
        for row in await list_tokens(context, actor):
            if row.name == TOKEN_NAME:  # left over from a start that was killed
                await revoke_token(context, actor, token_id=row.id)
        made = await create_token(context, actor, name=TOKEN_NAME, role=Role.PBX, tenant_id=tenant.id)
        self._token_id = made.row.id
        settings = context.settings
        tls = trusting(settings.data / CERTIFICATES / "ca.pem") if settings.admin_tls else None
        base = f"{'https' if tls else 'http'}://localhost:{self._server.ports['admin']}/pbx/v1"
        session = aiohttp.ClientSession()
        self._sessions.append(session)
        door = PbxDoor(session, base, token=made.text, tls=tls)
        self._registrar = SimulatedRegistrar(door.ha1, door.tell, owns=door.owns)
        known = await get_settings(context, actor, tenant_id=tenant.id, scope="tenant")
        await _bind(
            self._registrar, ports=(int(known.get("registrar_port") or 0) or USUAL_PORT, USUAL_PORT, 0)
        )
        wanted = {"registrar_host": self._registrar.host, "registrar_port": self._registrar.port}
        if any(known.get(name) != value for name, value in wanted.items()):
            await put_settings(context, actor, tenant_id=tenant.id, scope="tenant", values=wanted)
        return self._registrar

    def _told(self, status: PhoneStatus) -> None:
        if status.phase in {Phase.FETCH_FAILED, Phase.REFUSED}:
            say(self._work, f"DEMO: simulated phone {status.mac}: {status.phase.value}: {status.detail}")
        elif status.phase is Phase.REGISTERED and status.mac not in self._registered:
            self._registered.add(status.mac)
            say(
                self._work,
                f"DEMO: simulated phone {status.mac} is registered ({len(self._registered)} of {len(self._phones)}).",
            )


def read_sample() -> dict[str, Any]:
    """The sample data of demo.toml."""
    return tomllib.loads((files("provisioner.cli") / "demo.toml").read_text("utf-8"))


async def prepare(work: Work, context: Context, sample: dict[str, Any]) -> Tenant:
    """The sample tenant, made on the first start and finished when that was broken off; later starts change nothing.

    Conflict when the database has tenants and none of them is a sample.
    """
    async with context.store.write() as session:
        fact = await session.get(ServerFact, FACT)
        tenants = (await session.execute(select(func.count(Tenant.id)))).scalar_one()
        if fact is None and tenants:
            raise Conflict(
                "This database is in use: the demo adds sample data to a new one only. Name another folder with --data."
            )
        if fact is None:
            session.add(ServerFact(name=FACT, value="begun"))
        is_complete = fact is not None and fact.value == "complete"
    if not is_complete:
        await _fill(work, context, sample)
        async with context.store.write() as session:
            await session.merge(ServerFact(name=FACT, value="complete"))
    return await tenant_by_key(context, work.actor, key=sample["tenant"]["key"])


async def _fill(work: Work, context: Context, sample: dict[str, Any]) -> None:
    async with context.store.read() as session:
        tenant_id = (
            await session.execute(select(Tenant.id).where(Tenant.key == sample["tenant"]["key"]))
        ).scalar_one_or_none()
        numbers = await session.execute(select(InternalNumber.digits, InternalNumber.user_id))
        owners = dict(numbers.tuples().all())
        macs = set((await session.execute(select(Device.mac))).scalars())
    if tenant_id is None:
        tenant_id = (await create_tenant(context, work.actor, **sample["tenant"])).id
    for user in sample["users"]:
        if user["extension"] not in owners:
            owners[user["extension"]] = (
                await create_user(context, work.actor, tenant_id=tenant_id, **user)
            ).id
    for device in sample["devices"]:
        if device["mac"] not in macs:
            fields = {name: value for name, value in device.items() if name != "extension"}
            await enrol(
                context,
                work.actor,
                tenant_id=tenant_id,
                user_id=owners[device["extension"]],
                note="simulated (demo)",
                **fields,
            )


async def _bind(registrar: SimulatedRegistrar, *, ports: tuple[int, ...]) -> None:
    """Listen on the loopback, on the first of these ports that is free (0: any)."""
    for port in ports:
        try:
            await registrar.start("127.0.0.1", port)
        except OSError:
            if port == 0:
                raise
        else:
            return
    raise click.ClickException("The simulated registrar found no free port.")
