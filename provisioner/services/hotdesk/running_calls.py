"""Calls that the PBX says are running: meanwhile nobody is logged out without asking, and no phone is told to fetch."""

from datetime import timedelta

from sqlalchemy import delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.errors import BadInput, TooManyAttempts
from provisioner.model import Line, RunningCall
from provisioner.model.text import is_plain
from provisioner.services.context import Actor, Context

FORGOTTEN_AFTER = timedelta(hours=4)
"""A PBX that never says that a call ended must not keep a user logged in for ever."""
MOST_PER_DEVICE = 20
MOST_CALL_ID = 190
STATES = ("started", "ended")


async def note_call(
    context: Context, actor: Actor, *, account: str, call_id: str, state: str, is_emergency: bool = False
) -> bool:
    """Take over that a call of a device account began or ended, in any order and any number of times.

    Gives back whether the account is known. A call that began and is reported again is remembered for longer.
    """
    if state not in STATES:
        raise BadInput(f"The state is one of {', '.join(STATES)}.", field="state")
    check_call_id(call_id)
    async with context.store.write() as session:
        line = await line_of_account(session, actor, account)
        if line is None:
            return False
        await session.execute(delete(RunningCall).where(RunningCall.until <= context.clock()))
        this = (RunningCall.device_id == line.device_id) & (RunningCall.call_id == call_id)
        known = (
            await session.execute(select(RunningCall).where(this).with_for_update())
        ).scalar_one_or_none()
        if state == "ended":
            await session.execute(delete(RunningCall).where(this))
        elif known is not None:
            known.until = context.clock() + FORGOTTEN_AFTER
            known.is_emergency = known.is_emergency or is_emergency
        else:
            await _begin(session, context, line=line, call_id=call_id, is_emergency=is_emergency)
    return True


async def line_of_account(session: AsyncSession, actor: Actor, account: str) -> Line | None:
    """The line that registers as this account, of a tenant this actor may see; None when there is none."""
    if not is_plain(account):
        return None
    statement = select(Line).where(Line.account == account[:64])
    if actor.tenant_id is not None:
        statement = statement.where(Line.tenant_id == actor.tenant_id)
    return (await session.execute(statement)).scalar_one_or_none()


def check_call_id(call_id: str) -> None:
    """BadInput unless it can be stored as it is."""
    if not 1 <= len(call_id) <= MOST_CALL_ID or not is_plain(call_id):
        raise BadInput(
            f"A call id has 1 to {MOST_CALL_ID} characters and no control characters.", field="call_id"
        )


async def _begin(
    session: AsyncSession, context: Context, *, line: Line, call_id: str, is_emergency: bool
) -> None:
    count = select(func.count()).select_from(RunningCall).where(RunningCall.device_id == line.device_id)
    if (await session.execute(count)).scalar_one() >= MOST_PER_DEVICE:
        raise TooManyAttempts(
            f"This device has {MOST_PER_DEVICE} running calls already; report those that ended first.",
            retry_after=60,
        )
    now = context.clock()
    insert = sqlite.insert if context.store.is_sqlite else postgresql.insert
    statement = insert(RunningCall).values(
        tenant_id=line.tenant_id,
        device_id=line.device_id,
        call_id=call_id,
        since=now,
        until=now + FORGOTTEN_AFTER,
        is_emergency=is_emergency,
    )
    # a PBX that repeats itself at once: both reports may find nothing there yet
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[RunningCall.device_id, RunningCall.call_id],
            set_={
                "until": statement.excluded.until,
                "is_emergency": or_(RunningCall.is_emergency, statement.excluded.is_emergency),
            },
        )
    )
