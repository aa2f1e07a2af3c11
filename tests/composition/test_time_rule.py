import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest

from provisioner.composition import time_rule as module
from provisioner.composition.time_rule import Change, TimeRule, offsets, time_rule
from provisioner.errors import InvalidSetting

ZONES = sorted(name for name in available_timezones() if name.startswith(("Europe/", "America/")))
SINCE = date(2026, 1, 1)


def true_offset(zone: str, day: date) -> int:
    moment = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)).utcoffset()
    assert moment is not None
    return int(moment.total_seconds())


def days(since: date, years: int = 5) -> Iterator[date]:
    end = since.replace(year=since.year + years)
    while since < end:
        yield since
        since += timedelta(1)


def wrong_days(zone: str, since: date) -> list[date]:
    rule = time_rule(zone, since=since)
    return [day for day in days(since) if offsets(rule, day) != true_offset(zone, day)]


def test_there_are_zones_to_look_at() -> None:
    assert len(ZONES) > 200
    assert {"Europe/Amsterdam", "America/New_York"} <= set(ZONES)


@pytest.mark.parametrize("since", [SINCE, date(2026, 7, 15), date(2028, 3, 1), datetime.now(UTC).date()])
def test_every_zone_of_europe_and_the_americas_has_every_days_offset(since: date) -> None:
    for zone in ZONES:
        rule = time_rule(zone, since=since)
        wrong = [day for day in days(since, 4) if offsets(rule, day) != true_offset(zone, day)]
        if rule.is_exact:
            assert not wrong, (zone, rule, wrong[:3])
            assert not rule.note
        else:
            assert zone in rule.note


def test_every_day_of_five_years_is_right_or_the_rule_says_that_it_is_not() -> None:
    for zone in ZONES:
        assert not wrong_days(zone, SINCE) or not time_rule(zone, since=SINCE).is_exact, zone


@pytest.mark.parametrize("zone", ZONES)
def test_an_exact_rule_changes_at_the_very_minute(zone: str) -> None:
    rule = time_rule(zone, since=SINCE)
    if not (rule.is_exact and rule.start and rule.end):
        return
    info = ZoneInfo(zone)
    for year in range(SINCE.year, SINCE.year + 5):
        for change, before, after in (
            (rule.start, rule.standard_offset, rule.standard_offset + rule.saving),
            (rule.end, rule.standard_offset + rule.saving, rule.standard_offset),
        ):
            moment = change.on(year).replace(tzinfo=UTC) - timedelta(seconds=before)
            minute = timedelta(minutes=1)
            assert (moment - minute).astimezone(info).utcoffset() == timedelta(seconds=before), (zone, year)
            assert moment.astimezone(info).utcoffset() == timedelta(seconds=after), (zone, year)


@pytest.mark.parametrize(
    ("zone", "standard", "start", "end"),
    [
        ("Europe/Amsterdam", 3600, Change(3, 5, 7, 2, 0), Change(10, 5, 7, 3, 0)),
        ("Europe/London", 0, Change(3, 5, 7, 1, 0), Change(10, 5, 7, 2, 0)),
        ("Europe/Dublin", 0, Change(3, 5, 7, 1, 0), Change(10, 5, 7, 2, 0)),
        ("Europe/Lisbon", 0, Change(3, 5, 7, 1, 0), Change(10, 5, 7, 2, 0)),
        ("Europe/Helsinki", 7200, Change(3, 5, 7, 3, 0), Change(10, 5, 7, 4, 0)),
        ("Europe/Chisinau", 7200, Change(3, 5, 7, 2, 0), Change(10, 5, 7, 3, 0)),
        ("America/New_York", -18000, Change(3, 2, 7, 2, 0), Change(11, 1, 7, 2, 0)),
        ("America/St_Johns", -12600, Change(3, 2, 7, 2, 0), Change(11, 1, 7, 2, 0)),
        ("America/Havana", -18000, Change(3, 2, 7, 0, 0), Change(11, 1, 7, 1, 0)),
        ("America/Santiago", -14400, Change(9, 1, 6, 24, 0), Change(4, 1, 6, 24, 0)),
    ],
)
def test_the_known_rules(zone: str, standard: int, start: Change, end: Change) -> None:
    assert time_rule(zone, since=SINCE) == TimeRule(zone, standard, 3600, start, end)


@pytest.mark.parametrize(
    ("zone", "offset"),
    [("America/Sao_Paulo", -10800), ("America/Phoenix", -25200), ("Europe/Istanbul", 10800), ("UTC", 0)],
)
def test_a_zone_without_summer_time_has_no_changes(zone: str, offset: int) -> None:
    assert time_rule(zone, since=SINCE) == TimeRule(zone, offset)


def test_half_an_hour_of_saving_in_the_south() -> None:
    rule = time_rule("Australia/Lord_Howe", since=SINCE)
    assert (rule.standard_offset, rule.saving, rule.is_exact) == (37800, 1800, True)
    assert offsets(rule, date(2027, 1, 1)) == 39600
    assert offsets(rule, date(2027, 7, 1)) == 37800


def test_a_change_on_the_eve_of_the_last_sunday_keeps_every_days_offset_and_says_so() -> None:
    rule = time_rule("America/Nuuk", since=SINCE)
    assert not rule.is_exact
    assert rule.start == Change(3, 5, 7, 0, 0)
    assert rule.end == Change(10, 5, 7, 0, 0)
    assert "2026-03-29 01:00 UTC for 1 h, 5 times within 5 years" in rule.note
    assert not wrong_days("America/Nuuk", SINCE)


def test_summer_time_that_pauses_for_ramadan_is_not_called_exact() -> None:
    rule = time_rule("Africa/Casablanca", since=SINCE)
    assert not rule.is_exact
    assert "days" in rule.note
    assert offsets(rule, SINCE) == true_offset("Africa/Casablanca", SINCE)


@pytest.mark.parametrize(
    ("zone", "since"),
    [
        ("America/Asuncion", date(2023, 1, 1)),  # summer time for good since 2024-10
        ("America/Mexico_City", date(2021, 1, 1)),  # no summer time since 2022-10
        ("Europe/Volgograd", date(2018, 6, 1)),  # two changes of the standard offset
        ("America/Sao_Paulo", date(2016, 1, 1)),  # other date in 2018, abolished in 2019
    ],
)
def test_a_zone_that_changes_its_rule_gets_the_one_that_is_right_the_longest(zone: str, since: date) -> None:
    rule = time_rule(zone, since=since)
    assert not rule.is_exact
    assert zone in rule.note
    first_wrong = wrong_days(zone, since)[0]
    assert first_wrong > since + timedelta(90)


def test_after_the_change_of_rule_the_new_rule_is_exact() -> None:
    assert time_rule("America/Asuncion", since=SINCE) == TimeRule("America/Asuncion", -10800)
    assert time_rule("America/Mexico_City", since=date(2022, 12, 1)).is_exact


@pytest.mark.parametrize("zone", ["Europe/Amsterdam", "America/Santiago", "America/Havana"])
def test_the_rule_is_the_same_from_whatever_day_one_looks(zone: str) -> None:
    rule = time_rule(zone, since=SINCE)
    assert {time_rule(zone, since=day) for day in days(date(2027, 3, 1), 1)} == {rule}


def test_a_leap_day_is_a_day_to_start_from() -> None:
    assert time_rule("Europe/Amsterdam", since=date(2028, 2, 29)).is_exact


def test_the_fifth_week_means_the_last() -> None:
    assert Change(2, 5, 7, 2, 0).on(2026).isoformat() == "2026-02-22T02:00:00"
    assert Change(3, 5, 7, 2, 0).on(2026).isoformat() == "2026-03-29T02:00:00"
    assert Change(3, 1, 7, 0, 0).on(2026).isoformat() == "2026-03-01T00:00:00"
    assert Change(4, 1, 6, 24, 0).on(2026).isoformat() == "2026-04-05T00:00:00"


@pytest.mark.parametrize(
    "zone", ["", "Europe", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "a\0b", "X" * 300]
)
def test_what_is_no_zone_is_refused(zone: str) -> None:
    with pytest.raises(InvalidSetting, match="not a time zone"):
        time_rule(zone, since=SINCE)


def test_a_rule_is_found_fast_and_kept() -> None:
    module.time_rule.cache_clear()
    begin = time.process_time()
    for zone in ZONES:
        time_rule(zone, since=SINCE)
    cold = (time.process_time() - begin) / len(ZONES)
    begin = time.process_time()
    for zone in ZONES:
        time_rule(zone, since=SINCE)
    cached = (time.process_time() - begin) / len(ZONES)
    assert cold < 0.015  # about 0.001; a coverage run or a slow machine takes more
    assert cached < 0.0001
