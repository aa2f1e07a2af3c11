"""Phones that should fetch again: noted in the transaction that changed their files; services/pbx/resyncs.py tells them."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.model import Device, Resync
from provisioner.services.context import Context

SETTLE: Final = timedelta(seconds=0.25)
"""Between the request and the first message: every worker and node then knows the new revision, and two changes cost one."""
CHUNK: Final = 500
_ASKED_ANEW: Final = ("why", "asked_at", "revision", "attempts", "next_at", "result", "detail")


async def ask(session: AsyncSession, context: Context, device_ids: Iterable[int], *, why: str) -> None:
    """Note, inside a transaction that already touched these devices, that each should fetch its newest revision.

    Many at once are spread over time, as many in a second as the server's `resync_rate`.
    """
    now, rate = context.clock(), context.settings.resync_rate
    ids = sorted(set(device_ids))
    insert = sqlite.insert if context.store.is_sqlite else postgresql.insert
    statement = insert(Resync)
    statement = statement.on_conflict_do_update(
        index_elements=[Resync.device_id],
        set_={name: statement.excluded[name] for name in _ASKED_ANEW},
    )
    for start in range(0, len(ids), CHUNK):
        # by id, as everybody who writes several of these rows: two in different order would wait for each other
        devices = (
            select(Device.id, Device.tenant_id, Device.revision)
            .where(Device.id.in_(ids[start : start + CHUNK]))
            .order_by(Device.id)
        )
        rows = [
            {
                "device_id": device_id,
                "tenant_id": tenant_id,
                "why": why[:40],
                "asked_at": now,
                "revision": revision,
                "attempts": 0,
                "next_at": now + SETTLE + timedelta(seconds=max(0, start + place - rate + 1) / rate),
                "result": "waiting",
                "detail": "",
            }
            for place, (device_id, tenant_id, revision) in enumerate((await session.execute(devices)).all())
        ]
        if rows:
            await session.execute(statement, rows)
