"""Tokens of programs: shown once, revoked for good."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from provisioner.access.permissions import Permission
from provisioner.errors import BadInput, Forbidden, NotFound
from provisioner.services.people import api_tokens as use_cases
from provisioner.web.api.documents import Document, Id, Line, Page, PageQuery, Query, Request
from provisioner.web.api.endpoint import Call, Endpoint, ReadCall


class TokenDocument(Document):
    """A token without its secret."""

    id: int
    name: str
    role: str
    tenant_id: int | None = Field(description="null: good for every tenant.")
    public_id: str = Field(description="The part between prov_ and the secret; recognises a token in a log.")
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None


class TokenPage(Page[TokenDocument]):
    """Tokens by name."""


class CreatedToken(TokenDocument):
    """`token` is shown now and never again."""

    token: str


class NewToken(Request):
    """A token to make. `tenant_id` left out means your own tenant; an operator's then is good for all."""

    name: Annotated[
        Line, Field(description="What uses it, at most 80 characters.", examples=["Kamailio in Utrecht"])
    ]
    role: Literal["operator", "admin", "installer", "pbx"]
    tenant_id: Id | None = None
    days: Annotated[
        int | None, Field(ge=1, le=3650, description="How long it lasts; left out: until it is revoked.")
    ] = None


async def list_tokens(call: Call[PageQuery, None]) -> TokenPage:
    found = await use_cases.list_tokens(call.context, call.actor)
    return TokenPage.cut([TokenDocument.model_validate(row) for row in found], call.query)


async def create_token(call: Call[Query, NewToken]) -> CreatedToken:
    """Nobody makes a token that may do more than they may themselves."""
    body = call.body
    tenant_id = body.tenant_id if body.tenant_id is not None else call.actor.tenant_id
    made = await use_cases.create_token(
        call.context, call.actor, name=body.name, role=body.role, tenant_id=tenant_id, days=body.days
    )
    return CreatedToken(**TokenDocument.model_validate(made.row).model_dump(), token=made.text)


async def revoke_token(call: ReadCall) -> None:
    """For good, within a second, and not even a restored backup brings it back."""
    await use_cases.revoke_token(call.context, call.actor, token_id=call.id("token_id"))


ENDPOINTS = (
    Endpoint(
        method="GET", path="/tokens", permission=Permission.TOKENS_READ, handler=list_tokens, summary="List tokens", tag="tokens", query=PageQuery,
        response=TokenPage,
    ),
    Endpoint(
        method="POST", path="/tokens", permission=Permission.TOKENS_WRITE, handler=create_token, summary="Make a token", tag="tokens", request=NewToken,
        response=CreatedToken, status=201, errors=(BadInput, Forbidden, NotFound),
    ),
    Endpoint(method="DELETE", path="/tokens/{token_id}", permission=Permission.TOKENS_WRITE, handler=revoke_token, summary="Revoke a token", tag="tokens"),
)  # fmt: skip
