"""Evaluating a policy over what is known of a request: pure, three-valued.

A condition is MET, UNMET, or OPEN: it may still be met when the phone is asked for credentials.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import lru_cache

from provisioner.access.policies.expression import AllOf, Condition, Expression
from provisioner.access.policies.named import Policy
from provisioner.access.reasons import RANK, Reason


class Outcome(StrEnum):
    """What to do.

    From outside CHALLENGE and DENY must look alike (THREATS T1): the door answers both with the same 401 and the same
    challenges. DENY only says that asking will not help.
    """

    ALLOW = "allow"
    CHALLENGE = "challenge"
    DENY = "deny"


class State(IntEnum):
    UNMET = 0
    OPEN = 1
    MET = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one condition; `data` fills the reason's sentence and never holds a secret."""

    state: State
    reason: Reason
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one request.

    `satisfied` are the conditions that carried an ALLOW; it is empty otherwise. `is_stale`: the new challenge must say
    `stale=true`, for the password was right and only the nonce was not. `begins_lock`: this attempt began a timed lock, so
    raise the alarm.
    """

    outcome: Outcome
    reason: Reason
    satisfied: frozenset[Condition] = frozenset()
    data: Mapping[str, object] = field(default_factory=dict)
    is_stale: bool = False
    begins_lock: bool = False


Facts = Mapping[Condition, Finding]
_ALONE = {condition: frozenset({condition}) for condition in Condition}
_NOTHING_FOUND = Finding(State.UNMET, Reason.NO_CREDENTIALS)


def evaluate(policy: Policy | None, facts: Facts) -> Verdict:
    """Answer the verdict; a condition that `facts` lacks is unmet, and no policy denies."""
    if policy is None:
        return Verdict(Outcome.DENY, Reason.NO_POLICY)
    state = _state(policy.expression, facts)
    if state is State.MET:
        return _allow(_carriers(policy.expression, facts))
    told = min(
        (facts.get(condition, _NOTHING_FOUND) for condition in policy.conditions),
        key=lambda finding: RANK[finding.reason],
    )
    outcome = Outcome.CHALLENGE if state is State.OPEN else Outcome.DENY
    password = facts.get(Condition.PASSWORD, _NOTHING_FOUND)
    is_stale = password.reason in {Reason.STALE_NONCE, Reason.REPLAYED}
    return Verdict(outcome, told.reason, data=told.data, is_stale=is_stale)


@lru_cache(maxsize=64)
def _allow(carriers: frozenset[Condition]) -> Verdict:
    """The same few verdicts again and again; the phone's path does not build them anew."""
    return Verdict(Outcome.ALLOW, Reason.ALLOWED, carriers)


def _state(expression: Expression, facts: Facts) -> State:
    if isinstance(expression, Condition):
        return facts.get(expression, _NOTHING_FOUND).state
    worst_or_best = min if isinstance(expression, AllOf) else max
    return worst_or_best(_state(part, facts) for part in expression.parts)


def _carriers(expression: Expression, facts: Facts) -> frozenset[Condition]:
    """The conditions that made the expression hold; a claim window is used up only when nothing else would do."""
    if isinstance(expression, Condition):
        return _ALONE[expression]
    if isinstance(expression, AllOf):
        return frozenset().union(*(_carriers(part, facts) for part in expression.parts))
    holding = [_carriers(part, facts) for part in expression.parts if _state(part, facts) is State.MET]
    return min(holding, key=lambda carriers: Condition.WINDOW in carriers)
