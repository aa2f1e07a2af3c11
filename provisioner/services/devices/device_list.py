"""Devices as people look at them: lists with search, filter and ticks, and one device with everything about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVarTuple

from sqlalchemy import Select, func, or_, select

from provisioner.model import (
    Device,
    InternalNumber,
    Line,
    Registration,
    RegistrationState,
    Sighting,
    Site,
    Tenant,
    User,
)
from provisioner.services.context import Actor, Context
from provisioner.services.people.users import MAX_PAGE, PAGE, Page, escape_like

Columns = TypeVarTuple("Columns")


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device in a list. `registration` None: never seen at a registrar."""

    device: Device
    user: User | None
    extension: str
    site_name: str
    registration: Registration | None
    sighting: Sighting | None
    """What its phone did last; None when it was never here."""

    @property
    def is_up_to_date(self) -> bool:
        """Whether the phone has fetched the newest configuration."""
        return self.sighting is not None and self.sighting.served_revision == self.device.revision

    @property
    def is_primary(self) -> bool:
        """Whether this is the one device of its user that queues ring (R4.4)."""
        return self.user is not None and self.user.primary_device_id == self.device.id

    @property
    def shown_user(self) -> str:
        """The user's name as lists show it, with * on the primary device; empty for nobody."""
        name = self.user.name if self.user else ""
        return f"*{name}" if self.is_primary else name

    @property
    def state(self) -> RegistrationState:
        return RegistrationState(self.registration.state) if self.registration else RegistrationState.NEVER


async def list_devices(
    context: Context,
    actor: Actor,
    *,
    tenant_id: int | None = None,
    search: str = "",
    state: str = "",
    user_id: int | None = None,
    site_id: int | None = None,
    profile: str = "",
    device_ids: Sequence[int] | None = None,
    offset: int = 0,
    limit: int = PAGE,
) -> Page[DeviceRow]:
    """Devices by name. `search` looks in name, MAC (any spelling), model, user and extension; `state` is a registration state."""
    where = _conditions(
        actor,
        tenant_id=tenant_id,
        search=search,
        state=state,
        user_id=user_id,
        site_id=site_id,
        profile=profile,
        device_ids=device_ids,
    )
    limit, offset = min(max(limit, 1), MAX_PAGE), max(offset, 0)
    async with context.store.read() as session:
        total = (await session.execute(_joined(select(func.count(Device.id))).where(*where))).scalar_one()
        rows = await session.execute(
            _joined(select(Device, User, InternalNumber.digits, Site.name, Registration, Sighting))
            .where(*where)
            .order_by(func.lower(Device.name), Device.id)
            .offset(offset)
            .limit(limit)
        )
        items = [
            DeviceRow(device, user, digits or "", site or "", registration, sighting)
            for device, user, digits, site, registration, sighting in rows.unique()
        ]
    return Page(items, total, offset, limit)


async def count_states(context: Context, actor: Actor, *, tenant_id: int | None = None) -> dict[str, int]:
    """How many devices are in each registration state."""
    counts = dict.fromkeys(RegistrationState, 0)
    statement = (
        _joined(select(Registration.state, func.count(Device.id)))
        .where(*_conditions(actor, tenant_id=tenant_id))
        .group_by(Registration.state)
    )
    async with context.store.read() as session:
        for state, count in await session.execute(statement):
            counts[RegistrationState(state) if state else RegistrationState.NEVER] += count
    return {state.value: count for state, count in counts.items()}


_IS_HIDDEN = Device.is_hotdesk & Tenant.is_seating_hidden
"""Where the tenant shows nobody who sits at which device, a list must not do it either."""


def _joined(statement: Select[*Columns]) -> Select[*Columns]:
    return (
        statement.select_from(Device)
        .outerjoin(Line, (Line.device_id == Device.id) & (Line.position == 1))
        .join(Tenant, Tenant.id == Device.tenant_id)
        .outerjoin(User, (User.id == Line.user_id) & ~_IS_HIDDEN)
        .outerjoin(InternalNumber, InternalNumber.user_id == User.id)
        .outerjoin(Site, Site.id == Device.site_id)
        .outerjoin(Registration, Registration.line_id == Line.id)
        .outerjoin(Sighting, Sighting.device_id == Device.id)
    )


def _conditions(
    actor: Actor,
    *,
    tenant_id: int | None,
    search: str = "",
    state: str = "",
    user_id: int | None = None,
    site_id: int | None = None,
    profile: str = "",
    device_ids: Sequence[int] | None = None,
) -> list[Any]:
    where: list[Any] = []
    owner = actor.tenant(tenant_id) if tenant_id is not None else actor.tenant_id
    if owner is not None:
        where.append(Device.tenant_id == owner)
    if actor.user_id is not None:
        where.append(Device.id.in_(select(Line.device_id).where(Line.user_id == actor.user_id)))
    if user_id is not None:
        where.append(Device.id.in_(select(Line.device_id).where(Line.user_id == user_id)) & ~_IS_HIDDEN)
    if site_id is not None:
        where.append(Device.site_id == site_id)
    if profile:
        where.append(Device.profile == profile)
    if device_ids is not None:
        where.append(Device.id.in_(device_ids))
    if state:
        where.append(
            Registration.state == state
            if state != RegistrationState.NEVER
            else or_(Registration.state == state, Registration.state.is_(None))
        )
    if search.strip():
        where.append(_matches(search.strip().lower()))
    return where


def _matches(search: str) -> Any:
    text = f"%{escape_like(search)}%"
    digits = "".join(character for character in search[:40] if character not in ":-. ").upper()
    fields = [Device.name, Device.model, Device.note, User.name, InternalNumber.digits, Site.name]
    found = [func.lower(field).like(text, escape="\\") for field in fields]
    if digits and all(character in "0123456789ABCDEF" for character in digits):
        found.append(Device.mac.like(f"%{digits}%"))
    return or_(*found)
