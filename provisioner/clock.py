"""Where time comes from: injected, so that every rule about time can be tested without waiting."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Answers now as an aware datetime in UTC."""


def system_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def epoch_of(clock: Clock) -> Callable[[], float]:
    """The same clock as seconds since 1970; asking the system for them directly costs a tenth."""
    return time.time if clock is system_clock else lambda: clock().timestamp()


class SteppedClock:
    """A clock for tests and replays: stands still until it is moved."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def __call__(self) -> datetime:
        return self._now

    def advance(self, step: timedelta) -> None:
        """Move forward by `step`."""
        self._now += step
