"""Browser sessions as rules on values: opaque tokens, lifetimes, rotation.

The database keeps only a token's SHA-256: a stolen dump logs nobody in. Times are aware datetimes.
"""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

IDLE: Final = timedelta(hours=12)
"""A session that was not used for so long is over."""
LONGEST: Final = timedelta(days=30)
"""No session outlives this, counted from the login; a remembered one lasts exactly so long, idle or not."""
ROTATE_AFTER: Final = timedelta(hours=1)
GRACE: Final = timedelta(seconds=60)
"""For so long the token before a rotation still works, for requests that were under way."""
TOUCH_AFTER: Final = timedelta(minutes=5)
"""The time of last use is stored no more often than this."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token for the cookie, and what is stored of it (32 bytes)."""

    text: str = field(repr=False)
    digest: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """What the rules need to know of a stored session."""

    logged_in_at: datetime
    last_used_at: datetime
    rotated_at: datetime
    is_remembered: bool = False


def new_token() -> NewToken:
    """Make a token with 256 random bits; one at each login and each rotation, never an old one again."""
    text = secrets.token_urlsafe(32)
    return NewToken(text, token_digest(text))


def token_digest(text: str) -> bytes:
    """Answer what a cookie's token is looked up by; any text is accepted."""
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


def expires_at(session: Session) -> datetime:
    """Answer when the session ends if it is not used again."""
    end = session.logged_in_at + LONGEST
    return end if session.is_remembered else min(end, session.last_used_at + IDLE)


def is_alive(session: Session, *, now: datetime) -> bool:
    """Tell whether the session still counts."""
    return now < expires_at(session)


def should_rotate(session: Session, *, now: datetime) -> bool:
    """Tell whether to give the browser a new token; a login, a logout and a change of password or role always do."""
    return now - session.rotated_at >= ROTATE_AFTER


def accepts_previous(session: Session, *, now: datetime) -> bool:
    """Tell whether the token before the last rotation still works."""
    return now - session.rotated_at < GRACE


def should_touch(session: Session, *, now: datetime) -> bool:
    """Tell whether the time of last use is old enough to be stored anew."""
    return now - session.last_used_at >= TOUCH_AFTER


def cookie_name(*, is_tls: bool) -> str:
    """Answer the cookie's name: with TLS one that a browser takes only from this very host over TLS."""
    return "__Host-session" if is_tls else "session"


def cookie_max_age(session: Session, *, now: datetime) -> int | None:
    """Answer Max-Age in seconds for a remembered session; None for one that ends with the browser."""
    return max(0, int((expires_at(session) - now).total_seconds())) if session.is_remembered else None
