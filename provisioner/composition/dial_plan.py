"""What phones may dial without waiting: only what no longer number starts with. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from provisioner.composition.phone_config import Composed, DialRule

DIGITS = "0123456789"


@dataclass(frozen=True, slots=True)
class _Numbers:
    """All numbers that start with `prefix` and have `digits` more digits; `is_open`: that many or more."""

    prefix: str
    digits: int = 0
    is_open: bool = False

    def reaches_beyond(self, prefix: str, digits: int) -> bool:
        """Whether one of these is longer than, and starts with, some number of `prefix` and `digits` more digits.

        An open kind counts from its own length on: nobody knows how it goes on.
        """
        longest = len(prefix) + digits
        if not self.is_open and len(self.prefix) + self.digits <= longest:
            return False
        return prefix.startswith(self.prefix) or self.prefix[:longest].startswith(prefix)

    def covers(self, prefix: str) -> bool:
        """Whether what starts with `prefix` can always still become one of these."""
        return prefix.startswith(self.prefix)


def dial_rules(number_plan: str, settings: Mapping[str, Composed]) -> tuple[DialRule, ...]:
    """Emergency numbers, codes and extensions, in this order. `number_plan`: first digits and lengths in use (`2:3 5:4`).

    An emergency number and group pickup are dialled at once: extensions in their way are not given out. An extension that an outside number
    (`outside_prefixes`), a code or a longer extension starts with is left to the phone's time-out.
    """
    return _rules(
        number_plan,
        emergency=tuple(number for number in settings["emergency_numbers"].value if number),
        pickup=_code(settings, "pickup_code"),
        group=_code(settings, "group_pickup_code"),
        hotdesk=_code(settings, "hotdesk_code"),
        outside=tuple(prefix for prefix in settings["outside_prefixes"].value if prefix),
    )


@lru_cache(maxsize=1024)  # nearly every phone of a tenant has the same
def _rules(
    number_plan: str,
    *,
    emergency: tuple[str, ...],
    pickup: str,
    group: str,
    hotdesk: str,
    outside: tuple[str, ...],
) -> tuple[DialRule, ...]:
    firsts = _firsts(number_plan)
    others = [_Numbers(first, length - 1) for length, found in firsts.items() for first in found]
    if pickup:
        others += [
            _Numbers(pickup + first, length - 1) for length, found in firsts.items() for first in found
        ]
    others += [_Numbers(number) for number in (*emergency, group) if number]
    others += [_Numbers(prefix, is_open=True) for prefix in outside]
    if hotdesk:
        others.append(_Numbers(hotdesk, is_open=True))

    rules = [DialRule(number, kind="emergency") for number in emergency]
    if group:
        rules.append(DialRule(group, kind="group_pickup"))
    for kind, prefix in (("pickup", pickup), ("internal", "")):
        if prefix or kind == "internal":
            for length, found in sorted(firsts.items()):
                rules += _split(kind, prefix, found, length - 1, others)
    if hotdesk:
        rules.append(DialRule(hotdesk, kind="hotdesk", is_final=False))
    return tuple(rules)


def _firsts(number_plan: str) -> dict[int, str]:
    """Length → the first digits of extensions of that length."""
    found: dict[int, str] = {}
    for part in number_plan.split():
        first, _, length = part.partition(":")
        found[int(length)] = found.get(int(length), "") + first
    return found


def _code(settings: Mapping[str, Composed], name: str) -> str:
    """A dial code; none when it holds #, which phones take for "dial now"."""
    code: str = settings[name].value
    return "" if "#" in code or "+" in code else code


def _final(kind: str, prefix: str, digits: int, others: Sequence[_Numbers]) -> list[DialRule]:
    """Rules for those numbers of `prefix` and `digits` more digits that nothing longer starts with."""
    longer = [other for other in others if other.reaches_beyond(prefix, digits)]
    if not longer:
        return [DialRule(prefix, digits=digits, kind=kind)]
    if digits == 0 or any(other.covers(prefix) for other in longer):
        return []
    return _split(kind, prefix, DIGITS, digits - 1, longer)


def _split(kind: str, prefix: str, choices: str, digits: int, others: Sequence[_Numbers]) -> list[DialRule]:
    """The same for `prefix`, one of `choices`, and `digits` more; what is free altogether becomes one rule."""
    found: list[DialRule] = []
    free = ""
    for choice in choices:
        rules = _final(kind, prefix + choice, digits, others)
        if rules == [DialRule(prefix + choice, digits=digits, kind=kind)]:
            free += choice
        else:
            found += rules
    if len(free) == 1:
        found.insert(0, DialRule(prefix + free, digits=digits, kind=kind))
    elif free == DIGITS:
        found.insert(0, DialRule(prefix, digits=digits + 1, kind=kind))
    elif free:
        found.insert(0, DialRule(prefix, free, digits, kind))
    return found
