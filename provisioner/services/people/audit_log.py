"""Who did what, for people to read."""

from datetime import timedelta

from sqlalchemy import delete, func, select

from provisioner.model import AuditEntry
from provisioner.services.context import Actor, Context
from provisioner.services.people.users import Page

REFUSED_KEPT = 10_000
"""Strangers can make any number of these."""


async def list_audit(
    context: Context, actor: Actor, *, tenant_id: int | None = None, offset: int = 0, limit: int = 50
) -> Page[AuditEntry]:
    """Audit entries, newest first; an actor of one tenant sees that tenant's only."""
    owner = actor.tenant(tenant_id) if tenant_id is not None else actor.tenant_id
    where = [AuditEntry.tenant_id == owner] if owner is not None else []
    limit, offset = min(max(limit, 1), 500), max(offset, 0)
    async with context.store.read() as session:
        total = (await session.execute(select(func.count(AuditEntry.id)).where(*where))).scalar_one()
        rows = await session.execute(
            select(AuditEntry)
            .where(*where)
            .order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
            .offset(offset)
            .limit(limit)
        )
        return Page(rows.scalars().all(), total, offset, limit)


async def prune_audit(context: Context) -> int:
    """Remove entries older than the retention, and the oldest refused logins beyond so many; gives back how many."""
    refused = (
        select(AuditEntry.id)
        .where(AuditEntry.action == "login.refused")
        .order_by(AuditEntry.id.desc())
        .offset(REFUSED_KEPT)
    )
    async with context.store.write() as session:
        await session.execute(delete(AuditEntry).where(AuditEntry.id.in_(refused.limit(100_000))))
        gone = await session.execute(
            delete(AuditEntry)
            .where(AuditEntry.at < context.clock() - timedelta(days=context.settings.keep_audit_days))
            .execution_options(synchronize_session=False)
        )
    count: int = gone.rowcount  # type: ignore[attr-defined]  # a DELETE always answers with a cursor
    return count
