"""The policies that have a name, and how a stored text becomes a policy."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from provisioner.access.policies.expression import AllOf, AnyOf, Condition, Expression, parse_expression
from provisioner.errors import InvalidPolicy

BUILT_IN: Final[Mapping[str, str]] = {
    "password": "password",
    "certificate": "certificate",
    "certificate-or-password": "certificate or password",
    "token": "token",
    # The place is the whole proof: whoever sits in that network and names a MAC gets its file.
    "office-network": "network",
}
DEFAULT: Final = "password"


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy ready to be evaluated; `name` is how it is stored and shown.

    `conditions` are all it asks about, `cheap` those of them that cost less to look at than the password.
    """

    name: str
    expression: Expression
    conditions: frozenset[Condition]
    cheap: tuple[Condition, ...]


@lru_cache(maxsize=256)
def policy(text: str) -> Policy:
    """Answer the built-in policy of that name, or the policy that the expression says.

    Raise InvalidPolicy when it is neither; `policies` in its data lists the built-in names. An empty text is no policy
    and is refused too: who has no policy passes None to `judge`, and gets nothing.
    """
    name = text.strip()
    known = BUILT_IN.get(name.lower())
    if known:
        return _prepare(name.lower(), parse_expression(known))
    try:
        expression = parse_expression(name)
    except InvalidPolicy as error:
        raise InvalidPolicy(
            f"{error.detail} The built-in policies are {', '.join(BUILT_IN)}.",
            **{**error.data, "policies": list(BUILT_IN)},
        ) from error
    return _prepare(str(expression), expression)


def conditions_of(expression: Expression) -> frozenset[Condition]:
    """Answer the conditions that the expression asks about."""
    match expression:
        case AllOf(parts) | AnyOf(parts):
            return frozenset().union(*map(conditions_of, parts))
        case _:
            return frozenset({expression})


def _prepare(name: str, expression: Expression) -> Policy:
    conditions = conditions_of(expression)
    cheap = tuple(sorted(conditions - {Condition.PASSWORD}))
    return Policy(name, expression, conditions, cheap)
