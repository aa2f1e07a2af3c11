"""Who a line stands for, and which device of a user is the primary one: the use cases (R4, R5)."""

from provisioner.errors import BadInput, Conflict
from provisioner.model import Device, User
from provisioner.services.context import Actor, Context, audit
from provisioner.services.device_secrets import new_line
from provisioner.services.devices.enrolment import find_device, find_model, get_device
from provisioner.services.people.tenants import find_tenant
from provisioner.services.people.users import find_user
from provisioner.services.seats.lines import (
    MAX_DEVICES_PER_USER,
    check_room_for_device,
    make_primary,
    own_devices,
    put_user_on_line,
    refuse_other_uses,
)

__all__ = ["MAX_DEVICES_PER_USER", "check_room_for_device", "put_line", "put_user_on_line", "set_primary"]


async def put_line(
    context: Context, actor: Actor, *, device_id: int, position: int, user_id: int | None
) -> Device:
    """Let line `position` of a device stand for a user for good, or for nobody (None). Only this device fetches anew.

    BadInput for a position the model does not have, TooManyDevices, Conflict on a hotdesk device or a shared line.
    """
    async with context.store.change() as session:
        device = await find_device(session, actor, device_id)
        actor.everything(device.tenant_id)
        count = find_model(context, device.profile, device.model)[1].lines
        if not 1 <= position <= count:
            raise BadInput(
                f"{device.name} is a {device.model}: its lines are 1 to {count}.", field="position"
            )
        line = next((line for line in device.lines if line.position == position), None)
        if line is None and user_id is None:
            return device
        if line is None or line.position == 1 or line.kind == "shared":
            refuse_other_uses(device, line)
        user = await find_user(session, actor, user_id) if user_id is not None else None
        if user is not None and user.tenant_id != device.tenant_id:
            raise BadInput("There is no such user in this tenant.", field="user_id")
        if user is not None:
            tenant = await find_tenant(session, device.tenant_id)
            await check_room_for_device(session, tenant=tenant, user=user, moving=device)
        if line is None:
            line = new_line(device, context.keyring, position=position)
            device.lines.append(line)
            await session.flush()
        if line.user_id == user_id:
            return device
        kind = "user" if user else "empty"
        await put_user_on_line(session, context, line=line, device=device, user=user, kind=kind)
        audit(
            session,
            context,
            actor,
            action="device.line",
            tenant_id=device.tenant_id,
            object=device.name,
            position=position,
            user=user.name if user else "",
        )
    return await get_device(context, actor, device_id=device_id)


async def set_primary(context: Context, actor: Actor, *, user_id: int, device_id: int) -> User:
    """Make one of the user's own devices the primary one; whichever was it before is it no longer, at the same moment."""
    async with context.store.change() as session:
        user = await find_user(session, actor, user_id)
        devices = dict(await own_devices(session, user_id))
        if device_id not in devices:
            names = ", ".join(devices.values()) or "none"
            raise Conflict(
                f"The primary device is one of {user.name}'s own devices ({names}); give the device to the user first.",
                field="device_id",
                devices=list(devices.values()),
            )
        if user.primary_device_id != device_id:
            make_primary(session, context, user, device_id)
            audit(
                session,
                context,
                actor,
                action="user.primary",
                tenant_id=user.tenant_id,
                object=user.name,
                device=devices[device_id],
            )
    return user
