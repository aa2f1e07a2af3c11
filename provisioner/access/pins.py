"""Hotdesk PINs (R3.1, R3.8): what they must be like, how they are kept, and when wrong ones lock. Pure.

A PIN has far fewer bits than a password, so the hash is keyed: who has the database alone cannot try all PINs.
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from provisioner.access.device_password import generate_pin
from provisioner.errors import WeakPin

SHORTEST: Final = 4
LONGEST: Final = 10
GENERATED: Final = 6

FAILURES: Final = 5
"""So many wrong PINs …"""
WINDOW: Final = timedelta(minutes=15)
"""… within so long lock the user or the device …"""
LOCKED_FOR: Final = timedelta(minutes=15)
"""… for so long after the last of them."""
REMEMBERED: Final = WINDOW + LOCKED_FOR
"""Failures older than this play no part any more."""


def weakness_of(pin: str, *, extension: str = "") -> str:
    """One sentence that says why this PIN is not accepted; empty when it is."""
    if not (pin.isascii() and pin.isdecimal()) or not SHORTEST <= len(pin) <= LONGEST:
        return f"A PIN has {SHORTEST} to {LONGEST} digits and nothing else."
    reasons = {
        "All digits of this PIN are the same; that is guessed first; choose another, or let one be generated.": len(
            set(pin)
        )
        == 1,
        "This PIN counts up or down; that is guessed first; choose another, or let one be generated.": _is_run(
            pin
        ),
        "The PIN must not be the extension.": bool(extension) and not pin.replace(extension, ""),
        "This PIN repeats a few digits; that is guessed first; choose another, or let one be generated.": _is_repeated(
            pin
        ),
        "This PIN looks like a year; that is guessed first; choose another, or let one be generated.": len(
            pin
        )
        == 4
        and pin[:2] in {"19", "20"},
    }
    return next((reason for reason, is_so in reasons.items() if is_so), "")


def check_pin(pin: str, *, extension: str = "") -> str:
    """Give the PIN back; WeakPin with the reason otherwise. The message never quotes it."""
    weakness = weakness_of(pin, extension=extension)
    if weakness:
        raise WeakPin(weakness, field="pin")
    return pin


def new_pin(*, extension: str = "", length: int = GENERATED) -> str:
    """A random PIN that `check_pin` accepts."""
    while True:
        pin = generate_pin(length)
        if not weakness_of(pin, extension=extension):
            return pin


def hash_pin(key: bytes, *, user_id: int, pin: str) -> str:
    """What is stored of a user's PIN: 64 hexadecimal digits, keyed, of no use for another user."""
    return hmac.new(key, f"pin:{user_id}:{pin}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def pin_matches(key: bytes, *, user_id: int, pin: str, stored: str) -> bool:
    """Compare in constant time; with nothing stored the same work is done and the answer is no."""
    return hmac.compare_digest(hash_pin(key, user_id=user_id, pin=pin), stored or "-" * 64)


def subject_of(key: bytes, *, tenant_id: int, extension: str) -> str:
    """What wrong PINs for an extension are counted under, whether somebody has it or not (32 hexadecimal digits).

    Keyed, for what is typed as an extension by mistake may be somebody's PIN.
    """
    text = f"extension:{tenant_id}:{extension}"
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]


def locked_until(failures: Sequence[datetime], *, now: datetime) -> datetime | None:
    """The end of the lock that these failures (moments, any order) make; None when there is none now."""
    times = sorted(failures)
    ends = [
        last + LOCKED_FOR
        for first, last in zip(times, times[FAILURES - 1 :], strict=False)
        if last - first <= WINDOW
    ]
    return ends[-1] if ends and ends[-1] > now else None


def recent(failures: Sequence[datetime], *, now: datetime) -> int:
    """How many of these failures still count."""
    return sum(now - WINDOW <= at for at in failures)


def _is_run(pin: str) -> bool:
    return {(int(after) - int(before)) % 10 for before, after in pairwise(pin)} in ({1}, {9})


def _is_repeated(pin: str) -> bool:
    sizes = (size for size in range(1, len(pin) // 2 + 1) if len(pin) % size == 0)
    return any(pin == pin[:size] * (len(pin) // size) for size in sizes)
