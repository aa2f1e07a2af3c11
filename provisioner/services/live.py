"""Tells open pages what changed: one queue per page, bounded; a page that cannot keep up is told to reload."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Change:
    """`topic` is "registration", "fetch", "resync" or "device"; `device_id` says which device it is about. "directory" is about none (0)."""

    topic: str
    tenant_id: int
    device_id: int


RELOAD = Change(topic="reload", tenant_id=0, device_id=0)
"""Sent instead of what a slow page has missed."""


@dataclass(eq=False, slots=True)
class Subscription:
    """Changes of one tenant (or of all) since it was opened, each device and topic at most once in the waiting list."""

    tenant_id: int | None
    limit: int
    waiting: dict[tuple[str, int], Change] = field(default_factory=dict)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, change: Change) -> None:
        if len(self.waiting) >= self.limit:
            self.waiting = {("reload", 0): RELOAD}
        else:
            self.waiting[(change.topic, change.device_id)] = change
        self.arrived.set()

    async def next(self) -> list[Change]:
        """Wait for changes and give all that are waiting."""
        await self.arrived.wait()
        self.arrived.clear()
        changes, self.waiting = list(self.waiting.values()), {}
        return changes


class Hub:
    """Publishes changes to the subscriptions of their tenant. Never blocks the publisher."""

    def __init__(self, *, max_subscriptions: int = 2_000) -> None:
        self.moment = 0
        """Rises with every change: what was read at one moment holds until the next."""
        self._subscriptions: set[Subscription] = set()
        self._max = max_subscriptions

    @property
    def is_full(self) -> bool:
        """True when no further page may subscribe."""
        return len(self._subscriptions) >= self._max

    def followers(self, tenant_id: int | None) -> int:
        """How many subscriptions one tenant has."""
        return sum(subscription.tenant_id == tenant_id for subscription in self._subscriptions)

    @contextmanager
    def subscribe(self, tenant_id: int | None) -> Iterator[Subscription]:
        """Listen to one tenant; None listens to all."""
        subscription = Subscription(tenant_id=tenant_id, limit=5_000)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def publish(self, change: Change) -> None:
        self.moment += 1
        for subscription in self._subscriptions:
            if subscription.tenant_id is None or subscription.tenant_id == change.tenant_id:
                subscription.put(change)
