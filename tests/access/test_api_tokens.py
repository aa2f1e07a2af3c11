from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.access.tokens import (
    ApiToken,
    bearer_token,
    hash_secret,
    new_api_token,
    new_url_token,
    parse_api_token,
    secret_matches,
)


def test_a_token_survives_the_round_trip_and_hides_its_secret_t19() -> None:
    token = new_api_token()
    assert parse_api_token(token.reveal()) == token
    assert token.reveal().startswith(f"prov_{token.id}_")
    assert token.secret not in repr(token)


@given(st.text())
def test_parsing_any_text_answers_a_token_or_none(text: str) -> None:
    parsed = parse_api_token(text)
    assert parsed is None or parsed.reveal() == text


@pytest.mark.parametrize("change", [str.upper, lambda t: t + "\n", lambda t: t[:-1], lambda t: " " + t])
def test_near_tokens_are_none(change: Callable[[str], str]) -> None:
    assert parse_api_token(change(new_api_token().reveal())) is None


def test_only_the_right_secret_matches_and_nothing_stored_matches_nothing_t15() -> None:
    token = new_api_token()
    stored = hash_secret(token.secret)
    assert secret_matches(token.secret, stored)
    assert not secret_matches(token.secret + "x", stored)
    assert not secret_matches(token.secret, None)
    assert not secret_matches("", None)
    assert token.secret.encode() not in stored


def test_reads_a_bearer_header() -> None:
    assert bearer_token("Bearer abc") == "abc"
    assert bearer_token("bearer  abc ") == "abc"
    for header in (None, "", "Bearer", "Bearer a b", "Basic abc"):
        assert bearer_token(header) is None


def test_url_tokens_are_long_and_safe_in_a_url() -> None:
    tokens = {new_url_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) == 32 and token.isalnum() and token.isascii() for token in tokens)


def test_two_tokens_differ_in_id_and_secret() -> None:
    first, second = new_api_token(), new_api_token()
    assert first.id != second.id
    assert first.secret != second.secret
    assert ApiToken(first.id, second.secret) != first
