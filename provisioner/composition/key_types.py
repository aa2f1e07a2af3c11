"""The neutral key types: what each is for, and what its target may be. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final
from urllib.parse import urlsplit

_DIALLED = re.compile(r"(sips?:)?[A-Za-z0-9_.*#~+-]{1,80}(@[A-Za-z0-9.-]{1,100})?")
_EXTENSION = re.compile(r"[0-9]{2,4}")
_TONES = re.compile(r"[0-9A-Da-d*#,]{1,40}")
_DIGITS = re.compile(r"\+?[0-9*#]{1,32}")
_NUMBER_AND_ALL = "a number, an extension or a SIP address"


@dataclass(frozen=True, slots=True)
class KeyKind:
    """One neutral type. `target` names the rule below; "" is: none. `refers`: it may point at a user or an internal number."""

    name: str
    label: str
    target: str = ""
    is_optional: bool = False
    refers: bool = False

    @property
    def needs_target(self) -> bool:
        """Whether the key is nothing without something to dial or open."""
        return bool(self.target) and not self.is_optional

    @property
    def wanted(self) -> str:
        """What the target has to be, in words; "" when the type takes none."""
        return _RULES[self.target][0] if self.target else ""

    def takes(self, target: str) -> bool:
        """Whether this is a target for the type; an empty one is when it needs none."""
        if not target:
            return not self.needs_target
        return bool(self.target) and _RULES[self.target][1](target)


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        is_plain = not re.search(r"\s", text) and parts.password is None
        return is_plain and parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:  # a bracket that does not close, a port that is none
        return False


def _is_group_address(text: str) -> bool:
    address, _, port = text.rpartition(":")
    try:
        is_multicast = IPv4Address(address).is_multicast
    except ValueError:
        return False
    return is_multicast and bool(re.fullmatch(r"[1-9][0-9]{0,4}", port)) and int(port) <= 65535


_RULES: Final[Mapping[str, tuple[str, Callable[[str], bool]]]] = {
    "number": (_NUMBER_AND_ALL, lambda text: bool(_DIALLED.fullmatch(text))),
    "extension": ("an extension of 2 to 4 digits", lambda text: bool(_EXTENSION.fullmatch(text))),
    "tones": ("the tones to send: digits, *, #, A to D", lambda text: bool(_TONES.fullmatch(text))),
    "digits": ("the digits to put in front", lambda text: bool(_DIGITS.fullmatch(text))),
    "web address": (
        "an address that starts with https:// or http:// and holds no password",
        _is_web_address,
    ),
    "group address": (
        "a multicast address and port such as 239.255.0.1:5000 (224.0.0.0 to 239.255.255.255)",
        _is_group_address,
    ),
    "private": (
        "nothing, or the word private for a call that others cannot take over",
        lambda text: text == "private",
    ),
}

_KINDS: Final = (
    KeyKind("none", "Nothing"),
    KeyKind("line", "Line"),
    KeyKind("shared_line", "Shared line"),
    KeyKind("speed_dial", "Speed dial", "number", refers=True),
    KeyKind("blf", "Busy lamp", "number", refers=True),
    KeyKind("pickup", "Pick up a colleague's call", "number", refers=True),
    KeyKind("group_pickup", "Pick up any call", "number", is_optional=True),
    KeyKind("park", "Park", "number", refers=True),
    KeyKind("retrieve", "Take back from park", "number", refers=True),
    KeyKind("voicemail", "Voicemail", "number", is_optional=True),
    KeyKind("dnd", "Do not disturb"),
    KeyKind("forward_always", "Forward always", "number", is_optional=True, refers=True),
    KeyKind("forward_busy", "Forward when busy", "number", is_optional=True, refers=True),
    KeyKind("forward_no_answer", "Forward when not answered", "number", is_optional=True, refers=True),
    KeyKind("intercom", "Intercom", "number", refers=True),
    KeyKind("dtmf", "Tones in a call", "tones"),
    KeyKind("prefix", "Prefix", "digits"),
    KeyKind("transfer_blind", "Transfer at once", "number", is_optional=True, refers=True),
    KeyKind("transfer_attended", "Transfer after asking", "number", is_optional=True, refers=True),
    KeyKind("conference", "Conference"),
    KeyKind("hold", "Hold", "private", is_optional=True),
    KeyKind("redial", "Redial"),
    KeyKind("directory", "Phone book"),
    KeyKind("url", "Open a web address", "web address"),
    KeyKind("xml", "Page on the phone's screen", "web address", is_optional=True),
    KeyKind("hotdesk", "Hotdesk: log in or out"),
    KeyKind("hotdesk_switch", "Hotdesk: change to a user", "extension", refers=True),
    KeyKind("multicast", "Paging to a group address", "group address"),
    KeyKind("record", "Record", "number", is_optional=True),
)

KEY_KINDS: Final[Mapping[str, KeyKind]] = {kind.name: kind for kind in _KINDS}
"""All types by name, in the order in which people are shown them."""
KEY_TYPES: Final = tuple(KEY_KINDS)
RANGE_TYPES: Final = ("blf", "speed_dial", "intercom", "pickup", "transfer_blind")
"""Types that an automatic set of colleagues can be made of."""
