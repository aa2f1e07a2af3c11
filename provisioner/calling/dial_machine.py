"""What a hotdesk code does, given who sits at the device: the table of R3.5 as a pure function.

| dialled           | nobody logged in              | user U logged in                                    |
|-------------------|-------------------------------|-----------------------------------------------------|
| code              | ask extension, ask PIN, log in | log out                                             |
| code*EXT          | ask PIN, log in                | EXT is U's: log out; another's: ask PIN, switch     |
| code*EXT*PIN      | log in                         | EXT is U's: log out; another's: switch              |

Logging out needs no PIN and is possible while PINs are locked.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

DEFAULT_CODE = "*35"


class Step(StrEnum):
    """What comes next."""

    NO_CODE = "no-code"
    """What was dialled is no hotdesk code."""
    UNKNOWN_DEVICE = "unknown-device"
    DENY_DEVICE = "deny-device"
    """The device is there, but nobody may log in on it."""
    LOCKED = "locked"
    ASK_EXTENSION = "ask-extension"
    ASK_PIN = "ask-pin"
    LOG_IN = "log-in"
    """Check the PIN; when it is right log in."""
    SWITCH = "switch"
    """Check the PIN; when it is right the user takes over from the one who is logged in."""
    LOG_OUT = "log-out"


@dataclass(frozen=True, slots=True)
class Dialled:
    """A hotdesk code taken apart; empty strings for what was not dialled."""

    extension: str = ""
    pin: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """The device that dialled: whether it exists and may be logged in on, and the extension of who sits there.

    `extension` is None while nobody is logged in, and empty for a user who has none.
    """

    is_known: bool = True
    is_hotdesk: bool = True
    extension: str | None = None


@lru_cache(maxsize=256)
def _pattern(code: str) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(code)}(?:\*([0-9]{{2,6}})(?:\*([0-9]{{4,10}}))?)?[*#]?")


def parse(dialled: str, *, code: str = DEFAULT_CODE) -> Dialled | None:
    """Take apart what was dialled en bloc; None when it is no hotdesk code. A last # or * is passed over."""
    found = _pattern(code or DEFAULT_CODE).fullmatch(dialled)
    return Dialled(found[1] or "", found[2] or "") if found else None


def masked(dialled: str, *, code: str = DEFAULT_CODE) -> str:
    """What may be written down of a number that was dialled: nothing behind the extension."""
    parts = dialled[:60].removeprefix(code or DEFAULT_CODE).split("*")
    is_code = dialled.startswith(code or DEFAULT_CODE)
    return f"{code}*{parts[1]}*…" if is_code and len(parts) > 2 and parts[2].strip("#") else dialled[:60]


def next_step(place: Place, dialled: Dialled | None, *, is_locked: bool) -> Step:
    """The next step; `is_locked` says whether PINs are locked now, for the device or for the extension dialled."""
    if dialled is None:
        return Step.NO_CODE
    if not place.is_known:
        return Step.UNKNOWN_DEVICE
    if not place.is_hotdesk:
        return Step.DENY_DEVICE
    if place.extension is not None and dialled.extension in {"", place.extension}:
        return Step.LOG_OUT
    return Step.LOCKED if is_locked else _towards_login(place, dialled)


def _towards_login(place: Place, dialled: Dialled) -> Step:
    if not dialled.extension:
        return Step.ASK_EXTENSION
    if not dialled.pin:
        return Step.ASK_PIN
    return Step.LOG_IN if place.extension is None else Step.SWITCH
