"""Tenants: the companies that own users and devices."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from provisioner.access.permissions import Permission
from provisioner.errors import BadInput, Conflict, InUse, InvalidPolicy
from provisioner.services.people import tenants as use_cases
from provisioner.web.api.documents import Change, Document, Line, Page, PageQuery, Query, Request
from provisioner.web.api.endpoint import Call, Endpoint, ReadCall

Networks = Annotated[
    list[Annotated[str, Field(max_length=50)]],
    Field(max_length=100, description="Networks of the offices, as CIDR.", examples=[["192.0.2.0/24"]]),
]
Policy = Annotated[
    str,
    Field(
        max_length=500,
        pattern=r"^[^\x00-\x1f]*$",
        description="Credential policy by name or expression; empty takes the next wider one.",
    ),
]
Domain = Annotated[
    Line,
    Field(
        description="Domain of the SIP addresses and realm of their digests.", examples=["pbx.example.net"]
    ),
]
Number = Annotated[Line, Field(description="A telephone number, + and digits.", examples=["+31201234567"])]
Minimum = Annotated[
    int,
    Field(
        ge=6,
        le=40,
        description="Shortest device configuration password; stricter than the rule, never weaker.",
    ),
]
ClearText = Annotated[bool, Field(description="Secrets may go over plain http to the tenant's own networks.")]

Watched = Annotated[
    str,
    Field(
        max_length=260,
        description="host[:port] of a registrar that reports nothing by itself and is asked instead (RFC 3680). Operators only.",
        examples=["pbx.example.net:5060"],
    ),
]


SeatingHidden = Annotated[
    bool, Field(description="Nobody is shown who sits at which hotdesk device; logins work as ever.")
]
Grace = Annotated[
    int,
    Field(
        ge=0,
        le=600,
        description="Seconds for which a primary device that went still counts as registered.",
    ),
]


class TenantDocument(Document):
    id: int
    key: str
    name: str
    sip_domain: str
    main_number: str
    is_premium: bool
    policy: str
    networks: list[str]
    password_minimum: int
    is_clear_text_allowed: bool
    watch_registrar: str
    is_seating_hidden: bool
    primary_grace: int
    created_at: datetime


class ListedTenant(TenantDocument):
    users: int
    devices: int


class TenantPage(Page[ListedTenant]):
    """Tenants by name."""


class NewTenant(Request):
    """A tenant to make. The key stands in addresses of pages and never changes."""

    key: Annotated[
        str,
        Field(
            max_length=40,
            json_schema_extra={"pattern": r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"},
            examples=["bakery"],
        ),
    ]
    name: Annotated[Line, Field(examples=["Bakery Ltd"])]
    sip_domain: Domain
    main_number: Number = ""
    is_premium: Annotated[bool, Field(description="Users may have up to nine devices.")] = False
    policy: Policy = ""
    networks: Networks = Field(default_factory=list)
    password_minimum: Minimum = 6
    is_clear_text_allowed: ClearText = False
    watch_registrar: Watched = ""
    is_seating_hidden: SeatingHidden = False
    primary_grace: Grace = 60


class TenantChange(Change):
    """What to change of a tenant."""

    name: Line = ""
    sip_domain: Domain = ""
    main_number: Number = ""
    is_premium: bool = False
    policy: Policy = ""
    networks: Networks = Field(default_factory=list)
    password_minimum: Minimum = 6
    is_clear_text_allowed: ClearText = False
    watch_registrar: Watched = ""
    is_seating_hidden: SeatingHidden = False
    primary_grace: Grace = 60


async def list_tenants(call: Call[PageQuery, None]) -> TenantPage:
    """The tenants you may see, by name: an operator sees all, anybody else their own."""
    found = await use_cases.list_tenants(call.context, call.actor)
    items = [
        ListedTenant(
            **TenantDocument.model_validate(summary.tenant).model_dump(),
            users=summary.users,
            devices=summary.devices,
        )
        for summary in found
    ]
    return TenantPage.cut(items, call.query)


async def get_tenant(call: ReadCall) -> TenantDocument:
    return TenantDocument.model_validate(
        await use_cases.get_tenant(call.context, call.actor, tenant_id=call.id("tenant_id"))
    )


async def create_tenant(call: Call[Query, NewTenant]) -> TenantDocument:
    """Only a server operator makes tenants."""
    fields = call.body.given()
    return TenantDocument.model_validate(await use_cases.create_tenant(call.context, call.actor, **fields))


async def update_tenant(call: Call[Query, TenantChange]) -> TenantDocument:
    """Every phone of the tenant gets a new file when what changed stands in it."""
    tenant = await use_cases.update_tenant(
        call.context, call.actor, tenant_id=call.id("tenant_id"), **call.body.given()
    )
    return TenantDocument.model_validate(tenant)


async def delete_tenant(call: ReadCall) -> None:
    """Refused while the tenant has devices: those are removed one by one, so that each is revoked."""
    await use_cases.delete_tenant(call.context, call.actor, tenant_id=call.id("tenant_id"))


ENDPOINTS = (
    Endpoint(
        method="GET", path="/tenants", permission=Permission.TENANT_READ, handler=list_tenants, summary="List tenants", tag="tenants",
        query=PageQuery, response=TenantPage,
    ),
    Endpoint(
        method="POST", path="/tenants", permission=Permission.TENANTS_WRITE, handler=create_tenant, summary="Make a tenant", tag="tenants",
        request=NewTenant, response=TenantDocument, status=201, location="/tenants/{answer.id}", errors=(BadInput, InvalidPolicy, Conflict),
    ),
    Endpoint(
        method="GET", path="/tenants/{tenant_id}", permission=Permission.TENANT_READ, handler=get_tenant, summary="One tenant", tag="tenants",
        response=TenantDocument,
    ),
    Endpoint(
        method="PATCH", path="/tenants/{tenant_id}", permission=Permission.TENANT_WRITE, handler=update_tenant, summary="Change a tenant", tag="tenants",
        request=TenantChange, response=TenantDocument, errors=(BadInput, InvalidPolicy),
    ),
    Endpoint(
        method="DELETE", path="/tenants/{tenant_id}", permission=Permission.TENANTS_WRITE, handler=delete_tenant, summary="Remove an empty tenant",
        tag="tenants", errors=(InUse,),
    ),
)  # fmt: skip
