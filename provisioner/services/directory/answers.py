"""Answers of the PBX directory kept in memory as bytes: dropped when their tenant, their devices or their time changes.

A number is looked up several times for every call, so the usual answer must cost no more than finding it.
"""

import json
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Protocol

from provisioner.clock import Clock

MOST_ANSWERS = 50_000
MOST_BYTES = 64 * 1024 * 1024
"""Every caller makes an answer of its own where the PBX says who calls."""

Key = tuple[int | None, str]
"""Tenant of the token (None: of the whole server) and the request target, as it was sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`etag` with its quotes. `valid_until`: seconds since 1970; infinite when time does not change it."""

    body: bytes
    etag: str
    tenant_id: int
    device_ids: frozenset[int]
    valid_until: float


def make_answer(
    document: Mapping[str, Any],
    *,
    tenant_id: int,
    device_ids: Iterable[int],
    valid_until: datetime | None = None,
) -> Answer:
    """Render a document."""
    body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    return Answer(
        body=body,
        etag=f'"{sha256(body).hexdigest()[:24]}"',
        tenant_id=tenant_id,
        device_ids=frozenset(device_ids),
        valid_until=valid_until.timestamp() if valid_until is not None else float("inf"),
    )


class Freshness(Protocol):
    """Knows whether something was committed that was not told yet (services/change_feed)."""

    is_behind: bool

    async def catch_up(self) -> None: ...


class PbxDirectory:
    """The directory as the PBX door uses it: from memory while it is true, made anew otherwise."""

    def __init__(self, answers: "DirectoryAnswers", feed: Freshness, clock: Clock) -> None:
        self._answers = answers
        self._feed = feed
        self._clock = clock

    def known(self, key: Key) -> Answer | None:
        """The answer when nothing has to be waited for."""
        if self._feed.is_behind:
            return None
        return self._answers.get(key, now=self._clock().timestamp())

    async def answer(self, key: Key, make: Callable[[], Awaitable[Answer]]) -> Answer:
        """The kept answer or a new one; a change that this process committed is in it."""
        if self._feed.is_behind:
            await self._feed.catch_up()
        found = self._answers.get(key, now=self._clock().timestamp())
        if found is None:
            generation = self._answers.generation
            found = await make()
            self._answers.keep(key, found, generation=generation)
        return found


class DirectoryAnswers:
    """The kept answers. Whoever makes one takes `generation` first: what changed meanwhile is not kept."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Key, Answer] = OrderedDict()
        self._of_tenant: defaultdict[int, set[Key]] = defaultdict(set)
        self._of_device: defaultdict[int, set[Key]] = defaultdict(set)
        self._bytes = 0
        self.generation = 0

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: Key, *, now: float) -> Answer | None:
        """The kept answer that is still true; `now` in seconds since 1970."""
        answer = self._answers.get(key)
        if answer is None:
            return None
        if now >= answer.valid_until:
            self._drop(key)
            return None
        return answer

    def keep(self, key: Key, answer: Answer, *, generation: int) -> None:
        """Keep an answer that was read since `generation`, unless something was dropped meanwhile."""
        if generation != self.generation or _size(key, answer) > MOST_BYTES // 100:
            return
        self._drop(key)
        self._answers[key] = answer
        self._bytes += _size(key, answer)
        self._of_tenant[answer.tenant_id].add(key)
        for device_id in answer.device_ids:
            self._of_device[device_id].add(key)
        while len(self._answers) > MOST_ANSWERS or self._bytes > MOST_BYTES:
            self._drop(next(iter(self._answers)))

    def forget_tenants(self, tenant_ids: Iterable[int]) -> None:
        """Something about these tenants was changed."""
        for tenant_id in tenant_ids:
            self.generation += 1
            for key in list(self._of_tenant.get(tenant_id, ())):
                self._drop(key)

    def forget_devices(self, device_ids: Iterable[int]) -> None:
        """These devices registered or went."""
        for device_id in device_ids:
            self.generation += 1
            for key in list(self._of_device.get(device_id, ())):
                self._drop(key)

    def _drop(self, key: Key) -> None:
        answer = self._answers.pop(key, None)
        if answer is None:
            return
        self._bytes -= _size(key, answer)
        _discard(self._of_tenant, answer.tenant_id, key)
        for device_id in answer.device_ids:
            _discard(self._of_device, device_id, key)


def _size(key: Key, answer: Answer) -> int:
    """What an answer costs; a PBX may ask with long targets."""
    return len(answer.body) + len(key[1])


def _discard(index: defaultdict[int, set[Key]], name: int, key: Key) -> None:
    keys = index[name]
    keys.discard(key)
    if not keys:
        del index[name]
