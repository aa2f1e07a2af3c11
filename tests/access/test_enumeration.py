from ipaddress import IPv4Address

from provisioner.access.enumeration import Allowance, Enumeration

NOW = 1_800_000_000.0
SOURCE = IPv4Address("203.0.113.66")


def test_trying_macs_one_after_the_other_is_stopped_for_the_whole_neighbourhood_t1() -> None:
    limit = Enumeration(Allowance(burst=10, refill=10))
    for n in range(10):
        assert limit.limited_until(SOURCE, now=NOW) is None
        limit.asked(n.to_bytes(6, "big"), SOURCE, now=NOW)
    assert limit.limited_until(SOURCE, now=NOW) == NOW + 10
    assert limit.limited_until(IPv4Address("203.0.113.1"), now=NOW) is not None
    assert limit.limited_until(IPv4Address("203.0.114.1"), now=NOW) is None
    assert limit.limited_until(SOURCE, now=NOW + 11) is None


def test_one_forgotten_phone_that_keeps_asking_does_not_use_up_the_allowance() -> None:
    limit = Enumeration(Allowance(burst=3))
    for n in range(1000):
        limit.asked(b"\0\x04\x13\0\0\1", SOURCE, now=NOW + n * 0.01)
    assert limit.limited_until(SOURCE, now=NOW + 10) is None


def test_the_allowance_never_grows_beyond_the_burst_nor_by_a_clock_that_steps_back() -> None:
    limit = Enumeration(Allowance(burst=2, refill=10))
    limit.asked(b"a", SOURCE, now=NOW)
    limit.asked(b"b", SOURCE, now=NOW + 1000)
    limit.asked(b"c", SOURCE, now=NOW + 900)
    assert limit.limited_until(SOURCE, now=NOW + 900) is not None


def test_a_clock_that_steps_back_shuts_nobody_out() -> None:
    limit = Enumeration(Allowance(burst=5, refill=10))
    limit.asked(b"a", SOURCE, now=NOW)
    assert limit.limited_until(SOURCE, now=NOW - 3600) is None


def test_the_number_of_neighbourhoods_is_bounded_t1() -> None:
    limit = Enumeration(Allowance(most_prefixes=20))
    for n in range(500):
        limit.asked(b"a", IPv4Address(n << 8), now=NOW)
    assert len(limit) == 20
