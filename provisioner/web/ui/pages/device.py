"""One device: its tick, what to type into it, and what it asked for and got."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from aiohttp import web

from provisioner.errors import NotFound
from provisioner.model import Device, Fetch
from provisioner.profiles.sheet import load_sheet
from provisioner.services.devices.device_lines import LineRow, list_lines
from provisioner.services.devices.device_list import DeviceRow, list_devices
from provisioner.services.files.fetch_log import list_fetches
from provisioner.services.files.fetch_words import fetch_sentence
from provisioner.services.hotdesk.sessions import Seat, seat_of
from provisioner.services.pbx.resync_state import ResyncState, resync_state
from provisioner.services.people.users import Page as Some
from provisioner.services.refusals import NORMAL
from provisioner.web.ui.fields import Field, chosen_id
from provisioner.web.ui.pages.selects import user_field
from provisioner.web.ui.pages.shapes import Pager, pager
from provisioner.web.ui.pages.steps import ShownStep, shown_steps
from provisioner.web.ui.visit import Page, Visit
from provisioner.web.ui.words import why

ROWS = 25


@dataclass(frozen=True, slots=True)
class LogLine:
    """One request of the phone in words."""

    fetch: Fetch
    sentence: str
    icon: str
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePage(Page):
    template: ClassVar[str] = "device.html"
    row: DeviceRow
    vendor: str
    model: str
    is_profile_broken: bool
    resync: ResyncState
    has_sheet: bool
    is_locked: bool
    has_window: bool
    steps: Sequence[ShownStep]
    log: Sequence[LogLine]
    pager: Pager
    lines: Sequence[LineRow]
    positions: Sequence[int]
    """The lines that may be given to a user."""
    seat: Seat | None
    """Who is logged in; None on a device that is for nobody to log in on, and where the tenant hides it."""
    user: Field
    hotdesk_user: Field
    error: str = ""


async def show_device(visit: Visit) -> web.StreamResponse:
    return await show_device_page(visit)


async def show_device_page(visit: Visit, *, error: str = "", status: int = 200) -> web.StreamResponse:
    """The page of the device of this address; with the rule that was in the way of an action."""
    row = await find_row(visit)
    device, _ = row.device, visit.language.translate
    profile = visit.context.profiles.all.get(device.profile)
    model = profile.models.get(device.model) if profile else None
    offset = chosen_id(visit.query.get("from", "")) or 0
    fetches = await list_fetches(visit.context, visit.actor, device_id=device.id, offset=offset, limit=ROWS)
    now = visit.context.clock()
    renderer = visit.context.profiles.renderers.get(device.profile)
    return visit.show(
        DevicePage(
            title=device.name,
            row=row,
            vendor=profile.label if profile else device.profile,
            model=model.label if model else device.model,
            is_profile_broken=profile is None,
            resync=await resync_state(visit.context, visit.actor, device_id=device.id),
            has_sheet=renderer is not None and load_sheet(renderer) is not None,
            is_locked=device.locked_until is not None and device.locked_until > now,
            has_window=device.window_until is not None and device.window_until > now,
            steps=await shown_steps(visit, device),
            log=log_lines(visit, fetches),
            pager=pager(visit, fetches, "devices", device.id),
            lines=await list_lines(visit.context, visit.actor, device_id=device.id),
            positions=() if device.is_hotdesk else range(1, (model.lines if model else 1) + 1),
            seat=await _seat(visit, device),
            user=replace(await user_field(visit, None, none=_("Name or extension")), required=True),
            hotdesk_user=replace(
                await user_field(visit, None, none=_("Name or extension"), hotdesk_only=True),
                id="seat-user",
                required=True,
            ),
            error=error,
        ),
        status=status,
    )


async def _seat(visit: Visit, device: Device) -> Seat | None:
    if not device.is_hotdesk or (visit.tenant is not None and visit.tenant.is_seating_hidden):
        return None
    return await seat_of(visit.context, device_id=device.id)


async def find_row(visit: Visit) -> DeviceRow:
    """The device of this address with its user and tick, in this tenant; NotFound."""
    page = await list_devices(
        visit.context, visit.actor, tenant_id=visit.tenant_id, device_ids=[visit.number("device")], limit=1
    )
    if not page.items:
        raise NotFound("There is no such device.")
    return page.items[0]


async def find_device(visit: Visit) -> Device:
    """The device of this address, in this tenant; NotFound."""
    return (await find_row(visit)).device


def log_lines(visit: Visit, fetches: Some[Fetch]) -> list[LogLine]:
    """The provisioning log in words an installer can act on."""
    lines = []
    for fetch in fetches.items:
        icon, colour = "circle-check", "green"
        if fetch.status < 400:
            sentence = fetch_sentence(fetch, translate=visit.language.translate)
        else:
            sentence = why(visit.language, fetch.reason, fetch.detail, zone=visit.zone)
            icon, colour = ("circle-dashed", "secondary") if fetch.reason in NORMAL else ("circle-x", "red")
        lines.append(LogLine(fetch, sentence, icon, colour))
    return lines
