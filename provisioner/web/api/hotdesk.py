"""Hotdesking, lines and primary devices: who may log in where, who sits where."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from provisioner.access.permissions import Permission
from provisioner.errors import (
    BadInput,
    Conflict,
    Forbidden,
    NoHotdeskRight,
    NotFound,
    TooManyDevices,
    WeakPin,
)
from provisioner.services.devices import assignment
from provisioner.services.devices.enrolment import get_device
from provisioner.services.hotdesk import sessions as hotdesk
from provisioner.services.hotdesk.sessions import NewPin, Outcome
from provisioner.services.people.tenants import get_tenant
from provisioner.web.api.device_documents import LineDocument
from provisioner.web.api.documents import Document, Id, Page, PageQuery, Query, Request
from provisioner.web.api.endpoint import Call, Endpoint, ReadCall

Pin = Annotated[
    str | None,
    Field(
        max_length=40,
        pattern=r"^[0-9]*$",
        description="4 to 10 digits, none that is guessed first. Left out, one is generated.",
        json_schema_extra={"format": "password"},
    ),
]


class HotdeskRight(Request):
    """Whether a user may log in on hotdesk devices; setting it again makes a new PIN."""

    enabled: bool
    pin: Pin = None


class OwnPin(Request):
    pin: Pin = None


class PinDocument(Document):
    """PIN and full code are shown now and never again; empty when hotdesking is switched off."""

    user_id: int
    is_hotdesk: bool
    pin: str
    code: Annotated[
        str, Field(description="What logs the user in when it is dialled.", examples=["*35*101*8642"])
    ]


class DeviceRight(Request):
    enabled: bool


class HotdeskDevice(Document):
    device_id: int
    is_hotdesk: bool


class LogIn(Request):
    user_id: Id


class LogOutQuery(Query):
    now: Annotated[
        bool, Field(description="Even while a call is running; else the user is logged out at its end.")
    ] = False


class OutcomeDocument(Document):
    """`result`: logged_in, switched, logged_out, or busy (a call is running: logged out at its end)."""

    result: str
    device_id: int | None
    user_id: int | None
    logged_out_device_id: Annotated[
        int | None, Field(description="Where the user was logged in before, or who was logged out.")
    ]


class SeatDocument(Document):
    device_id: int
    device_name: str
    site_name: str
    place: str
    user_id: int | None
    user_name: str
    extension: str
    since: datetime | None
    ends_at: Annotated[datetime | None, Field(description="Logged out by itself then; null for never.")]


class SeatPage(Page[SeatDocument]):
    """The hotdesk devices by site and name; none where `is_hidden`."""

    is_hidden: Annotated[bool, Field(description="The tenant shows nobody who sits where.")] = False


class PrimaryChange(Request):
    device_id: Id


class PrimaryDocument(Document):
    user_id: int
    primary_device_id: int | None


class LineChange(Request):
    """`user_id` null empties the line."""

    position: Annotated[int, Field(ge=1, le=64)]
    user_id: Id | None


class LinePage(Page[LineDocument]):
    """The lines of a device."""


async def set_user_hotdesk(call: Call[Query, HotdeskRight]) -> PinDocument:
    """Off takes the PIN away and logs the user out."""
    made = await hotdesk.set_hotdesk(
        call.context,
        call.actor,
        user_id=call.id("user_id"),
        enabled=call.body.enabled,
        pin=call.body.pin,
    )
    return _pin(made)


async def renew_own_pin(call: Call[Query, OwnPin]) -> PinDocument:
    """For logins that stand for a user; a token has no PIN."""
    if call.actor.user_id is None:
        raise Forbidden("Only a person's own login, bound to a user, has a PIN of its own.")
    made = await hotdesk.set_hotdesk(
        call.context, call.actor, user_id=call.actor.user_id, enabled=True, pin=call.body.pin
    )
    return _pin(made)


async def unlock_user_pin(call: ReadCall) -> None:
    """Forgets the wrong PINs of a user."""
    await hotdesk.unlock_pin(call.context, call.actor, user_id=call.id("user_id"))


async def unlock_device_pin(call: ReadCall) -> None:
    """Forgets the wrong PINs typed on a device."""
    await hotdesk.unlock_pin(call.context, call.actor, device_id=call.id("device_id"))


async def set_device_hotdesk(call: Call[Query, DeviceRight]) -> HotdeskDevice:
    """Off logs out whoever sits there. Refused while the device is a user's own."""
    device = await hotdesk.set_device_hotdesk(
        call.context, call.actor, device_id=call.id("device_id"), enabled=call.body.enabled
    )
    return HotdeskDevice(device_id=device.id, is_hotdesk=device.is_hotdesk)


async def list_seats(call: Call[PageQuery, None]) -> SeatPage:
    """Who sits where."""
    tenant = await get_tenant(call.context, call.actor, tenant_id=call.id("tenant_id"))
    found = await hotdesk.seats(call.context, call.actor, tenant_id=tenant.id)
    page = SeatPage.cut([SeatDocument.model_validate(seat) for seat in found], call.query)
    page.is_hidden = tenant.is_seating_hidden
    return page


async def log_in(call: Call[Query, LogIn]) -> OutcomeDocument:
    """Without a PIN. Whoever sits there is logged out, and so is the user wherever else."""
    outcome = await hotdesk.log_in(
        call.context, call.actor, device_id=call.id("device_id"), user_id=call.body.user_id, origin="api"
    )
    return _outcome(outcome)


async def log_out(call: Call[LogOutQuery, None]) -> OutcomeDocument:
    """Nobody there is fine."""
    outcome = await hotdesk.log_out(
        call.context,
        call.actor,
        device_id=call.id("device_id"),
        origin="api",
        ending="admin",
        now=call.query.now,
    )
    return _outcome(outcome)


async def set_primary_device(call: Call[Query, PrimaryChange]) -> PrimaryDocument:
    """Whichever was it before is it no longer, at the same moment."""
    user = await assignment.set_primary(
        call.context, call.actor, user_id=call.id("user_id"), device_id=call.body.device_id
    )
    return PrimaryDocument(user_id=user.id, primary_device_id=user.primary_device_id)


async def put_line(call: Call[Query, LineChange]) -> LinePage:
    """Gives one line of a device to a user for good, or empties it. Lines beyond the first get an account of their own."""
    device_id, change = call.id("device_id"), call.body
    await assignment.put_line(
        call.context, call.actor, device_id=device_id, position=change.position, user_id=change.user_id
    )
    device = await get_device(call.context, call.actor, device_id=device_id)
    lines = [LineDocument.model_validate(line) for line in device.lines if line.kind != "hotdesk"]
    return LinePage.cut(lines, PageQuery())


def _pin(made: NewPin) -> PinDocument:
    return PinDocument(user_id=made.user.id, is_hotdesk=made.user.is_hotdesk, pin=made.pin, code=made.code)


def _outcome(outcome: Outcome) -> OutcomeDocument:
    return OutcomeDocument.model_validate(outcome)


_TAG: dict[str, Any] = {"tag": "hotdesk"}

ENDPOINTS = (
    Endpoint(
        method="PUT", path="/users/{user_id}/hotdesk", permission=Permission.USERS_WRITE, handler=set_user_hotdesk,
        summary="Give a user the hotdesk right and a PIN, or take them away", request=HotdeskRight, response=PinDocument, errors=(WeakPin, Conflict), **_TAG,
    ),
    Endpoint(
        method="POST", path="/users/{user_id}/unlock-pin", permission=Permission.SEATS_WRITE, handler=unlock_user_pin, summary="Unlock a user's PIN", **_TAG,
    ),
    Endpoint(
        method="PUT", path="/users/{user_id}/primary-device", permission=Permission.USERS_WRITE, handler=set_primary_device,
        summary="Choose the primary device", request=PrimaryChange, response=PrimaryDocument, errors=(Conflict,), **_TAG,
    ),
    Endpoint(
        method="POST", path="/me/pin", permission=Permission.OWN_SETTINGS, handler=renew_own_pin, summary="Renew the own PIN", request=OwnPin,
        response=PinDocument, errors=(WeakPin, NoHotdeskRight, Forbidden), **_TAG,
    ),
    Endpoint(
        method="PATCH", path="/devices/{device_id}/lines", permission=Permission.DEVICES_WRITE, handler=put_line,
        summary="Give a line to a user, or empty it", request=LineChange, response=LinePage, errors=(BadInput, TooManyDevices, Conflict), **_TAG,
    ),
    Endpoint(
        method="PUT", path="/devices/{device_id}/hotdesk", permission=Permission.DEVICES_WRITE, handler=set_device_hotdesk,
        summary="Let users log in on a device, or no longer", request=DeviceRight, response=HotdeskDevice, errors=(Conflict,), **_TAG,
    ),
    Endpoint(
        method="POST", path="/devices/{device_id}/unlock-pin", permission=Permission.SEATS_WRITE, handler=unlock_device_pin,
        summary="Unlock PINs on a device", **_TAG,
    ),
    Endpoint(
        method="PUT", path="/devices/{device_id}/seat", permission=Permission.SEATS_WRITE, handler=log_in, summary="Log somebody in", request=LogIn,
        response=OutcomeDocument, errors=(NoHotdeskRight, NotFound), **_TAG,
    ),
    Endpoint(
        method="DELETE", path="/devices/{device_id}/seat", permission=Permission.SEATS_WRITE, handler=log_out, summary="Log out whoever sits there",
        query=LogOutQuery, response=OutcomeDocument, **_TAG,
    ),
    Endpoint(
        method="GET", path="/tenants/{tenant_id}/seats", permission=Permission.SEATS_READ, handler=list_seats, summary="Who sits where", query=PageQuery,
        response=SeatPage, **_TAG,
    ),
)  # fmt: skip
