import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.access.authorization import (
    BasicCredentials,
    DigestCredentials,
    Malformed,
    parse_authorization,
)

DIGEST = (
    'Digest username="u", realm="r", nonce="n", uri="/x?a=1,2", response="' + "a" * 32 + '", '
    'qop=auth, nc=0000000A, cnonce="c"'
)


def test_no_header_is_no_credentials() -> None:
    assert parse_authorization(None) is None
    assert parse_authorization("") is None


def test_reads_basic_with_a_colon_in_the_password() -> None:
    assert parse_authorization("basic dTpwOng=") == BasicCredentials(b"u:p:x")


def test_reads_digest_with_commas_inside_quotes() -> None:
    assert parse_authorization(DIGEST) == DigestCredentials(
        "u", "r", "n", "/x?a=1,2", "MD5", "auth", "0000000A", "c", "a" * 32
    )


def test_reads_what_linphone_sends_quoted_algorithm_and_nc_without_qop() -> None:
    shown = parse_authorization(
        f'Digest username="u",realm="r",nonce="n",uri="/x",response="{"b" * 64}",algorithm="SHA-256",nc=00000001'
    )
    assert isinstance(shown, DigestCredentials)
    assert (shown.algorithm, shown.qop, shown.nc) == ("SHA-256", "", "00000001")


def test_unquotes_a_user_name() -> None:
    shown = parse_authorization(DIGEST.replace('"u"', r'"a\"b\\c"'))
    assert isinstance(shown, DigestCredentials)
    assert shown.username == r"a\c".replace("a", 'a"b')


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("Bearer abc", "only Basic and Digest"),
        ("Basic", "lack the colon"),
        ("Basic dXA=", "lack the colon"),
        ("Basic a", "not base64"),
        ("Basic \u20ac\u20ac", "not base64"),
        ("Digest", "lack username"),
        (DIGEST.replace('nonce="n", ', ""), "lack nonce"),
        (DIGEST + ', username="v"', "twice"),
        (DIGEST + ", algorithm=MD5-sess", "algorithm"),
        (DIGEST.replace("qop=auth", "qop=auth-int"), "qop"),
        (DIGEST.replace("nc=0000000A", "nc=-0000001"), "nonce count"),
        (DIGEST.replace("nc=0000000A", "nc=123456789"), "nonce count"),
        (DIGEST.replace(', cnonce="c"', ""), "nc or cnonce"),
        (DIGEST.replace("a" * 32, "a" * 31), "wrong form"),
        (DIGEST.replace("a" * 32, "ä" * 32), "wrong form"),
        (DIGEST + ', x="open', "not a list"),
        (DIGEST + " junk", "not a list"),
        (DIGEST + ", " + ", ".join(f"p{n}=1" for n in range(30)), "too many"),
        ("Digest " + "x" * 5000, "too long"),
        ('Digest username="\ud800"', "not text"),
    ],
)
def test_says_what_is_wrong_with_a_header(header: str, problem: str) -> None:
    shown = parse_authorization(header)
    assert isinstance(shown, Malformed)
    assert problem in shown.problem


@given(st.sampled_from(["", "Digest ", "Basic ", "digest\t", 'Digest username="']), st.text(max_size=300))
def test_never_raises(start: str, rest: str) -> None:
    parse_authorization(start + rest)


@given(st.lists(st.sampled_from(['"', "\\", ",", "=", " ", "nc", "uri", "a", "\n"]), max_size=400))
def test_never_raises_on_broken_parameters(pieces: list[str]) -> None:
    parse_authorization("Digest " + "".join(pieces))


def test_no_credentials_show_in_a_repr_t19() -> None:
    for header in ("Basic Y2FuYXJ5LXU6Y2FuYXJ5LXA=", DIGEST):
        shown = repr(parse_authorization(header))
        assert "canary-p" not in shown
        assert "a" * 32 not in shown
