"""Shared lines: one number that appears on several devices."""

from typing import Annotated, Any, Literal

from pydantic import Field

from provisioner.access.permissions import Permission
from provisioner.errors import BadInput, CannotShareLine, CodeCollision, Conflict, ExtensionTaken
from provisioner.services.shared_lines import shared_lines as use_cases
from provisioner.services.shared_lines.members import Wish
from provisioner.web.api.documents import Change, Document, Id, Line, Page, PageQuery, Query, Request
from provisioner.web.api.endpoint import Call, Endpoint, ReadCall

Mode = Annotated[
    Literal["sca", "blf"],
    Field(
        description="sca: shared call appearances, which the registrar must know (Kamailio does, Asterisk does not). "
        "blf: lamps, pick-up and parking stand in for them."
    ),
]
Appearances = Annotated[int, Field(ge=1, le=10, description="How many calls can be told apart at once.")]
Repeat = Annotated[
    int, Field(ge=0, le=600, description="Seconds between two warning tones; 0 plays it once.")
]
Number = Annotated[
    str,
    Field(
        max_length=40,
        description="2 to 4 digits, unique in the tenant.",
        examples=["210"],
        json_schema_extra={"pattern": "^[0-9]{2,4}$"},
    ),
]
Place = Annotated[
    int, Field(ge=1, le=64, description="Position of the line on the device; left out: the lowest free one.")
]


class MemberDocument(Document):
    """`account` is what the device proves itself with when it registers the shared address."""

    device_id: int
    device_name: str
    line: int
    account: str
    role: str


class SharedLineDocument(Document):
    """`account` is the user part of the shared SIP address that all members register (mode sca)."""

    id: int
    tenant_id: int
    name: str
    number: str
    account: str
    mode: str
    appearances: int
    is_barge_in: bool
    is_barge_tone: bool
    barge_tone_repeat: int
    is_private_hold: bool
    members: list[MemberDocument]


class SharedLinePage(Page[SharedLineDocument]):
    """Shared lines by name."""


class MemberRequest(Request):
    """A device that shall show the line."""

    device_id: Id
    line: Place | None = None
    role: Literal["member", "boss", "assistant"] = "member"


Members = Annotated[list[MemberRequest], Field(min_length=1, max_length=50, description="In order.")]


class NewSharedLine(Request):
    """A shared line to make, with all its members."""

    name: Annotated[Line, Field(examples=["Sales"])]
    number: Number
    members: Members
    mode: Mode = "sca"
    appearances: Appearances = 2
    is_barge_in: bool = False
    is_barge_tone: bool = True
    barge_tone_repeat: Repeat = 0
    is_private_hold: bool = False


class NewBossLine(Request):
    """A boss's line that assistants have too."""

    number: Number
    boss_device_id: Id
    assistant_device_ids: Annotated[list[Id], Field(min_length=1, max_length=49)]
    name: Annotated[Line, Field(description="Empty takes the boss's device.")] = ""


class SharedLineChange(Change):
    """What to change of a shared line; `members` replaces all of them."""

    name: Line = ""
    number: Number = ""
    members: Members = Field(default_factory=list)
    mode: Mode = "sca"
    appearances: Appearances = 2
    is_barge_in: bool = False
    is_barge_tone: bool = True
    barge_tone_repeat: Repeat = 0
    is_private_hold: bool = False


async def list_shared_lines(call: Call[PageQuery, None]) -> SharedLinePage:
    found = await use_cases.list_shared_lines(call.context, call.actor, tenant_id=call.id("tenant_id"))
    return SharedLinePage.cut([SharedLineDocument.model_validate(line) for line in found], call.query)


async def get_shared_line(call: ReadCall) -> SharedLineDocument:
    found = await use_cases.get_shared_line(
        call.context, call.actor, shared_line_id=call.id("shared_line_id")
    )
    return SharedLineDocument.model_validate(found)


async def create_shared_line(call: Call[Query, NewSharedLine]) -> SharedLineDocument:
    """All members get a line of their device and new files, or nothing is changed."""
    made = await use_cases.create_shared_line(
        call.context, call.actor, tenant_id=call.id("tenant_id"), **_fields(call.body)
    )
    return SharedLineDocument.model_validate(made)


async def create_boss_line(call: Call[Query, NewBossLine]) -> SharedLineDocument:
    """The boss/assistant set-up in one call: two appearances, no barging in, holding in private."""
    made = await use_cases.preset_boss_assistant(
        call.context, call.actor, tenant_id=call.id("tenant_id"), **call.body.given()
    )
    return SharedLineDocument.model_validate(made)


async def update_shared_line(call: Call[Query, SharedLineChange]) -> SharedLineDocument:
    """Members and former members fetch new files; a former member's line is switched off."""
    changed = await use_cases.update_shared_line(
        call.context, call.actor, shared_line_id=call.id("shared_line_id"), **_fields(call.body)
    )
    return SharedLineDocument.model_validate(changed)


async def delete_shared_line(call: ReadCall) -> None:
    """Its number is free again; its lines on devices are switched off."""
    await use_cases.delete_shared_line(call.context, call.actor, shared_line_id=call.id("shared_line_id"))


def _fields(body: NewSharedLine | SharedLineChange) -> dict[str, Any]:
    fields = body.given()
    if "members" in fields:
        fields["members"] = [Wish(member.device_id, member.line, member.role) for member in fields["members"]]
    return fields


_ERRORS = (BadInput, Conflict, ExtensionTaken, CodeCollision, CannotShareLine)
ENDPOINTS = (
    Endpoint(
        method="GET", path="/tenants/{tenant_id}/shared-lines", permission=Permission.USERS_READ, handler=list_shared_lines, summary="List shared lines",
        tag="shared-lines", query=PageQuery, response=SharedLinePage,
    ),
    Endpoint(
        method="POST", path="/tenants/{tenant_id}/shared-lines", permission=Permission.USERS_WRITE, handler=create_shared_line, summary="Make a shared line",
        tag="shared-lines", request=NewSharedLine, response=SharedLineDocument, status=201, location="/shared-lines/{answer.id}", errors=_ERRORS,
    ),
    Endpoint(
        method="POST", path="/tenants/{tenant_id}/boss-lines", permission=Permission.USERS_WRITE, handler=create_boss_line, summary="Share a boss's line with assistants",
        tag="shared-lines", request=NewBossLine, response=SharedLineDocument, status=201, location="/shared-lines/{answer.id}", errors=_ERRORS,
    ),
    Endpoint(
        method="GET", path="/shared-lines/{shared_line_id}", permission=Permission.USERS_READ, handler=get_shared_line, summary="One shared line",
        tag="shared-lines", response=SharedLineDocument,
    ),
    Endpoint(
        method="PATCH", path="/shared-lines/{shared_line_id}", permission=Permission.USERS_WRITE, handler=update_shared_line, summary="Change a shared line",
        tag="shared-lines", request=SharedLineChange, response=SharedLineDocument, errors=_ERRORS,
    ),
    Endpoint(
        method="DELETE", path="/shared-lines/{shared_line_id}", permission=Permission.USERS_WRITE, handler=delete_shared_line, summary="Remove a shared line",
        tag="shared-lines",
    ),
)  # fmt: skip
