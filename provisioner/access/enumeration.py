"""A limit on asking for MAC addresses that nobody registered, per /24 or /64 (THREATS T1).

Vendors' MAC blocks are small enough to be tried through. Only unknown MACs use up the allowance, so a boot storm of
registered phones is never limited; and the same unknown MAC again costs nothing, so one forgotten phone that
keeps asking does not use it up for its neighbours. What is refused then is refused for known and unknown MACs alike.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from provisioner.access.addresses import Address, prefix_key


@dataclass(frozen=True, slots=True)
class Allowance:
    """`burst` different unknown MACs at once, one more every `refill` seconds; of `most_prefixes` a count is kept."""

    burst: int = 60
    refill: float = 10.0
    remembered: int = 16
    most_prefixes: int = 20_000


@dataclass(slots=True)
class _Account:
    left: float
    at: float
    recent: deque[bytes] = field(repr=False)


class Enumeration:
    """The allowances of one process; times are seconds since the epoch."""

    def __init__(self, allowance: Allowance | None = None) -> None:
        self._allowance = allowance or Allowance()
        self._accounts: OrderedDict[int, _Account] = OrderedDict()

    def __len__(self) -> int:
        return len(self._accounts)

    def limited_until(self, source: Address, *, now: float) -> float | None:
        """Answer until when this neighbourhood is refused; None when it is not."""
        account = self._accounts.get(prefix_key(source)) if self._accounts else None
        if account is None:
            return None
        missing = 1.0 - self._left(account, now)
        return now + missing * self._allowance.refill if missing > 0 else None

    def asked(self, mac: bytes, source: Address, *, now: float) -> None:
        """Count a request for an unknown MAC."""
        prefix = prefix_key(source)
        account = self._accounts.get(prefix)
        if account is None:
            if len(self._accounts) >= self._allowance.most_prefixes:
                self._accounts.popitem(last=False)
            account = _Account(float(self._allowance.burst), now, deque(maxlen=self._allowance.remembered))
            self._accounts[prefix] = account
        if mac in account.recent:
            return
        account.recent.append(mac)
        account.left = max(0.0, self._left(account, now) - 1.0)
        account.at = now
        self._accounts.move_to_end(prefix)

    def _left(self, account: _Account, now: float) -> float:
        refilled = max(0.0, now - account.at) / self._allowance.refill
        return min(float(self._allowance.burst), account.left + refilled)
