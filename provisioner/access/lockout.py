"""Counting wrong attempts: growing delay, then a timed lock, per subject and per source (THREATS T2, T16).

A subject is anything that can be guessed at: a device (its MAC), a person's login, a hotdesk PIN. Three counters keep strangers
from locking anyone out:

* per subject, all sources that are not its last good one together: a spread attack is slowed down as a whole;
* per subject and last good source: only failures from where the subject itself lives count against it there;
* per source, all subjects together: one source cannot try many subjects. It does not bind a subject at its own
  last good source, so a bad neighbour behind the same router cannot lock the phones beside it.

A success clears the subject's counters but not the source's: who owns one device cannot reset the count of
guesses at others. A request without credentials is no failure. All tables forget their oldest entry when full.
Times are seconds since the epoch.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from provisioner.access.addresses import Address, client_key


@dataclass(frozen=True, slots=True)
class Steps:
    """How one counter punishes; all times in seconds.

    The first `free` failures cost nothing; each further one a delay that doubles from `delay` up to `longest_delay`;
    the `lock_at`th and each after it a lock that doubles from `lock` up to `longest_lock`. A counter that rested for
    `forget` is forgotten. `lock_at` None: never more than the delay.
    """

    free: int
    delay: float
    longest_delay: float
    lock_at: int | None
    lock: float = 0.0
    longest_lock: float = 0.0
    forget: float = 3600.0

    def __post_init__(self) -> None:
        if self.forget < self.longest_lock:
            raise ValueError("a counter must be remembered for at least as long as it locks")

    def penalty(self, count: int) -> float:
        """Answer for how long the next attempt is refused after `count` failures in a row."""
        if self.lock_at is not None and count >= self.lock_at:
            return min(self.lock * 2.0 ** min(count - self.lock_at, 30), self.longest_lock)
        if count <= self.free:
            return 0.0
        return min(self.delay * 2.0 ** min(count - self.free - 1, 30), self.longest_delay)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How patient the server is, and how much it remembers."""

    subject: Steps = Steps(
        free=3, delay=1.0, longest_delay=16.0, lock_at=8, lock=300.0, longest_lock=3600.0, forget=7200.0
    )
    home: Steps = Steps(free=5, delay=1.0, longest_delay=60.0, lock_at=None)
    source: Steps = Steps(
        free=20, delay=1.0, longest_delay=30.0, lock_at=40, lock=300.0, longest_lock=3600.0, forget=7200.0
    )
    most_counters: int = 50_000
    most_homes: int = 200_000


class Barrier(Enum):
    """What refuses an attempt."""

    NONE = "none"
    SUBJECT = "subject"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an attempt stands.

    With `barrier` not NONE the credentials must not even be looked at before `until`. The counts are failures so far.
    `is_new_lock`: this very failure began a lock (not a mere delay), so raise the alarm once.
    """

    barrier: Barrier = Barrier.NONE
    until: float = 0.0
    subject_failures: int = 0
    source_failures: int = 0
    is_new_lock: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the attempt may be made."""
        return self.barrier is Barrier.NONE


_OPEN: Final = Standing()


class Lockout:
    """The counters of one process."""

    def __init__(self, thresholds: Thresholds | None = None) -> None:
        limits = thresholds or Thresholds()
        self._subjects: _Counters = _Counters(limits.subject, limits.most_counters)
        self._at_home: _Counters = _Counters(limits.home, limits.most_counters)
        self._sources: _Counters = _Counters(limits.source, limits.most_counters)
        self._homes: OrderedDict[Hashable, int] = OrderedDict()
        self._most_homes = limits.most_homes

    def __len__(self) -> int:
        """How many entries all tables hold together."""
        return len(self._subjects) + len(self._at_home) + len(self._sources) + len(self._homes)

    def check(self, subject: Hashable | None, source: Address, *, now: float) -> Standing:
        """Tell whether an attempt may be made; `subject` None for one that does not exist."""
        client = client_key(source)
        if self._is_home(subject, client):
            if subject not in self._at_home:
                return _OPEN
            count, until = self._at_home.read(subject, now)
            barrier = Barrier.SUBJECT if now < until else Barrier.NONE
            return Standing(barrier, until, count, self._sources.read(client, now)[0])
        if client not in self._sources and subject not in self._subjects:
            return _OPEN
        source_count, source_until = self._sources.read(client, now)
        count, until = self._subjects.read(subject, now)
        if now < until:
            return Standing(Barrier.SUBJECT, until, count, source_count)
        if now < source_until:
            return Standing(Barrier.SOURCE, source_until, count, source_count)
        return Standing(Barrier.NONE, 0.0, count, source_count)

    def failed(self, subject: Hashable | None, source: Address, *, now: float) -> Standing:
        """Count a wrong attempt and answer the standing after it; a `subject` of None counts for the source only."""
        client = client_key(source)
        is_home = self._is_home(subject, client)
        source_locks = self._sources.add(client, now)
        subject_locks = subject is not None and (self._at_home if is_home else self._subjects).add(
            subject, now
        )
        after = self.check(subject, source, now=now)
        counts = self._sources.read(client, now)[0]
        return Standing(
            after.barrier, after.until, after.subject_failures, counts, subject_locks or source_locks
        )

    def succeeded(self, subject: Hashable, source: Address) -> None:
        """Clear the subject's counters and make `source` its last good one."""
        client = client_key(source)
        if self._homes.get(subject) != client:
            self._set_home(subject, client)
        elif subject in self._homes:
            self._homes.move_to_end(subject)
        self.unlock(subject)

    def remember(self, subject: Hashable, source: Address) -> None:
        """Make `source` the last good one, as stored from an earlier run, unless a newer one is known."""
        if subject not in self._homes:
            self._set_home(subject, client_key(source))

    def unlock(self, subject: Hashable) -> None:
        """Forget all failures of the subject: what an admin does by hand."""
        self._subjects.drop(subject)
        self._at_home.drop(subject)

    def restore(self, subject: Hashable, *, until: float, now: float) -> None:
        """Take over a timed lock that was stored by an earlier run or another process; `until` past changes nothing."""
        self._subjects.restore(subject, until, now)

    def is_home(self, subject: Hashable | None, source: Address) -> bool:
        """Tell whether the source is where the subject last succeeded."""
        return self._is_home(subject, client_key(source))

    def _is_home(self, subject: Hashable | None, client: int) -> bool:
        return subject is not None and self._homes.get(subject) == client

    def _set_home(self, subject: Hashable, client: int) -> None:
        if len(self._homes) >= self._most_homes and subject not in self._homes:
            self._homes.popitem(last=False)
        self._homes[subject] = client
        self._homes.move_to_end(subject)


class _Counters:
    """Failures by key: (count, time of the last, refused until); the least recently failed is forgotten first."""

    def __init__(self, steps: Steps, most: int) -> None:
        self._steps = steps
        self._most = most
        self._entries: OrderedDict[Hashable, tuple[int, float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def read(self, key: Hashable, now: float) -> tuple[int, float]:
        """Answer failures so far and until when the next attempt is refused."""
        count, last, until = self._entries.get(key, (0, now, 0.0))
        return (0, 0.0) if now - last > self._steps.forget else (count, until)

    def add(self, key: Hashable, now: float) -> bool:
        """Count one failure; tell whether it began a lock."""
        count = self.read(key, now)[0] + 1
        if key not in self._entries and len(self._entries) >= self._most:
            self._entries.popitem(last=False)
        self._entries[key] = (count, now, now + self._steps.penalty(count))
        self._entries.move_to_end(key)
        return self._steps.lock_at is not None and count >= self._steps.lock_at

    def restore(self, key: Hashable, until: float, now: float) -> None:
        """Enter a lock that holds until then, as if the failures had been counted here."""
        if until > now and self._steps.lock_at is not None and until > self.read(key, now)[1]:
            count = max(self.read(key, now)[0], self._steps.lock_at)
            if key not in self._entries and len(self._entries) >= self._most:
                self._entries.popitem(last=False)
            self._entries[key] = (count, now, until)

    def drop(self, key: Hashable) -> None:
        self._entries.pop(key, None)
