from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.access.policies.evaluation import Facts, Finding, Outcome, State, evaluate
from provisioner.access.policies.expression import (
    DEEPEST,
    LONGEST_TEXT,
    AllOf,
    AnyOf,
    Condition,
    Expression,
    parse_expression,
)
from provisioner.access.policies.named import BUILT_IN, policy
from provisioner.access.reasons import Reason
from provisioner.errors import InvalidPolicy

MET = Finding(State.MET, Reason.ALLOWED)
ASK = Finding(State.OPEN, Reason.NO_CREDENTIALS)
FAR = Finding(State.UNMET, Reason.NOT_IN_NETWORK)
BARE = Finding(State.UNMET, Reason.NO_CERTIFICATE)
FOREIGN = Finding(State.UNMET, Reason.CERTIFICATE_OTHER_MAC, {"shown": "00:04:13:00:00:01"})

expressions = st.recursive(
    st.sampled_from(list(Condition)),
    lambda inner: st.lists(inner, min_size=2, max_size=3).flatmap(
        lambda parts: st.sampled_from([AllOf(tuple(parts)), AnyOf(tuple(parts))])
    ),
    max_leaves=6,
)
findings = st.fixed_dictionaries({condition: st.sampled_from([MET, ASK, FAR]) for condition in Condition})


def test_and_binds_stronger_than_or() -> None:
    assert parse_expression("certificate OR password and network") == AnyOf(
        (Condition.CERTIFICATE, AllOf((Condition.PASSWORD, Condition.NETWORK)))
    )
    assert parse_expression("(certificate or password)and(network)") == AllOf(
        (AnyOf((Condition.CERTIFICATE, Condition.PASSWORD)), Condition.NETWORK)
    )


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("", 0, "password"),
        ("passwort", 0, "password"),
        ("password and", 12, "password"),
        ("password certificate", 9, "and"),
        ("(password", 9, ")"),
        ("password)", 8, "or"),
        ("password & token", 9, "and"),
        ("not password", 0, "password"),
        ("a" * (LONGEST_TEXT + 1), LONGEST_TEXT, None),
        ("(" * (DEEPEST + 1) + "password" + ")" * (DEEPEST + 1), DEEPEST, "password"),
        ("__import__('os')", 0, "password"),
    ],
)
def test_says_where_an_expression_goes_wrong_and_what_could_stand_there(
    text: str, position: int, expected: str | None
) -> None:
    with pytest.raises(InvalidPolicy) as caught:
        parse_expression(text)
    assert caught.value.data["position"] == position
    assert expected is None or expected in caught.value.data["allowed"]


@given(
    st.one_of(st.text(), st.lists(st.sampled_from(["and", "or", "(", ")", " ", *Condition])).map(" ".join))
)
def test_raises_nothing_but_invalid_policy(text: str) -> None:
    with suppress(InvalidPolicy):
        parse_expression(text)


@given(expressions, findings)
def test_an_expression_written_out_means_the_same(expression: Expression, facts: Facts) -> None:
    written = policy(str(expression))
    again = policy(str(written.expression))
    assert (
        evaluate(written, facts).outcome
        is evaluate(again, facts).outcome
        is _by_truth_table(expression, facts)
    )


def _by_truth_table(expression: Expression, facts: Facts) -> Outcome:
    """ALLOW when it holds now; CHALLENGE when it would hold if every open condition were met; else DENY."""

    def holds(part: Expression, least: State) -> bool:
        if isinstance(part, Condition):
            return facts[part].state >= least
        results = [holds(inner, least) for inner in part.parts]
        return all(results) if isinstance(part, AllOf) else any(results)

    if holds(expression, State.MET):
        return Outcome.ALLOW
    return Outcome.CHALLENGE if holds(expression, State.OPEN) else Outcome.DENY


@given(expressions, findings)
def test_what_satisfied_a_policy_suffices_alone(expression: Expression, facts: Facts) -> None:
    asked = policy(str(expression))
    verdict = evaluate(asked, facts)
    if verdict.outcome is Outcome.ALLOW:
        assert evaluate(asked, dict.fromkeys(verdict.satisfied, MET)).outcome is Outcome.ALLOW
    else:
        assert not verdict.satisfied


def test_no_policy_and_no_facts_deny() -> None:
    everything = dict.fromkeys(Condition, MET)
    assert evaluate(None, everything).outcome is Outcome.DENY
    for name in BUILT_IN:
        assert evaluate(policy(name), {}).outcome is Outcome.DENY


def test_the_built_in_policies_ask_what_their_names_say() -> None:
    assert {name: policy(name).conditions for name in BUILT_IN} == {
        "password": {Condition.PASSWORD},
        "certificate": {Condition.CERTIFICATE},
        "certificate-or-password": {Condition.CERTIFICATE, Condition.PASSWORD},
        "token": {Condition.TOKEN},
        "office-network": {Condition.NETWORK},
    }


def test_an_unknown_policy_name_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(InvalidPolicy) as caught:
        policy("certificate-and-password")
    assert caught.value.data["policies"] == list(BUILT_IN)
    assert "office-network" in caught.value.detail


def test_a_window_is_not_used_up_when_the_password_did_it() -> None:
    facts = {Condition.WINDOW: MET, Condition.PASSWORD: MET}
    assert evaluate(policy("window or password"), facts).satisfied == {Condition.PASSWORD}
    assert evaluate(policy("window and password"), facts).satisfied == {Condition.WINDOW, Condition.PASSWORD}


def test_the_most_telling_reason_is_told() -> None:
    either = policy("certificate or password")
    first = evaluate(either, {Condition.CERTIFICATE: BARE, Condition.PASSWORD: ASK})
    assert (first.outcome, first.reason) == (Outcome.CHALLENGE, Reason.NO_CREDENTIALS)
    foreign = evaluate(either, {Condition.CERTIFICATE: FOREIGN, Condition.PASSWORD: ASK})
    assert (foreign.reason, foreign.data["shown"]) == (Reason.CERTIFICATE_OTHER_MAC, "00:04:13:00:00:01")
    both = evaluate(policy("password and network"), {Condition.PASSWORD: MET, Condition.NETWORK: FAR})
    assert (both.outcome, both.reason) == (Outcome.DENY, Reason.NOT_IN_NETWORK)
