"""A small office on a real database: two tenants, people of every role, phones in several states."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher

from provisioner.access import sessions
from provisioner.access.passwords import PeoplesPasswords
from provisioner.access.permissions import Role
from provisioner.clock import system_clock
from provisioner.composition.catalogue import load_catalogue
from provisioner.model import Fetch, Login, LoginSession
from provisioner.model.migration import migrate
from provisioner.model.store import Store
from provisioner.profiles.loader import Profiles, load_profiles
from provisioner.secrets import KeyRing
from provisioner.services.context import SYSTEM, Context
from provisioner.services.devices.enrolment import enrol
from provisioner.services.live import Hub
from provisioner.services.people.tenants import create_site, create_tenant
from provisioner.services.people.users import create_user
from provisioner.services.registrations.ticks import RegistrationEvent, apply_events
from provisioner.settings import ServerSettings

PROFILES = Path(__file__).parents[2] / "vendor_profiles"
PASSWORD = "correct horse battery"
DEVICE_PASSWORD = "Canary-7hidden"
HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@cache
def profiles() -> Profiles:
    return load_profiles(PROFILES, settings=load_catalogue().phone_settings)


@dataclass(frozen=True)
class Office:
    """Ids and keys of what is in the database. `tokens` are session cookies by login name."""

    tenant_id: int
    other_id: int
    users: Mapping[str, int]
    devices: Mapping[str, int]
    accounts: Mapping[str, str]
    site: int
    other_user: int
    other_device: int
    other_site: int
    logins: Mapping[str, int]
    tokens: Mapping[str, str]


def open_context(folder: Path) -> Context:
    """The parts of a server whose data lies in `folder`."""
    settings = ServerSettings(data=folder, public_host="prov.example.net")
    key_file = folder / "keys"
    return Context(
        store=Store(settings.database_url),
        keyring=KeyRing.load(key_file) if key_file.exists() else KeyRing.create(key_file),
        catalogue=load_catalogue(),
        profiles=profiles(),
        settings=settings,
        clock=system_clock,
        hub=Hub(),
        realm="provisioner-test",
    )


async def furnish_office(context: Context) -> Office:
    """Migrate the database and put the office in."""
    await migrate(context.store)
    acme = await create_tenant(
        context, SYSTEM, key="acme", name="Acme BV", sip_domain="acme.example.net", is_premium=True
    )
    other = await create_tenant(context, SYSTEM, key="rival", name="Rival BV", sip_domain="rival.example.net")
    site = await create_site(context, SYSTEM, tenant_id=acme.id, name="Utrecht")
    other_site = await create_site(context, SYSTEM, tenant_id=other.id, name="Elsewhere")
    users = {}
    for name, extension in (
        ("Anna de Vries", "201"),
        ("Bram Jansen", "202"),
        ("Carla Smit", "203"),
        ("Reception", "200"),
    ):
        user = await create_user(
            context, SYSTEM, tenant_id=acme.id, name=name, extension=extension, site_id=site.id
        )
        users[name] = user.id
    stranger = await create_user(context, SYSTEM, tenant_id=other.id, name="Rita Rival", extension="201")
    devices, accounts = {}, {}
    for name, profile, model, mac, owner in (
        ("Anna's desk", "snom", "D785", "000413AA0001", "Anna de Vries"),
        ("Bram's desk", "yealink", "T46U", "001565AA0002", "Bram Jansen"),
        ("Carla's softphone", "generic", "Generic", "020000AA0003", "Carla Smit"),
        ("Front desk", "snom", "D785", "000413AA0004", "Reception"),
        ("Spare phone", "yealink", "T46U", "001565AA0005", ""),
    ):
        made = await enrol(
            context,
            SYSTEM,
            tenant_id=acme.id,
            profile=profile,
            model=model,
            mac=mac,
            name=name,
            user_id=users.get(owner),
            site_id=site.id,
            password=DEVICE_PASSWORD,
        )
        devices[name] = made.device.id
        accounts[name] = made.device.lines[0].account
    foreign = await enrol(
        context,
        SYSTEM,
        tenant_id=other.id,
        profile="snom",
        model="D785",
        mac="000413BB0001",
        name="Rival's",
        user_id=stranger.id,
    )
    await _report(context, accounts)
    await _ask(context, acme.id, devices)
    logins, tokens = await _let_in(context, acme.id, other.id, users["Anna de Vries"])
    return Office(
        tenant_id=acme.id,
        other_id=other.id,
        users=users,
        devices=devices,
        accounts=accounts,
        site=site.id,
        other_user=stranger.id,
        other_device=foreign.device.id,
        other_site=other_site.id,
        logins=logins,
        tokens=tokens,
    )


def registered(account: str, *, cseq: int = 1, kind: str = "register") -> RegistrationEvent:
    """An event as a registrar would report it now."""
    now = system_clock()
    return RegistrationEvent(
        kind=kind,
        account=account,
        at=now,
        contact=f"sip:{account}@192.0.2.9:5060",
        expires_at=now + timedelta(minutes=5),
        user_agent="snomD785-SIP 10.1.184.14",
        call_id=f"call-{account}",
        cseq=cseq,
    )


async def _report(context: Context, accounts: Mapping[str, str]) -> None:
    events = [registered(accounts[name]) for name in ("Anna's desk", "Bram's desk", "Front desk")]
    events.append(registered(accounts["Bram's desk"], cseq=2, kind="unregister"))
    events.append(registered(accounts["Front desk"], cseq=2, kind="expired"))
    events.append(registered(accounts["Carla's softphone"], kind="auth-failed"))
    await apply_events(context, events)


async def _ask(context: Context, tenant_id: int, devices: Mapping[str, int]) -> None:
    """A provisioning log: asked, refused with a reason, and served."""
    now = system_clock()
    rows = [
        (401, "no-credentials", {}, 30),
        (401, "wrong-password", {"count": 3, "source": "192.0.2.7"}, 20),
        (200, "allowed", {}, 10),
    ]
    async with context.store.write() as session:
        for status, reason, detail, seconds in rows:
            session.add(
                Fetch(
                    tenant_id=tenant_id,
                    device_id=devices["Anna's desk"],
                    mac="000413AA0001",
                    at=now - timedelta(seconds=seconds),
                    source="192.0.2.7",
                    method="GET",
                    path="snomD785-000413AA0001.htm",
                    agent="Mozilla/4.0 (compatible; snomD785-SIP 10.1.184.14)",
                    status=status,
                    reason=reason,
                    detail=detail,
                    hash="",
                )
            )


async def _let_in(
    context: Context, acme: int, other: int, user_id: int
) -> tuple[dict[str, int], dict[str, str]]:
    """A login and an open session for every role, and an admin of the other tenant."""
    passwords = PeoplesPasswords(hasher=HASHER)
    hashed = await passwords.hash_password(PASSWORD)
    passwords.close()
    people = [
        ("operator", Role.OPERATOR, None, None),
        ("admin", Role.ADMIN, acme, None),
        ("installer", Role.INSTALLER, acme, None),
        ("user", Role.USER, acme, user_id),
        ("rival", Role.ADMIN, other, None),
    ]
    logins, tokens, now = {}, {}, context.clock()
    async with context.store.write() as session:
        for name, role, tenant_id, of_user in people:
            login = Login(
                name=name,
                role=role.value,
                tenant_id=tenant_id,
                user_id=of_user,
                password_hash=hashed,
                is_blocked=False,
                created_at=now,
            )
            session.add(login)
            await session.flush()
            token = sessions.new_token()
            session.add(
                LoginSession(
                    token_hash=token.digest.hex(),
                    login_id=login.id,
                    created_at=now,
                    seen_at=now,
                    rotated_at=now,
                    expires_at=now + timedelta(hours=12),
                )
            )
            logins[name], tokens[name] = login.id, token.text
    return logins, tokens
