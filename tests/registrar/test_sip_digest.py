import re

from provisioner.registrar.sip_digest import Credentials, answer, ha1, is_stale, parse_digest, response

ALICE = Credentials("alice", "Secret1!")


def test_ha1_is_that_of_independent_implementations() -> None:
    assert ha1("alice", "reg.test", "Secret1!") == "e035d4d385d751f6672c90464f8bc597"
    sha256 = "a70126428cfbf04c0dc3e4ca7c050b814bd35e791ad91211e51d5244977cd342"
    assert ha1("alice", "reg.test", "Secret1!", algorithm="SHA-256") == sha256


def test_the_example_of_rfc_7616_section_3_9_1() -> None:
    person = Credentials("Mufasa", "Circle of Life")
    common = (
        'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    expected = {
        "MD5": "8ca523f5e9506fed4657c9700eebdbec",
        "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
    }
    for algorithm, digest in expected.items():
        value = answer([common.format(algorithm)], person, method="GET", uri="/dir/index.html", cnonce=cnonce)
        fields = parse_digest(value or "") or {}
        assert fields["response"] == digest
        assert fields["opaque"] == "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
        assert fields["nc"] == "00000001"


def test_the_old_form_without_qop_is_answered() -> None:
    value = answer(['Digest realm="r", nonce="n"'], ALICE, method="REGISTER", uri="sip:r")
    fields = parse_digest(value or "") or {}
    assert "qop" not in fields
    assert fields["response"] == response(ha1("alice", "r", "Secret1!"), "REGISTER", fields)


def test_the_topmost_challenge_that_we_can_do_is_taken() -> None:
    challenges = [
        'Digest realm="r", nonce="1", algorithm=SHA-512-256, qop="auth"',
        'Digest realm="r", nonce="2", algorithm=SHA-256, qop="auth"',
        'Digest realm="r", nonce="3", algorithm=MD5, qop="auth"',
        'Basic realm="r"',
    ]
    value = answer(challenges, ALICE, method="GET", uri="/")
    assert (parse_digest(value or "") or {})["nonce"] == "2"
    only_int = ['Digest realm="r", nonce="1", qop="auth-int"']
    for hopeless in ([challenges[0]], ['Basic realm="r"'], only_int, ['Digest realm="r"'], []):
        assert answer(hopeless, ALICE, method="GET", uri="/") is None


def test_quotes_in_names_stay_inside_their_field() -> None:
    person = Credentials('a"b\\c', "x")
    value = answer(['Digest realm="r", nonce="n"'], person, method="GET", uri="/") or ""
    assert (parse_digest(value) or {})["username"] == 'a"b\\c'
    assert len(re.findall(r"username=", value)) == 1


def test_the_password_is_in_no_repr() -> None:
    assert "Secret1!" not in repr(ALICE)


def test_stale_is_told_from_wrong() -> None:
    assert is_stale(['Digest realm="r", nonce="n", stale=TRUE'])
    assert not is_stale(['Digest realm="r", nonce="n"', 'Basic realm="r"'])
