"""Users: destinations that can be called, with their extension and numbers."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from provisioner.access.permissions import Permission
from provisioner.errors import BadInput, Conflict, ExtensionTaken, InUse
from provisioner.model import User
from provisioner.services.people import users as use_cases
from provisioner.services.people.tenants import get_tenant
from provisioner.web.api.documents import Change, Document, Id, Line, Page, PageQuery, Query, Request
from provisioner.web.api.endpoint import Call, Endpoint, ReadCall

Kind = Annotated[
    Literal["person", "conference", "queue", "service"],
    Field(description="Service users (all but person) never count for the premium rule."),
]
Extension = Annotated[
    str,
    Field(
        max_length=40,
        description="2 to 4 digits, unique in the tenant; empty for none.",
        examples=["1001"],
        json_schema_extra={"pattern": "^([0-9]{2,4})?$"},
    ),
]
Search = Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f]*$")]


class UserDocument(Document):
    id: int
    tenant_id: int
    site_id: int | None
    name: str
    kind: str
    email: str
    department: str
    extension: str | None
    numbers: list[str]
    is_hotdesk: Annotated[bool, Field(description="May log in on hotdesk devices.")]
    primary_device_id: Annotated[int | None, Field(description="The one device that queues ring.")]
    created_at: datetime


class UserPage(Page[UserDocument]):
    """Users by name."""


class UserQuery(PageQuery):
    search: Annotated[Search, Field(description="Part of a name, an e-mail address or an extension.")] = ""


class NewUser(Request):
    """A user to make; public numbers are given with PATCH afterwards."""

    name: Annotated[Line, Field(examples=["Anna Jansen"])]
    extension: Extension = ""
    kind: Kind = "person"
    email: Line = ""
    department: Line = ""
    site_id: Id | None = None


class UserChange(Change):
    """What to change of a user; `numbers` replaces all public numbers."""

    name: Line = ""
    extension: Extension = ""
    kind: Kind = "person"
    email: Line = ""
    department: Line = ""
    site_id: Id | None = None
    numbers: Annotated[
        list[Annotated[str, Field(max_length=60, pattern=r"^[^\x00-\x1f]*$")]],
        Field(max_length=50, examples=[["+31201234567"]]),
    ] = Field(default_factory=list)


async def list_users(call: Call[UserQuery, None]) -> UserPage:
    query = call.query
    tenant = await get_tenant(call.context, call.actor, tenant_id=call.id("tenant_id"))
    page = await use_cases.list_users(
        call.context,
        call.actor,
        tenant_id=tenant.id,
        search=query.search,
        offset=query.offset,
        limit=query.limit,
    )
    return UserPage(
        items=await _documents(call, page.items), total=page.total, offset=page.offset, limit=page.limit
    )


async def get_user(call: ReadCall) -> UserDocument:
    return await _document(
        call, await use_cases.get_user(call.context, call.actor, user_id=call.id("user_id"))
    )


async def create_user(call: Call[Query, NewUser]) -> UserDocument:
    """The extension works at once."""
    tenant = await get_tenant(call.context, call.actor, tenant_id=call.id("tenant_id"))
    made = await use_cases.create_user(call.context, call.actor, tenant_id=tenant.id, **call.body.given())
    return await _document(call, await use_cases.get_user(call.context, call.actor, user_id=made.id))


async def update_user(call: Call[Query, UserChange]) -> UserDocument:
    """Exactly the devices that show this user get a new file."""
    return await _document(
        call,
        await use_cases.update_user(
            call.context, call.actor, user_id=call.id("user_id"), **call.body.given()
        ),
    )


async def delete_user(call: ReadCall) -> None:
    """Refused while the user has devices; the answer names them."""
    await use_cases.delete_user(call.context, call.actor, user_id=call.id("user_id"))


async def _document(call: Call[Any, Any], user: User) -> UserDocument:
    return (await _documents(call, [user]))[0]


async def _documents(call: Call[Any, Any], users: Any) -> list[UserDocument]:
    numbers = await use_cases.public_numbers(call.context, call.actor, user_ids=[user.id for user in users])
    return [
        UserDocument(
            id=user.id, tenant_id=user.tenant_id, site_id=user.site_id, name=user.name, kind=user.kind, email=user.email, department=user.department,
            extension=user.extension.digits if user.extension else None, numbers=numbers.get(user.id, []), is_hotdesk=user.is_hotdesk,
            primary_device_id=user.primary_device_id, created_at=user.created_at,
        )
        for user in users
    ]  # fmt: skip


ENDPOINTS = (
    Endpoint(
        method="GET", path="/tenants/{tenant_id}/users", permission=Permission.USERS_READ, handler=list_users, summary="List and search users",
        tag="users", query=UserQuery, response=UserPage,
    ),
    Endpoint(
        method="POST", path="/tenants/{tenant_id}/users", permission=Permission.USERS_WRITE, handler=create_user, summary="Make a user", tag="users",
        request=NewUser, response=UserDocument, status=201, location="/users/{answer.id}", errors=(BadInput, ExtensionTaken),
    ),
    Endpoint(method="GET", path="/users/{user_id}", permission=Permission.USERS_READ, handler=get_user, summary="One user", tag="users", response=UserDocument),
    Endpoint(
        method="PATCH", path="/users/{user_id}", permission=Permission.USERS_WRITE, handler=update_user, summary="Change a user", tag="users",
        request=UserChange, response=UserDocument, errors=(BadInput, ExtensionTaken, Conflict),
    ),
    Endpoint(
        method="DELETE", path="/users/{user_id}", permission=Permission.USERS_WRITE, handler=delete_user, summary="Remove a user without devices",
        tag="users", errors=(InUse,),
    ),
)  # fmt: skip
