"""Logins: the people who may use the server."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from provisioner.access.permissions import Permission
from provisioner.errors import BadInput, Conflict, Forbidden, NotFound, Unavailable, WeakPassword
from provisioner.services.people import logins as use_cases
from provisioner.web.api.documents import Document, Id, Line, Page, PageQuery, Query, Request, Secret
from provisioner.web.api.endpoint import Call, Endpoint, ReadCall

Language = Literal["en", "nl", "de", "pl"]


class LoginDocument(Document):
    id: int
    tenant_id: int | None = Field(description="null: a server operator.")
    user_id: int | None
    name: str = Field(description="What is typed to log in.")
    display_name: str
    role: str
    language: str
    is_blocked: bool
    created_at: datetime
    last_login_at: datetime | None


class LoginPage(Page[LoginDocument]):
    """Logins by name."""


class NewLogin(Request):
    """A person to let in. `tenant_id` left out means your own tenant."""

    name: Annotated[
        Line, Field(description="2 to 254 characters without blanks.", examples=["anna@bakery.example"])
    ]
    role: Literal["operator", "admin", "installer", "user"]
    password: Annotated[Secret, Field(description="At least 12 characters.")]
    tenant_id: Id | None = None
    user_id: Annotated[
        Id | None, Field(description="Whom the login stands for; needed for the role user.")
    ] = None
    display_name: Line = ""
    language: Language = "en"


class ResetToken(Document):
    """For a reset link: good for a day and once."""

    token: str


async def list_logins(call: Call[PageQuery, None]) -> LoginPage:
    found = await use_cases.list_logins(call.context, call.actor)
    return LoginPage.cut([LoginDocument.model_validate(login) for login in found], call.query)


async def create_login(call: Call[Query, NewLogin]) -> LoginDocument:
    """An admin lets people into the own tenant; only an operator makes operators."""
    body = call.body
    tenant_id = body.tenant_id if body.tenant_id is not None else call.actor.tenant_id
    login = await call.doorkeeper.create_login(
        call.actor, name=body.name, role=body.role, password=body.password, tenant_id=tenant_id, user_id=body.user_id, display_name=body.display_name,
        language=body.language,
    )  # fmt: skip
    return LoginDocument.model_validate(login)


async def block_login(call: ReadCall) -> LoginDocument:
    """Ends the person's sessions at once."""
    return LoginDocument.model_validate(
        await use_cases.set_blocked(call.context, call.actor, login_id=call.id("login_id"), is_blocked=True)
    )


async def unblock_login(call: ReadCall) -> LoginDocument:
    return LoginDocument.model_validate(
        await use_cases.set_blocked(call.context, call.actor, login_id=call.id("login_id"), is_blocked=False)
    )


async def delete_login(call: ReadCall) -> None:
    await use_cases.delete_login(call.context, call.actor, login_id=call.id("login_id"))


async def reset_login(call: ReadCall) -> ResetToken:
    """A token for the person to choose a new password with; an earlier one is worth nothing from now on."""
    return ResetToken(
        token=await use_cases.make_reset(call.context, call.actor, login_id=call.id("login_id"))
    )


ENDPOINTS = (
    Endpoint(
        method="GET", path="/logins", permission=Permission.LOGINS_READ, handler=list_logins, summary="List logins", tag="logins", query=PageQuery,
        response=LoginPage,
    ),
    Endpoint(
        method="POST", path="/logins", permission=Permission.LOGINS_WRITE, handler=create_login, summary="Let a person in", tag="logins", request=NewLogin,
        response=LoginDocument, status=201, errors=(BadInput, WeakPassword, Conflict, Forbidden, NotFound, Unavailable),
    ),
    Endpoint(
        method="POST", path="/logins/{login_id}/block", permission=Permission.LOGINS_WRITE, handler=block_login, summary="Block a login", tag="logins",
        response=LoginDocument, errors=(Conflict,),
    ),
    Endpoint(
        method="POST", path="/logins/{login_id}/unblock", permission=Permission.LOGINS_WRITE, handler=unblock_login, summary="Unblock a login", tag="logins",
        response=LoginDocument, errors=(Conflict,),
    ),
    Endpoint(
        method="POST", path="/logins/{login_id}/reset", permission=Permission.LOGINS_WRITE, handler=reset_login, summary="Make a reset link's token",
        tag="logins", response=ResetToken,
    ),
    Endpoint(
        method="DELETE", path="/logins/{login_id}", permission=Permission.LOGINS_WRITE, handler=delete_login, summary="Remove a login", tag="logins",
        errors=(Conflict,),
    ),
)  # fmt: skip
