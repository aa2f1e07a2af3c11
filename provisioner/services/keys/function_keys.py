"""Function keys and automatic sets of keys as they are stored at a scope."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.composition.key_types import KEY_TYPES, RANGE_TYPES
from provisioner.composition.phone_config import KeyConfig
from provisioner.errors import BadInput
from provisioner.model import FunctionKey, KeyRange
from provisioner.model.store import touch_where
from provisioner.services.context import Actor, Context, audit
from provisioner.services.devices.device_settings import check_owner, place_in_words, reached_by
from provisioner.services.devices.enrolment import find_device
from provisioner.services.files.key_rows import REFERENCE
from provisioner.services.keys.checks import check_fits, check_form, check_no_pin, check_references, misfits

__all__ = [
    "KEY_TYPES",
    "Range",
    "change_keys",
    "fit_warnings",
    "get_keys",
    "get_ranges",
    "put_keys",
    "put_ranges",
]

PEOPLE = ("department", "everyone")
MOST_RANGES = 20
MOST_KEYS = 900
Place = tuple[int, int]
"""(module, slot)"""


@dataclass(frozen=True, slots=True)
class Range:
    """An automatic set: a key of `type` for each of the `people`, from a slot on; `count` 0: as many as there is room for."""

    people: str
    type: str
    slot: int
    module: int = 0
    count: int = 0
    line: int = 1
    id: int = 0
    """0 before it is stored."""


async def get_keys(
    context: Context, actor: Actor, *, tenant_id: int, scope: str, ref: str = ""
) -> Sequence[KeyConfig]:
    """The keys defined at a scope itself. Those that point at something have its id and no target; labels as stored."""
    async with context.store.read() as session:
        ref = await check_owner(session, context, actor, tenant_id=tenant_id, scope=scope, ref=ref)
        return await _stored(session, tenant_id, scope, ref)


async def put_keys(
    context: Context,
    actor: Actor,
    *,
    tenant_id: int,
    scope: str,
    keys: Sequence[KeyConfig],
    ref: str = "",
    ranges: Sequence[Range] | None = None,
) -> Sequence[str]:
    """Replace the keys defined at a scope, and its automatic sets unless they are None; all or nothing.

    Gives back sentences on phones there that cannot show some of the keys. BadInput names the first key that is wrong;
    for one device also KeyBeyondModel and KeyNotSupported.
    """
    check_form(keys)
    _check_ranges(ranges or ())
    async with context.store.change() as session:
        ref = await check_owner(session, context, actor, tenant_id=tenant_id, scope=scope, ref=ref)
        keys = await _checked(session, context, actor, tenant_id=tenant_id, scope=scope, ref=ref, keys=keys)
        await session.execute(delete(FunctionKey).where(_here(FunctionKey, tenant_id, scope, ref)))
        session.add_all(_row(key, tenant_id, scope, ref) for key in keys)
        if ranges is not None:
            await _replace_ranges(session, tenant_id, scope, ref, ranges)
        await _changed(session, context, actor, tenant_id=tenant_id, scope=scope, ref=ref, keys=len(keys))
        return await misfits(session, context, tenant_id=tenant_id, scope=scope, ref=ref, keys=keys)


async def change_keys(
    context: Context,
    actor: Actor,
    *,
    tenant_id: int,
    scope: str,
    ref: str = "",
    put: Sequence[KeyConfig] = (),
    clear: Collection[Place] = (),
) -> Sequence[str]:
    """Set some keys of a scope and take others away; the rest stays. Otherwise as `put_keys`."""
    check_form(put)
    async with context.store.change() as session:
        ref = await check_owner(session, context, actor, tenant_id=tenant_id, scope=scope, ref=ref)
        keys = await _checked(session, context, actor, tenant_id=tenant_id, scope=scope, ref=ref, keys=put)
        gone = {(key.module, key.slot) for key in keys} | set(clear)
        rows = await session.execute(select(FunctionKey).where(_here(FunctionKey, tenant_id, scope, ref)))
        kept = 0
        for row in rows.scalars():
            if (row.module, row.slot) in gone:
                await session.delete(row)
            else:
                kept += 1
        await session.flush()
        if kept + len(keys) > MOST_KEYS:
            raise BadInput(f"There are at most {MOST_KEYS} keys in one place.", field="keys")
        session.add_all(_row(key, tenant_id, scope, ref) for key in keys)
        await _changed(
            session, context, actor, tenant_id=tenant_id, scope=scope, ref=ref, keys=kept + len(keys)
        )
        return await misfits(session, context, tenant_id=tenant_id, scope=scope, ref=ref, keys=keys)


async def fit_warnings(
    context: Context, actor: Actor, *, tenant_id: int, scope: str, ref: str = ""
) -> Sequence[str]:
    """Sentences on the phones in this scope that cannot show some of the keys defined here."""
    async with context.store.read() as session:
        ref = await check_owner(session, context, actor, tenant_id=tenant_id, scope=scope, ref=ref)
        keys = await _stored(session, tenant_id, scope, ref)
        return await misfits(session, context, tenant_id=tenant_id, scope=scope, ref=ref, keys=keys)


async def get_ranges(
    context: Context, actor: Actor, *, tenant_id: int, scope: str, ref: str = ""
) -> Sequence[Range]:
    """The automatic sets defined at a scope itself, in the order of their first slots."""
    async with context.store.read() as session:
        ref = await check_owner(session, context, actor, tenant_id=tenant_id, scope=scope, ref=ref)
        rows = await session.execute(
            select(KeyRange)
            .where(_here(KeyRange, tenant_id, scope, ref))
            .order_by(KeyRange.module, KeyRange.slot, KeyRange.id)
        )
        return [
            Range(row.people, row.type, row.slot, row.module, row.count, row.line, row.id)
            for row in rows.scalars()
        ]


async def put_ranges(
    context: Context, actor: Actor, *, tenant_id: int, scope: str, ranges: Sequence[Range], ref: str = ""
) -> Sequence[Range]:
    """Replace the automatic sets of a scope. BadInput names the first that is wrong."""
    _check_ranges(ranges)
    async with context.store.change() as session:
        ref = await check_owner(session, context, actor, tenant_id=tenant_id, scope=scope, ref=ref)
        await _replace_ranges(session, tenant_id, scope, ref, ranges)
        await _changed(session, context, actor, tenant_id=tenant_id, scope=scope, ref=ref, ranges=len(ranges))
    return await get_ranges(context, actor, tenant_id=tenant_id, scope=scope, ref=ref)


async def _replace_ranges(
    session: AsyncSession, tenant_id: int, scope: str, ref: str, ranges: Sequence[Range]
) -> None:
    await session.execute(delete(KeyRange).where(_here(KeyRange, tenant_id, scope, ref)))
    session.add_all(
        KeyRange(
            tenant_id=tenant_id,
            scope=scope,
            ref=ref,
            people=entry.people,
            type=entry.type,
            module=entry.module,
            slot=entry.slot,
            count=entry.count,
            line=entry.line,
        )
        for entry in ranges
    )


async def _checked(
    session: AsyncSession,
    context: Context,
    actor: Actor,
    *,
    tenant_id: int,
    scope: str,
    ref: str,
    keys: Sequence[KeyConfig],
) -> list[KeyConfig]:
    if len(keys) > MOST_KEYS:
        raise BadInput(f"There are at most {MOST_KEYS} keys in one place.", field="keys")
    found = await check_references(session, tenant_id, keys)
    await check_no_pin(session, context, tenant_id, found)
    if scope == "device":
        check_fits(context, await find_device(session, actor, int(ref)), found)
    return found


async def _changed(
    session: AsyncSession,
    context: Context,
    actor: Actor,
    *,
    tenant_id: int,
    scope: str,
    ref: str,
    **counted: int,
) -> None:
    await session.flush()
    touched = await touch_where(session, reached_by(tenant_id, scope, ref))
    audit(
        session,
        context,
        actor,
        action="keys.update",
        tenant_id=tenant_id,
        object=await place_in_words(session, scope, ref),
        devices=touched,
        **counted,
    )


async def _stored(session: AsyncSession, tenant_id: int, scope: str, ref: str) -> list[KeyConfig]:
    rows = await session.execute(
        select(FunctionKey)
        .where(_here(FunctionKey, tenant_id, scope, ref))
        .order_by(FunctionKey.module, FunctionKey.slot)
    )
    return [_key(row) for row in rows.scalars()]


def _key(row: FunctionKey) -> KeyConfig:
    is_reference = row.target_user_id is not None or row.target_number_id is not None
    key = KeyConfig(
        slot=row.slot,
        module=row.module,
        type=row.type,
        target=row.target,
        label=row.label,
        line=row.line,
        origin=row.scope,
        user_id=row.target_user_id,
        number_id=row.target_number_id,
    )
    if row.target != REFERENCE:
        return key
    return replace(key, target="", is_gone=not is_reference)


def _row(key: KeyConfig, tenant_id: int, scope: str, ref: str) -> FunctionKey:
    is_reference = key.user_id is not None or key.number_id is not None
    return FunctionKey(
        tenant_id=tenant_id,
        scope=scope,
        ref=ref,
        module=key.module,
        slot=key.slot,
        type=key.type,
        target=REFERENCE if is_reference else key.target,
        label=key.label,
        line=key.line,
        target_user_id=key.user_id,
        target_number_id=key.number_id,
    )


def _here(table: type[FunctionKey | KeyRange], tenant_id: int, scope: str, ref: str) -> ColumnElement[bool]:
    return (table.tenant_id == tenant_id) & (table.scope == scope) & (table.ref == ref)


def _check_ranges(ranges: Sequence[Range]) -> None:
    if len(ranges) > MOST_RANGES:
        raise BadInput(f"There are at most {MOST_RANGES} automatic sets in one place.", field="ranges")
    for number, entry in enumerate(ranges, 1):
        _check_range(number, entry)


def _check_range(number: int, entry: Range) -> None:
    if entry.people not in PEOPLE:
        raise BadInput(f"Automatic set {number}: the people are one of {', '.join(PEOPLE)}.", field="ranges")
    if entry.type not in RANGE_TYPES:
        raise BadInput(
            f"Automatic set {number}: its keys are of the type {', '.join(RANGE_TYPES)}.", field="ranges"
        )
    is_place = 1 <= entry.slot <= 300 and 0 <= entry.module <= 6
    if not (is_place and 0 <= entry.count <= MOST_KEYS and 1 <= entry.line <= 16):
        raise BadInput(
            f"Automatic set {number}: slots are 1 to 300, modules 0 to 6 (0 is the phone), counts 0 (all) to {MOST_KEYS}, lines 1 to 16.",
            field="ranges",
        )
