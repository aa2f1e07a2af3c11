"""When something holds: weekly hours and days, read in a time zone whose days may have 23 or 25 hours. Pure.

A local time that comes twice (the clock goes back) is the first of the two; one that never comes (the clock goes forward) is
the moment of the jump. So hours that follow each other neither overlap nor leave a gap on such days.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

HORIZON = timedelta(days=370)
"""How far ahead a change is looked for."""
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Hours:
    """From `begin` to `end` on these days (1 is Monday); an `end` that is not later is on the next day. 24:00 is `midnight`."""

    days: frozenset[int]
    begin: time
    end: time

    @property
    def is_past_midnight(self) -> bool:
        return self.end <= self.begin


@dataclass(frozen=True, slots=True)
class Days:
    """Whole days from `first` to `last`, both included; yearly ones return every year from the first on."""

    first: date
    last: date
    is_yearly: bool = False


@dataclass(frozen=True, slots=True)
class Timetable:
    """What a schedule says; it holds when any of its entries does. Without entries it never holds."""

    weekly: tuple[Hours, ...] = ()
    dates: tuple[Days, ...] = ()


Interval = tuple[datetime, datetime]


def read_timetable(row: Any) -> Timetable:
    """A stored schedule (`weekly` and `dates` as in model/calling.py)."""
    return Timetable(tuple(_hours(entry) for entry in row.weekly), tuple(_days(entry) for entry in row.dates))


def holds(timetable: Timetable, at: datetime, zone: ZoneInfo) -> bool:
    """Whether it holds at the moment `at` (aware)."""
    at = at.astimezone(UTC)
    today = at.astimezone(zone).date()
    return any(begin <= at < end for begin, end in _around(timetable, today, zone))


def next_change(timetable: Timetable, at: datetime, zone: ZoneInfo) -> datetime | None:
    """The first moment after `at`, in UTC, at which the answer of `holds` is another; None when there is none in sight."""
    at = at.astimezone(UTC)
    now = holds(timetable, at, zone)
    first = at.astimezone(zone).date()
    for day in _looked_at(timetable, first):
        edges = {edge for interval in _around(timetable, day, zone) for edge in interval if edge > at}
        for edge in sorted(edges):
            if holds(timetable, edge, zone) != now:
                return edge
    return None


def is_endless(timetable: Timetable) -> bool:
    """Whether it holds at all times of every week: a schedule that says nothing."""
    week = [False] * (7 * 24 * 60)
    for hours in timetable.weekly:
        length = _minutes(hours.end) - _minutes(hours.begin) + (24 * 60 if hours.is_past_midnight else 0)
        for day in hours.days:
            start = (day - 1) * 24 * 60 + _minutes(hours.begin)
            for minute in range(start, start + length):
                week[minute % len(week)] = True
    return all(week)


def local_moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The moment, in UTC, of a wall clock's time: the first of two, or the jump over a missing one."""
    early = datetime.combine(day, at, zone).replace(fold=0)
    moment = early.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == early.replace(tzinfo=None):
        return moment
    return _jump(early.replace(fold=1).astimezone(UTC), moment, zone)


def _jump(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first second with the offset of `after`."""
    offset = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=int((after - before).total_seconds()) // 2)
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after


def _looked_at(timetable: Timetable, first: date) -> Iterator[date]:
    """The days near which a change can be: this week's, and the ends of date ranges within the horizon."""
    last = first + HORIZON
    days = {first + DAY * number for number in range(9)}
    for entry in timetable.dates:
        for year in _years(entry, first, last):
            span = _in_year(entry, year)
            days |= {day for day in (span[0], span[1] + DAY) if first <= day <= last}
    yield from sorted(days)


def _around(timetable: Timetable, day: date, zone: ZoneInfo) -> Iterator[Interval]:
    """The intervals that touch this local day."""
    for hours in timetable.weekly:
        for start in (day - DAY, day):
            if start.isoweekday() in hours.days:
                end = start + DAY if hours.is_past_midnight else start
                yield local_moment(start, hours.begin, zone), local_moment(end, hours.end, zone)
    for entry in timetable.dates:
        for year in _years(entry, day - DAY, day):
            first, last = _in_year(entry, year)
            if first <= day <= last:
                yield local_moment(first, time(), zone), local_moment(last + DAY, time(), zone)


def _years(entry: Days, first: date, last: date) -> range:
    """Years in which the entry may begin so that it touches first … last."""
    if not entry.is_yearly:
        return range(entry.first.year, entry.first.year + 1)
    return range(max(entry.first.year, first.year - 1), last.year + 1)


def _in_year(entry: Days, year: int) -> tuple[date, date]:
    """The days of an entry that begins in `year`; 29 February is the 28th in other years."""
    later = entry.last.year - entry.first.year
    return _moved(entry.first, year), _moved(entry.last, year + later)


def _moved(day: date, year: int) -> date:
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def _minutes(at: time) -> int:
    return at.hour * 60 + at.minute


def _hours(entry: Mapping[str, Any]) -> Hours:
    return Hours(frozenset(entry["days"]), _time(entry["from"]), _time(entry["to"]))


def _time(text: str) -> time:
    return time() if text == "24:00" else time.fromisoformat(text)


def _days(entry: Mapping[str, Any]) -> Days:
    return Days(
        date.fromisoformat(entry["from"]),
        date.fromisoformat(entry["to"]),
        bool(entry.get("is_yearly", False)),
    )
