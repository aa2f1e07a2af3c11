"""Devices from a table and back: preview, import all or nothing, export."""

from typing import Annotated, Any

from pydantic import Field

from provisioner.access.permissions import Permission, require
from provisioner.errors import BadInput, ImportRefused
from provisioner.services.devices import imports as use_cases
from provisioner.web.api.documents import Document, Query, Request
from provisioner.web.api.endpoint import Call, Endpoint, ReadCall

MAX_TABLE = 16 * 1024 * 1024
"""Bytes of a request with a table."""


class ImportedDocument(Document):
    """One row of the table as it is stored, or would be."""

    line: int
    mac: str
    name: str
    model: str
    user: str
    makes_user: bool
    username: str
    warnings: list[str]


class EnrolledRow(ImportedDocument):
    """A row that was imported; `password` is shown now and never again."""

    device_id: int
    password: str
    was_generated: bool


class BrokenRowDocument(Document):
    """One thing that is wrong with a row."""

    line: int
    column: str
    reason: str


class ImportPreview(Document):
    """What an import would do now; nothing is stored."""

    is_importable: bool
    devices: list[ImportedDocument]
    broken: list[BrokenRowDocument]


class ImportAnswer(Document):
    """What was imported."""

    devices: list[EnrolledRow]
    users_made: int


class Table(Document):
    """CSV with commas and CRLF (RFC 4180); passwords are left empty."""

    text: str


class ImportRequest(Request):
    """A table with a header row: CSV with comma, semicolon or tab; see docs for its columns."""

    text: Annotated[
        str, Field(max_length=MAX_TABLE, examples=["mac,model,user\r\n020000003001,generic/Generic,Anna\r\n"])
    ]
    create_users: Annotated[
        bool, Field(description="Make users that are named but not there; needs users-write.")
    ] = False


async def preview_import(call: Call[Query, ImportRequest]) -> ImportPreview:
    """Carries the import out and takes it back: the same rules, nothing stored. Broken rows stand in the answer."""
    plan = await use_cases.preview(call.context, call.actor, **_arguments(call))
    return ImportPreview.model_validate(plan)


async def import_devices(call: Call[Query, ImportRequest]) -> ImportAnswer:
    """All rows or none. The answer holds the passwords, this once."""
    return ImportAnswer.model_validate(
        await use_cases.import_devices(call.context, call.actor, **_arguments(call))
    )


async def export_devices(call: ReadCall) -> Table:
    """The tenant's devices with the columns of the import."""
    return Table(
        text=await use_cases.export_devices(call.context, call.actor, tenant_id=call.id("tenant_id"))
    )


def _arguments(call: Call[Query, ImportRequest]) -> dict[str, Any]:
    if call.body.create_users:
        require(call.actor.role, Permission.USERS_WRITE)
    return {"tenant_id": call.id("tenant_id"), "text": call.body.text, "create_users": call.body.create_users}


ENDPOINTS = (
    Endpoint(
        method="POST", path="/tenants/{tenant_id}/imports/preview", permission=Permission.DEVICES_WRITE, handler=preview_import,
        summary="What an import would do", tag="imports", request=ImportRequest, max_body=MAX_TABLE, response=ImportPreview, errors=(BadInput, ImportRefused),
    ),
    Endpoint(
        method="POST", path="/tenants/{tenant_id}/imports", permission=Permission.DEVICES_WRITE, handler=import_devices, summary="Import devices from a table",
        tag="imports", request=ImportRequest, max_body=MAX_TABLE, response=ImportAnswer, status=201, errors=(BadInput, ImportRefused),
    ),
    Endpoint(
        method="GET", path="/tenants/{tenant_id}/exports/devices", permission=Permission.DEVICES_READ, handler=export_devices,
        summary="Export devices as a table", tag="imports", response=Table,
    ),
)  # fmt: skip
