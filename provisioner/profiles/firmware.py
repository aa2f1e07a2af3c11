"""Firmware versions and conditions on them, such as ">=10.1.20,<11"."""

import re
from collections.abc import Callable
from itertools import zip_longest
from operator import ge, gt, le, lt

from provisioner.errors import ProfileBroken

Version = tuple[int, ...]

_CONDITION = re.compile(r"(>=|<=|>|<)\s*(\d{1,9}(?:\.\d{1,9})*)")
_COMPARE: dict[str, Callable[[int, int], bool]] = {">=": ge, "<=": le, ">": gt, "<": lt}
_LONGEST = 64  # a firmware text comes from a User-Agent: whatever a stranger sends is cut


def parse_version(text: str, *, generation: int = 1) -> Version:
    """The numbers of a version, from the part `generation` (1-based) on; () when it is unknown."""
    return tuple(int(part) for part in re.findall(r"\d+", text[:_LONGEST])[generation - 1 :])


def compare(left: Version, right: Version) -> int:
    """-1, 0 or 1; a missing part counts as 0."""
    for a, b in zip_longest(left, right, fillvalue=0):
        if a != b:
            return 1 if a > b else -1
    return 0


class FirmwareCondition:
    """All comparisons of a text such as ">=10.1.20,<11" hold; "" always holds.

    An unknown version counts as the newest there is: it satisfies ">=" and ">" and nothing else.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._tests: list[tuple[str, Version]] = []
        for part in text.split(",") if text.strip() else ():
            found = _CONDITION.fullmatch(part.strip())
            if not found:
                raise ProfileBroken(f'firmware condition "{part.strip()}" is not like ">=10.1.20" or "<8.9"')
            self._tests.append((found[1], parse_version(found[2])))

    def holds(self, version: Version) -> bool:
        if not version:
            return all(sign in {">=", ">"} for sign, _ in self._tests)
        return all(_COMPARE[sign](compare(version, wanted), 0) for sign, wanted in self._tests)
