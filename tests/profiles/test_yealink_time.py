"""Time zones, read back from the rendered file and compared with the zone database day by day."""

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from tests.support.yealink_phone import TODAY, Values, one, read, render, values


def _moment(text: str, year: int) -> datetime:
    """month/week/weekday/hour as the vendor reads it: week 5 is the last, weekday 7 is Sunday."""
    month, week, weekday, hour = map(int, text.split("/"))
    days = [
        day
        for day in (date(year, month, 1) + timedelta(days=number) for number in range(31))
        if day.month == month and day.isoweekday() == weekday
    ]
    return datetime.combine(days[-1] if week == 5 else days[week - 1], time(hour))


def _offsets(found: Values, days: Sequence[date]) -> list[int]:
    """Seconds east of UTC at noon of each day, read from the file alone."""
    zone = one(found, "local_time.time_zone")
    sign, hours, minutes = re.fullmatch(r"([+-]?)(\d+)(?::(\d\d))?", zone).groups("0")  # type: ignore[union-attr]
    standard = (int(hours) * 3600 + int(minutes) * 60) * (-1 if sign == "-" else 1)
    if one(found, "local_time.summer_time") == "0":
        return [standard] * len(days)
    assert one(found, "local_time.dst_time_type") == "1"
    saving = int(one(found, "local_time.offset_time")) * 60
    changes = {
        year: [_moment(one(found, f"local_time.{name}"), year) for name in ("start_time", "end_time")]
        for year in {day.year for day in days}
    }
    offsets = []
    for day in days:
        start, end = changes[day.year]
        noon = datetime.combine(day, time(12))
        is_summer = start <= noon < end if start < end else noon >= start or noon < end
        offsets.append(standard + saving * is_summer)
    return offsets


def _days_of_five_years() -> list[date]:
    return [TODAY + timedelta(days=number) for number in range(5 * 365 + 1)]


def test_every_zone_of_europe_and_america_has_the_right_offset_every_day_or_is_warned_about() -> None:
    days = _days_of_five_years()
    zones = sorted(name for name in available_timezones() if name.startswith(("Europe/", "America/")))
    assert len(zones) > 200
    silent, warned = {}, set()
    for name in zones:
        rendered = render("T19P_E2", settings={"timezone": name})
        info = ZoneInfo(name)
        real = [int(datetime.combine(day, time(12), info).utcoffset().total_seconds()) for day in days]  # type: ignore[union-attr]
        wrong = [
            day
            for day, *pair in zip(days, real, _offsets(read(rendered.body), days), strict=True)
            if pair[0] != pair[1]
        ]
        is_warned = any("zone" in warning or "clock changes" in warning for warning in rendered.warnings)
        if is_warned:
            warned.add(name)
        elif wrong:
            silent[name] = wrong[:3]
        assert len(wrong) <= 5, (name, wrong)
    assert not silent
    assert {"America/Nuuk", "America/Scoresbysund", "America/Santiago"} <= warned
    assert len(warned) <= 10, warned


def test_well_known_zones_in_the_vendors_words() -> None:
    names = ("time_zone", "summer_time", "start_time", "end_time", "offset_time")
    expected = {
        "Europe/Amsterdam": ["+1", "1", "3/5/7/2", "10/5/7/3", "60"],
        "America/New_York": ["-5", "1", "3/2/7/2", "11/1/7/2", "60"],
        "America/St_Johns": ["-3:30", "1", "3/2/7/2", "11/1/7/2", "60"],
        "Asia/Kolkata": ["+5:30", "0", "%NULL%", "%NULL%", "%NULL%"],
        "Europe/London": ["0", "1", "3/5/7/1", "10/5/7/2", "60"],
    }
    found = {
        zone: [one(written, f"local_time.{name}") for name in names]
        for zone in expected
        for written in [values("T46S", settings={"timezone": zone})]
    }
    assert found == expected
