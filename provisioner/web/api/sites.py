"""Sites: the places of a tenant."""

from typing import Annotated

from pydantic import Field

from provisioner.access.permissions import Permission
from provisioner.errors import BadInput, Conflict, InvalidPolicy
from provisioner.services.people import tenants as use_cases
from provisioner.web.api.documents import Change, Document, Line, Page, PageQuery, Query, Request
from provisioner.web.api.endpoint import Call, Endpoint, ReadCall
from provisioner.web.api.tenants import Networks, Number, Policy

Address = Annotated[Line, Field(description="Street and town, for people.")]


class SiteDocument(Document):
    id: int
    tenant_id: int
    name: str
    address: str
    emergency_caller_id: str
    policy: str
    networks: list[str]


class SitePage(Page[SiteDocument]):
    """Sites by name."""


class NewSite(Request):
    """A site to make."""

    name: Annotated[Line, Field(examples=["Head office"])]
    address: Address = ""
    emergency_caller_id: Number = ""
    policy: Policy = ""
    networks: Networks = Field(default_factory=list)


class SiteChange(Change):
    """What to change of a site."""

    name: Line = ""
    address: Address = ""
    emergency_caller_id: Number = ""
    policy: Policy = ""
    networks: Networks = Field(default_factory=list)


async def list_sites(call: Call[PageQuery, None]) -> SitePage:
    tenant = await use_cases.get_tenant(call.context, call.actor, tenant_id=call.id("tenant_id"))
    found = await use_cases.list_sites(call.context, call.actor, tenant_id=tenant.id)
    return SitePage.cut([SiteDocument.model_validate(site) for site in found], call.query)


async def get_site(call: ReadCall) -> SiteDocument:
    return SiteDocument.model_validate(
        await use_cases.get_site(call.context, call.actor, site_id=call.id("site_id"))
    )


async def create_site(call: Call[Query, NewSite]) -> SiteDocument:
    site = await use_cases.create_site(
        call.context, call.actor, tenant_id=call.id("tenant_id"), **call.body.given()
    )
    return SiteDocument.model_validate(site)


async def update_site(call: Call[Query, SiteChange]) -> SiteDocument:
    """Every phone of the site gets a new file when what changed stands in it."""
    return SiteDocument.model_validate(
        await use_cases.update_site(call.context, call.actor, site_id=call.id("site_id"), **call.body.given())
    )


async def delete_site(call: ReadCall) -> None:
    """Its devices and users stay, without a site; its settings go."""
    await use_cases.delete_site(call.context, call.actor, site_id=call.id("site_id"))


ENDPOINTS = (
    Endpoint(
        method="GET", path="/tenants/{tenant_id}/sites", permission=Permission.SITES_READ, handler=list_sites, summary="List sites", tag="sites",
        query=PageQuery, response=SitePage,
    ),
    Endpoint(
        method="POST", path="/tenants/{tenant_id}/sites", permission=Permission.SITES_WRITE, handler=create_site, summary="Make a site", tag="sites",
        request=NewSite, response=SiteDocument, status=201, location="/sites/{answer.id}", errors=(BadInput, InvalidPolicy, Conflict),
    ),
    Endpoint(method="GET", path="/sites/{site_id}", permission=Permission.SITES_READ, handler=get_site, summary="One site", tag="sites", response=SiteDocument),
    Endpoint(
        method="PATCH", path="/sites/{site_id}", permission=Permission.SITES_WRITE, handler=update_site, summary="Change a site", tag="sites",
        request=SiteChange, response=SiteDocument, errors=(BadInput, InvalidPolicy, Conflict),
    ),
    Endpoint(method="DELETE", path="/sites/{site_id}", permission=Permission.SITES_WRITE, handler=delete_site, summary="Remove a site", tag="sites"),
)  # fmt: skip
