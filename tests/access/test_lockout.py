from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.access.lockout import Barrier, Lockout, Standing, Steps, Thresholds

DEVICE = b"\0\x04\x13\xaa\xbb\xcc"
HOME = IPv4Address("198.51.100.7")
STRANGER = IPv4Address("203.0.113.66")
NOW = 1_800_000_000.0


def fail(lockout: Lockout, times: int, *, source: IPv4Address = STRANGER, now: float = NOW) -> float:
    """Fail so many times, each as soon as it is allowed; answer when the last one was."""
    for _ in range(times):
        now = max(now, lockout.check(DEVICE, source, now=now).until)
        lockout.failed(DEVICE, source, now=now)
    return now


def test_nothing_failed_nothing_refused() -> None:
    assert Lockout().check(DEVICE, HOME, now=NOW) == Standing()


def test_the_first_failures_are_free_then_the_delay_grows_then_it_locks_t2() -> None:
    steps = Steps(free=2, delay=1, longest_delay=3, lock_at=6, lock=60, longest_lock=100)
    assert [steps.penalty(count) for count in range(9)] == [0, 0, 0, 1, 2, 3, 60, 100, 100]
    assert steps.penalty(10**9) == 100


def test_a_counter_cannot_be_forgotten_while_it_locks() -> None:
    with pytest.raises(ValueError, match="as long as it locks"):
        Steps(free=1, delay=1, longest_delay=1, lock_at=2, lock=60, longest_lock=7200, forget=3600)


def test_a_guesser_is_locked_out_and_the_alarm_rings_at_the_lock_t2() -> None:
    lockout = Lockout()
    now = fail(lockout, 7)
    now = lockout.check(DEVICE, STRANGER, now=now).until
    eighth = lockout.failed(DEVICE, STRANGER, now=now)
    assert eighth.is_new_lock
    assert (eighth.barrier, eighth.until, eighth.subject_failures) == (Barrier.SUBJECT, now + 300, 8)
    assert not lockout.check(DEVICE, STRANGER, now=now + 299).is_open
    assert lockout.check(DEVICE, STRANGER, now=now + 300).is_open


def test_guessing_from_many_addresses_is_slowed_down_as_a_whole_t2() -> None:
    lockout = Lockout()
    now = NOW
    for n in range(8):
        source = IPv4Address(f"203.0.113.{n}")
        now = max(now, lockout.check(DEVICE, source, now=now).until)
        lockout.failed(DEVICE, source, now=now)
    assert not lockout.check(DEVICE, IPv4Address("192.0.2.200"), now=now).is_open


def test_strangers_never_lock_a_phone_out_of_its_own_address_t2() -> None:
    lockout = Lockout()
    lockout.succeeded(DEVICE, HOME)
    now = fail(lockout, 50)
    assert not lockout.check(DEVICE, STRANGER, now=now).is_open
    assert lockout.check(DEVICE, HOME, now=now).is_open


def test_a_bad_neighbour_behind_the_same_router_does_not_lock_the_phones_beside_it_t2() -> None:
    lockout = Lockout()
    lockout.succeeded(DEVICE, HOME)
    for n in range(100):
        lockout.failed(n.to_bytes(6, "big"), HOME, now=NOW)
    assert lockout.check(b"another", HOME, now=NOW).barrier is Barrier.SOURCE
    assert lockout.check(DEVICE, HOME, now=NOW).is_open


def test_at_home_a_wrong_password_is_slowed_down_but_never_locked_for_long_t2() -> None:
    lockout = Lockout()
    lockout.succeeded(DEVICE, HOME)
    now = fail(lockout, 60, source=HOME)
    standing = lockout.check(DEVICE, HOME, now=now)
    assert not standing.is_open
    assert standing.until - now <= 60
    assert standing.subject_failures == 60


def test_a_success_clears_the_device_but_not_the_guesses_at_others_t2() -> None:
    lockout = Lockout(Thresholds(source=Steps(free=2, delay=10, longest_delay=10, lock_at=None)))
    for n in range(4):
        lockout.failed(n.to_bytes(6, "big"), STRANGER, now=NOW)
    lockout.succeeded(b"the attacker's own phone", STRANGER)
    assert lockout.check(b"a victim", STRANGER, now=NOW).barrier is Barrier.SOURCE
    lockout.failed(DEVICE, HOME, now=NOW)
    lockout.succeeded(DEVICE, HOME)
    assert lockout.check(DEVICE, HOME, now=NOW).subject_failures == 0


def test_the_source_is_locked_for_all_it_tries() -> None:
    lockout = Lockout()
    standing = Standing()
    for n in range(45):
        standing = lockout.failed(n.to_bytes(6, "big"), STRANGER, now=NOW + n)
    assert standing.source_failures == 45
    assert lockout.check(None, STRANGER, now=NOW + 45).barrier is Barrier.SOURCE
    assert lockout.check(DEVICE, HOME, now=NOW + 45).is_open


def test_an_ipv6_client_cannot_change_its_address_within_its_64() -> None:
    lockout = Lockout()
    for n in range(1, 50):
        lockout.failed(n.to_bytes(6, "big"), IPv6Address(f"2001:db8::{n:x}"), now=NOW)
    assert lockout.check(DEVICE, IPv6Address("2001:db8::beef"), now=NOW).barrier is Barrier.SOURCE


def test_failures_are_forgotten_after_a_rest() -> None:
    lockout = Lockout()
    now = fail(lockout, 5)
    assert lockout.check(DEVICE, STRANGER, now=now + 7201).subject_failures == 0
    assert lockout.failed(DEVICE, STRANGER, now=now + 7201).subject_failures == 1


def test_a_success_at_home_clears_what_went_wrong_there() -> None:
    lockout = Lockout()
    lockout.succeeded(DEVICE, HOME)
    now = fail(lockout, 10, source=HOME)
    assert not lockout.check(DEVICE, HOME, now=now).is_open
    lockout.succeeded(DEVICE, HOME)
    assert lockout.check(DEVICE, HOME, now=now) == Standing()


def test_an_admin_can_unlock() -> None:
    lockout = Lockout(Thresholds(source=Steps(free=99, delay=1, longest_delay=1, lock_at=None)))
    now = fail(lockout, 10)
    lockout.unlock(DEVICE)
    assert lockout.check(DEVICE, STRANGER, now=now) == Standing(Barrier.NONE, 0.0, 0, 10)


def test_a_stored_home_counts_until_a_newer_one_is_known() -> None:
    lockout = Lockout()
    lockout.remember(DEVICE, HOME)
    assert lockout.is_home(DEVICE, HOME)
    lockout.succeeded(DEVICE, STRANGER)
    lockout.remember(DEVICE, HOME)
    assert lockout.is_home(DEVICE, STRANGER)
    assert not lockout.is_home(DEVICE, HOME)
    assert not lockout.is_home(None, HOME)


def test_people_are_counted_by_the_same_rule_t15() -> None:
    lockout = Lockout()
    for n in range(8):
        lockout.failed(("login", "anna"), STRANGER, now=NOW + 100 * n)
    assert not lockout.check(("login", "anna"), IPv4Address("192.0.2.5"), now=NOW + 701).is_open
    assert lockout.check(("login", "bert"), IPv4Address("192.0.2.5"), now=NOW + 701).is_open


def test_what_a_stranger_can_grow_is_bounded() -> None:
    lockout = Lockout(Thresholds(most_counters=100, most_homes=50))
    for n in range(2000):
        lockout.failed(n, IPv4Address(n), now=NOW)
        lockout.succeeded(("own", n), IPv4Address(n))
    assert len(lockout) <= 350


@given(st.lists(st.tuples(st.sampled_from([HOME, STRANGER]), st.floats(0, 5000)), max_size=60))
def test_no_order_of_failures_locks_for_longer_than_the_longest_lock(
    steps: list[tuple[IPv4Address, float]],
) -> None:
    lockout, now = Lockout(), NOW
    for source, wait in steps:
        now += wait
        standing = lockout.failed(DEVICE, source, now=now)
        assert standing.until <= now + 3600
        assert standing.subject_failures >= 1
