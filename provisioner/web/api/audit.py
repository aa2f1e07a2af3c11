"""The audit log: who did what."""

from datetime import datetime
from typing import Any

from provisioner.access.permissions import Permission
from provisioner.errors import NotFound
from provisioner.services.people.audit_log import list_audit as find_entries
from provisioner.web.api.documents import Document, Page, PageQuery, QueryId
from provisioner.web.api.endpoint import Call, Endpoint


class AuditDocument(Document):
    """One entry; never holds a secret."""

    id: int
    tenant_id: int | None
    at: datetime
    actor: str
    action: str
    object: str
    detail: dict[str, Any]


class AuditPage(Page[AuditDocument]):
    """Newest first."""


class AuditQuery(PageQuery):
    tenant_id: QueryId | None = None


async def list_audit(call: Call[AuditQuery, None]) -> AuditPage:
    """Your tenant's entries; an operator sees all, or one tenant's."""
    query = call.query
    page = await find_entries(
        call.context, call.actor, tenant_id=query.tenant_id, offset=query.offset, limit=query.limit
    )
    return AuditPage(
        items=[AuditDocument.model_validate(row) for row in page.items],
        total=page.total,
        offset=page.offset,
        limit=page.limit,
    )


ENDPOINTS = (
    Endpoint(
        method="GET", path="/audit", permission=Permission.AUDIT_READ, handler=list_audit, summary="Audit log", tag="audit", query=AuditQuery,
        response=AuditPage, errors=(NotFound,),
    ),
)  # fmt: skip
