"""A new key for the stored secrets: everything is sealed anew, then the old keys are forgotten.

Killed at any moment it leaves a database that opens: an old key stays in the ring until nothing needs it, and the
next run takes up where this one ended.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.errors import BadSeal, KeyMissing
from provisioner.model import Device, Line, PbxConnection, ServerFact, SettingValue
from provisioner.secrets import KeyRing
from provisioner.services.context import Actor, Context, audit
from provisioner.services.device_secrets import SEALED_DEVICE_COLUMNS, line_purpose, purpose
from provisioner.services.devices.device_settings import secret_purpose
from provisioner.services.pbx.connections import pbx_purpose

CHUNK = 200
"""Rows sealed anew in one transaction: short enough that nobody waits for it."""
SETTLE_SECONDS = 1.0
"""Between the last row and the end of the old keys: readers that hold an old row are done with it by then."""
KEY_CHECK = ("key_check", "server.key_check")
"""Name and purpose of the fact that proves the key ring (services/operation/installation.py)."""

TABLES = (Device, Line, SettingValue, PbxConnection)

Progress = Callable[[int, int], None]
"""Called with (rows looked at, rows in all)."""


@dataclass(frozen=True, slots=True)
class RingStatus:
    """The keys, oldest first, with how many stored secrets each seals. `missing`: keys that secrets need and the ring lacks."""

    current: str
    uses: dict[str, int]
    missing: Sequence[str]

    @property
    def is_unfinished(self) -> bool:
        """A rotation was begun and not ended."""
        return len(self.uses) > 1


@dataclass(frozen=True, slots=True)
class Rotated:
    """`sealed` counts secrets that were sealed anew; `unreadable` names those that could not be opened: their key stays."""

    current: str
    was_resumed: bool
    sealed: int
    retired: Sequence[str]
    unreadable: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Sealed:
    """One stored secret: where it is, what it says and what it is sealed for."""

    table: Any
    key: Any
    column: str
    token: str
    purpose: str


async def rotate(
    context: Context, actor: Actor, *, on_progress: Progress | None = None, settle: float = SETTLE_SECONDS
) -> Rotated:
    """Make a new key and seal everything under it; a rotation that was broken off is ended instead of begun anew."""
    ring = context.keyring
    ring.reload()
    was_resumed = len(ring.key_ids) > 1
    if not was_resumed:
        ring.rotate()
    unreadable: list[str] = []
    sealed = await _seal_everything(context, unreadable, on_progress)
    await asyncio.sleep(settle)
    async with context.store.change() as session:
        late = [secret for secret in await _all(session, context) if _key_of(secret.token) != ring.current]
        sealed += await _seal(session, ring, late, [])
    await context.store.to_disk()  # else a power failure brings back what only the old key opens
    async with context.store.change() as session:
        # no other change is open now, and whoever begins one later seals with the new key; what was written is committed
        needed = {_key_of(secret.token) for secret in await _all(session, context)}
        retired = [key_id for key_id in ring.key_ids if key_id != ring.current and key_id not in needed]
        audit(
            session,
            context,
            actor,
            action="secret.rotate",
            tenant_id=None,
            object=ring.current,
            sealed=sealed,
            unreadable=len(unreadable),
        )
        for key_id in retired:
            ring.retire(key_id)
    return Rotated(ring.current, was_resumed, sealed, retired, unreadable)


async def ring_status(context: Context) -> RingStatus:
    """Which keys there are and what each seals."""
    context.keyring.reload()
    async with context.store.read() as session:
        used = Counter(_key_of(secret.token) for secret in await _all(session, context))
    known = context.keyring.key_ids
    return RingStatus(
        context.keyring.current, {key_id: used[key_id] for key_id in known}, sorted(set(used) - set(known))
    )


async def _seal_everything(context: Context, unreadable: list[str], on_progress: Progress | None) -> int:
    async with context.store.read() as session:
        places = [place for table in TABLES for place in await _ids(session, table)]
    sealed = 0
    for start in range(0, len(places), CHUNK):
        chunk = places[start : start + CHUNK]
        # `change` transactions run one after another: nobody replaces a secret between our reading and our writing
        async with context.store.change() as session:
            found: list[_Sealed] = []
            for table in TABLES:
                keys = [key for owner, key in chunk if owner is table]
                found += await _secrets(session, context, table, keys) if keys else []
            stale = [secret for secret in found if _key_of(secret.token) != context.keyring.current]
            sealed += await _seal(session, context.keyring, stale, unreadable)
        if on_progress is not None:
            on_progress(min(start + CHUNK, len(places)), len(places))
    async with context.store.change() as session:
        checks = [
            secret for secret in await _key_check(session) if _key_of(secret.token) != context.keyring.current
        ]
        return sealed + await _seal(session, context.keyring, checks, unreadable)


async def _seal(session: AsyncSession, ring: KeyRing, found: Sequence[_Sealed], unreadable: list[str]) -> int:
    """Seal these under the current key; gives back how many."""
    count = 0
    for secret in found:
        try:
            plain = ring.open(secret.token, purpose=secret.purpose)
        except (BadSeal, KeyMissing) as error:
            unreadable.append(f"{secret.purpose}: {error.detail}")
            continue
        values = {secret.column: ring.seal(plain, purpose=secret.purpose)}
        await session.execute(
            update(secret.table)
            .where(_key(secret.table) == secret.key)
            .values(values)
            .execution_options(synchronize_session=False)
        )
        count += 1
    return count


async def _all(session: AsyncSession, context: Context) -> list[_Sealed]:
    found = await _key_check(session)
    for table in TABLES:
        found += await _secrets(session, context, table, None)
    return found


async def _ids(session: AsyncSession, table: Any) -> list[tuple[Any, int]]:
    key = _key(table)
    return [(table, value) for value in (await session.execute(select(key).order_by(key))).scalars()]


def _key(table: Any) -> Any:
    return next(iter(table.__table__.primary_key.columns))


async def _secrets(
    session: AsyncSession, context: Context, table: Any, keys: Sequence[int] | None
) -> list[_Sealed]:
    """The non-empty secrets of these rows of a table; of all rows when `keys` is None."""
    names = [name for name, setting in context.catalogue.settings.items() if setting.is_secret]
    statements: dict[Any, Any] = {
        Device: select(Device.id, Device.uid, *(getattr(Device, column) for column in SEALED_DEVICE_COLUMNS)),
        Line: select(Line.id, Line.account, Line.secret),
        SettingValue: select(
            SettingValue.id, SettingValue.tenant_id, SettingValue.name, SettingValue.value
        ).where(SettingValue.name.in_(names)),
        PbxConnection: select(PbxConnection.tenant_id, PbxConnection.secret),
    }
    statement = statements[table] if keys is None else statements[table].where(_key(table).in_(keys))
    found: list[_Sealed] = []
    for row in await session.execute(statement):
        if table is Device:
            found += [
                _Sealed(table, row.id, column, getattr(row, column), purpose(row.uid, column))
                for column in SEALED_DEVICE_COLUMNS
            ]
        elif table is Line:
            found.append(_Sealed(table, row.id, "secret", row.secret, line_purpose(row.account)))
        elif table is PbxConnection:
            found.append(_Sealed(table, row.tenant_id, "secret", row.secret, pbx_purpose(row.tenant_id)))
        else:
            found.append(_Sealed(table, row.id, "value", row.value, secret_purpose(row.tenant_id, row.name)))
    return [secret for secret in found if isinstance(secret.token, str) and secret.token]


async def _key_check(session: AsyncSession) -> list[_Sealed]:
    name, sealed_for = KEY_CHECK
    fact = await session.get(ServerFact, name, populate_existing=True)
    return [_Sealed(ServerFact, name, "value", fact.value, sealed_for)] if fact is not None else []


def _key_of(token: str) -> str:
    return token.partition(".")[0]
