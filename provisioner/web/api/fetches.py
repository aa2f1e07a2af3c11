"""The provisioning log: what phones asked for, and what they got or why not."""

from datetime import datetime

from pydantic import Field

from provisioner.access.permissions import Permission
from provisioner.model import Fetch
from provisioner.services.files.fetch_log import list_fetches as find_fetches
from provisioner.services.files.fetch_log import list_strangers as find_strangers
from provisioner.services.files.fetch_words import fetch_sentence
from provisioner.web.api.documents import MAX_PAGE, Document, Page, PageQuery
from provisioner.web.api.endpoint import Call, Endpoint


class FetchDocument(Document):
    """One request of a phone."""

    id: int
    at: datetime
    mac: str = Field(description="Twelve hexadecimal digits; empty when the request named none.")
    source: str
    method: str
    path: str
    agent: str
    status: int
    reason: str = Field(description="A stable code.")
    sentence: str = Field(description="The same for an installer.")
    hash: str = Field(description="SHA-256 of what was served; empty when nothing was.")


class FetchPage(Page[FetchDocument]):
    """Newest first."""


async def list_fetches(call: Call[PageQuery, None]) -> FetchPage:
    """The provisioning log of one device, newest first, each entry with a sentence an installer can act on."""
    page = await find_fetches(
        call.context,
        call.actor,
        device_id=call.id("device_id"),
        offset=call.query.offset,
        limit=call.query.limit,
    )
    return FetchPage(
        items=[_document(fetch) for fetch in page.items],
        total=page.total,
        offset=page.offset,
        limit=page.limit,
    )


async def list_strangers(call: Call[PageQuery, None]) -> FetchPage:
    """The newest 500 requests for addresses nobody registered. They belong to no tenant, so only operators see them."""
    found = await find_strangers(call.context, call.actor, limit=MAX_PAGE)
    return FetchPage.cut([_document(fetch) for fetch in found], call.query)


def _document(fetch: Fetch) -> FetchDocument:
    made = {name: getattr(fetch, name) for name in FetchDocument.model_fields if name != "sentence"}
    return FetchDocument(**made, sentence=fetch_sentence(fetch))


ENDPOINTS = (
    Endpoint(
        method="GET", path="/devices/{device_id}/fetches", permission=Permission.FETCHES_READ, handler=list_fetches, summary="Provisioning log of a device",
        tag="fetches", query=PageQuery, response=FetchPage,
    ),
    Endpoint(
        method="GET", path="/strangers", permission=Permission.HEALTH_READ, handler=list_strangers, summary="Requests of unknown phones", tag="fetches",
        query=PageQuery, response=FetchPage,
    ),
)  # fmt: skip
