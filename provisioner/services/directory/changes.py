"""The feed of changes for PBXs that keep copies of the directory: in order, waited for, and forgotten after a week."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import delete, func, select

from provisioner.errors import StartOver, Unavailable
from provisioner.model import DirectoryEvent, ServerFact
from provisioner.services.context import Actor, Context
from provisioner.services.live import Subscription

KEPT: Final = timedelta(days=7)
MOST_EVENTS: Final = 1_000
"""How many one answer carries; the next question gets the next."""
MOST_WAITING: Final = 200
"""Who follows one tenant, pages included, before its PBXs must ask without waiting: one tenant must not use up all places."""
PRUNED: Final = "directory_pruned"
"""The server fact that holds the highest id that was pruned."""


@dataclass(frozen=True, slots=True)
class Changes:
    """`last` is what to ask after next time."""

    events: Sequence[Mapping[str, Any]]
    last: int


async def changes_after(context: Context, actor: Actor, *, after: int | None, wait: float = 0) -> Changes:
    """The events after an id, oldest first; when there are none yet, wait up to `wait` seconds for one.

    `after` None asks only for the newest id, to begin with. StartOver when events after `after` are no longer kept, or when
    this database never had that id. Unavailable when too many wait already.
    """
    if wait and (context.hub.is_full or context.hub.followers(actor.tenant_id) >= MOST_WAITING):
        raise Unavailable("Too many are waiting for changes; ask without `wait`.", retry_after=5)
    deadline = asyncio.get_running_loop().time() + wait
    with context.hub.subscribe(actor.tenant_id) as subscription:
        while True:
            found = await _read(context, actor, after)
            left = deadline - asyncio.get_running_loop().time()
            if found.events or after is None or left <= 0:
                return found
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await _something_told(subscription)


async def _something_told(subscription: Subscription) -> None:
    while True:
        if any(change.topic in _TELLING for change in await subscription.next()):
            return


_TELLING: Final = frozenset({"directory", "reload"})


async def prune_changes(context: Context) -> int:
    """Forget events older than a week; gives back how many."""
    limit = context.clock() - KEPT
    async with context.store.write() as session:
        newest: int | None = (
            await session.execute(select(func.max(DirectoryEvent.id)).where(DirectoryEvent.at < limit))
        ).scalar_one()
        if newest is None:
            return 0
        gone = await session.execute(delete(DirectoryEvent).where(DirectoryEvent.id <= newest))
        await session.merge(ServerFact(name=PRUNED, value=str(newest)))
    count: int = gone.rowcount  # type: ignore[attr-defined]  # a DELETE always answers with a cursor
    return count


async def _read(context: Context, actor: Actor, after: int | None) -> Changes:
    mine = [DirectoryEvent.tenant_id == actor.tenant_id] if actor.tenant_id is not None else []
    async with context.store.read() as session:
        pruned = await session.get(ServerFact, PRUNED)
        oldest = int(pruned.value) if pruned is not None else 0
        newest = (await session.execute(select(func.max(DirectoryEvent.id)))).scalar_one() or oldest
        if after is None:
            return Changes((), newest)
        if after < oldest or after > newest:
            raise StartOver("Events after this one are not kept: fetch everything anew.", last=newest)
        rows = (
            (
                await session.execute(
                    select(DirectoryEvent)
                    .where(DirectoryEvent.id > after, *mine)
                    .order_by(DirectoryEvent.id)
                    .limit(MOST_EVENTS)
                )
            )
            .scalars()
            .all()
        )
    last = rows[-1].id if len(rows) == MOST_EVENTS else newest
    return Changes([_document(row) for row in rows], last)


def _document(row: DirectoryEvent) -> Mapping[str, Any]:
    return {
        "id": row.id,
        "at": row.at.timestamp(),
        "tenant_id": row.tenant_id,
        "kind": row.kind,
        "object": row.object,
        **({"detail": row.detail} if row.detail else {}),
    }
