"""The rule for device configuration passwords (REQUIREMENTS R1.4), and secrets that are generated for phones.

The rule is the product's promise: at least 6 characters with an upper-case letter, a lower-case letter, a digit and a special
character. A tenant can make it stricter, never weaker. Special is any printable ASCII character that is no letter and
no digit; control characters and anything outside ASCII are refused, for many phones cannot take them.
"""

import secrets
import string
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import pairwise
from math import log2
from typing import Final

from provisioner.errors import InvalidSetting, WeakPassword

SHORTEST: Final = 6
LONGEST: Final = 64

LOOK_ALIKES: Final = frozenset("0Oo1lIi5S2Z8B")
SAFE_SPECIALS: Final = "-_.!*"
"""Survive phone keypads, URLs, XML, macro languages and key=value files."""

_CLASSES: Final = (
    ("an upper-case letter", frozenset(string.ascii_uppercase)),
    ("a lower-case letter", frozenset(string.ascii_lowercase)),
    ("a digit", frozenset(string.digits)),
    ("a special character, such as - _ . ! *", frozenset(string.punctuation + " ")),
)
_PRINTABLE: Final = frozenset().union(*(members for _, members in _CLASSES))
_COMMON_WORDS: Final = frozenset(
    {"password", "passwort", "wachtwoord", "haslo", "admin", "administrator", "qwerty", "qwertz", "azerty", "letmein"}
    | {"welcome", "welkom", "willkommen", "changeme", "default", "provision", "provisioning", "telephone"}
)  # fmt: skip
_PLAIN: Final = str.maketrans("@4301$57", "aaeolsst")


@dataclass(frozen=True, slots=True)
class PasswordRule:
    """What a device password must be like; raise InvalidSetting when it would be weaker than the product's rule.

    `longest` is at most what the phones take; `alphabet` the characters they take, None for all printable ASCII;
    `forbidden` are words that make a password easy to guess, vendors' names for one.
    """

    shortest: int = SHORTEST
    longest: int = LONGEST
    alphabet: frozenset[str] | None = None
    forbidden: frozenset[str] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        if self.shortest < SHORTEST:
            raise InvalidSetting(
                f"A device password has at least {SHORTEST} characters; a tenant can ask for more, not for fewer.",
                field="password_min",
            )
        if not self.shortest <= self.longest <= LONGEST:
            raise InvalidSetting(
                f"The longest device password must lie between {self.shortest} and {LONGEST} characters.",
                field="password_max",
            )


DEFAULT_RULE: Final = PasswordRule()


def missing_from(
    password: str, rule: PasswordRule = DEFAULT_RULE, *, username: str = "", mac: str = ""
) -> list[str]:
    """Answer one sentence for each thing that is wrong with the password; an empty list when it is good."""
    wrong = _wrong_form(password, rule)
    wrong += [f"It needs {name}." for name, members in _CLASSES if members.isdisjoint(password)]
    weakness = _easy_guess(password, rule.forbidden, username=username, mac=mac)
    return [*wrong, weakness] if weakness else wrong


def check_device_password(
    password: str, rule: PasswordRule = DEFAULT_RULE, *, username: str = "", mac: str = ""
) -> None:
    """Raise WeakPassword, with one sentence for each thing that is wrong in `missing`."""
    missing = missing_from(password, rule, username=username, mac=mac)
    if missing:
        raise WeakPassword(" ".join(missing), field="password", missing=missing)


def generate_password(rule: PasswordRule = DEFAULT_RULE, *, length: int = 20) -> str:
    """Make a random password that follows the rule, without look-alikes, of `length` or what the phones take.

    Raise InvalidSetting when the phones' alphabet has no character of one of the classes.
    """
    size = min(max(length, rule.shortest), rule.longest)
    letters = sorted(_alphabet(rule.alphabet))
    while True:
        password = "".join(secrets.choice(letters) for _ in range(size))
        if not missing_from(password, rule):
            return password


def generate_pin(length: int = 6) -> str:
    """Make a random PIN of 4 to 10 digits that is not trivial."""
    if not 4 <= length <= 10:
        raise InvalidSetting("A PIN has 4 to 10 digits.", field="pin")
    while True:
        pin = "".join(secrets.choice(string.digits) for _ in range(length))
        if not is_trivial_pin(pin):
            return pin


def is_trivial_pin(pin: str) -> bool:
    """Tell whether the PIN is one that people try first: one digit or pair repeated, or a run up or down."""
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(pin)}
    return steps <= {0} or steps in ({1}, {9}) or pin[:-2] == pin[2:]


def generate_sip_secret() -> str:
    """Make a SIP password: 32 letters and digits (190 bits), taken by every phone and registrar."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(32))


def strength(password: str) -> int:
    """Estimate from 0 (guessed at once) to 4 (out of reach), by length, alphabet, repetition and common words."""
    if not password or _easy_guess(password, frozenset(), username="", mac=""):
        return 0
    pool = sum(len(members) for _, members in _CLASSES if not members.isdisjoint(password))
    runs = sum(abs(ord(after) - ord(before)) <= 1 for before, after in pairwise(password))
    bits = (len(password) - runs * 0.8) * log2(max(pool, 2) * min(1.0, len(set(password)) / 5))
    return sum(bits >= step for step in (24, 40, 60, 90))


def _wrong_form(password: str, rule: PasswordRule) -> list[str]:
    wrong = []
    if len(password) < rule.shortest:
        wrong.append(f"It needs at least {rule.shortest} characters.")
    if len(password) > rule.longest:
        wrong.append(f"It can have at most {rule.longest} characters.")
    if not _PRINTABLE.issuperset(password):
        wrong.append("It can hold only printable ASCII characters: no accents, no control characters.")
    elif rule.alphabet is not None and not rule.alphabet.issuperset(password):
        unfit = " ".join(sorted(set(password) - rule.alphabet))
        wrong.append(f"These phones do not take the characters {unfit}")
    return wrong


def _easy_guess(password: str, forbidden: Collection[str], *, username: str, mac: str) -> str:
    plain = password.casefold()
    digits = "".join(character for character in mac.casefold() if character.isalnum())
    if digits and digits in "".join(character for character in plain if character.isalnum()):
        return "It must not contain the MAC address."
    if len(username) > 2 and username.casefold() in plain:
        return "It must not contain the user name."
    words = _COMMON_WORDS | {word.casefold() for word in forbidden}
    bare = {
        plain.strip(string.digits + string.punctuation),
        _letters(plain.translate(_PLAIN)),
        _letters(plain),
    }
    if words & bare:
        return "It is a common word with a few characters around it; that is guessed first."
    return ""


def _letters(text: str) -> str:
    return "".join(character for character in text if character.isalpha())


def _alphabet(phones: frozenset[str] | None) -> frozenset[str]:
    """What to draw from: easy to read and to type, as far as the phones leave a choice."""
    drawn: set[str] = set()
    for name, members in _CLASSES:
        taken = members if phones is None else members & phones
        easy = taken & set(SAFE_SPECIALS) if " " in members else taken - LOOK_ALIKES
        if not taken:
            raise InvalidSetting(
                f"No password for these phones can follow the rule: their characters lack {name}.",
                field="password_alphabet",
            )
        drawn |= easy or taken
    return frozenset(drawn)
