"""Hotdesking on the pages of a user and a device: the right, the PIN, who sits there, and what stands in the way."""

from collections.abc import Awaitable

from aiohttp import web

from provisioner.errors import BadInput, Conflict
from provisioner.services.devices.assignment import put_line, set_primary
from provisioner.services.hotdesk.sessions import (
    Result,
    log_in,
    log_out,
    set_device_hotdesk,
    set_hotdesk,
    unlock_pin,
)
from provisioner.web.ui.fields import chosen_id
from provisioner.web.ui.pages.device import find_device, show_device_page
from provisioner.web.ui.pages.pin import PinPage
from provisioner.web.ui.pages.selects import posted_user
from provisioner.web.ui.pages.users import find_user, show_user_page
from provisioner.web.ui.visit import Visit

ORIGIN = "admin"


async def give_pin(visit: Visit) -> web.StreamResponse:
    """Switch hotdesking on for a user, or renew the PIN: it is on the answer and nowhere else."""
    user, posted = await find_user(visit), await visit.posted()
    try:
        made = await set_hotdesk(
            visit.context,
            visit.actor,
            user_id=user.id,
            enabled=True,
            pin=posted.get("pin", "").strip() or None,
        )
    except (BadInput, Conflict) as error:
        return await show_user_page(visit, user, pin_error=visit.say(error), status=error.status)
    return visit.show(PinPage(title=user.name, made=made, back=visit.path("users", user.id)))


async def take_right(visit: Visit) -> web.StreamResponse:
    user = await find_user(visit)
    await set_hotdesk(visit.context, visit.actor, user_id=user.id, enabled=False)
    return visit.go("users", user.id, done="hotdesk-off")


async def unlock_user(visit: Visit) -> web.StreamResponse:
    user = await find_user(visit)
    await unlock_pin(visit.context, visit.actor, user_id=user.id)
    return visit.go("users", user.id, done="pin-unlocked")


async def make_primary(visit: Visit) -> web.StreamResponse:
    """Make one of the user's devices the primary one."""
    user, posted = await find_user(visit), await visit.posted()
    device_id = chosen_id(posted.get("device_id", "")) or 0
    try:
        await set_primary(visit.context, visit.actor, user_id=user.id, device_id=device_id)
    except Conflict as error:
        return await show_user_page(visit, user, error=visit.say(error), status=error.status)
    return visit.go("users", user.id, done="primary")


async def switch_device(visit: Visit) -> web.StreamResponse:
    """Let people log in on a device, or no longer."""
    device, posted = await find_device(visit), await visit.posted()
    enabled = posted.get("enabled") == "on"
    work = set_device_hotdesk(visit.context, visit.actor, device_id=device.id, enabled=enabled)
    return await _done(visit, work, "hotdesk-on" if enabled else "hotdesk-off")


async def log_somebody_in(visit: Visit) -> web.StreamResponse:
    device, posted = await find_device(visit), await visit.posted()

    async def work() -> None:
        user = await posted_user(visit, posted)
        if user is None:
            raise BadInput("Say who is to be logged in.", field="user")
        await log_in(visit.context, visit.actor, device_id=device.id, user_id=user.id, origin=ORIGIN)

    return await _done(visit, work(), "logged-in")


async def log_somebody_out(visit: Visit) -> web.StreamResponse:
    """Log out whoever sits there; while a call runs, as soon as it ends, unless it is to be at once."""
    device, posted = await find_device(visit), await visit.posted()
    outcome = await log_out(
        visit.context, visit.actor, device_id=device.id, origin=ORIGIN, ending="admin", now="now" in posted
    )
    return visit.go(
        "devices", device.id, done="logout-later" if outcome.result is Result.BUSY else "logged-out"
    )


async def unlock_device_pin(visit: Visit) -> web.StreamResponse:
    device = await find_device(visit)
    await unlock_pin(visit.context, visit.actor, device_id=device.id)
    return visit.go("devices", device.id, done="pin-unlocked")


async def assign_line(visit: Visit) -> web.StreamResponse:
    """Let a line stand for a user, or for nobody."""
    device, posted = await find_device(visit), await visit.posted()

    async def work() -> None:
        user = await posted_user(visit, posted)
        await put_line(
            visit.context,
            visit.actor,
            device_id=device.id,
            position=chosen_id(posted.get("position", "")) or 0,
            user_id=user.id if user else None,
        )

    return await _done(visit, work(), "saved")


async def _done(visit: Visit, work: Awaitable[object], done: str) -> web.StreamResponse:
    """The device's page, with the sentence when a rule was in the way."""
    try:
        await work
    except (BadInput, Conflict) as error:
        return await show_device_page(visit, error=visit.say(error), status=error.status)
    return visit.go("devices", visit.number("device"), done=done)
