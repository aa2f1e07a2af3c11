"""What a PBX that keeps copies of the directory is told, in order (the change feed)."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.model import DirectoryEvent
from provisioner.services.context import Context


def tell(
    session: AsyncSession,
    context: Context,
    *,
    tenant_id: int,
    kind: str,
    object: str = "",  # noqa: A002 - the feed's own word
    **detail: Any,
) -> None:
    """Add an event to the transaction; `detail` must hold no secret. Kinds: see model/calling.py."""
    session.add(
        DirectoryEvent(tenant_id=tenant_id, at=context.clock(), kind=kind, object=object[:120], detail=detail)
    )
