"""Who did what."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from provisioner.model import AuditEntry
from provisioner.services.people.audit_log import list_audit
from provisioner.web.ui.fields import chosen_id
from provisioner.web.ui.pages.shapes import Pager, pager
from provisioner.web.ui.visit import Page, Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage(Page):
    template: ClassVar[str] = "audit.html"
    entries: Sequence[tuple[AuditEntry, str]]
    pager: Pager


async def show_audit(visit: Visit) -> web.StreamResponse:
    """Entries newest first: the tenant's, or outside a tenant's pages everything the person may see."""
    found = await list_audit(
        visit.context,
        visit.actor,
        tenant_id=visit.tenant.id if visit.tenant else None,
        offset=chosen_id(visit.query.get("from", "")) or 0,
    )
    entries = [(entry, _words(entry)) for entry in found.items]
    return visit.show(
        AuditPage(
            title=visit.language.translate("Audit log"), entries=entries, pager=pager(visit, found, "audit")
        )
    )


def _words(entry: AuditEntry) -> str:
    """The details that say something: `fields: name, note`."""
    said = {name: value for name, value in entry.detail.items() if value not in ("", [], None)}
    return "; ".join(
        f"{name}: {', '.join(map(str, value)) if isinstance(value, list) else value if isinstance(value, str) else json.dumps(value)}"
        for name, value in said.items()
    )
