"""What every line of a device stands for, for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from provisioner.model import InternalNumber, Line, SettingValue, SharedLine, Tenant, User
from provisioner.services.context import Actor, Context
from provisioner.services.devices.enrolment import find_device


@dataclass(frozen=True, slots=True)
class LineRow:
    """One line. `kind` is user, hotdesk, shared or empty; `name` whoever or whatever it stands for, empty for nobody."""

    position: int
    kind: str
    account: str
    user_id: int | None
    name: str
    extension: str
    is_hidden: bool
    """Somebody may sit there, and the tenant shows nobody who."""


async def list_lines(context: Context, actor: Actor, *, device_id: int) -> Sequence[LineRow]:
    """The lines of a device in their order; NotFound when this actor may not see it."""
    async with context.store.read() as session:
        device = await find_device(session, actor, device_id)
        rows = await session.execute(
            select(
                Line.position,
                Line.kind,
                Line.account,
                User.id,
                User.name,
                InternalNumber.digits,
                SharedLine.name,
                Tenant.is_seating_hidden,
            )
            .join(Tenant, Tenant.id == Line.tenant_id)
            .outerjoin(User, User.id == Line.user_id)
            .outerjoin(InternalNumber, InternalNumber.user_id == User.id)
            .outerjoin(SharedLine, SharedLine.id == Line.shared_line_id)
            .where(Line.device_id == device.id)
            .order_by(Line.position)
        )
        return [_row(row) for row in rows]


async def silenced_devices(context: Context, actor: Actor, *, device_ids: Sequence[int]) -> frozenset[int]:
    """Which of these devices have do-not-disturb on (R4.3)."""
    where = [
        SettingValue.scope == "device",
        SettingValue.name == "dnd",
        SettingValue.ref.in_([str(device_id) for device_id in device_ids]),
    ]
    if actor.tenant_id is not None:
        where.append(SettingValue.tenant_id == actor.tenant_id)
    async with context.store.read() as session:
        rows = await session.execute(select(SettingValue.ref, SettingValue.value).where(*where))
        return frozenset(int(ref) for ref, value in rows if value is True)


def _row(row: Any) -> LineRow:
    position, kind, account, user_id, user, digits, shared, is_hidden = row
    if kind == "hotdesk" and is_hidden:
        return LineRow(position, kind, account, None, "", "", is_hidden=True)
    return LineRow(position, kind, account, user_id, shared or user or "", digits or "", is_hidden=False)
