"""Hours and days in zones whose days have 23, 24 or 25 hours."""

from datetime import UTC, date, datetime, time, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.calling.schedules import (
    Days,
    Hours,
    Timetable,
    holds,
    is_endless,
    local_moment,
    next_change,
    read_timetable,
)

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
APIA = ZoneInfo("Pacific/Apia")  # had no 30 December 2011
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # half an hour of summer time
WEEKDAYS = frozenset({1, 2, 3, 4, 5})
EVERY_DAY = frozenset(range(1, 8))


def at(text: str, zone: ZoneInfo = AMSTERDAM, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


def hours(begin: str, end: str, days: frozenset[int] = EVERY_DAY) -> Timetable:
    return Timetable((Hours(days, time.fromisoformat(begin), time.fromisoformat(end)),))


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-23 08:59:59", False), ("2026-11-23 09:00", True), ("2026-11-23 16:59:59", True), ("2026-11-23 17:00", False),
        ("2026-11-21 12:00", False), ("2026-11-27 12:00", True),
    ],
)  # fmt: skip
def test_weekly_hours(moment: str, is_open: bool) -> None:
    assert holds(hours("09:00", "17:00", WEEKDAYS), at(moment), AMSTERDAM) is is_open


def test_hours_may_pass_midnight() -> None:
    friday_night = hours("22:00", "02:00", frozenset({5}))
    assert not holds(friday_night, at("2026-11-27 21:59"), AMSTERDAM)
    assert holds(friday_night, at("2026-11-27 23:30"), AMSTERDAM)
    assert holds(friday_night, at("2026-11-28 01:59"), AMSTERDAM)
    assert not holds(friday_night, at("2026-11-28 02:00"), AMSTERDAM)
    assert not holds(friday_night, at("2026-11-27 01:00"), AMSTERDAM)
    assert next_change(friday_night, at("2026-11-27 23:30"), AMSTERDAM) == at("2026-11-28 02:00")
    sunday = hours("22:00", "02:00", frozenset({7}))
    assert holds(sunday, at("2026-11-23 01:00"), AMSTERDAM)  # from the last day of the week into the first


def test_the_whole_day_is_written_as_midnight_to_midnight() -> None:
    row = SimpleNamespace(weekly=[{"days": [1], "from": "00:00", "to": "24:00"}], dates=[])
    monday = read_timetable(row)
    assert holds(monday, at("2026-11-23 00:00"), AMSTERDAM)
    assert holds(monday, at("2026-11-23 23:59:59"), AMSTERDAM)
    assert next_change(monday, at("2026-11-23 12:00"), AMSTERDAM) == at("2026-11-24 00:00")


@pytest.mark.parametrize(("day", "length"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-23", 24)])
def test_a_day_has_the_hours_its_clock_has(day: str, length: int) -> None:
    first = date.fromisoformat(day)
    whole = Timetable(dates=(Days(first, first),))
    begin = local_moment(first, time(), AMSTERDAM)
    assert holds(whole, begin, AMSTERDAM)
    assert next_change(whole, begin, AMSTERDAM) == begin + timedelta(hours=length)


def test_a_time_that_comes_twice_is_the_first_of_the_two() -> None:
    """On 25 October 2026 the clock goes from 03:00 back to 02:00."""
    night = hours("02:30", "02:45")
    assert holds(night, at("2026-10-25 02:35"), AMSTERDAM)
    assert not holds(night, at("2026-10-25 02:35", fold=1), AMSTERDAM)
    until_half_past = hours("00:00", "02:30")
    assert next_change(until_half_past, at("2026-10-25 01:00"), AMSTERDAM) == datetime(
        2026, 10, 25, 0, 30, tzinfo=UTC
    )
    assert not holds(until_half_past, at("2026-10-25 02:15", fold=1), AMSTERDAM)


def test_a_time_that_never_comes_is_the_moment_of_the_jump() -> None:
    """On 29 March 2026 the clock goes from 02:00 to 03:00."""
    jump = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert local_moment(date(2026, 3, 29), time(2, 30), AMSTERDAM) == jump
    assert holds(hours("02:30", "03:15"), jump + timedelta(minutes=5), AMSTERDAM)
    assert not holds(hours("02:10", "02:50"), jump, AMSTERDAM)  # nothing is left of it
    assert local_moment(date(2026, 10, 4), time(2, 15), LORD_HOWE) == datetime(
        2026, 10, 3, 15, 30, tzinfo=UTC
    )


def test_a_day_that_a_zone_left_out_is_no_time_at_all() -> None:
    gone = date(2011, 12, 30)
    assert local_moment(gone, time(), APIA) == local_moment(gone, time(12), APIA)
    assert not holds(Timetable(dates=(Days(gone, gone),)), datetime(2011, 12, 30, 12, tzinfo=UTC), APIA)


def test_dates_return_every_year_or_do_not() -> None:
    christmas = Timetable(dates=(Days(date(2024, 12, 25), date(2024, 12, 26), is_yearly=True),))
    once = Timetable(dates=(Days(date(2024, 12, 25), date(2024, 12, 26)),))
    for year, returns in ((2023, False), (2024, True), (2026, True)):
        assert holds(christmas, at(f"{year}-12-26 23:59"), AMSTERDAM) is returns
        assert holds(once, at(f"{year}-12-26 23:59"), AMSTERDAM) is (year == 2024)
    assert not holds(christmas, at("2026-12-27 00:00"), AMSTERDAM)
    assert next_change(christmas, at("2026-11-22 12:00"), AMSTERDAM) == at("2026-12-25 00:00")
    assert next_change(once, at("2026-11-22 12:00"), AMSTERDAM) is None


def test_dates_may_pass_new_year_and_leap_days() -> None:
    winter = Timetable(dates=(Days(date(2024, 12, 24), date(2025, 1, 2), is_yearly=True),))
    assert holds(winter, at("2027-01-02 23:00"), AMSTERDAM)
    assert not holds(winter, at("2027-01-03 00:00"), AMSTERDAM)
    leap = Timetable(dates=(Days(date(2024, 2, 29), date(2024, 2, 29), is_yearly=True),))
    assert holds(leap, at("2026-02-28 12:00"), AMSTERDAM)
    assert not holds(leap, at("2028-02-28 12:00"), AMSTERDAM)
    assert holds(leap, at("2028-02-29 12:00"), AMSTERDAM)


def test_nothing_never_holds_and_all_of_the_week_is_endless() -> None:
    assert not holds(Timetable(), at("2026-11-22 12:00"), AMSTERDAM)
    assert next_change(Timetable(), at("2026-11-22 12:00"), AMSTERDAM) is None
    day, night = hours("06:00", "18:00").weekly, hours("18:00", "06:00").weekly
    assert is_endless(Timetable(day + night))
    assert not is_endless(Timetable(day))
    always = Timetable(day + night)
    assert holds(always, at("2026-10-25 02:30", fold=1), AMSTERDAM)
    assert next_change(always, at("2026-10-24 12:00"), AMSTERDAM) is None


ZONES = st.sampled_from(
    [AMSTERDAM, LORD_HOWE, ZoneInfo("America/New_York"), ZoneInfo("Asia/Kathmandu"), ZoneInfo("UTC")]
)
TIMES = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))
ENTRIES = st.builds(Hours, st.frozensets(st.integers(1, 7), min_size=1), TIMES, TIMES)
RANGES = st.builds(
    lambda first, length, yearly: Days(first, first + timedelta(days=length), yearly),
    st.dates(date(2024, 1, 1), date(2027, 12, 31)),
    st.integers(0, 20),
    st.booleans(),
)
TIMETABLES = st.builds(
    Timetable, st.lists(ENTRIES, max_size=3).map(tuple), st.lists(RANGES, max_size=2).map(tuple)
)
MOMENTS = st.integers(0, 365 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@settings(max_examples=80, deadline=None)
@given(timetable=TIMETABLES, moment=MOMENTS, zone=ZONES)
def test_nothing_changes_before_the_next_change(
    timetable: Timetable, moment: datetime, zone: ZoneInfo
) -> None:
    now, change = holds(timetable, moment, zone), next_change(timetable, moment, zone)
    end = min(change, moment + timedelta(days=9)) if change is not None else moment + timedelta(days=9)
    step = (end - moment) / 40
    assert all(holds(timetable, moment + step * number, zone) is now for number in range(40))
    if change is not None:
        assert change > moment
        assert holds(timetable, change, zone) is not now
        assert holds(timetable, change - timedelta(microseconds=1), zone) is now
