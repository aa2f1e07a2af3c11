"""Call groups and queues: several users behind one number."""

from typing import Annotated, Literal, Self

from pydantic import Field

from provisioner.access.permissions import Permission
from provisioner.errors import BadInput, Conflict, ForwardingLoop
from provisioner.model import CallGroup
from provisioner.services.calls import call_groups as use_cases
from provisioner.web.api.documents import Change, Document, Id, Line, Page, PageQuery, Query, Request
from provisioner.web.api.endpoint import Call, Endpoint, ReadCall

Policy = Annotated[
    Literal["circular", "fixed", "simultaneous", "uniform"],
    Field(
        description="circular: begins after the member who was rung last; fixed: always in this order; simultaneous: all at once; uniform: who "
        "has been idle longest first."
    ),
]
IsQueue = Annotated[bool, Field(description="Callers wait, and only primary devices ring.")]
Rings = Annotated[int, Field(ge=1, le=20, description="The next member is tried after so many rings.")]
Wait = Annotated[int, Field(ge=0, le=3_600, description="Seconds until the overflow; 0: never.")]
Overflow = Annotated[Line, Field(description="Extension or number that gets the call after the wait.")]
Members = Annotated[
    list[Id], Field(max_length=use_cases.MOST_MEMBERS, description="Ids of users, in the order of the group.")
]


class CallGroupDocument(Document):
    id: int
    tenant_id: int
    name: str
    policy: Policy
    is_queue: IsQueue
    rings: Rings
    wait: Wait
    overflow: str
    members: list[int]

    @classmethod
    def of(cls, group: CallGroup) -> Self:
        names = set(cls.model_fields) - {"members"}
        fields = {name: getattr(group, name) for name in names}
        return cls(**fields, members=[member.user_id for member in group.members])


class CallGroupPage(Page[CallGroupDocument]):
    """Call groups by name."""


class NewCallGroup(Request):
    """A call group to make."""

    name: Annotated[Line, Field(examples=["Sales"])]
    policy: Policy = "simultaneous"
    is_queue: IsQueue = False
    rings: Rings = 4
    wait: Wait = 0
    overflow: Overflow = ""
    members: Members = Field(default_factory=list)


class CallGroupChange(Change):
    """What to change of a call group; `members` replaces all of them."""

    name: Line = ""
    policy: Policy = "simultaneous"
    is_queue: IsQueue = False
    rings: Rings = 4
    wait: Wait = 0
    overflow: Overflow = ""
    members: Members = Field(default_factory=list)


async def list_call_groups(call: Call[PageQuery, None]) -> CallGroupPage:
    found = await use_cases.list_groups(call.context, call.actor, tenant_id=call.id("tenant_id"))
    return CallGroupPage.cut([CallGroupDocument.of(group) for group in found], call.query)


async def get_call_group(call: ReadCall) -> CallGroupDocument:
    return CallGroupDocument.of(
        await use_cases.get_group(call.context, call.actor, group_id=call.id("group_id"))
    )


async def create_call_group(call: Call[Query, NewCallGroup]) -> CallGroupDocument:
    """An extension that rings it is made with the internal numbers."""
    group = await use_cases.create_group(
        call.context, call.actor, tenant_id=call.id("tenant_id"), **call.body.given()
    )
    return CallGroupDocument.of(group)


async def update_call_group(call: Call[Query, CallGroupChange]) -> CallGroupDocument:
    """The PBX is told at once; phones whose keys show the group's name get a new file when that changes."""
    group = await use_cases.update_group(
        call.context, call.actor, group_id=call.id("group_id"), **call.body.given()
    )
    return CallGroupDocument.of(group)


async def delete_call_group(call: ReadCall) -> None:
    """Its extensions go with it; its public numbers stay and ring nobody."""
    await use_cases.delete_group(call.context, call.actor, group_id=call.id("group_id"))


ENDPOINTS = (
    Endpoint(
        method="GET", path="/tenants/{tenant_id}/call-groups", permission=Permission.USERS_READ, handler=list_call_groups, summary="List call groups",
        tag="call-groups", query=PageQuery, response=CallGroupPage,
    ),
    Endpoint(
        method="POST", path="/tenants/{tenant_id}/call-groups", permission=Permission.USERS_WRITE, handler=create_call_group, summary="Make a call group",
        tag="call-groups", request=NewCallGroup, response=CallGroupDocument, status=201, location="/call-groups/{answer.id}",
        errors=(BadInput, Conflict, ForwardingLoop),
    ),
    Endpoint(
        method="GET", path="/call-groups/{group_id}", permission=Permission.USERS_READ, handler=get_call_group, summary="One call group", tag="call-groups",
        response=CallGroupDocument,
    ),
    Endpoint(
        method="PATCH", path="/call-groups/{group_id}", permission=Permission.USERS_WRITE, handler=update_call_group, summary="Change a call group",
        tag="call-groups", request=CallGroupChange, response=CallGroupDocument, errors=(BadInput, Conflict, ForwardingLoop),
    ),
    Endpoint(
        method="DELETE", path="/call-groups/{group_id}", permission=Permission.USERS_WRITE, handler=delete_call_group, summary="Remove a call group",
        tag="call-groups",
    ),
)  # fmt: skip
