"""When hotdesk users are logged out without asking, on days when the clocks change too."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from provisioner.calling.logout_times import ends_at, next_local, parse_time

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "at", "end"),
    [
        ("2026-11-22 08:00", "20:00", "2026-11-22 19:00"),  # winter: one hour ahead of UTC
        ("2026-11-22 19:00", "20:00", "2026-11-23 19:00"),  # exactly then is the next day's
        ("2026-07-01 18:30", "20:00", "2026-07-02 18:00"),  # summer, and over already
        ("2026-11-22 23:30", "00:10", "2026-11-23 23:10"),  # 00:30 there: today's is over
        ("2027-03-28 00:30", "02:30", "2027-03-28 01:30"),  # left out by the clocks: 03:30 there
        ("2027-03-27 20:00", "20:00", "2027-03-28 18:00"),  # summer time began in the night
        ("2026-10-24 23:00", "02:30", "2026-10-25 00:30"),  # comes twice: the first counts
        ("2026-10-25 00:45", "02:30", "2026-10-26 01:30"),  # the second is passed over
    ],
)
def test_the_next_time_a_clock_shows_it(now: str, at: str, end: str) -> None:
    moment = parse_time(at)
    assert moment is not None
    assert next_local(utc(now), at=moment, zone=AMSTERDAM) == utc(end)


def test_the_earlier_of_both_rules_counts() -> None:
    start = utc("2026-11-22 08:00")
    hours = timedelta(hours=4)
    assert ends_at(start, at=time(20), after=hours, zone=AMSTERDAM) == utc("2026-11-22 12:00")
    assert ends_at(start, at=time(10), after=hours, zone=AMSTERDAM) == utc("2026-11-22 09:00")
    assert ends_at(start, at=None, after=hours) == utc("2026-11-22 12:00")
    assert ends_at(start, at=None, after=None) is None
    assert parse_time("") is None
