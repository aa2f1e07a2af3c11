"""A time zone said as one yearly rule, the only way in which phones can be told about summer time.

An IANA zone is a history; a phone knows an offset, a saving, and two changes of the form "the last Sunday of
March at 02:00". This looks at what the zone does in the coming years and finds the form that says the same,
or else the nearest, with a note of where it differs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise, product
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from provisioner.errors import InvalidSetting

YEARS_EXACT = 5  # a rule is called exact when it holds this long
YEARS_SEEN = 12  # later years only choose between forms that agree until then
STEP = 7 * 86400  # no zone changes twice within a week
DAY = 86400
TOLERABLE = 3 * 3600  # wrong for a shorter time around a change, a phone still has every day's offset right
LAST = 5
SUNDAY = 7


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """A yearly moment in local wall time as it is before the change: week 5 is the last, hour 24 the day's end."""

    month: int
    week: int
    weekday: int  # 1 = Monday … 7 = Sunday
    hour: int
    minute: int

    @property
    def oddness(self) -> int:
        """How unusual the form is among those that mean the same: hour 24 first, then a day that is no Sunday."""
        return 2 * (self.hour == 24) + (self.weekday != SUNDAY)

    def on(self, year: int) -> datetime:
        """The moment in that year: naive, in the wall time before the change."""
        first = date(year, self.month, 1)
        day = first + timedelta((self.weekday - first.isoweekday()) % 7 + 7 * (self.week - 1))
        if day.month != self.month:  # no fifth one this year: the fourth is the last
            day -= timedelta(7)
        return datetime.combine(day, time()) + timedelta(hours=self.hour, minutes=self.minute)


@dataclass(frozen=True, slots=True)
class TimeRule:
    """What a phone is told. Offsets are seconds east of UTC; `start` and `end` are of the summer time.

    `saving` 0 means no summer time, and then there are no changes. `is_exact` false means that the zone does
    something else within five years, which `note` tells a person.
    """

    zone: str
    standard_offset: int
    saving: int = 0
    start: Change | None = None
    end: Change | None = None
    is_exact: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Shift:
    """The offset changes from `before` to `after` at `at`, seconds since the epoch."""

    at: int
    before: int
    after: int

    @property
    def wall(self) -> datetime:
        return datetime.fromtimestamp(self.at + self.before, UTC).replace(tzinfo=None)


@lru_cache(maxsize=4096)
def time_rule(zone: str, *, since: date) -> TimeRule:
    """The rule of an IANA zone from `since` on. InvalidSetting when there is no such zone."""
    info = _zone_info(zone)
    begin = _epoch(since)
    end = _epoch(_years_later(since, YEARS_EXACT))
    seen = _shifts(info, begin, _epoch(_years_later(since, YEARS_SEEN)))
    shifts = [shift for shift in seen if shift.at < end]
    if not shifts:
        return TimeRule(zone, _offset(info, begin))
    return _exact(zone, shifts, seen, begin=begin, end=end) or _nearest(zone, shifts, begin=begin, end=end)


def offsets(rule: TimeRule, day: date) -> int:
    """Seconds east of UTC that the rule gives at noon of `day`."""
    if rule.start is None or rule.end is None:
        return rule.standard_offset
    noon = datetime.combine(day, time(12))
    start, end = rule.start.on(day.year), rule.end.on(day.year)
    is_summer = start <= noon < end if start < end else not end <= noon < start
    return rule.standard_offset + (rule.saving if is_summer else 0)


def _zone_info(zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: "Europe" alone is a folder
        raise InvalidSetting(
            f"{zone!r} is not a time zone; choose one such as Europe/Amsterdam", field="time_zone"
        ) from None


def _years_later(day: date, years: int) -> date:
    return date(day.year + years, day.month, min(day.day, 28) if day.month == 2 else day.day)


def _epoch(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())


def _offset(info: ZoneInfo, at: int) -> int:
    offset = datetime.fromtimestamp(at, info).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def _shifts(info: ZoneInfo, begin: int, end: int) -> list[_Shift]:
    found = []
    before = _offset(info, begin)
    for at in range(begin, end, STEP):
        after = _offset(info, at + STEP)
        if after != before:
            found.append(_Shift(_first_moment(info, at, at + STEP, after=after), before, after))
        before = after
    return found


def _first_moment(info: ZoneInfo, low: int, high: int, *, after: int) -> int:
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _offset(info, middle) == after else (middle, high)
    return high


def _exact(zone: str, shifts: list[_Shift], seen: list[_Shift], *, begin: int, end: int) -> TimeRule | None:
    ups, downs = [s for s in shifts if s.after > s.before], [s for s in shifts if s.after < s.before]
    if not ups or not downs:
        return None
    starts, ends = _common_forms(ups), _common_forms(downs)
    if not starts or not ends:
        return None
    standard, summer = ups[0].before, ups[0].after
    start = _best_form(starts, [s for s in seen if s.after > s.before])
    finish = _best_form(ends, [s for s in seen if s.after < s.before])
    rule = TimeRule(zone, standard, summer - standard, start, finish)
    return None if _wrong_spans(_history(shifts, begin), _course(rule, begin, end), end) else rule


def _common_forms(shifts: list[_Shift]) -> set[Change]:
    return set.intersection(*(_forms(shift.wall) for shift in shifts))


def _forms(moment: datetime) -> set[Change]:
    """Every way to say this moment: the n-th or the last weekday of its month, midnight also as hour 24."""
    found = {
        Change(moment.month, week, moment.isoweekday(), moment.hour, moment.minute) for week in _weeks(moment)
    }
    if moment.time() == time():
        eve = moment - timedelta(1)
        found |= {Change(eve.month, week, eve.isoweekday(), 24, 0) for week in _weeks(eve)}
    return found


def _weeks(moment: datetime) -> set[int]:
    is_last = (moment + timedelta(7)).month != moment.month
    return {(moment.day - 1) // 7 + 1} | ({LAST} if is_last else set())


def _best_form(forms: Iterable[Change], seen: list[_Shift]) -> Change:
    def preference(form: Change) -> tuple[int, int, int, Change]:
        holds = sum(form.on(shift.wall.year) == shift.wall for shift in seen)
        return holds, -form.oddness, form.week, form

    return max(forms, key=preference)


def _nearest(zone: str, shifts: list[_Shift], *, begin: int, end: int) -> TimeRule:
    actual = _history(shifts, begin)

    def badness(rule: TimeRule) -> tuple[int, int, int, str]:
        wrong = _wrong_spans(actual, _course(rule, begin, end), end)
        first = next((since for since, length in wrong if length > TOLERABLE), end)
        oddness = sum(change.oddness for change in (rule.start, rule.end) if change)
        # right the longest from now, then least wrong in all; the text makes the choice a stable one
        return -first, sum(length for _, length in wrong), oddness, repr(rule)

    best = min(_candidates(zone, shifts), key=badness)
    wrong = _wrong_spans(actual, _course(best, begin, end), end)
    return TimeRule(
        zone, best.standard_offset, best.saving, best.start, best.end, is_exact=False, note=_note(zone, wrong)
    )


def _candidates(zone: str, shifts: list[_Shift]) -> Iterable[TimeRule]:
    for offset in {shift.before for shift in shifts} | {shift.after for shift in shifts}:
        yield TimeRule(zone, offset)
    pairs = {(s.before, s.after) for s in shifts if s.after > s.before}
    for standard, summer in pairs:
        starts = _near_forms(s for s in shifts if (s.before, s.after) == (standard, summer))
        ends = _near_forms(s for s in shifts if (s.after, s.before) == (standard, summer))
        for start, end in product(starts, ends):
            yield TimeRule(zone, standard, summer - standard, start, end)


def _near_forms(shifts: Iterable[_Shift]) -> set[Change]:
    """Forms of the moments themselves and of the midnight that follows, for changes on the eve of a rule's day."""
    found: set[Change] = set()
    for shift in shifts:
        found |= _forms(shift.wall)
        found |= _forms(datetime.combine(shift.wall.date() + timedelta(1), time()))
    return found


def _history(shifts: list[_Shift], begin: int) -> list[tuple[int, int]]:
    return [(begin, shifts[0].before), *((shift.at, shift.after) for shift in shifts)]


def _course(rule: TimeRule, begin: int, end: int) -> list[tuple[int, int]]:
    """The rule as (moment, offset from then on), with the offset at `begin` first."""
    if rule.start is None or rule.end is None:
        return [(begin, rule.standard_offset)]
    summer = rule.standard_offset + rule.saving
    cuts = []
    for year in range(_year(begin) - 1, _year(end) + 1):
        cuts.append((_seconds(rule.start.on(year)) - rule.standard_offset, summer))
        cuts.append((_seconds(rule.end.on(year)) - summer, rule.standard_offset))
    cuts.sort()
    first = [offset for at, offset in cuts if at <= begin][-1]
    return [(begin, first), *(cut for cut in cuts if begin < cut[0] < end)]


def _year(at: int) -> int:
    return datetime.fromtimestamp(at, UTC).year


def _seconds(wall: datetime) -> int:
    return int(wall.replace(tzinfo=UTC).timestamp())


def _wrong_spans(
    actual: list[tuple[int, int]], said: list[tuple[int, int]], end: int
) -> list[tuple[int, int]]:
    """(since, seconds) of every span in which the two differ; spans that touch are one."""
    spans: list[tuple[int, int]] = []
    moments = sorted({at for at, _ in actual} | {at for at, _ in said} | {end})
    real, told = dict(actual), dict(said)
    here = there = 0
    for at, until in pairwise(moments):
        here, there = real.get(at, here), told.get(at, there)
        if here == there:
            continue
        if spans and sum(spans[-1]) == at:
            spans[-1] = (spans[-1][0], until - spans[-1][0])
        else:
            spans.append((at, until - at))
    return spans


def _note(zone: str, wrong: list[tuple[int, int]]) -> str:
    since, length = wrong[0]
    duration = f"{length // DAY} days" if length >= 2 * DAY else f"{-(-length // 3600)} h"
    more = f", {len(wrong)} times within {YEARS_EXACT} years" if len(wrong) > 1 else ""
    moment = datetime.fromtimestamp(since, UTC)
    return (
        f"{zone} cannot be said as one yearly rule: with the nearest one the phone's clock is wrong"
        f" from {moment:%Y-%m-%d %H:%M} UTC for {duration}{more}"
    )
