"""Hotdesk PINs (R3.1, R3.8)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.access.pins import (
    FAILURES,
    LOCKED_FOR,
    WINDOW,
    check_pin,
    hash_pin,
    locked_until,
    new_pin,
    pin_matches,
    recent,
    subject_of,
    weakness_of,
)
from provisioner.errors import WeakPin

KEY = b"k" * 32
START = datetime(2026, 11, 22, 8, tzinfo=UTC)


def at(*minutes: float) -> list[datetime]:
    return [START + timedelta(minutes=minute) for minute in minutes]


@pytest.mark.parametrize(
    ("pin", "why"),
    [
        ("", "4 to 10 digits"), ("123", "4 to 10 digits"), ("12345678901", "4 to 10 digits"), ("12a4", "4 to 10 digits"), ("١٢٣٤", "4 to 10 digits"),
        ("7777", "the same"), ("0000000000", "the same"), ("1234", "up or down"), ("8901", "up or down"), ("9876543210", "up or down"), ("3210", "up or down"),
        ("4747", "repeats"), ("123123", "repeats"), ("12341234", "repeats"), ("1984", "year"), ("2026", "year"), ("101101", "extension"),
    ],
)  # fmt: skip
def test_what_is_guessed_first_is_refused_with_the_reason(pin: str, why: str) -> None:
    assert why in weakness_of(pin, extension="101")
    with pytest.raises(WeakPin) as caught:
        check_pin(pin, extension="101")
    assert not pin or pin not in caught.value.detail


@pytest.mark.parametrize("pin", ["8642", "2190", "1357", "739105", "19845", "4711", "1014"])
def test_an_honest_pin_is_good(pin: str) -> None:
    assert check_pin(pin, extension="101") == pin


def test_the_extension_itself_is_refused() -> None:
    assert "extension" in weakness_of("4711", extension="4711")


@given(st.integers(4, 10))
def test_what_is_generated_is_accepted(length: int) -> None:
    pin = new_pin(extension="4711", length=length)
    assert (len(pin), weakness_of(pin, extension="4711")) == (length, "")


def test_a_hash_is_of_one_user_and_one_key() -> None:
    stored = hash_pin(KEY, user_id=7, pin="8642")
    assert len(stored) == 64
    assert pin_matches(KEY, user_id=7, pin="8642", stored=stored)
    assert not pin_matches(KEY, user_id=8, pin="8642", stored=stored)
    assert not pin_matches(b"x" * 32, user_id=7, pin="8642", stored=stored)
    assert not pin_matches(KEY, user_id=7, pin="8643", stored=stored)
    assert not pin_matches(KEY, user_id=7, pin="", stored="")
    assert not pin_matches(KEY, user_id=7, pin="\ud800", stored=stored)


def test_what_is_counted_under_tells_no_extension() -> None:
    subject = subject_of(KEY, tenant_id=1, extension="101")
    assert len(subject) == 32
    assert subject != subject_of(KEY, tenant_id=2, extension="101")
    assert subject != subject_of(KEY, tenant_id=1, extension="102")


@pytest.mark.parametrize(
    ("failures", "now", "end"),
    [
        (at(), 0, None),
        (at(0, 1, 2, 3), 4, None),
        (at(0, 1, 2, 3, 4), 4, 19),
        (at(4, 2, 0, 3, 1), 18.9, 19),  # any order
        (at(0, 1, 2, 3, 4), 19, None),  # over
        (at(0, 1, 2, 3, 15), 15, 30),  # just within a quarter of an hour
        (at(0, 1, 2, 3, 15.1), 15.2, None),
        (at(0, 1, 2, 3, 4, 20), 20, None),  # begins anew after the lock
        (at(0, 0, 0, 0, 0), 0, 15),
    ],
)
def test_five_within_a_quarter_of_an_hour_lock_for_as_long(
    failures: list[datetime], now: float, end: float | None
) -> None:
    expected = None if end is None else at(end)[0]
    assert locked_until(failures, now=at(now)[0]) == expected


@given(st.lists(st.floats(0, 120), max_size=12), st.floats(0, 150))
def test_fewer_than_five_never_lock_and_no_lock_is_longer_than_promised(
    minutes: list[float], now: float
) -> None:
    failures = [moment for moment in at(*minutes) if moment <= at(now)[0]]
    end = locked_until(failures, now=at(now)[0])
    if len(failures) < FAILURES:
        assert end is None
    if end is not None:
        assert at(now)[0] < end <= max(failures) + LOCKED_FOR
        assert recent(failures, now=end - LOCKED_FOR) >= FAILURES
    assert WINDOW == LOCKED_FOR
