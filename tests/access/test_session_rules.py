from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from provisioner.access.sessions import (
    Session,
    accepts_previous,
    cookie_max_age,
    cookie_name,
    expires_at,
    is_alive,
    new_token,
    should_rotate,
    should_touch,
    token_digest,
)

LOGIN = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
FRESH = Session(LOGIN, LOGIN, LOGIN)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_only_the_digest_of_a_token_is_stored_and_none_shows_t20() -> None:
    token = new_token()
    assert token.digest == token_digest(token.text)
    assert len(token.text) >= 43
    assert token.text not in repr(token)
    assert len({new_token().text for _ in range(100)}) == 100


def test_a_session_ends_after_twelve_idle_hours() -> None:
    assert is_alive(FRESH, now=LOGIN + 12 * HOUR - timedelta(seconds=1))
    assert not is_alive(FRESH, now=LOGIN + 12 * HOUR)
    used = replace(FRESH, last_used_at=LOGIN + 11 * HOUR)
    assert is_alive(used, now=LOGIN + 22 * HOUR)


def test_a_remembered_session_lasts_thirty_days_however_it_is_used() -> None:
    remembered = replace(FRESH, is_remembered=True)
    assert is_alive(remembered, now=LOGIN + 30 * DAY - timedelta(seconds=1))
    assert not is_alive(replace(remembered, last_used_at=LOGIN + 29 * DAY), now=LOGIN + 30 * DAY)
    assert cookie_max_age(remembered, now=LOGIN + 29 * DAY) == 86_400
    assert cookie_max_age(remembered, now=LOGIN + 31 * DAY) == 0
    assert cookie_max_age(FRESH, now=LOGIN) is None


@given(st.timedeltas(timedelta(), timedelta(days=400)), st.booleans())
def test_no_session_outlives_thirty_days(used: timedelta, remembered: bool) -> None:
    session = Session(LOGIN, LOGIN + used, LOGIN, is_remembered=remembered)
    assert expires_at(session) <= LOGIN + 30 * DAY


def test_tokens_rotate_and_the_one_before_works_for_a_minute_t15() -> None:
    assert not should_rotate(FRESH, now=LOGIN + HOUR - timedelta(seconds=1))
    assert should_rotate(FRESH, now=LOGIN + HOUR)
    assert accepts_previous(FRESH, now=LOGIN + timedelta(seconds=59))
    assert not accepts_previous(FRESH, now=LOGIN + timedelta(seconds=60))


def test_use_is_noted_every_few_minutes_only() -> None:
    assert not should_touch(FRESH, now=LOGIN + timedelta(minutes=4))
    assert should_touch(FRESH, now=LOGIN + timedelta(minutes=5))


def test_with_tls_the_cookie_is_bound_to_the_host() -> None:
    assert cookie_name(is_tls=True).startswith("__Host-")
    assert not cookie_name(is_tls=False).startswith("__")
