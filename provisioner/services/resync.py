"""Phones that should fetch again: who is asked, how often, and whether the fetch was seen."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.model import Device, Resync
from provisioner.services.context import Context


async def ask(session: AsyncSession, context: Context, device_ids: Iterable[int], *, why: str) -> None:
    """Note, inside a transaction that already touched these devices, that each should fetch its newest revision."""
    now = context.clock()
    devices = select(Device.id, Device.tenant_id, Device.revision).where(
        Device.id.in_(sorted(set(device_ids)))
    )
    for device_id, tenant_id, revision in (await session.execute(devices)).all():
        await session.merge(
            Resync(
                device_id=device_id,
                tenant_id=tenant_id,
                why=why[:40],
                asked_at=now,
                revision=revision,
                attempts=0,
                next_at=now,
                result="waiting",
                detail="",
            )
        )
