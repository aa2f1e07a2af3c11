"""What happens, inside a transaction, when a line begins or ceases to stand for a user: assignment itself (R3, R4).

Services that begin a transaction of their own are in `assignment` and `hotdesk`.
"""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.errors import Conflict, TooManyDevices
from provisioner.model import Device, Line, Tenant, User, UserKind
from provisioner.model.store import touch
from provisioner.services.context import Context
from provisioner.services.directory_events import tell
from provisioner.services.seats.resync import ask

MAX_DEVICES_PER_USER = 9


async def put_user_on_line(
    session: AsyncSession, context: Context, *, line: Line, device: Device, user: User | None, kind: str
) -> None:
    """Make `line` of `device` stand for `user` (None: nobody), as `kind` (user, hotdesk, empty).

    Touches the device and asks it to fetch, tells the PBX directory, keeps both users' primary devices right. Whether
    the premium rule has room is asked before (`check_room_for_device`). Conflict for a user's own line on a hotdesk device.
    """
    if kind == "user":
        refuse_other_uses(device, line)
    await stand_for(session, context, line=line, device=device, user=user, kind=kind)
    await touch(session, [device.id])
    await ask(session, context, [device.id], why="assignment")


async def give_to(session: AsyncSession, context: Context, *, device: Device, user: User | None) -> None:
    """Make the first line of a device stand for a user for good, or for nobody, without touching the device.

    On a hotdesk device, or one whose first line is shared, nobody is already right; Conflict for somebody.
    """
    line = next(line for line in device.lines if line.position == 1)
    if user is None and line.kind in {"hotdesk", "shared"}:
        return
    refuse_other_uses(device, line)
    kind = "user" if user else "empty"
    await stand_for(session, context, line=line, device=device, user=user, kind=kind)


def refuse_other_uses(device: Device, line: Line | None) -> None:
    """Conflict when a line cannot be given to a user for good: users log in on it, or it is a shared one. None: not there yet."""
    if device.is_hotdesk:
        raise Conflict(
            f"{device.name} is a hotdesk device: users log in on it. Log the user in, or switch hotdesking off for the device.",
            field="user_id",
            device=device.name,
        )
    if line is not None and line.kind == "shared":
        raise Conflict(
            f"Line {line.position} of {device.name} belongs to a shared line; take the device out of that first.",
            field="position",
        )


async def stand_for(
    session: AsyncSession, context: Context, *, line: Line, device: Device, user: User | None, kind: str
) -> None:
    """The same without touching the device: for callers that touch several at once, or do so anyway."""
    before = line.user_id
    line.kind, line.user_id = kind, user.id if user else None
    await session.flush()
    for user_id in dict.fromkeys((before, line.user_id)):
        if user_id is not None:
            await keep_primary(session, context, user_id)
    tell(
        session,
        context,
        tenant_id=device.tenant_id,
        kind="changed",
        object=f"device:{device.id}",
        account=line.account,
        user_id=line.user_id,
        before=before,
    )


async def keep_primary(session: AsyncSession, context: Context, user_id: int) -> None:
    """After a change of lines: the primary is one of the user's devices, and there is one as long as there is any device.

    A device that the user is logged in on is primary only while the user has no own one.
    """
    user = await session.get(User, user_id)
    if user is None:
        return
    rows = await session.execute(
        select(Line.device_id, Line.kind)
        .where(Line.user_id == user_id, Line.kind.in_(("user", "hotdesk")))
        .order_by(Line.device_id)
    )
    lines = rows.all()
    candidates = [row.device_id for row in lines if row.kind == "user"] or [row.device_id for row in lines]
    if user.primary_device_id not in candidates:
        make_primary(session, context, user, candidates[0] if candidates else None)


def make_primary(session: AsyncSession, context: Context, user: User, device_id: int | None) -> None:
    """Write the primary device and leave the event, when it is another one."""
    if user.primary_device_id == device_id:
        return
    tell(
        session,
        context,
        tenant_id=user.tenant_id,
        kind="primary_changed",
        object=f"user:{user.id}",
        user_id=user.id,
        device_id=device_id,
        before=user.primary_device_id,
    )
    user.primary_device_id = device_id


async def own_devices(session: AsyncSession, user_id: int) -> Sequence[tuple[int, str]]:
    """(id, name) of the devices that are the user's for good, by name."""
    rows = await session.execute(
        select(Device.id, Device.name)
        .distinct()
        .join(Line, Line.device_id == Device.id)
        .where(Line.user_id == user_id, Line.kind == "user")
        .order_by(Device.name)
    )
    return [(device_id, name) for device_id, name in rows.all()]


async def check_room_for_device(
    session: AsyncSession, *, tenant: Tenant, user: User, moving: Device | None = None
) -> None:
    """The premium rule (R4.1): TooManyDevices when the user has no room for one more own device besides `moving`.

    Service users, and devices that somebody is only logged in on, never count.
    """
    if user.kind != UserKind.PERSON:
        return
    rows = await own_devices(session, user.id)
    others = [name for device_id, name in rows if moving is None or device_id != moving.id]
    limit = MAX_DEVICES_PER_USER if tenant.is_premium else 1
    if len(others) < limit:
        return
    names = ", ".join(others)
    if limit > 1:
        raise TooManyDevices(
            f"{user.name} already has nine devices ({names}); remove one of them first.",
            field="user_id",
            devices=others,
        )
    raise TooManyDevices(
        f"{user.name} already has {names}: remove it first, or make the tenant premium to have up to nine.",
        field="user_id",
        devices=others,
    )


async def refuse_several_devices(session: AsyncSession, tenant: Tenant) -> None:
    """R4.5, before premium ends: TooManyDevices with everybody who has more than one device."""
    statement = (
        select(User.id, User.name, Device.name)
        .distinct()
        .join(Line, (Line.user_id == User.id) & (Line.kind == "user"))
        .join(Device, Device.id == Line.device_id)
        .where(User.tenant_id == tenant.id, User.kind == UserKind.PERSON)
        .order_by(User.name, User.id, Device.name)
    )
    devices: dict[int, list[str]] = {}
    names: dict[int, str] = {}
    for user_id, name, device in await session.execute(statement):
        devices.setdefault(user_id, []).append(device)
        names[user_id] = name
    several = {names[user_id]: owned for user_id, owned in devices.items() if len(owned) > 1}
    if several:
        people = "; ".join(f"{user}: {', '.join(owned)}" for user, owned in several.items())
        raise TooManyDevices(
            f"Without premium a user has one device; these have more: {people}. Remove or reassign devices until everybody has one.",
            field="is_premium",
            users=several,
        )
