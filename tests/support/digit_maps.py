"""How phones read dial plans, as their documentation says; nothing here knows the server.

- `RegexPlan`: Snom's `user_dp_str` (service hub, "Dial Plan - Regular Expressions"): entries separated by blanks, each
  `|pattern|result|flags` with any separator; the first that fits is taken, and the flag d means "complete, dial".
- `DialNow`: Yealink's dial-now rules (administrator's guide): a number that fits a rule is dialled; `x` is one digit,
  `[1,3-5]` one of them, everything else itself.
- `DigitMap`: RFC 3435 section 2.1.5: alternatives separated by `|`, dialled as soon as one fits.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Plan(Protocol):
    def sends(self, typed: str) -> str | None:
        """What is dialled now that this much was typed; None while the phone waits for more."""


@dataclass(frozen=True)
class RegexPlan:
    entries: Sequence[tuple[re.Pattern[str], str, str]]
    domain: str

    @classmethod
    def read(cls, text: str, *, domain: str) -> "RegexPlan":
        entries = []
        for entry in text.split():
            empty, pattern, result, flags = entry.split(entry[0])
            assert empty == ""
            entries.append((re.compile(pattern), result, flags))
        return cls(entries, domain)

    def sends(self, typed: str) -> str | None:
        for pattern, result, flags in self.entries:
            if found := pattern.search(typed):
                if "d" not in flags:
                    return None
                uri = result.replace("\\d", self.domain).replace("\\1", found[1])
                assert uri == f"sip:{found[1]}@{self.domain}"
                return found[1]
        return None


@dataclass(frozen=True)
class DialNow:
    rules: Sequence[re.Pattern[str]]

    @classmethod
    def read(cls, rules: Sequence[str]) -> "DialNow":
        assert len(rules) <= 20  # what the guide allows
        return cls([_masked(rule, comma=",") for rule in rules])

    def sends(self, typed: str) -> str | None:
        return typed if any(rule.fullmatch(typed) for rule in self.rules) else None


@dataclass(frozen=True)
class DigitMap:
    alternatives: Sequence[re.Pattern[str]]

    @classmethod
    def read(cls, text: str) -> "DigitMap":
        return cls([_masked(part) for part in text.split("|") if part])

    def sends(self, typed: str) -> str | None:
        return typed if any(one.fullmatch(typed) for one in self.alternatives) else None


def sent(plan: Plan, keys: str) -> str | None:
    """Press the keys one after another: what the phone dials by itself, or None when it still waits after the last."""
    for end in range(1, len(keys) + 1):
        number = plan.sends(keys[:end])
        if number is not None:
            return number
    return None


def _masked(mask: str, *, comma: str = "") -> re.Pattern[str]:
    parts = re.findall(r"\[[^\]]+\]|.", mask)
    assert "".join(parts) == mask
    return re.compile("".join(_part(part, comma) for part in parts))


def _part(part: str, comma: str) -> str:
    if part == "x":
        return "[0-9]"
    if part.startswith("["):
        inside = part[1:-1]
        assert re.fullmatch(r"[0-9,-]+" if comma else r"[0-9-]+", inside), part
        return f"[{inside.replace(',', '')}]"
    assert part in "0123456789*#+", part
    return re.escape(part)
