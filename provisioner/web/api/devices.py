"""Devices: enrol, look at, change, remove; and the buttons of an installer."""

from typing import Any

from provisioner.access.permissions import Permission
from provisioner.errors import (
    BadInput,
    Conflict,
    InvalidMac,
    InvalidPolicy,
    MacTaken,
    NotFound,
    Unavailable,
    UnknownModel,
    WeakPassword,
)
from provisioner.model import Device, Mac
from provisioner.services.devices import enrolment as use_cases
from provisioner.services.devices.device_list import DeviceRow
from provisioner.services.devices.device_list import list_devices as find_devices
from provisioner.services.devices.onboarding import onboarding
from provisioner.services.files.phone_files import compose_device
from provisioner.services.files.previews import preview_masked
from provisioner.web.api.device_documents import (
    ChangedDevice,
    ClaimWindow,
    DeviceChange,
    DeviceDetail,
    DeviceDocument,
    DevicePage,
    DeviceQuery,
    DeviceUser,
    EnrolledDocument,
    FileDocument,
    FilePage,
    LanguageQuery,
    LineDocument,
    NewDevice,
    NewPassword,
    OnboardingDocument,
    PasswordChange,
    RegistrationDocument,
    RemovalQuery,
)
from provisioner.web.api.documents import PageQuery, Query
from provisioner.web.api.endpoint import Call, Endpoint


async def list_devices(call: Call[DeviceQuery, None]) -> DevicePage:
    """Devices you may see, of all your tenants unless tenant_id is given, with their ticks."""
    query = call.query
    page = await find_devices(
        call.context, call.actor, tenant_id=query.tenant_id, search=query.search, state=query.state or "", user_id=query.user_id, site_id=query.site_id,
        profile=query.profile, offset=query.offset, limit=query.limit,
    )  # fmt: skip
    return DevicePage(
        items=[DeviceDocument(**_fields(row)) for row in page.items],
        total=page.total,
        offset=page.offset,
        limit=page.limit,
    )


async def get_device(call: Call[LanguageQuery, None]) -> DeviceDetail:
    """One device with its lines, its tick and what to type into this phone."""
    return await _detail(call, call.id("device_id"), language=call.query.language)


async def enrol_device(call: Call[LanguageQuery, NewDevice]) -> EnrolledDocument:
    """Makes the device and gives it to the user in one step, or does nothing. The answer holds the password, this once."""
    enrolled = await use_cases.enrol(
        call.context, call.actor, tenant_id=call.id("tenant_id"), **call.body.given()
    )
    return EnrolledDocument(
        device=await _detail(call, enrolled.device.id, language=call.query.language),
        password=enrolled.password,
        was_generated=enrolled.was_generated,
        warnings=list(enrolled.warnings),
    )


async def update_device(call: Call[LanguageQuery, DeviceChange]) -> ChangedDevice:
    """Changes what is sent and nothing else; the phone gets a new file."""
    device, warnings = await use_cases.update_device(
        call.context, call.actor, device_id=call.id("device_id"), **call.body.given()
    )
    return ChangedDevice(
        device=await _detail(call, device.id, language=call.query.language), warnings=list(warnings)
    )


async def remove_device(call: Call[RemovalQuery, None]) -> None:
    """For good: its credentials and SIP accounts never work again, not even after a restore."""
    await use_cases.remove_device(
        call.context, call.actor, device_id=call.id("device_id"), reason=call.query.reason
    )


async def replace_password(call: Call[Query, PasswordChange]) -> NewPassword:
    """The new password is in the answer, this once."""
    body = call.body
    done = await use_cases.replace_device_password(
        call.context, call.actor, device_id=call.id("device_id"), password=body.password, at_once=body.at_once
    )
    return NewPassword(password=done.password, was_generated=done.was_generated)


async def open_claim_window(call: Call[Query, ClaimWindow]) -> DeviceDetail:
    """For so many minutes the phone with this address may fetch once without credentials, if its policy has `window`."""
    device = await use_cases.open_claim_window(
        call.context, call.actor, device_id=call.id("device_id"), minutes=call.body.minutes
    )
    return await _detail(call, device.id)


async def unlock_device(call: Call[Query, None]) -> DeviceDetail:
    """Forgets the wrong passwords that locked the device."""
    device = await use_cases.unlock_device(call.context, call.actor, device_id=call.id("device_id"))
    return await _detail(call, device.id)


async def list_files(call: Call[PageQuery, None]) -> FilePage:
    """The files this phone would get now, with asterisks in place of every secret."""
    files = await preview_masked(call.context, call.actor, device_id=call.id("device_id"))
    return FilePage.cut([FileDocument.model_validate(file) for file in files], call.query)


def registration_document(row: DeviceRow) -> RegistrationDocument:
    """The tick of a row; never seen is a state like any other."""
    if row.registration is None:
        return RegistrationDocument(state="never", since=None, until=None, reason="", source="")
    return RegistrationDocument(
        **{**RegistrationDocument.model_validate(row.registration).model_dump(), "state": row.state.value}
    )


_SEEN = ("agent", "seen_at", "seen_from", "served_at")
"""Members that come from what the phone did last."""


def _fields(row: DeviceRow) -> dict[str, Any]:
    device = row.device
    made = {"mac", "user", "is_primary", "registration", "site_name", "is_up_to_date", *_SEEN}
    seen = {name: getattr(row.sighting, name, None) for name in _SEEN}
    return {
        **{name: getattr(device, name) for name in DeviceDocument.model_fields if name not in made},
        "mac": Mac(device.mac).pretty,
        "site_name": row.site_name,
        "user": DeviceUser(id=row.user.id, name=row.user.name, extension=row.extension) if row.user else None,
        "is_primary": row.is_primary,
        "registration": registration_document(row),
        "is_up_to_date": row.is_up_to_date,
        **{name: value if value is not None or name.endswith("_at") else "" for name, value in seen.items()},
    }


async def _detail(call: Call[Any, Any], device_id: int, *, language: str = "en") -> DeviceDetail:
    device: Device = await use_cases.get_device(call.context, call.actor, device_id=device_id)
    rows = (await find_devices(call.context, call.actor, device_ids=[device_id])).items
    if not rows:
        raise NotFound("There is no such device.")
    sheet, warnings = None, []
    try:
        config = await compose_device(call.context, call.actor, device_id=device_id)
    except Unavailable as error:
        warnings = [error.detail]
    else:
        sheet = OnboardingDocument.model_validate(onboarding(call.context, config, language=language))
        warnings = [*config.warnings, *call.context.profiles.renderers[config.profile].limits(config)]
    lines = [LineDocument.model_validate(line) for line in device.lines]
    if rows[0].user is None:  # nobody, or hidden
        lines = [
            line.model_copy(update={"user_id": None}) if line.kind == "hotdesk" else line for line in lines
        ]
    return DeviceDetail(**_fields(rows[0]), lines=lines, onboarding=sheet, warnings=warnings)


_ENROL = (InvalidMac, MacTaken, UnknownModel, WeakPassword, InvalidPolicy, BadInput, Conflict)

ENDPOINTS = (
    Endpoint(
        method="GET", path="/devices", permission=Permission.DEVICES_READ, handler=list_devices, summary="List, search and filter devices", tag="devices",
        query=DeviceQuery, response=DevicePage, errors=(NotFound,),
    ),
    Endpoint(
        method="POST", path="/tenants/{tenant_id}/devices", permission=Permission.DEVICES_WRITE, handler=enrol_device, summary="Enrol a device",
        tag="devices", query=LanguageQuery, request=NewDevice, response=EnrolledDocument, status=201, location="/devices/{answer.device.id}", errors=_ENROL,
    ),
    Endpoint(
        method="GET", path="/devices/{device_id}", permission=Permission.DEVICES_READ, handler=get_device, summary="One device, and what to type into it",
        tag="devices", query=LanguageQuery, response=DeviceDetail,
    ),
    Endpoint(
        method="PATCH", path="/devices/{device_id}", permission=Permission.DEVICES_WRITE, handler=update_device, summary="Change a device", tag="devices",
        query=LanguageQuery, request=DeviceChange, response=ChangedDevice, errors=(InvalidMac, MacTaken, UnknownModel, InvalidPolicy, BadInput, Conflict),
    ),
    Endpoint(
        method="DELETE", path="/devices/{device_id}", permission=Permission.DEVICES_WRITE, handler=remove_device, summary="Remove a device for good",
        tag="devices", query=RemovalQuery,
    ),
    Endpoint(
        method="POST", path="/devices/{device_id}/password", permission=Permission.DEVICES_WRITE, handler=replace_password,
        summary="Replace the configuration password", tag="devices", request=PasswordChange, response=NewPassword, errors=(WeakPassword, UnknownModel),
    ),
    Endpoint(
        method="POST", path="/devices/{device_id}/claim-window", permission=Permission.DEVICES_TEST, handler=open_claim_window,
        summary="Open a claim window", tag="devices", request=ClaimWindow, response=DeviceDetail,
    ),
    Endpoint(
        method="POST", path="/devices/{device_id}/unlock", permission=Permission.DEVICES_TEST, handler=unlock_device, summary="Unlock a device",
        tag="devices", response=DeviceDetail,
    ),
    Endpoint(
        method="GET", path="/devices/{device_id}/files", permission=Permission.DEVICES_READ, handler=list_files, summary="Preview the phone's files",
        tag="devices", query=PageQuery, response=FilePage, errors=(Unavailable,),
    ),
)  # fmt: skip
