"""Which devices show somebody: through keys that point at a user or number, and through automatic sets of colleagues.

Whoever renames, renumbers, moves or removes something that keys can point at touches the devices these conditions name.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, false, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.model import Device, FunctionKey, InternalNumber, KeyRange, Line, User, UserKind


@dataclass(frozen=True, slots=True)
class Listing:
    """What automatic sets show of a user, and where; `digits` empty or another kind: nowhere."""

    name: str
    digits: str
    department: str
    kind: str

    @property
    def is_listed(self) -> bool:
        return bool(self.digits) and self.kind == UserKind.PERSON


async def listing_of(session: AsyncSession, user: User) -> Listing:
    """The user as automatic sets see him now, as it is in the database."""
    statement = select(InternalNumber.digits).where(InternalNumber.user_id == user.id)
    digits = (await session.execute(statement)).scalar_one_or_none()
    return Listing(user.name, digits or "", user.department, user.kind)


def showing_user(
    tenant_id: int, user_id: int, *, before: Listing | None, after: Listing | None
) -> ColumnElement[bool]:
    """The devices whose keys change when this user does; None stands for a user who is not there (yet, any more)."""
    conditions: list[ColumnElement[bool]] = []
    if before is None or after is None or before.digits != after.digits:
        conditions.append(showing(tenant_id, user_ids=[user_id]))
    elif before.name != after.name:
        conditions.append(showing(tenant_id, user_ids=[user_id], is_name_only=True))
    is_moved = before is not None and after is not None and before.department != after.department
    old, new = _in_sets(before), _in_sets(after)
    of_user = Device.id.in_(select(Line.device_id).where(Line.user_id == user_id))
    if old != new:
        departments = {entry[2] for entry in (old, new) if entry} - {""}
        conditions.append(_reached(tenant_id, KeyRange, KeyRange.people == "department") & _of(departments))
    if is_moved:  # it is another department whose people his own phones show
        conditions.append(_reached(tenant_id, KeyRange, KeyRange.people == "department") & of_user)
    if (old and old[:2]) != (new and new[:2]):
        conditions.append(with_everyone(tenant_id))
    return or_(false(), *conditions)


def showing(
    tenant_id: int,
    *,
    user_ids: Collection[int] = (),
    number_ids: Collection[int] = (),
    is_name_only: bool = False,
) -> ColumnElement[bool]:
    """The devices reached by keys that point at these users or internal numbers.

    `is_name_only`: what changes is a name, which keys with a label of their own do not show.
    """
    aims = or_(FunctionKey.target_user_id.in_(user_ids), FunctionKey.target_number_id.in_(number_ids))
    if is_name_only:
        aims &= FunctionKey.label == ""
    return _reached(tenant_id, FunctionKey, aims)


def with_everyone(tenant_id: int) -> ColumnElement[bool]:
    """The devices that show everybody of the tenant: what changes when many people come at once, without a department."""
    return _reached(tenant_id, KeyRange, KeyRange.people == "everyone")


def _reached(
    tenant_id: int, table: type[FunctionKey | KeyRange], condition: ColumnElement[bool]
) -> ColumnElement[bool]:
    """The devices reached by the scopes of the rows that fit, in one statement however many rows there are."""

    def refs(scope: str) -> Any:
        return select(table.ref).where(table.tenant_id == tenant_id, table.scope == scope, condition)

    of_users = select(Line.device_id).where(
        Line.tenant_id == tenant_id, cast(Line.user_id, String).in_(refs("user"))
    )
    scopes = or_(
        refs("tenant").exists(),
        (Device.profile + "/" + Device.model).in_(refs("model")),
        cast(Device.site_id, String).in_(refs("site")),
        Device.id.in_(of_users),
        cast(Device.id, String).in_(refs("device")),
    )
    return and_(Device.tenant_id == tenant_id, scopes)


def _of(departments: Collection[str]) -> ColumnElement[bool]:
    """The devices of the people of these departments."""
    people = (
        select(Line.device_id).join(User, User.id == Line.user_id).where(User.department.in_(departments))
    )
    return Device.id.in_(people)


def _in_sets(listing: Listing | None) -> tuple[str, str, str] | None:
    if listing is None or not listing.is_listed:
        return None
    return listing.name, listing.digits, listing.department
