"""The connection to a tenant's PBX, and phones that are asked through it to fetch their configuration."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from provisioner.access.permissions import Permission
from provisioner.errors import BadInput, Conflict
from provisioner.model import PbxConnection
from provisioner.services.pbx import connections as use_cases
from provisioner.services.pbx.resync_state import Freshness, resync_now, resync_state
from provisioner.web.api.documents import Document, Line, Query, Request, Secret
from provisioner.web.api.endpoint import Call, Endpoint, ReadCall

Kind = Annotated[
    Literal["kamailio", "asterisk", "freeswitch", "direct"],
    Field(
        description="kamailio: JSON-RPC; asterisk: manager interface; freeswitch: event socket; direct: this server speaks to the phones itself."
    ),
]


class PbxConnectionDocument(Document):
    """The password is never shown."""

    tenant_id: int
    kind: str
    address: str
    username: str
    has_secret: bool


class PbxConnectionRequest(Request):
    """How to reach the PBX. Everything is replaced; only a `secret` that is left out stays, while the address does."""

    kind: Kind
    address: Annotated[
        Line,
        Field(
            description="kamailio: the URL of its JSON-RPC. asterisk, freeswitch: host[:port]. direct: empty.",
            examples=["http://192.0.2.10:5080/RPC"],
        ),
    ] = ""
    username: Annotated[
        Line,
        Field(
            description="asterisk: the manager user. kamailio: for HTTP Basic, if wanted. freeswitch: the Sofia profile, internal when empty."
        ),
    ] = ""
    secret: Annotated[Secret | None, Field(description="Password; an empty one removes it.")] = None


class PbxTestDocument(Document):
    """`problem` is empty when the connection works, else what failed."""

    is_working: bool
    problem: str


class ResyncDocument(Document):
    """Whether the phone has its newest configuration. up-to-date: the file it got last is the one it would get now."""

    state: Freshness
    served_at: datetime | None
    asked_at: datetime | None = Field(description="When it was last to be told to fetch.")
    attempts: int = Field(description="How often it was told since.")
    next_at: datetime | None = Field(description="When it will be told again, unless it fetches first.")
    detail: str = Field(description="About the last attempt, for people; empty when there is nothing to say.")
    is_connected: bool = Field(
        description="Whether the tenant's PBX is connected, so that phones can be told."
    )


async def get_pbx(call: ReadCall) -> PbxConnectionDocument:
    found = await use_cases.get_connection(call.context, call.actor, tenant_id=call.id("tenant_id"))
    return _document(found)


async def put_pbx(call: Call[Query, PbxConnectionRequest]) -> PbxConnectionDocument:
    """The address is where this server sends messages to, with the password; so only server operators set it."""
    body = call.body
    stored = await use_cases.put_connection(
        call.context,
        call.actor,
        tenant_id=call.id("tenant_id"),
        kind=body.kind,
        address=body.address,
        username=body.username,
        secret=body.secret,
    )
    return _document(stored)


async def delete_pbx(call: ReadCall) -> None:
    """Phones then come by themselves, at their poll interval."""
    await use_cases.delete_connection(call.context, call.actor, tenant_id=call.id("tenant_id"))


async def test_pbx(call: ReadCall) -> PbxTestDocument:
    """Log in at the PBX and see whether it would do; no phone is told anything."""
    problem = await use_cases.probe_connection(call.context, call.actor, tenant_id=call.id("tenant_id"))
    return PbxTestDocument(is_working=not problem, problem=problem)


async def get_resync(call: ReadCall) -> ResyncDocument:
    return await _state(call)


async def resync_device(call: ReadCall) -> ResyncDocument:
    """Tell the phone to fetch its configuration now, without a restart, and again until it does; never during a call."""
    await resync_now(call.context, call.actor, device_id=call.id("device_id"))
    return await _state(call)


async def _state(call: ReadCall) -> ResyncDocument:
    state = await resync_state(call.context, call.actor, device_id=call.id("device_id"))
    return ResyncDocument(
        state=state.freshness,
        served_at=state.served_at,
        asked_at=state.asked_at,
        attempts=state.attempts,
        next_at=state.next_at,
        detail=state.detail,
        is_connected=state.is_connected,
    )


def _document(row: PbxConnection) -> PbxConnectionDocument:
    return PbxConnectionDocument(
        tenant_id=row.tenant_id,
        kind=row.kind,
        address=row.address,
        username=row.username,
        has_secret=bool(row.secret),
    )


_PBX = "/tenants/{tenant_id}/pbx"
_RESYNC = "/devices/{device_id}/resync"
ENDPOINTS = (
    Endpoint(
        method="GET", path=_PBX, permission=Permission.TENANT_READ, handler=get_pbx, summary="The connection to the PBX", tag="pbx",
        response=PbxConnectionDocument,
    ),
    Endpoint(
        method="PUT", path=_PBX, permission=Permission.TENANTS_WRITE, handler=put_pbx, summary="Connect the PBX", tag="pbx",
        request=PbxConnectionRequest, response=PbxConnectionDocument, errors=(BadInput,),
    ),
    Endpoint(method="DELETE", path=_PBX, permission=Permission.TENANTS_WRITE, handler=delete_pbx, summary="Disconnect the PBX", tag="pbx"),
    Endpoint(
        method="POST", path=_PBX + "/test", permission=Permission.TENANTS_WRITE, handler=test_pbx, summary="Try the connection", tag="pbx",
        response=PbxTestDocument,
    ),
    Endpoint(
        method="GET", path=_RESYNC, permission=Permission.DEVICES_READ, handler=get_resync, summary="Whether a phone is up to date", tag="pbx",
        response=ResyncDocument,
    ),
    Endpoint(
        method="POST", path=_RESYNC, permission=Permission.DEVICES_TEST, handler=resync_device, summary="Tell a phone to fetch", tag="pbx",
        response=ResyncDocument, status=202, errors=(Conflict,),
    ),
)  # fmt: skip
