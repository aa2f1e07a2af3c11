"""Logging out by itself: at the hour or after the hours a tenant chose, never during a call; and what of it is forgotten."""

from collections.abc import Sequence
from datetime import timedelta

import structlog
from sqlalchemy import delete, select, update

from provisioner.model import Device, HotdeskDialog, HotdeskSession, PinFailure, RunningCall
from provisioner.services.alarm import Alarm
from provisioner.services.context import SYSTEM, Context
from provisioner.services.seats.seating import stand

log = structlog.get_logger()

BATCH = 25
"""Logged out in one transaction: at eight in the evening everybody else still gets a turn."""
LONGEST_SLEEP = 60.0
DURING_A_CALL = 2.0
"""Seconds until a session that is over is looked at again, while a call is running on its device."""
FAILURES_KEPT = timedelta(days=1)

_IN_A_CALL = select(RunningCall.id).where(RunningCall.device_id == HotdeskSession.device_id)


async def log_out_due(context: Context) -> int:
    """Log out whoever's time is over and has no call running; gives back how many."""
    count = 0
    while batch := await _due(context):
        count += await _log_out(context, batch)
    return count


async def prune_hotdesk(context: Context) -> int:
    """Forget sessions that ended longer ago than the retention, and what no longer counts; gives back how many rows."""
    now = context.clock()
    conditions = (
        (HotdeskSession, HotdeskSession.ended_at < now - timedelta(days=context.settings.keep_hotdesk_days)),
        (HotdeskDialog, HotdeskDialog.expires_at <= now),
        (PinFailure, PinFailure.at < now - FAILURES_KEPT),
        (RunningCall, RunningCall.until <= now),
    )
    count = 0
    async with context.store.write() as session:
        for table, condition in conditions:
            statement = delete(table).where(condition).execution_options(synchronize_session=False)
            count += (await session.execute(statement)).rowcount  # type: ignore[attr-defined]  # a DELETE always answers with a cursor
    return count


class HotdeskTimer(Alarm):
    """Sleeps until the next session is over."""

    trouble = "nobody can be logged out yet"
    retry = DURING_A_CALL

    async def _act(self) -> None:
        await log_out_due(self._context)

    async def _seconds_to_next(self) -> float:
        statement = (
            select(HotdeskSession.ends_at)
            .where(HotdeskSession.ended_at.is_(None), HotdeskSession.ends_at.is_not(None))
            .order_by(HotdeskSession.ends_at)
            .limit(1)
        )
        async with self._context.store.read() as session:
            ends_at = (await session.execute(statement)).scalar_one_or_none()
        if ends_at is None:
            return LONGEST_SLEEP
        left = (ends_at - self._context.clock()).total_seconds()
        return min(LONGEST_SLEEP, left) if left > 0 else DURING_A_CALL


async def _due(context: Context) -> Sequence[int]:
    """The devices of the next sessions that are over."""
    now = context.clock()
    statement = (
        select(HotdeskSession.device_id)
        .where(
            HotdeskSession.ended_at.is_(None),
            HotdeskSession.ends_at <= now,
            ~_IN_A_CALL.where(RunningCall.until > now).exists(),
        )
        .order_by(HotdeskSession.ends_at, HotdeskSession.id)
        .limit(BATCH)
    )
    async with context.store.read() as session:
        return (await session.execute(statement)).scalars().all()


async def _log_out(context: Context, device_ids: Sequence[int]) -> int:
    """Those of them whose session is over still; another node may have been faster."""
    count, now = 0, context.clock()
    async with context.store.change() as session:
        rows = await session.execute(
            select(HotdeskSession.id, HotdeskSession.device_id, HotdeskSession.ending).where(
                HotdeskSession.device_id.in_(device_ids),
                HotdeskSession.ended_at.is_(None),
                HotdeskSession.ends_at <= now,
            )
        )
        for sitting_id, device_id, ending in rows.all():
            device = await session.get_one(Device, device_id)
            await stand(session, context, SYSTEM, device=device, ending=ending or "time")
            # where the line said nobody, the history must not stay open for ever
            still_open = (HotdeskSession.id == sitting_id) & HotdeskSession.ended_at.is_(None)
            await session.execute(
                update(HotdeskSession).where(still_open).values(ended_at=now, ending="time")
            )
            count += 1
    return count
