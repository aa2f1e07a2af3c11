"""The language of policies, parsed: conditions, `and`, `or`, parentheses.

    either    = both { "or" both }
    both      = condition { "and" condition }
    condition = NAME | "(" either ")"

Case does not matter. Nothing is evaluated here.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from provisioner.errors import InvalidPolicy

LONGEST_TEXT = 200
DEEPEST = 8


class Condition(StrEnum):
    """What can be asked of a phone."""

    PASSWORD = "password"  # noqa: S105  # a word, no secret
    """The device's own user name and password, by Basic or Digest."""
    CERTIFICATE = "certificate"
    """A client certificate from a trusted maker or from us, for the MAC that is asked for."""
    TOKEN = "token"  # noqa: S105  # a word, no secret
    """The unguessable path of this device."""
    NETWORK = "network"
    """The source lies in one of the networks of the device's tenant or site."""
    WINDOW = "window"
    """A claim window is open for this MAC; the first success binds it."""


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part must hold."""

    parts: tuple["Expression", ...]

    def __str__(self) -> str:
        return " and ".join(f"({part})" if isinstance(part, AnyOf) else str(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One part must hold."""

    parts: tuple["Expression", ...]

    def __str__(self) -> str:
        return " or ".join(map(str, self.parts))


Expression = Condition | AllOf | AnyOf


def parse_expression(text: str) -> Expression:
    """Parse a policy; raise InvalidPolicy with `position` (0-based) and `allowed` (what could stand there)."""
    if len(text) > LONGEST_TEXT:
        raise InvalidPolicy(
            f"A credential policy has at most {LONGEST_TEXT} characters.",
            field="policy",
            position=LONGEST_TEXT,
            allowed=[],
        )
    return _Parser(text).parse()


_WORD = re.compile(r"\s*([A-Za-z][A-Za-z0-9-]*|[()]|\S|\Z)")
_OPERANDS = (*Condition, "(")


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._word = ""
        self._position = 0
        self._next = 0
        self._advance()

    def parse(self) -> Expression:
        expression = self._either(0)
        if self._word:
            raise self._error(("and", "or"))
        return expression

    def _either(self, depth: int) -> Expression:
        parts = [self._both(depth)]
        while self._word == "or":
            self._advance()
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _both(self, depth: int) -> Expression:
        parts = [self._condition(depth)]
        while self._word == "and":
            self._advance()
            parts.append(self._condition(depth))
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _condition(self, depth: int) -> Expression:
        if self._word == "(" and depth < DEEPEST:
            self._advance()
            inner = self._either(depth + 1)
            if self._word != ")":
                raise self._error(("and", "or", ")"))
            self._advance()
            return inner
        if self._word not in set(Condition):
            raise self._error(_OPERANDS if depth < DEEPEST else tuple(Condition))
        condition = Condition(self._word)
        self._advance()
        return condition

    def _advance(self) -> None:
        found = _WORD.match(self._text, self._next)
        assert found is not None  # the pattern matches anything, the end included
        self._word = found[1].lower()
        self._position = found.start(1)
        self._next = found.end()

    def _error(self, allowed: tuple[str, ...]) -> InvalidPolicy:
        found = f"“{self._word}”" if self._word else "the end"
        return InvalidPolicy(
            f"The credential policy cannot be understood at character {self._position + 1}: "
            f"found {found}, expected {', '.join(allowed)}.",
            field="policy",
            position=self._position,
            allowed=list(allowed),
        )
