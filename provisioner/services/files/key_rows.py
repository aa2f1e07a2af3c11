"""The function keys of one device as they are stored, with what they point at and who is in their automatic sets."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from sqlalchemy import BindParameter, Integer, String, bindparam, cast, func, literal, null, select, union_all

from provisioner.composition.compose import KeyLayer
from provisioner.composition.key_ranges import Colleague, KeyRun
from provisioner.composition.phone_config import KeyConfig
from provisioner.model import (
    CallGroup,
    Device,
    FunctionKey,
    InternalNumber,
    KeyRange,
    Menu,
    PublicNumber,
    SharedLine,
    User,
    UserKind,
)
from provisioner.model.quick import AnyRow, Quick
from provisioner.model.server_state import Counter
from provisioner.model.store import CONFIGURATION, Store
from provisioner.services.context import Context

REFERENCE: Final = "@"
"""Stands in the column `target` of a key that points at something: so one whose aim was deleted is still told apart."""
TENANTS_REMEMBERED = 50
"""Whose people are kept sorted in memory."""

Places = Mapping[tuple[str, str], str]
"""(scope, ref) → the scope's name, weakest first."""

_IN_PLACES: BindParameter[list[str]] = bindparam("refs", expanding=True)
_KEYS = select(
    literal("key").label("row"), FunctionKey.id, FunctionKey.scope, FunctionKey.ref, FunctionKey.module, FunctionKey.slot, FunctionKey.type,
    FunctionKey.target, FunctionKey.label, FunctionKey.line, FunctionKey.target_user_id, FunctionKey.target_number_id,
).where(FunctionKey.tenant_id == bindparam("tenant_id"), FunctionKey.ref.in_(_IN_PLACES))  # fmt: skip
_RANGES = select(
    literal("range"), KeyRange.id, KeyRange.scope, KeyRange.ref, KeyRange.module, KeyRange.slot, KeyRange.type,
    KeyRange.people, cast(null(), String), KeyRange.line, KeyRange.count, cast(null(), Integer),
).where(KeyRange.tenant_id == bindparam("tenant_id"), KeyRange.ref.in_(_IN_PLACES))  # fmt: skip
_BOTH = select(union_all(_KEYS, _RANGES).subquery())
"""One round trip: the keys, and the ranges with `people` as target and `count` as target_user_id."""

_USERS = (
    select(User.id, User.name, InternalNumber.digits)
    .outerjoin(InternalNumber, InternalNumber.user_id == User.id)
    .where(User.tenant_id == bindparam("tenant_id"), User.id.in_(bindparam("ids", expanding=True)))
)
_EVERYBODY = (
    select(User.id, User.name, InternalNumber.digits)
    .outerjoin(InternalNumber, InternalNumber.user_id == User.id)
    .where(User.tenant_id == bindparam("tenant_id"))
)
_NUMBERS = (
    select(
        InternalNumber.id,
        InternalNumber.digits,
        func.coalesce(
            func.nullif(InternalNumber.label, ""), User.name, SharedLine.name, CallGroup.name, Menu.name, Device.name, PublicNumber.number,
            InternalNumber.outside,
        ).label("name"),
    )
    .outerjoin(User, User.id == InternalNumber.user_id)
    .outerjoin(SharedLine, SharedLine.id == InternalNumber.shared_line_id)
    .outerjoin(CallGroup, CallGroup.id == InternalNumber.group_id)
    .outerjoin(Menu, Menu.id == InternalNumber.menu_id)
    .outerjoin(Device, Device.id == InternalNumber.device_id)
    .outerjoin(PublicNumber, PublicNumber.id == InternalNumber.public_number_id)
    .where(InternalNumber.tenant_id == bindparam("tenant_id"), InternalNumber.id.in_(bindparam("ids", expanding=True)))
)  # fmt: skip
_PEOPLE = (
    select(User.id, User.name, User.department, User.kind, InternalNumber.digits)
    .outerjoin(InternalNumber, InternalNumber.user_id == User.id)
    .where(User.tenant_id == bindparam("tenant_id"))
)
_COUNTER = select(Counter.value).where(Counter.name == CONFIGURATION)


@dataclass(frozen=True, slots=True)
class _People:
    """A tenant's people at one moment: those who can be called, by name, and everybody's department."""

    counter: int
    listed: tuple[Colleague, ...]
    departments: Mapping[int, str]


_REMEMBERED: WeakKeyDictionary[Store, dict[int, _People]] = WeakKeyDictionary()


async def read_keys(
    quick: Quick, context: Context, *, tenant_id: int, places: Places, owner: int | None
) -> tuple[list[KeyLayer], list[KeyRun]]:
    """The key layers and automatic sets of these places, weakest first, targets and labels from what they point at.

    `owner` is the user whose device it is. The people of a tenant are read once however many phones ask.
    """
    rows = await quick.all(_BOTH, tenant_id=tenant_id, refs=[ref for _, ref in places])
    keys: list[AnyRow] = []
    ranges: list[AnyRow] = []
    for row in rows:
        if (row.scope, row.ref) in places:
            (keys if row.row == "key" else ranges).append(row)
    aims = await read_aims(
        quick,
        tenant_id=tenant_id,
        user_ids={row.target_user_id for row in keys if row.target_user_id},
        number_ids={row.target_number_id for row in keys if row.target_number_id},
    )
    found: dict[tuple[str, str], list[KeyConfig]] = {place: [] for place in places}
    for row in keys:
        place = (row.scope, row.ref)
        found[place].append(stored_key(row, aims, label=places[place]))
    layers = [KeyLayer(scope, found[scope, ref], label) for (scope, ref), label in places.items()]
    runs = await _runs(quick, context, ranges, tenant_id=tenant_id, places=places, owner=owner)
    return layers, runs


@dataclass(frozen=True, slots=True)
class Aims:
    """What keys point at: id → (digits, name); digits are empty for a user without an extension."""

    users: Mapping[int, tuple[str, str]]
    numbers: Mapping[int, tuple[str, str]]


async def read_aims(
    quick: Quick, *, tenant_id: int, user_ids: Iterable[int], number_ids: Iterable[int]
) -> Aims:
    """Digits and names of these users and internal numbers of a tenant."""
    users, numbers = sorted(user_ids), sorted(number_ids)
    user_rows = await quick.all(_USERS, tenant_id=tenant_id, ids=users) if users else ()
    number_rows = await quick.all(_NUMBERS, tenant_id=tenant_id, ids=numbers) if numbers else ()
    return Aims(
        users={row.id: (row.digits or "", row.name) for row in user_rows},
        numbers={row.id: (row.digits, row.name or "") for row in number_rows},
    )


async def all_users(quick: Quick, *, tenant_id: int, limit: int) -> Sequence[AnyRow]:
    """(id, name, digits or None) of a tenant's users, in no order."""
    return await quick.all(_EVERYBODY.limit(limit), tenant_id=tenant_id)


def stored_key(row: AnyRow | FunctionKey, aims: Aims, *, label: str = "") -> KeyConfig:
    """A stored key as composition takes it; `label` is the name of its scope."""
    digits, name = row.target, ""
    if row.target_user_id is not None:
        digits, name = aims.users.get(row.target_user_id, ("", ""))
    elif row.target_number_id is not None:
        digits, name = aims.numbers.get(row.target_number_id, ("", ""))
    is_gone = row.target == REFERENCE and row.target_user_id is None and row.target_number_id is None
    return KeyConfig(
        slot=row.slot,
        module=row.module,
        type=row.type,
        target="" if is_gone else digits,
        label=row.label or name,
        line=row.line,
        origin=row.scope,
        origin_label=label,
        user_id=row.target_user_id,
        number_id=row.target_number_id,
        is_gone=is_gone,
    )


async def _runs(
    quick: Quick,
    context: Context,
    rows: Sequence[AnyRow],
    *,
    tenant_id: int,
    places: Places,
    owner: int | None,
) -> list[KeyRun]:
    if not rows:
        return []
    people = await _people(quick, context, tenant_id)
    strength = {place: number for number, place in enumerate(places)}
    rows = sorted(rows, key=lambda row: (strength[row.scope, row.ref], -row.module, -row.slot, -row.id))
    return [
        KeyRun(
            id=row.id,
            scope=row.scope,
            label=places[row.scope, row.ref],
            type=row.type,
            slot=row.slot,
            module=row.module,
            count=row.target_user_id,
            line=row.line,
            people=people.listed,
            owner=owner,
            department=people.departments.get(owner or 0, "") if row.target == "department" else None,
        )
        for row in rows
    ]


async def _people(quick: Quick, context: Context, tenant_id: int) -> _People:
    """Every change of a user takes the counter: while it stands, what was read is good."""
    counter: int = (await quick.all(_COUNTER))[0].value
    remembered = _REMEMBERED.setdefault(context.store, {})
    known = remembered.get(tenant_id)
    if known is None or known.counter != counter:
        rows = await quick.all(_PEOPLE, tenant_id=tenant_id)
        listed = [
            Colleague(row.id, row.name, row.digits, row.department)
            for row in rows
            if row.digits and row.kind == UserKind.PERSON
        ]
        listed.sort(key=lambda person: (_folded(person.name), person.user_id))
        known = _People(counter, tuple(listed), {row.id: row.department for row in rows})
        remembered.pop(tenant_id, None)
        while len(remembered) >= TENANTS_REMEMBERED:
            remembered.pop(next(iter(remembered)))
        remembered[tenant_id] = known
    return known


def _folded(name: str) -> str:
    """A name without case and accents, as people look for it: É stands with e, Ł with l."""
    plain = unicodedata.normalize("NFKD", name.casefold().translate(_LETTERS))
    return "".join(character for character in plain if not unicodedata.combining(character))


_LETTERS: Final = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe"})
