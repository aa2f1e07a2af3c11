from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.access.addresses import (
    came_by_tls,
    client_address,
    client_key,
    parse_address,
    prefix_key,
)

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
PROXY = IPv4Address("10.0.0.1")
CLIENT = IPv4Address("203.0.113.9")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1:4711 ", "192.0.2.1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ('"[2001:db8::1]"', "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_reads_every_spelling_of_an_address(text: str, address: str) -> None:
    assert parse_address(text) == ip_address(address)


@pytest.mark.parametrize("text", ["", "unknown", "_hidden", "192.0.2.300", "1.2.3", "a" * 500])
def test_answers_none_for_what_is_no_address(text: str) -> None:
    assert parse_address(text) is None


def test_without_a_proxy_the_peer_is_the_client_whatever_it_claims_t10() -> None:
    assert client_address(CLIENT, ["10.0.0.5", "192.0.2.77"], PROXIES) == CLIENT


def test_takes_the_right_most_untrusted_hop_not_what_the_client_wrote_t10() -> None:
    forged = ["127.0.0.1, 192.0.2.77", "203.0.113.9, 10.1.1.1"]
    assert client_address(PROXY, forged, PROXIES) == CLIENT


def test_an_unreadable_hop_ends_the_chain_t10() -> None:
    assert client_address(PROXY, ["192.0.2.77, junk, 10.1.1.1"], PROXIES) == IPv4Address("10.1.1.1")
    assert client_address(PROXY, ["192.0.2.77, junk"], PROXIES) == PROXY


def test_a_chain_of_proxies_only_answers_the_first_of_them() -> None:
    assert client_address(PROXY, ["10.9.9.9, 10.1.1.1"], PROXIES) == IPv4Address("10.9.9.9")


def test_proxies_reached_by_ipv6_count_too() -> None:
    peer = IPv6Address("fd00::1")
    assert client_address(peer, ["2001:db8::5"], PROXIES) == IPv6Address("2001:db8::5")


def test_an_endless_header_is_read_from_the_right_only() -> None:
    header = "192.0.2.77, " + ", ".join(["10.1.1.1"] * 5000)
    assert client_address(PROXY, [header], PROXIES) == IPv4Address("10.1.1.1")


@given(st.lists(st.text(max_size=80), max_size=5))
def test_no_header_raises_or_outranks_an_untrusted_peer_t10(lines: list[str]) -> None:
    assert client_address(CLIENT, lines, PROXIES) == CLIENT
    assert client_address(PROXY, lines, PROXIES) is not None


def test_only_a_trusted_proxy_can_say_that_the_client_spoke_tls_t5() -> None:
    assert not came_by_tls(CLIENT, is_tls=False, forwarded_proto=["https"], trusted=PROXIES)
    assert came_by_tls(PROXY, is_tls=False, forwarded_proto=["https"], trusted=PROXIES)


def test_the_proxy_next_to_us_has_the_last_word_on_tls_t5() -> None:
    assert not came_by_tls(PROXY, is_tls=True, forwarded_proto=["https, http"], trusted=PROXIES)
    assert not came_by_tls(PROXY, is_tls=False, forwarded_proto=["https", "http"], trusted=PROXIES)
    assert came_by_tls(PROXY, is_tls=True, forwarded_proto=[], trusted=PROXIES)


def test_neighbours_share_a_prefix_and_ipv6_clients_a_whole_64() -> None:
    assert prefix_key(IPv4Address("192.0.2.1")) == prefix_key(IPv4Address("192.0.2.200"))
    assert client_key(IPv4Address("192.0.2.1")) != client_key(IPv4Address("192.0.2.200"))
    assert client_key(IPv6Address("2001:db8::1")) == client_key(IPv6Address("2001:db8::ffff:1"))
    assert client_key(IPv6Address("2001:db8::1")) != client_key(IPv6Address("2001:db8:0:1::1"))
    assert client_key(IPv4Address("192.0.2.1")) != client_key(IPv6Address("0:0:c000:201::"))
