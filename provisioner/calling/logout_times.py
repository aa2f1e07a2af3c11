"""When a hotdesk user is logged out without asking for it. Pure."""

from datetime import UTC, datetime, time, timedelta, tzinfo


def ends_at(
    started: datetime, *, at: time | None, after: timedelta | None, zone: tzinfo = UTC
) -> datetime | None:
    """The earlier of the next local `at` and of `after` the start, in UTC; None when neither is set."""
    ends = [started + after] if after else []
    if at is not None:
        ends.append(next_local(started, at=at, zone=zone))
    return min(ends, default=None)


def next_local(now: datetime, *, at: time, zone: tzinfo) -> datetime:
    """The next moment after `now` at which clocks in `zone` show `at`, in UTC.

    A time that a day leaves out is the same number of minutes after the gap began; one that comes twice counts the first time.
    """
    today = now.astimezone(zone).date()
    days = (today + timedelta(days=ahead) for ahead in range(3))
    moments = (datetime.combine(day, at, tzinfo=zone).astimezone(UTC) for day in days)
    return next(moment for moment in moments if moment > now)


def parse_time(text: str) -> time | None:
    """HH:MM as a time; None for an empty text."""
    return time.fromisoformat(text) if text else None
