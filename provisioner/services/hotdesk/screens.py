"""What the hotdesk pages on a phone's screen need to know of the device, read anew for every page."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.access.permissions import Role
from provisioner.access.tickets import issue_ticket, ticket_holds
from provisioner.errors import NotFound
from provisioner.model import Device, HotdeskSession, InternalNumber, Line, PinFailure, Site, Tenant, User
from provisioner.services.context import Actor, Context
from provisioner.services.files.device_graph import compose_parts, read_device, read_parts

TICKET_SECONDS: Final = 300
"""From the form on the screen to its last digit."""


@dataclass(frozen=True, slots=True)
class ScreenVisit:
    """One device as its screen sees it. `user_name` and `extension` are empty when nobody is logged in."""

    device_id: int
    tenant_id: int
    uid: str
    mac: str
    profile: str
    model: str
    screen_url: str = field(repr=False)
    language: str
    site_name: str
    is_hotdesk: bool
    is_seating_hidden: bool
    is_logged_in: bool
    user_name: str
    extension: str
    state: str
    """Changes with every login, logout and wrong PIN on the device: what tickets are signed over."""

    def actor(self, address: str) -> Actor:
        """The phone, as whoever stands before it asks for something."""
        return Actor(name=f"phone {self.mac}", role=Role.PBX, tenant_id=self.tenant_id, address=address)


_VISIT = (
    select(
        Device.uid,
        Device.mac,
        Device.profile,
        Device.model,
        Device.tenant_id,
        Device.is_hotdesk,
        Tenant.is_seating_hidden,
        Site.name.label("site_name"),
        Line.kind,
        User.id.label("user_id"),
        User.name.label("user_name"),
        InternalNumber.digits,
    )
    .join(Tenant, Tenant.id == Device.tenant_id)
    .outerjoin(Site, Site.id == Device.site_id)
    .join(Line, (Line.device_id == Device.id) & (Line.position == 1))
    .outerjoin(User, User.id == Line.user_id)
    .outerjoin(InternalNumber, InternalNumber.user_id == User.id)
)


async def visit(context: Context, *, device_id: int) -> ScreenVisit:
    """The device that shows a page now; NotFound when it was removed meanwhile."""
    async with context.store.read() as session:
        row = (await session.execute(_VISIT.where(Device.id == device_id))).first()
        state = await _state(session, device_id)
    screen_url, language = await _composed(context, device_id)
    if row is None:
        raise NotFound("The device was removed.")
    is_logged_in = row.kind == "hotdesk" and row.user_id is not None
    return ScreenVisit(
        device_id=device_id,
        tenant_id=row.tenant_id,
        uid=row.uid,
        mac=row.mac,
        profile=row.profile,
        model=row.model,
        screen_url=screen_url,
        language=language,
        site_name=row.site_name or "",
        is_hotdesk=row.is_hotdesk,
        is_seating_hidden=row.is_seating_hidden,
        is_logged_in=is_logged_in,
        user_name=row.user_name or "" if is_logged_in else "",
        extension=row.digits or "" if is_logged_in else "",
        state=state,
    )


def ticket_for(context: Context, shown: ScreenVisit, action: str) -> str:
    """A ticket for one action on this device as it is now."""
    until = context.clock().timestamp() + TICKET_SECONDS
    return issue_ticket(_key(context), _facts(shown, action), until=until)


def is_ticket_good(context: Context, shown: ScreenVisit, action: str, ticket: str) -> bool:
    """Whether the ticket is this device's, for this action, and nothing has happened since it was issued."""
    return ticket_holds(_key(context), ticket, _facts(shown, action), now=context.clock().timestamp())


def _facts(shown: ScreenVisit, action: str) -> Sequence[str]:
    return (shown.uid, action, shown.state)


def _key(context: Context) -> bytes:
    return context.keyring.derive("screen tickets")


async def _state(session: AsyncSession, device_id: int) -> str:
    newest = (
        select(HotdeskSession.id, HotdeskSession.ended_at)
        .where(HotdeskSession.device_id == device_id)
        .order_by(HotdeskSession.id.desc())
        .limit(1)
    )
    seat = (await session.execute(newest)).first()
    wrong = await session.scalar(select(func.max(PinFailure.id)).where(PinFailure.device_id == device_id))
    return f"{seat.id if seat else 0} {seat is not None and seat.ended_at is None} {wrong or 0}"


async def _composed(context: Context, device_id: int) -> tuple[str, str]:
    """The address of the pages and the language of the phone, as its configuration file has them."""
    async with context.store.quick() as quick:
        facts = await read_device(quick, device_id=device_id)
        if facts is None:
            raise NotFound("The device was removed.")
        parts = await read_parts(quick, context, facts)
    config = await compose_parts(context, parts)
    return config.server.screen_url, config.settings["language"].value
