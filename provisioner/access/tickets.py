"""Tickets: short-lived signed words in an address, good for one thing in one state of it.

A phone's screen can only be asked by GET, and what was asked once may be asked again: by a reload, by a key pressed twice. A
ticket is signed over the state that its use changes, so that after the use it is worth nothing, on every node and without
anything being stored.
"""

import base64
import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

_UNTIL_BYTES: Final = 5
_SIGNATURE_BYTES: Final = 12
LONGEST: Final = 32


def issue_ticket(key: bytes, facts: Sequence[str], *, until: float) -> str:
    """A word of letters, digits, - and _ that `ticket_holds` accepts for the same facts until then (seconds since the epoch)."""
    end = int(until).to_bytes(_UNTIL_BYTES, "big")
    return base64.urlsafe_b64encode(end + _signature(key, facts, end)).rstrip(b"=").decode()


def ticket_holds(key: bytes, ticket: str, facts: Sequence[str], *, now: float) -> bool:
    """Whether the ticket was issued for exactly these facts and is not over; False for anything that is none."""
    if not ticket.isascii() or len(ticket) > LONGEST:
        return False
    try:
        raw = base64.b64decode(ticket + "=" * (-len(ticket) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return False
    end, signature = raw[:_UNTIL_BYTES], raw[_UNTIL_BYTES:]
    is_genuine = hmac.compare_digest(signature, _signature(key, facts, end))
    return is_genuine and now < int.from_bytes(end, "big")


def _signature(key: bytes, facts: Sequence[str], end: bytes) -> bytes:
    """Facts carry their lengths, so that none can pass for two."""
    text = "".join(f"{len(fact)}:{fact}" for fact in facts).encode()
    return hmac.new(key, end + text, sha256).digest()[:_SIGNATURE_BYTES]
