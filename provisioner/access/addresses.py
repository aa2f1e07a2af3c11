"""Where a request really comes from, and whether it came by TLS, when proxies stand in between (THREATS T10)."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MOST_HOPS = 32
"""More hops than any real chain has; what stands left of them is not read."""


@lru_cache(maxsize=8192)
def parse_address(text: str) -> Address | None:
    """Read an address as sockets and proxies write it: `ip`, `ip:port`, `[ipv6]`, `[ipv6]:port`, `ipv6%zone`.

    IPv4 inside IPv6 (`::ffff:192.0.2.1`) becomes IPv4. None when it is no address.
    """
    bare = text.strip().strip('"')
    if len(bare) > 64:
        return None
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_within(address: Address, networks: Iterable[Network]) -> bool:
    """Tell whether the address lies in one of the networks."""
    for network in networks:  # noqa: SIM110 - asked for every request: a generator would cost more than the answer
        if address in network:
            return True
    return False


def client_address(peer: Address, forwarded: Sequence[str], trusted: Iterable[Network]) -> Address:
    """Answer the right-most hop that is not a trusted proxy.

    `forwarded` holds the X-Forwarded-For header lines in the order received. Each proxy appends the
    address it saw, so only what trusted proxies appended, read from the right, can be believed; what stands
    further left was written by the client. An unreadable hop ends the chain: the proxy that reported it answers.
    """
    proxies = tuple(trusted)
    believed = peer
    if not forwarded or not is_within(peer, proxies):
        return believed
    hops = ",".join(forwarded).rsplit(",", MOST_HOPS)[-MOST_HOPS:]
    for hop in reversed(hops):
        address = parse_address(hop)
        if address is None:
            return believed
        believed = address
        if not is_within(address, proxies):
            return believed
    return believed


def came_by_tls(
    peer: Address, *, is_tls: bool, forwarded_proto: Sequence[str], trusted: Iterable[Network]
) -> bool:
    """Tell whether the client itself spoke TLS.

    X-Forwarded-Proto counts only from a trusted proxy, and then its right-most value (the one nearest to us)
    outweighs how the proxy reached us: a proxy may carry clear text over a TLS connection of its own.
    """
    if not forwarded_proto or not is_within(peer, trusted):
        return is_tls
    return forwarded_proto[-1].rpartition(",")[2].strip().lower() == "https"


def client_key(address: Address) -> int:
    """One client as the tables count it: the address for IPv4, the /64 for IPv6 (a client owns all of it)."""
    return int(address) if isinstance(address, IPv4Address) else _V6 | int(address) >> 64


def prefix_key(address: Address) -> int:
    """The neighbourhood of a client: /24 for IPv4, /64 for IPv6."""
    return int(address) >> 8 if isinstance(address, IPv4Address) else _V6 | int(address) >> 64


_V6 = 1 << 64
"""Keeps IPv6 keys apart from IPv4 ones."""
