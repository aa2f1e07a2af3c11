"""Data folders to measure on: a tenant, three devices made as people make them, and any number made in bulk."""

import base64
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select

from provisioner.access.tokens import hash_secret
from provisioner.composition.phone_config import KeyConfig
from provisioner.model import Device, Line, Sighting, Tenant
from provisioner.model.store import Store
from provisioner.services.context import SYSTEM, Context
from provisioner.services.device_secrets import line_purpose, purpose
from provisioner.services.devices.enrolment import enrol
from provisioner.services.keys.function_keys import put_keys
from provisioner.services.operation.installation import install, open_context
from provisioner.services.people.tenants import create_tenant
from provisioner.services.people.users import create_user
from provisioner.settings import ServerSettings
from tests.support.ports import free_port

KEYS = 30
USERS = 100
PASSWORD = "Bench-Mark-2718"
_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Kind:
    """A model of the fleet, and how its phones ask."""

    profile: str
    model: str
    block: str
    path: str
    agent: str
    firmware: str

    def mac(self, number: int) -> str:
        return f"{self.block}{number:06X}"

    def target(self, number: int) -> str:
        return self.path.format(mac=self.mac(number))


# the short one is close to the size that performance figures are usually given for
SHORT = Kind("yealink", "T31P", "805EC0", "/p/{mac}.cfg", "Yealink SIP-T31P 124.86.0.75", "124.86.0.75")
YEALINK = Kind("yealink", "T46U", "805E0C", "/p/{mac}.cfg", "Yealink SIP-T46U 108.86.0.75", "108.86.0.75")
SNOM = Kind(
    "snom",
    "D785",
    "000413",
    "/p/snomD785-{mac}.htm",
    "Mozilla/4.0 (compatible; snomD785-SIP 10.1.184.15)",
    "10.1.184.15",
)
MIX = (SHORT, SNOM, YEALINK)


@dataclass(frozen=True, slots=True)
class Member:
    """One device: whom to ask for and with what."""

    kind: Kind
    number: int
    username: str
    password: str

    @property
    def target(self) -> str:
        return self.kind.target(self.number)

    @property
    def pair(self) -> str:
        return f"{self.username}:{self.password}"

    @property
    def basic(self) -> str:
        return f"Basic {base64.b64encode(self.pair.encode()).decode()}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": self.basic, "User-Agent": self.kind.agent}


def settings_of(data: Path, **overrides: object) -> dict[str, object]:
    """Server settings as plain values, on free loopback ports."""
    return {
        "data": str(data), "phone_address": "127.0.0.1", "https_port": free_port(), "http_port": free_port(),
        "admin_port": free_port(), "log_level": "error", **overrides,
    }  # fmt: skip


async def prepare(settings: Mapping[str, Any], *, bulk: Sequence[Kind], count: int) -> Sequence[Member]:
    """Install, and make `count` devices whose models take turns; the first three of the answer are SHORT, SNOM, YEALINK with keys."""
    typed = ServerSettings(**settings)
    await install(typed)
    store = Store(typed.database_url)
    try:
        context = await open_context(typed, store=store)
        # plain http is what makes keep-alive figures comparable, so the tenant allows it from here
        tenant = await create_tenant(
            context,
            SYSTEM,
            key="bench",
            name="Bench",
            sip_domain="bench.test",
            is_clear_text_allowed=True,
            networks=["127.0.0.0/8"],
            is_premium=True,
        )
        users = [
            (
                await create_user(
                    context, SYSTEM, tenant_id=tenant.id, name=f"User {n}", extension=str(1000 + n)
                )
            ).id
            for n in range(min(USERS, count + 3))
        ]
        named = [
            await enrol_with_keys(context, tenant, kind, user_id=user)
            for kind, user in zip(MIX, users, strict=False)
        ]
        return [*named, *await _in_bulk(context, tenant, kinds=bulk, users=users, count=count)]
    finally:
        await store.close()


async def enrol_with_keys(context: Context, tenant: Tenant, kind: Kind, *, user_id: int) -> Member:
    """A device with 30 keys: as many as fit on the phone, the others on its first expansion module."""
    done = await enrol(
        context,
        SYSTEM,
        tenant_id=tenant.id,
        profile=kind.profile,
        model=kind.model,
        mac=kind.mac(0xFFFFF0),
        user_id=user_id,
        password=PASSWORD,
    )
    shape = context.profiles.all[kind.profile].models[kind.model]
    slots = [(0, slot) for slot in range(1, shape.keys + 1)]
    slots += [
        (module, slot) for module in range(1, shape.modules + 1) for slot in range(1, shape.module_keys + 1)
    ]
    keys = [
        KeyConfig(slot=slot, module=module, type="blf", target=f"{1000 + n}", label=f"Colleague {n}")
        for n, (module, slot) in enumerate(slots[:KEYS])
    ]
    await put_keys(context, SYSTEM, tenant_id=tenant.id, scope="device", ref=str(done.device.id), keys=keys)
    async with context.store.change() as session:
        device = await session.get_one(Device, done.device.id)
        device.firmware = kind.firmware
        session.add(Sighting(device_id=device.id, seen_at=context.clock(), agent=kind.agent))
    return Member(kind, 0xFFFFF0, done.device.username, PASSWORD)


async def _in_bulk(
    context: Context, tenant: Tenant, *, kinds: Sequence[Kind], users: Sequence[int], count: int
) -> Sequence[Member]:
    members = [Member(kinds[n % len(kinds)], n, f"bench-{n:06d}", f"Bench-{n:06d}-pw") for n in range(count)]
    async with context.store.write() as session:
        first = ((await session.execute(select(func.max(Device.id)))).scalar_one() or 0) + 1
        connection = await session.connection()
        for start in range(0, count, _BATCH):
            rows = list(
                _rows(context, tenant, members[start : start + _BATCH], users=users, first=first + start)
            )
            await connection.execute(insert(Device), [device for device, _, _ in rows])
            await connection.execute(insert(Line), [line for _, line, _ in rows])
            await connection.execute(insert(Sighting), [sighting for _, _, sighting in rows])
    return members


def _rows(
    context: Context, tenant: Tenant, members: Sequence[Member], *, users: Sequence[int], first: int
) -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    now = context.clock()
    for index, member in enumerate(members):
        uid, token, action = secrets.token_hex(16), secrets.token_urlsafe(24), secrets.token_urlsafe(24)

        def seal(column: str, plain: str, uid: str = uid) -> str:
            return context.keyring.seal(plain, purpose=purpose(uid, column))

        yield (
            {
                "id": first + index, "uid": uid, "tenant_id": tenant.id, "mac": member.kind.mac(member.number), "name": f"Phone {member.number}",
                "profile": member.kind.profile, "model": member.kind.model, "username": member.username,
                "password": seal("password", member.password), "token": seal("token", token), "token_hash": hash_secret(token).hex(),
                "action_token": seal("action_token", action), "action_hash": hash_secret(action).hex(),
                "admin_password": seal("admin_password", "Admin-Bench-12345"), "admin_pin": seal("admin_pin", "27182818"),
                "firmware": member.kind.firmware, "revision": 1, "created_at": now,
            },
            {
                "tenant_id": tenant.id, "device_id": first + index, "position": 1, "account": f"d{uid[:10]}{index:x}",
                "secret": context.keyring.seal(uid, purpose=line_purpose(f"d{uid[:10]}{index:x}")), "kind": "user",
                "user_id": users[index % len(users)],
            },
            {"device_id": first + index, "seen_at": now, "agent": member.kind.agent},
        )  # fmt: skip


def write_walk(path: Path, members: Sequence[Member]) -> Path:
    """A file of requests for wrk (see walk.lua)."""
    path.write_text("".join(f"{member.target}\t{member.basic}\n" for member in members))
    return path
