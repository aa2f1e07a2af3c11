"""Who else is on a device's shared lines: lamps of them stand in where the registrar knows no shared appearances."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from provisioner.composition.line_keys import Mate
from provisioner.model import Device, Line, SharedLine, SharedLineMember
from provisioner.model.quick import Quick
from provisioner.model.store import touch
from provisioner.services.context import Context
from provisioner.services.seats import resync

_mine, _other = aliased(SharedLineMember), aliased(SharedLineMember)
_others_line, _my_line = aliased(Line), aliased(Line)
_MATES = (
    select(_my_line.position, Device.name, _others_line.account)
    .select_from(_mine)
    .join(SharedLine, SharedLine.id == _mine.shared_line_id)
    .join(_my_line, _my_line.id == _mine.line_id)
    .join(_other, _other.shared_line_id == _mine.shared_line_id)
    .join(_others_line, _others_line.id == _other.line_id)
    .join(Device, Device.id == _other.device_id)
    .where(
        _mine.device_id == bindparam("device_id"),
        _other.device_id != bindparam("device_id"),
        SharedLine.mode == "blf",
    )
    .order_by(_other.position, _other.id)
)


async def read_mates(quick: Quick, *, device_id: int) -> Mapping[int, Sequence[Mate]]:
    """Position of a line in the mode blf → its other members, in their order."""
    found: defaultdict[int, list[Mate]] = defaultdict(list)
    for position, name, account in await quick.all(_MATES, device_id=device_id):
        found[position].append(Mate(name, account))
    return found


async def touch_mates(session: AsyncSession, context: Context, *, device_id: int) -> None:
    """Inside a transaction that renames or removes a device: phones that show a lamp of it get new files."""
    statement = (
        select(_other.device_id)
        .join(_mine, _mine.shared_line_id == _other.shared_line_id)
        .join(SharedLine, SharedLine.id == _mine.shared_line_id)
        .where(_mine.device_id == device_id, _other.device_id != device_id, SharedLine.mode == "blf")
    )
    if others := set((await session.execute(statement)).scalars()):
        await touch(session, others)
        await resync.ask(session, context, others, why="shared line")
