"""Which line of which device stands for a shared line: what is asked for, what a model can, and the rows behind it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from provisioner.errors import BadInput, CannotShareLine
from provisioner.model import Device, Line, SharedLine, SharedLineMember
from provisioner.profiles.manifest import Model, Profile, applies_to
from provisioner.services.context import Context
from provisioner.services.device_secrets import new_line

MOST_MEMBERS = 50
ROLES = ("member", "boss", "assistant")


@dataclass(frozen=True, slots=True)
class Wish:
    """One device that shall show the line. `line` None: the lowest free position behind the device's own account."""

    device_id: int
    line: int | None = None
    role: str = "member"


def check_wishes(wishes: Sequence[Wish]) -> None:
    """BadInput unless there are 1 to 50 different devices in known roles."""
    if not 1 <= len(wishes) <= MOST_MEMBERS:
        raise BadInput(f"A shared line has 1 to {MOST_MEMBERS} members.", field="members")
    ids = [wish.device_id for wish in wishes]
    if len(set(ids)) != len(ids):
        raise BadInput("A device is a member of a shared line once at most.", field="members")
    if unknown := [wish.role for wish in wishes if wish.role not in ROLES]:
        raise BadInput(f"“{unknown[0][:20]}” is no role: {', '.join(ROLES)}.", field="members")


async def devices_of(session: AsyncSession, tenant_id: int, wishes: Iterable[Wish]) -> dict[int, Device]:
    """The devices asked for, with their lines; BadInput when one is not of this tenant."""
    ids = [wish.device_id for wish in wishes]
    statement = (
        select(Device)
        .where(Device.tenant_id == tenant_id, Device.id.in_(ids))
        .options(selectinload(Device.lines))
    )
    devices = {device.id: device for device in (await session.execute(statement)).scalars()}
    if missing := [device_id for device_id in ids if device_id not in devices]:
        raise BadInput(f"There is no device {missing[0]} in this tenant.", field="members")
    return devices


async def put_members(
    session: AsyncSession, context: Context, row: SharedLine, wishes: Sequence[Wish]
) -> set[int]:
    """Make the members exactly these, in this order. Gives back the devices that are or were members.

    `row.members` must be loaded. Raises BadInput, CannotShareLine.
    """
    check_wishes(wishes)
    devices = await devices_of(session, row.tenant_id, wishes)
    before = {member.device_id: member for member in row.members}
    for device_id in before.keys() - devices.keys():
        await _free(session, before[device_id])
        row.members.remove(before[device_id])
    # those who stay give their line back first, so that two can change places
    for wish in wishes:
        member = before.get(wish.device_id)
        if member is not None and wish.line is not None:
            await _move(session, context, row, member, device=devices[wish.device_id], position=wish.line)
    for position, wish in enumerate(wishes, start=1):
        member = before.get(wish.device_id)
        if member is None:
            line = await take_line(session, context, devices[wish.device_id], row, wish.line)
            member = SharedLineMember(tenant_id=row.tenant_id, device_id=wish.device_id, line_id=line.id)
            row.members.append(member)
        member.position, member.role = position, wish.role
    await session.flush()
    return before.keys() | devices.keys()


async def take_line(
    session: AsyncSession, context: Context, device: Device, row: SharedLine, position: int | None
) -> Line:
    """A free line of the device made to stand for the shared line; CannotShareLine names the rule and the way out."""
    model = check_can(context, device, mode=row.mode)
    chosen = position if position is not None else _lowest_free(device, model, row)
    line = _line_at(device, chosen)
    if not 1 <= chosen <= model.lines:
        raise CannotShareLine(
            f"“{device.name}” ({model.label}) has the lines 1 to {model.lines}, not {chosen}.",
            field="members",
            device=device.name,
        )
    if line is not None and not _is_free(line):
        raise CannotShareLine(
            f"Line {chosen} of “{device.name}” stands for something else ({line.kind}): "
            "choose another line, or empty this one first.",
            field="members",
            device=device.name,
        )
    if line is None:
        line = new_line(device, context.keyring, position=chosen)
        device.lines.append(line)
    line.kind, line.user_id, line.shared_line_id = "shared", None, row.id
    await session.flush()
    return line


def check_can(context: Context, device: Device, *, mode: str) -> Model:
    """The device's model; CannotShareLine when its vendor knows no shared call appearances and the mode asks for them."""
    profile = context.profiles.all.get(device.profile)
    model = profile.models.get(device.model) if profile else None
    if profile is None or model is None:
        raise CannotShareLine(
            f"“{device.name}” is of a type that no installed vendor profile knows: give it another model first.",
            field="members",
            device=device.name,
        )
    if mode == "sca" and (reason := why_not(profile, model)):
        raise CannotShareLine(
            f"“{device.name}” ({model.label}) cannot be a member: {reason} "
            "Leave it out, or choose the mode blf for the whole line.",
            field="members",
            device=device.name,
        )
    return model


def why_not(profile: Profile, model: Model) -> str:
    """Why such a phone knows no shared call appearances, as its vendor profile says it; "" when it does."""
    for entry in profile.unsupported_keys:
        if entry.type == "shared_line" and applies_to(model.id, entry.models, entry.not_models):
            return entry.reason
    known = any(
        kind.type == "shared_line" and applies_to(model.id, kind.models, kind.not_models)
        for kind in profile.key_types
    )
    return "" if known else f"the vendor profile {profile.label} says nothing of shared lines."


async def free_lines(session: AsyncSession, members: Iterable[SharedLineMember]) -> None:
    """Empty the lines of all these members: their slots are then written off and blank."""
    for member in members:
        await _free(session, member)


async def _move(
    session: AsyncSession,
    context: Context,
    row: SharedLine,
    member: SharedLineMember,
    *,
    device: Device,
    position: int,
) -> None:
    line = _line_at(device, position)
    if line is not None and line.id == member.line_id:
        return
    taken = await take_line(session, context, device, row, position)
    await _free(session, member)
    member.line_id = taken.id


async def _free(session: AsyncSession, member: SharedLineMember) -> None:
    line = await session.get(Line, member.line_id)
    if line is not None:
        line.kind, line.shared_line_id = "empty", None


def _lowest_free(device: Device, model: Model, row: SharedLine) -> int:
    """Behind the first line if there is one: that is the device's own account, from which emergency and hotdesk codes are dialled."""
    position: int
    for position in (*range(2, model.lines + 1), 1):
        line = _line_at(device, position)
        if line is None or _is_free(line):
            return position
    raise CannotShareLine(
        f"“{device.name}” ({model.label}) has no free line left for “{row.name}”: it has {model.lines}. "
        "Empty one of them, or leave this device out.",
        field="members",
        device=device.name,
    )


def _line_at(device: Device, position: int) -> Line | None:
    return next((line for line in device.lines if line.position == position), None)


def _is_free(line: Line) -> bool:
    return line.kind == "empty" and line.user_id is None and line.shared_line_id is None
