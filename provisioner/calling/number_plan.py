"""Dial codes, extensions and emergency numbers of one tenant that a phone or a PBX could not tell apart. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

ALWAYS_EMERGENCY = ("112",)
"""Reserved whatever the settings say: it works in every country of the European Union and from every mobile phone."""
TAKES_AN_EXTENSION = "pickup_code"
STANDS_BESIDE_IT = "group_pickup_code"


@dataclass(frozen=True, slots=True)
class Code:
    """A dial code: the setting it stands in, how people call it, and what is dialled ("" when it is switched off)."""

    setting: str
    label: str
    digits: str


class Rule(StrEnum):
    """What is broken."""

    CODES = "codes"
    """One code starts with another."""
    CODE_AND_EMERGENCY = "code-and-emergency"
    EXTENSION_AND_EMERGENCY = "extension-and-emergency"
    EXTENSION_AND_CODE = "extension-and-code"
    PICKUP = "pickup"
    """The pickup code and an extension start with the group pickup code."""


@dataclass(frozen=True, slots=True)
class Collision:
    """Two dial strings in each other's way; `setting` is the code's that could be changed ("" when there is none)."""

    rule: Rule
    first: str
    second: str
    first_label: str = ""
    second_label: str = ""
    setting: str = ""


def find_code_collision(codes: Sequence[Code], emergency: Iterable[str]) -> Collision | None:
    """The first two codes, or code and emergency number, of which one starts with the other.

    Group pickup may start with the pickup code, as `*8112` does with `*8`: which extensions that costs is a matter of
    `find_extension_collision`.
    """
    in_use = [code for code in codes if code.digits]
    for one, other in combinations(in_use, 2):
        if _starts(one.digits, other.digits) and not _is_group_pickup(one, other):
            return Collision(Rule.CODES, one.digits, other.digits, one.label, other.label, other.setting)
    for code in in_use:
        for number in _reserved(emergency):
            if _starts(code.digits, number):
                return Collision(
                    Rule.CODE_AND_EMERGENCY, code.digits, number, code.label, setting=code.setting
                )
    return None


def find_extension_collision(
    extension: str, *, codes: Sequence[Code], emergency: Iterable[str]
) -> Collision | None:
    """What an extension that is in use, or is about to be given out, has against it."""
    for number in _reserved(emergency):
        if _starts(extension, number):
            return Collision(Rule.EXTENSION_AND_EMERGENCY, extension, number)
    for code in codes:
        if code.digits and _starts(extension, code.digits):
            return Collision(
                Rule.EXTENSION_AND_CODE, extension, code.digits, second_label=code.label, setting=code.setting
            )
    return _pickup_collision(extension, {code.setting: code for code in codes})


def _pickup_collision(extension: str, codes: Mapping[str, Code]) -> Collision | None:
    single, group = codes.get(TAKES_AN_EXTENSION), codes.get(STANDS_BESIDE_IT)
    if single is None or group is None or not single.digits or not group.digits:
        return None
    dialled = single.digits + extension
    if not dialled.startswith(group.digits):
        return None
    return Collision(Rule.PICKUP, dialled, group.digits, extension, group.label, group.setting)


def _is_group_pickup(one: Code, other: Code) -> bool:
    """Whether the two are the pickup codes and group pickup is the longer one."""
    by_setting = {one.setting: one.digits, other.setting: other.digits}
    if set(by_setting) != {TAKES_AN_EXTENSION, STANDS_BESIDE_IT}:
        return False
    return len(by_setting[STANDS_BESIDE_IT]) > len(by_setting[TAKES_AN_EXTENSION])


def _reserved(emergency: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*(number for number in emergency if number), *ALWAYS_EMERGENCY]))


def _starts(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)
