"""Who sends calls on to whom in a tenant, so that no call goes round in a circle."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import bindparam, select

from provisioner.calling.forwarding import Edges, leads_back
from provisioner.model import CallGroup, InternalNumber, Menu, PublicNumber, SettingValue
from provisioner.model.quick import AnyRow, Quick
from provisioner.services.directory.facts import spellings

FORWARDS: Final = ("forward_always", "forward_busy", "forward_no_answer", "forward_unreachable")

_FORWARDS: Final = select(SettingValue.ref, SettingValue.name, SettingValue.value).where(
    SettingValue.tenant_id == bindparam("tenant_id"),
    SettingValue.scope == "user",
    SettingValue.name.in_(FORWARDS),
)
_OVERFLOWS: Final = select(CallGroup.id, CallGroup.overflow).where(
    CallGroup.tenant_id == bindparam("tenant_id"), CallGroup.overflow != ""
)
_FALLBACKS: Final = select(Menu.id, Menu.fallback).where(
    Menu.tenant_id == bindparam("tenant_id"), Menu.fallback != ""
)
_INTERNAL: Final = select(
    InternalNumber.digits,
    InternalNumber.user_id,
    InternalNumber.group_id,
    InternalNumber.menu_id,
    InternalNumber.public_number_id,
).where(
    InternalNumber.tenant_id == bindparam("tenant_id"),
    InternalNumber.digits.in_(bindparam("digits", expanding=True)),
)
_PUBLIC: Final = select(
    PublicNumber.id, PublicNumber.number, PublicNumber.user_id, PublicNumber.group_id, PublicNumber.menu_id
).where(PublicNumber.tenant_id == bindparam("tenant_id"))
_PUBLIC_BY_ID: Final = _PUBLIC.where(PublicNumber.id.in_(bindparam("ids", expanding=True)))
_PUBLIC_BY_NUMBER: Final = _PUBLIC.where(PublicNumber.number.in_(bindparam("numbers", expanding=True)))


@dataclass(frozen=True, slots=True)
class Forwards:
    """`edges`: destination → destinations, by the names `user 5`, `group 2`, `menu 1`; `places`: number → such a name.

    A number that leads out of the tenant has no place.
    """

    edges: Edges
    places: Mapping[str, str] = field(default_factory=dict)

    def comes_back(self, start: str, number: str) -> bool:
        """Whether a call that `start` sends to `number` can come back to `start`."""
        target = self.places.get(number)
        return target is not None and leads_back(self.edges, start=start, target=target)


async def read_forwards(quick: Quick, *, tenant_id: int, numbers: Iterable[str] = ()) -> Forwards:
    """All that is stored, and the places of `numbers` besides. What is tried out is not among the edges."""
    stored = await _stored(quick, tenant_id)
    wanted = {number for targets in stored.values() for number in targets} | {n for n in numbers if n}
    places = await _places(quick, tenant_id, sorted(wanted))
    edges = {
        start: tuple(places[number] for number in targets if number in places)
        for start, targets in stored.items()
    }
    return Forwards(edges, places)


async def _stored(quick: Quick, tenant_id: int) -> Mapping[str, Sequence[str]]:
    stored: defaultdict[str, list[str]] = defaultdict(list)
    for row in await quick.all(_FORWARDS, tenant_id=tenant_id):
        if row.value:
            stored[f"user {row.ref}"].append(row.value)
    for row in await quick.all(_OVERFLOWS, tenant_id=tenant_id):
        stored[f"group {row.id}"].append(row.overflow)
    for row in await quick.all(_FALLBACKS, tenant_id=tenant_id):
        stored[f"menu {row.id}"].append(row.fallback)
    return stored


async def _places(quick: Quick, tenant_id: int, numbers: Sequence[str]) -> Mapping[str, str]:
    if not numbers:
        return {}
    internal = await quick.all(
        _INTERNAL, tenant_id=tenant_id, digits=[number for number in numbers if len(number) <= 4]
    )
    public_ids = [row.public_number_id for row in internal if row.public_number_id is not None]
    by_id = {row.id: row for row in await quick.all(_PUBLIC_BY_ID, tenant_id=tenant_id, ids=public_ids)}
    spelt = {spelling: number for number in numbers for spelling in spellings(number)}
    public = await quick.all(_PUBLIC_BY_NUMBER, tenant_id=tenant_id, numbers=sorted(spelt))
    found: dict[str, Any] = {spelt[row.number]: row for row in public}
    found |= {row.digits: by_id.get(row.public_number_id, row) for row in internal}
    return {number: place for number, row in found.items() if (place := _place(row))}


def _place(row: AnyRow) -> str:
    for kind, ref in (("user", row.user_id), ("group", row.group_id), ("menu", row.menu_id)):
        if ref is not None:
            return f"{kind} {ref}"
    return ""
