"""Internal numbers and what each stands for; public numbers and whom each rings."""

from typing import Annotated, Literal

from pydantic import Field

from provisioner.access.permissions import Permission
from provisioner.errors import BadInput, CodeCollision, Conflict, ExtensionTaken, InUse
from provisioner.services.calls import internal_numbers, public_numbers
from provisioner.services.people.tenants import get_tenant
from provisioner.web.api.documents import Change, Document, Id, Line, Page, PageQuery, Query, Request
from provisioner.web.api.endpoint import Call, Endpoint, ReadCall
from provisioner.web.api.users import Search

Kind = Annotated[
    Literal["user", "device", "public", "outside", "shared_line", "group", "menu"],
    Field(
        description="What the number stands for. Only `outside` has a `number`; all others have a `target_id`."
    ),
]
Digits = Annotated[
    str, Field(max_length=40, description="2 to 4 digits, unique in the tenant.", examples=["300"])
]
Outside = Annotated[str, Field(max_length=60, pattern=r"^[^\x00-\x1f]*$", examples=["+49301234567"])]
Rings = Annotated[
    Literal["", "user", "group", "menu"], Field(description="Whom the number rings; empty: nobody.")
]


class InternalNumberDocument(Document):
    id: int
    tenant_id: int
    digits: str
    kind: str
    target_id: int | None = Field(
        description="Id of the user, device … it stands for; null for an outside number."
    )
    target: str = Field(description="The name of what it stands for, or the outside number.")
    label: str


class InternalNumberPage(Page[InternalNumberDocument]):
    """Internal numbers in their order."""


class InternalNumberQuery(PageQuery):
    search: Annotated[Search, Field(description="Part of the digits, the label or what it stands for.")] = ""
    kind: Kind | Literal[""] = ""


class NewInternalNumber(Request):
    """An internal number to give out."""

    digits: Digits
    kind: Kind
    target_id: Id | None = None
    number: Outside = ""
    label: Line = ""


class InternalNumberChange(Change):
    """What to change of an internal number; another target takes `kind` with `target_id` or `number`."""

    digits: Digits = ""
    label: Line = ""
    kind: Kind = "outside"
    target_id: Id | None = None
    number: Outside = ""


class PublicNumberDocument(Document):
    id: int
    tenant_id: int
    number: str
    kind: str = Field(description="user, group, menu, or empty while it rings nobody.")
    target_id: int | None
    target: str


class PublicNumberPage(Page[PublicNumberDocument]):
    """Public numbers in their order."""


class PublicNumberQuery(PageQuery):
    search: Annotated[Search, Field(description="Part of the number or of whom it rings.")] = ""


class NewPublicNumber(Request):
    """A number of the tenant in the public network."""

    number: Annotated[Outside, Field(examples=["+31201234567"])]
    kind: Rings = ""
    target_id: Id | None = None


class PublicNumberChange(Request):
    """Whom the number rings from now on."""

    kind: Rings
    target_id: Id | None = None


async def list_numbers(call: Call[InternalNumberQuery, None]) -> InternalNumberPage:
    query = call.query
    tenant = await get_tenant(call.context, call.actor, tenant_id=call.id("tenant_id"))
    page = await internal_numbers.list_numbers(
        call.context, call.actor, tenant_id=tenant.id, search=query.search, kind=query.kind, offset=query.offset, limit=query.limit
    )  # fmt: skip
    return InternalNumberPage.model_validate(page)


async def get_number(call: ReadCall) -> InternalNumberDocument:
    found = await internal_numbers.get_number(call.context, call.actor, number_id=call.id("number_id"))
    return InternalNumberDocument.model_validate(found)


async def create_number(call: Call[Query, NewInternalNumber]) -> InternalNumberDocument:
    """It works at once. Phones get a new file only when its first digit or length is new to the tenant."""
    tenant = await get_tenant(call.context, call.actor, tenant_id=call.id("tenant_id"))
    made = await internal_numbers.create_number(
        call.context, call.actor, tenant_id=tenant.id, **call.body.given()
    )
    return InternalNumberDocument.model_validate(made)


async def update_number(call: Call[Query, InternalNumberChange]) -> InternalNumberDocument:
    """Exactly the phones that show the number get a new file."""
    changed = await internal_numbers.update_number(
        call.context, call.actor, number_id=call.id("number_id"), **call.body.given()
    )
    return InternalNumberDocument.model_validate(changed)


async def delete_number(call: ReadCall) -> None:
    """Keys that pointed at it stay, without a target. A shared line keeps its number."""
    await internal_numbers.delete_number(call.context, call.actor, number_id=call.id("number_id"))


async def list_public_numbers(call: Call[PublicNumberQuery, None]) -> PublicNumberPage:
    query = call.query
    tenant = await get_tenant(call.context, call.actor, tenant_id=call.id("tenant_id"))
    page = await public_numbers.list_public_numbers(
        call.context, call.actor, tenant_id=tenant.id, search=query.search, offset=query.offset, limit=query.limit
    )  # fmt: skip
    return PublicNumberPage.model_validate(page)


async def create_public_number(call: Call[Query, NewPublicNumber]) -> PublicNumberDocument:
    tenant = await get_tenant(call.context, call.actor, tenant_id=call.id("tenant_id"))
    made = await public_numbers.create_public_number(
        call.context, call.actor, tenant_id=tenant.id, **call.body.given()
    )
    return PublicNumberDocument.model_validate(made)


async def assign_public_number(call: Call[Query, PublicNumberChange]) -> PublicNumberDocument:
    assigned = await public_numbers.assign_public_number(
        call.context, call.actor, public_number_id=call.id("public_number_id"), **call.body.given()
    )
    return PublicNumberDocument.model_validate(assigned)


async def delete_public_number(call: ReadCall) -> None:
    """Refused while an internal number stands for it."""
    await public_numbers.delete_public_number(
        call.context, call.actor, public_number_id=call.id("public_number_id")
    )


_READ, _WRITE = Permission.USERS_READ, Permission.USERS_WRITE
_ONE, _ONE_PUBLIC = "/internal-numbers/{number_id}", "/public-numbers/{public_number_id}"

ENDPOINTS = (
    Endpoint(
        method="GET", path="/tenants/{tenant_id}/internal-numbers", permission=_READ, handler=list_numbers, summary="List and search internal numbers",
        tag="numbers", query=InternalNumberQuery, response=InternalNumberPage,
    ),
    Endpoint(
        method="POST", path="/tenants/{tenant_id}/internal-numbers", permission=_WRITE, handler=create_number, summary="Give out an internal number",
        tag="numbers", request=NewInternalNumber, response=InternalNumberDocument, status=201, location="/internal-numbers/{answer.id}",
        errors=(BadInput, ExtensionTaken, CodeCollision, Conflict),
    ),
    Endpoint(
        method="GET", path=_ONE, permission=_READ, handler=get_number, summary="One internal number", tag="numbers", response=InternalNumberDocument,
    ),
    Endpoint(
        method="PATCH", path=_ONE, permission=_WRITE, handler=update_number, summary="Change an internal number", tag="numbers",
        request=InternalNumberChange, response=InternalNumberDocument, errors=(BadInput, ExtensionTaken, CodeCollision, Conflict),
    ),
    Endpoint(method="DELETE", path=_ONE, permission=_WRITE, handler=delete_number, summary="Free an internal number", tag="numbers", errors=(InUse,)),
    Endpoint(
        method="GET", path="/tenants/{tenant_id}/public-numbers", permission=_READ, handler=list_public_numbers, summary="List and search public numbers",
        tag="numbers", query=PublicNumberQuery, response=PublicNumberPage,
    ),
    Endpoint(
        method="POST", path="/tenants/{tenant_id}/public-numbers", permission=_WRITE, handler=create_public_number, summary="Add a public number",
        tag="numbers", request=NewPublicNumber, response=PublicNumberDocument, status=201, errors=(BadInput, Conflict),
    ),
    Endpoint(
        method="PUT", path=_ONE_PUBLIC, permission=_WRITE, handler=assign_public_number, summary="Choose whom a public number rings", tag="numbers",
        request=PublicNumberChange, response=PublicNumberDocument, errors=(BadInput, Conflict),
    ),
    Endpoint(
        method="DELETE", path=_ONE_PUBLIC, permission=_WRITE, handler=delete_public_number, summary="Remove a public number", tag="numbers", errors=(InUse,),
    ),
)  # fmt: skip
