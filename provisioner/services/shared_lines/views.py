"""Shared lines as everybody sees them: the row, its number and its members in order."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.model import Device, InternalNumber, Line, SharedLine, SharedLineMember


@dataclass(frozen=True, slots=True)
class Member:
    """A device of the line. `line` is the position on the device, `account` what it proves itself with at the registrar."""

    device_id: int
    device_name: str
    mac: str
    line: int
    account: str
    role: str


@dataclass(frozen=True, slots=True)
class Shared:
    """A shared line as everybody sees it. `account` is the user part of the shared address (mode sca)."""

    id: int
    tenant_id: int
    name: str
    number: str
    account: str
    mode: str
    appearances: int
    is_barge_in: bool
    is_barge_tone: bool
    barge_tone_repeat: int
    is_private_hold: bool
    members: tuple[Member, ...]


async def views_of(session: AsyncSession, rows: Sequence[SharedLine]) -> list[Shared]:
    """The views of these rows, in their order."""
    ids = [row.id for row in rows]
    numbers = await session.execute(
        select(InternalNumber.shared_line_id, InternalNumber.digits).where(
            InternalNumber.shared_line_id.in_(ids)
        )
    )
    digits = {shared_line_id: found for shared_line_id, found in numbers.all()}  # noqa: C416 - rows, not pairs
    statement = (
        select(SharedLineMember.shared_line_id, SharedLineMember.role, Device.id, Device.name, Device.mac, Line.position, Line.account)
        .join(Device, Device.id == SharedLineMember.device_id)
        .join(Line, Line.id == SharedLineMember.line_id)
        .where(SharedLineMember.shared_line_id.in_(ids))
        .order_by(SharedLineMember.position, SharedLineMember.id)
    )  # fmt: skip
    members: defaultdict[int, list[Member]] = defaultdict(list)
    for shared_line_id, role, device_id, name, mac, position, account in await session.execute(statement):
        members[shared_line_id].append(Member(device_id, name, mac, position, account, role))
    return [_view(row, digits.get(row.id, ""), members[row.id]) for row in rows]


def _view(row: SharedLine, number: str, members: Iterable[Member]) -> Shared:
    return Shared(
        id=row.id,
        tenant_id=row.tenant_id,
        name=row.name,
        number=number,
        account=row.account,
        mode=row.mode,
        appearances=row.appearances,
        is_barge_in=row.is_barge_in,
        is_barge_tone=row.is_barge_tone,
        barge_tone_repeat=row.barge_tone_repeat,
        is_private_hold=row.is_private_hold,
        members=tuple(members),
    )
