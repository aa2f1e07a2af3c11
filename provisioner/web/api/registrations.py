"""Registrations: the green ticks of device accounts, and how many there are of each state."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from provisioner.access.permissions import Permission
from provisioner.errors import NotFound
from provisioner.model import Mac
from provisioner.services.devices.device_list import DeviceRow, count_states, list_devices
from provisioner.web.api.device_documents import State
from provisioner.web.api.devices import registration_document
from provisioner.web.api.documents import Document, Page, PageQuery, Query, QueryId
from provisioner.web.api.endpoint import Call, Endpoint


class ListedRegistration(Document):
    """One device's account at the registrar."""

    device_id: int
    device: str
    mac: str
    tenant_id: int
    state: State
    since: datetime | None
    until: datetime | None
    reason: str
    source: str


class RegistrationPage(Page[ListedRegistration]):
    """By the name of the device."""


class RegistrationCounts(Document):
    """How many devices are in each state."""

    never: int
    registered: int
    unregistered: int
    expired: int
    failed: int


class RegistrationQuery(PageQuery):
    tenant_id: QueryId | None = None
    state: Annotated[State | None, Field(description="Only these.")] = None


class TenantQuery(Query):
    tenant_id: QueryId | None = None


async def list_registrations(call: Call[RegistrationQuery, None]) -> RegistrationPage:
    """The newest truth about every device account, whichever way it came: events, a full state, the watcher, or the phone's own word."""
    query = call.query
    page = await list_devices(
        call.context,
        call.actor,
        tenant_id=query.tenant_id,
        state=query.state or "",
        offset=query.offset,
        limit=query.limit,
    )
    return RegistrationPage(
        items=[_listed(row) for row in page.items], total=page.total, offset=page.offset, limit=page.limit
    )


async def count_registrations(call: Call[TenantQuery, None]) -> RegistrationCounts:
    """For a dashboard: one number for each state."""
    return RegistrationCounts(**await count_states(call.context, call.actor, tenant_id=call.query.tenant_id))


def _listed(row: DeviceRow) -> ListedRegistration:
    device = row.device
    tick = registration_document(row).model_dump()
    return ListedRegistration(
        device_id=device.id,
        device=device.name,
        mac=Mac(device.mac).pretty,
        tenant_id=device.tenant_id,
        **tick,
    )


ENDPOINTS = (
    Endpoint(
        method="GET", path="/registrations", permission=Permission.REGISTRATIONS_READ, handler=list_registrations, summary="List registrations",
        tag="registrations", query=RegistrationQuery, response=RegistrationPage, errors=(NotFound,),
    ),
    Endpoint(
        method="GET", path="/registrations/counts", permission=Permission.REGISTRATIONS_READ, handler=count_registrations,
        summary="Count registrations by state", tag="registrations", query=TenantQuery, response=RegistrationCounts, errors=(NotFound,),
    ),
)  # fmt: skip
