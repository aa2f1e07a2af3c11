"""Digest nonces that the server recognises without storing them, and the window that refuses replays (THREATS T4).

A nonce is hexadecimal: 4 bytes time of issue, 8 random bytes, 16 bytes keyed hash over both and over what it is
bound to: the realm, the requested MAC and the client's /24 or /64. The MAC, so that a nonce fetched for one phone is no
good for another; the prefix, so that a captured request cannot be repeated from elsewhere, not even at another worker, which
shares the key but not the window. A phone whose prefix changes is told `stale=true` and asks once more by itself.

Only a nonce that came back with a right response enters the window: a stranger cannot make it grow.
"""

import secrets
from collections import OrderedDict
from hashlib import blake2b

from provisioner.access.addresses import Address, prefix_key

_HEAD = 12
_TAG = 16
_WINDOW = 128
_MASK = (1 << _WINDOW) - 1
_CLOCK_SLACK = 60


def nonce_binding(realm: str, mac: bytes | None, source: Address) -> bytes:
    """Answer what a nonce for this request is bound to."""
    return b"%b\0%b\0%x" % (realm.encode(), mac or b"", prefix_key(source))


class Nonces:
    """Issues and checks nonces; times are seconds since the epoch.

    `key` is 16 to 64 secret bytes, the same on every worker. Nonces from before `started` are stale: their
    use is not remembered here. Of at most `capacity` used nonces the counts are known; when an unexpired one must make
    room, everything issued no later becomes stale, so forgetting never re-opens a replay.
    """

    def __init__(self, key: bytes, *, started: float, lifetime: int = 300, capacity: int = 65_536) -> None:
        self._keyed = blake2b(key=key, digest_size=_TAG, person=b"digest nonce")
        self._lifetime = lifetime
        self._capacity = capacity
        self._floor = int(started) - 1
        self._used: OrderedDict[bytes, tuple[int, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._used)

    def issue(self, binding: bytes, *, now: float) -> str:
        """Make a nonce for one challenge."""
        head = int(now).to_bytes(4, "big") + secrets.token_bytes(_HEAD - 4)
        return (head + self._tag(head, binding)).hex()

    def is_ours(self, nonce: str, binding: bytes, *, now: float) -> bool:
        """Tell whether we issued the nonce for this binding and it has not expired; any text is accepted."""
        try:
            raw = bytes.fromhex(nonce)
        except ValueError:
            return False
        if len(raw) != _HEAD + _TAG:
            return False
        head = raw[:_HEAD]
        if not secrets.compare_digest(raw[_HEAD:], self._tag(head, binding)):
            return False
        return -_CLOCK_SLACK <= now - _issued(head) <= self._lifetime

    def count_use(self, nonce: str, nc: int, *, now: float) -> bool:
        """Note the use `nc` of a nonce that is ours; False when that use was seen before or can no longer be told."""
        head = bytes.fromhex(nonce)[:_HEAD]
        entry = self._used.get(head)
        if entry is None:
            return self._enter(head, (nc, 1), now=now)
        highest, seen = entry
        ahead = nc - highest
        if ahead > 0:
            self._used[head] = (nc, (seen << ahead | 1) & _MASK if ahead < _WINDOW else 1)
            return True
        if -ahead >= _WINDOW or seen >> -ahead & 1:
            return False
        self._used[head] = (highest, seen | 1 << -ahead)
        return True

    def use_once(self, nonce: str, mark: str, *, now: float) -> bool:
        """Note a use without a count (RFC 2069 clients): each `mark`, a hexadecimal response, is good once per nonce."""
        name = bytes.fromhex(nonce)[:_HEAD] + bytes.fromhex(mark)
        return name not in self._used and self._enter(name, (0, 0), now=now)

    def _enter(self, name: bytes, entry: tuple[int, int], *, now: float) -> bool:
        if _issued(name) <= self._floor:
            return False
        self._make_room(now)
        self._used[name] = entry
        return True

    def _make_room(self, now: float) -> None:
        expired = now - self._lifetime
        while self._used:
            oldest = next(iter(self._used))
            if _issued(oldest) >= expired and len(self._used) < self._capacity:
                return
            self._floor = max(self._floor, _issued(oldest))
            self._used.popitem(last=False)

    def _tag(self, head: bytes, binding: bytes) -> bytes:
        keyed = self._keyed.copy()
        keyed.update(head + binding)
        return keyed.digest()


def _issued(name: bytes) -> int:
    return int.from_bytes(name[:4], "big")
