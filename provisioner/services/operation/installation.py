"""A new server: data folder, key ring, migrated database, own CA and certificates, the first admin. And opening an existing one."""

import asyncio
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, or_, select

from provisioner.access.policies.named import policy as read_policy
from provisioner.clock import Clock, system_clock
from provisioner.composition.catalogue import load_catalogue
from provisioner.errors import BadSeal, CannotStart, InvalidPolicy
from provisioner.model import Device, Line, Login, ServerFact
from provisioner.model.migration import check_schema, migrate
from provisioner.model.store import Store
from provisioner.pki.authority import Authority, PairFiles, ensure_server_certificates
from provisioner.profiles.loader import load_profiles
from provisioner.secrets import KeyRing
from provisioner.services.context import SYSTEM, Context
from provisioner.services.live import Hub
from provisioner.services.people.logins import Doorkeeper
from provisioner.services.revocations import apply_revocations
from provisioner.settings import ServerSettings

KEY_RING = "keyring.json"
CERTIFICATES = "certs"
_KEY_CHECK = "provisioner"
_KEY_CHECK_PURPOSE = "server.key_check"
_KEY_ID_LENGTH = 17
"""Of the longest key id with its dot: no more of what is stored may reach a message."""
PROFILES = Path(__file__).resolve().parents[3] / "vendor_profiles"
ANCHOR_FACTS = Path(__file__).resolve().parents[3] / "certs" / "anchors.toml"


@dataclass(frozen=True, slots=True)
class Installed:
    """What `install` made: `password` of the first operator is shown once, None when there was one already."""

    login: str
    password: str | None = field(repr=False)


async def install(settings: ServerSettings, *, clock: Clock = system_clock) -> Installed:
    """Make what is missing of an installation; run again it changes nothing. Raises CannotStart."""
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    ring_path = settings.data / KEY_RING
    store = Store(settings.database_url)
    try:
        await migrate(store)
        if not ring_path.exists():
            await _refuse_foreign_data(store)
            await asyncio.to_thread(KeyRing.create, ring_path)
        keyring = await asyncio.to_thread(KeyRing.load, ring_path)
        async with store.write() as session:
            if await session.get(ServerFact, "realm") is None:
                session.add(ServerFact(name="realm", value="phone provisioning"))
            if await session.get(ServerFact, "key_check") is None:
                session.add(
                    ServerFact(name="key_check", value=keyring.seal(_KEY_CHECK, purpose=_KEY_CHECK_PURPOSE))
                )
        await asyncio.to_thread(server_certificates, settings, clock=clock)
        context = await open_context(settings, store=store, clock=clock)
        return await _first_operator(context)
    finally:
        await store.close()


async def open_context(settings: ServerSettings, *, store: Store, clock: Clock = system_clock) -> Context:
    """The parts of a server over its stored data; CannotStart, KeyMissing, DatabaseTooNew, DatabaseNotMigrated say what is wrong."""
    await check_schema(store)
    keyring = await asyncio.to_thread(KeyRing.load, settings.data / KEY_RING)
    async with store.read() as session:
        facts = {fact.name: fact.value for fact in (await session.execute(select(ServerFact))).scalars()}
    if "realm" not in facts or "key_check" not in facts:
        raise CannotStart("This database belongs to no installation yet: run `provisioner init`.")
    await require_keys(store, keyring, facts["key_check"])
    try:
        read_policy(settings.policy)
    except InvalidPolicy as error:
        raise CannotStart(f"The setting `policy` is not usable: {error.detail}") from error
    catalogue = await asyncio.to_thread(load_catalogue)
    profiles = await asyncio.to_thread(
        load_profiles, settings.profiles or PROFILES, settings=catalogue.phone_settings
    )
    if not profiles.all and not profiles.broken:
        raise CannotStart(f"There are no vendor profiles in {settings.profiles or PROFILES}.")
    await apply_revocations(store, settings.data)
    return Context(
        store=store, keyring=keyring, catalogue=catalogue, profiles=profiles, settings=settings, clock=clock, hub=Hub(), realm=facts["realm"]
    )  # fmt: skip


async def require_keys(store: Store, keyring: KeyRing, key_check: str) -> None:
    """Raise KeyMissing, naming the key, when anything stored cannot be opened with this ring."""
    async with store.read() as session:
        tokens = [key_check]
        for column in (Device.password, Line.secret):
            # every row is looked at, so that no more is asked of one than whether it begins with a key that is there
            sealed_by = [
                func.substr(column, 1, len(key_id) + 1) == f"{key_id}." for key_id in keyring.key_ids
            ]
            heads = select(func.substr(column, 1, _KEY_ID_LENGTH)).where(~or_(*sealed_by)).distinct()
            tokens += (await session.execute(heads)).scalars()
    keyring.require({token.partition(".")[0] for token in tokens})
    try:
        keyring.open(key_check, purpose=_KEY_CHECK_PURPOSE)
    except BadSeal:
        raise CannotStart(
            "The key ring does not belong to this database: put keyring.json back from the same backup."
        ) from None


def server_certificates(settings: ServerSettings, *, clock: Clock) -> tuple[Authority, list[PairFiles]]:
    """The own CA and the server's ECDSA and RSA certificates for `public_host`; made when missing or about to end."""
    folder = settings.data / CERTIFICATES
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (folder / "ca.pem").exists():
        authority = Authority.load(folder, clock=clock)
    else:
        authority = Authority.create(folder, name=f"Provisioner CA {secrets.token_hex(3)}", clock=clock)
    names = list(dict.fromkeys([settings.public_host, "localhost", "127.0.0.1"]))
    return authority, ensure_server_certificates(folder, authority, names=names, clock=clock)


async def _first_operator(context: Context) -> Installed:
    async with context.store.read() as session:
        existing = (
            await session.execute(select(Login.name).where(Login.role == "operator").limit(1))
        ).scalar_one_or_none()
    if existing is not None:
        return Installed(existing, None)
    doorkeeper = Doorkeeper(context)
    try:
        password = "-".join(secrets.token_hex(2) for _ in range(5))
        await doorkeeper.create_login(SYSTEM, name="admin", role="operator", password=password)
    finally:
        doorkeeper.close()
    return Installed("admin", password)


async def _refuse_foreign_data(store: Store) -> None:
    """A database with secrets but no key ring beside it: a new ring could never open them."""
    async with store.read() as session:
        if await session.get(ServerFact, "key_check") is not None:
            raise CannotStart(
                "The database holds secrets, but the key ring that opens them is missing: put keyring.json back from the backup."
            )
