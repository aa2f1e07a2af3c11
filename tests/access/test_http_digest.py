"""Digest by the RFC's own examples, and attacks on it (THREATS T4)."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import pytest

from provisioner.access.authorization import Algorithm, DigestCredentials
from provisioner.access.digest import check_realm, digest_response, is_same_target
from provisioner.access.gate import Offer
from provisioner.access.nonces import Nonces, nonce_binding
from provisioner.access.policies.evaluation import Outcome
from provisioner.access.reasons import Reason
from provisioner.access.verifier import Verifier
from provisioner.errors import InvalidSetting
from tests.access.gate_at_work import HOME, KEY, MAC, START, TARGET, Door, Phone


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_computes_the_example_of_rfc_7616_section_3_9_1(algorithm: Algorithm, response: str) -> None:
    verifier = Verifier(
        "Mufasa", "Circle of Life", realm="http-auth@example.org", key=KEY, algorithms=[algorithm]
    )
    shown = DigestCredentials(
        "Mufasa",
        "http-auth@example.org",
        "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "/dir/index.html",
        algorithm,
        "auth",
        "00000001",
        "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        "",
    )
    ha1 = verifier.ha1(algorithm)
    assert ha1 is not None
    assert digest_response(shown, ha1, method="GET") == response


def test_computes_the_measured_ha1() -> None:
    verifier = Verifier("alice", "Secret1!", realm="reg.test", key=KEY, algorithms=["MD5", "SHA-256"])
    assert verifier.ha1("MD5") == "e035d4d385d751f6672c90464f8bc597"
    assert verifier.ha1("SHA-256") == "a70126428cfbf04c0dc3e4ca7c050b814bd35e791ad91211e51d5244977cd342"


def test_a_phone_that_answers_the_challenge_gets_in(door: Door) -> None:
    verdict = door.judge(door.evidence(door.phone.answer(door.challenge())))
    assert verdict.outcome is Outcome.ALLOW


def test_one_nonce_serves_all_files_of_a_boot_in_any_order(door: Door) -> None:
    challenge = door.challenge()
    for nc in (1, 3, 2, 9, 200, 90):
        assert door.judge(door.evidence(door.phone.answer(challenge, nc))).outcome is Outcome.ALLOW


def test_head_is_signed_as_head(door: Door) -> None:
    challenge = door.challenge()
    header = door.phone.answer(challenge, method="HEAD")
    assert door.judge(door.evidence(header, method="HEAD")).outcome is Outcome.ALLOW
    assert door.judge(door.evidence(header, method="GET")).reason is Reason.WRONG_PASSWORD


def test_the_same_request_twice_is_a_replay_t4(door: Door) -> None:
    header = door.phone.answer(door.challenge())
    door.judge(door.evidence(header))
    again = door.judge(door.evidence(header))
    assert (again.outcome, again.reason, again.is_stale) == (Outcome.CHALLENGE, Reason.REPLAYED, True)


def test_a_count_far_behind_the_newest_is_a_replay_t4(door: Door) -> None:
    challenge = door.challenge()
    door.judge(door.evidence(door.phone.answer(challenge, 5000)))
    assert door.judge(door.evidence(door.phone.answer(challenge, 4000))).reason is Reason.REPLAYED


def test_a_huge_count_costs_no_memory_t4(door: Door) -> None:
    challenge = door.challenge()
    first, last = (door.phone.answer(challenge, nc) for nc in (1, 0xFFFFFFFF))
    assert door.judge(door.evidence(first)).outcome is Outcome.ALLOW
    tracemalloc.start()
    assert door.judge(door.evidence(last)).outcome is Outcome.ALLOW
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1_000_000


def test_captured_credentials_open_no_other_file_t4(door: Door) -> None:
    header = door.phone.answer(door.challenge())
    verdict = door.judge(door.evidence(header, target="/p/000413AABBCC-keys.xml"))
    assert (verdict.outcome, verdict.reason) == (Outcome.CHALLENGE, Reason.WRONG_TARGET)


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("https://prov.example.net:8443/p/1.cfg", "/p/1.cfg"),
        ("/p/a%3ab.cfg?x=%2F", "/p/a%3Ab.cfg?x=%2f"),
        ("https://prov.example.net", "/"),
    ],
)
def test_a_uri_may_be_absolute_and_percent_encoded_in_either_case(uri: str, target: str) -> None:
    assert is_same_target(uri, target)


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("/p/1.cfg", "/p/2.cfg"),
        ("/p/1.cfg", "/p/1.cfg?x=1"),
        ("/P/1.cfg", "/p/1.cfg"),
        ("//p/1.cfg", "/1.cfg"),
    ],
)
def test_other_uris_are_other_uris_t4(uri: str, target: str) -> None:
    assert not is_same_target(uri, target)


def test_an_expired_nonce_makes_the_phone_ask_again_without_blame(door: Door) -> None:
    header = door.phone.answer(door.challenge())
    door.now += 301
    verdict = door.judge(door.evidence(header))
    assert (verdict.reason, verdict.is_stale) == (Reason.STALE_NONCE, True)
    assert "stale=true" in door.gate.challenges(door.evidence(), now=door.now, is_stale=True)[0]
    assert door.judge(door.evidence(door.phone.answer(door.challenge()))).outcome is Outcome.ALLOW


def test_a_wrong_password_with_an_expired_nonce_is_a_wrong_password(door: Door) -> None:
    header = Phone(password="Wrong-1!").answer(door.challenge())
    door.now += 301
    verdict = door.judge(door.evidence(header))
    assert (verdict.reason, verdict.is_stale) == (Reason.WRONG_PASSWORD, False)


@pytest.mark.parametrize("nonce", ["", "00", "zz" * 28, "00" * 28, "ab" * 5000])
def test_a_nonce_we_never_made_is_stale_t4(nonce: str, door: Door) -> None:
    verdict = door.judge(door.evidence(door.phone.answer(f'nonce="{nonce}"')))
    assert verdict.reason in {Reason.STALE_NONCE, Reason.MALFORMED}


def test_a_nonce_with_any_changed_byte_is_not_ours_t4() -> None:
    nonces = Nonces(KEY, started=START)
    binding = nonce_binding("phones", MAC, HOME)
    nonce = bytes.fromhex(nonces.issue(binding, now=START))
    for place in range(len(nonce)):
        forged = bytearray(nonce)
        forged[place] ^= 1
        assert not nonces.is_ours(forged.hex(), binding, now=START)
    assert nonces.is_ours(nonce.hex(), binding, now=START)


def test_a_nonce_is_good_only_for_its_mac_and_its_network_t4(door: Door) -> None:
    header = door.phone.answer(door.challenge())
    assert door.judge(door.evidence(header, source="203.0.113.1")).reason is Reason.STALE_NONCE
    assert door.judge(door.evidence(header, mac=bytes(5) + b"\1")).reason is Reason.STALE_NONCE
    assert door.judge(door.evidence(header, source="198.51.100.200")).outcome is Outcome.ALLOW


def test_what_was_captured_before_a_restart_cannot_be_replayed_after_it_t4(door: Door) -> None:
    header = door.phone.answer(door.challenge())
    door.judge(door.evidence(header))
    door.now += 2
    restarted = Door(now=door.now)
    restarted.gate._nonces._floor = int(door.now) - 1
    assert restarted.judge(restarted.evidence(header)).reason is Reason.REPLAYED


def test_forgetting_used_nonces_never_reopens_a_replay_and_memory_is_bounded_t4() -> None:
    nonces = Nonces(KEY, started=START - 1, capacity=50)
    made = [(nonces.issue(b"", now=START + n), START + n) for n in range(200)]
    for nonce, at in made:
        assert nonces.count_use(nonce, 1, now=at)
    assert len(nonces) <= 50
    assert not any(nonces.count_use(nonce, 1, now=START + 200) for nonce, _ in made)
    assert nonces.count_use(nonces.issue(b"", now=START + 200), 1, now=START + 200)


def test_expired_nonces_leave_the_window() -> None:
    nonces = Nonces(KEY, started=START - 1, lifetime=10)
    for n in range(100):
        nonces.count_use(nonces.issue(b"", now=START + n), 1, now=START + n)
    assert len(nonces) <= 12


def test_a_stranger_without_the_password_cannot_grow_the_window_t4(door: Door) -> None:
    for n in range(100):
        door.judge(door.evidence(Phone(password=f"Guess-{n}").answer(door.challenge(), n)))
    assert len(door.nonces) == 0


def test_without_qop_only_if_switched_on_and_each_answer_once_t4(open_door: Callable[[Offer], Door]) -> None:
    old = Phone(qop="")
    strict = open_door(Offer("phones"))
    assert strict.judge(strict.evidence(old.answer(strict.challenge()))).reason is Reason.NOT_OFFERED
    door = open_door(Offer("phones", allow_without_qop=True))
    header = old.answer(door.challenge())
    assert door.judge(door.evidence(header)).outcome is Outcome.ALLOW
    assert door.judge(door.evidence(header)).reason is Reason.REPLAYED


def test_sha_256_only_where_it_is_offered(open_door: Callable[[Offer], Door]) -> None:
    modern = Phone(algorithm="SHA-256")
    door = open_door(Offer("phones"))
    assert door.judge(door.evidence(modern.answer(door.challenge()))).reason is Reason.NOT_OFFERED
    door = open_door(Offer("phones", algorithms=("SHA-256", "MD5")))
    assert door.judge(door.evidence(modern.answer(door.challenge()))).outcome is Outcome.ALLOW


def test_lists_digest_before_basic(open_door: Callable[[Offer], Door]) -> None:
    door = open_door(Offer("phones", algorithms=("SHA-256", "MD5")))
    offered = door.gate.challenges(door.evidence(), now=START)
    assert [line.split()[0] for line in offered] == ["Digest", "Digest", "Basic"]
    assert "algorithm=SHA-256" in offered[0]
    assert all("stale" not in line for line in offered)
    digest_only = open_door(Offer("phones", offers_basic=False))
    assert len(digest_only.gate.challenges(digest_only.evidence(), now=START)) == 1


def test_basic_is_refused_where_it_is_not_offered(open_door: Callable[[Offer], Door]) -> None:
    door = open_door(Offer("phones", offers_basic=False))
    assert door.judge(door.evidence(door.phone.basic())).reason is Reason.NOT_OFFERED


def test_another_realm_and_another_user_name_are_refused(door: Door) -> None:
    challenge = door.challenge()
    assert door.judge(door.evidence(Phone(realm="other").answer(challenge))).reason is Reason.WRONG_REALM
    assert door.judge(door.evidence(Phone(username="x").answer(challenge))).reason is Reason.WRONG_PASSWORD
    renamed = door.phone.answer(challenge).replace('username="u-1001"', 'username="u-1002"')
    assert door.judge(door.evidence(renamed)).reason is Reason.WRONG_USERNAME


def test_a_replaced_password_works_until_its_time_is_over(door: Door) -> None:
    old = door.gate.verifier("u-1001", door.phone.password)
    assert door.subject is not None
    door.subject = replace(
        door.subject,
        verifier=door.gate.verifier("u-1001", "New-pass7", previous=old, previous_until=START + 60),
    )
    new = Phone(password="New-pass7")
    for header in (
        door.phone.basic(),
        new.basic(),
        door.phone.answer(door.challenge()),
        new.answer(door.challenge()),
    ):
        assert door.judge(door.evidence(header)).outcome is Outcome.ALLOW
    door.now += 61
    assert door.judge(door.evidence(door.phone.basic())).outcome is Outcome.CHALLENGE
    assert door.judge(door.evidence(door.phone.answer(door.challenge()))).outcome is Outcome.CHALLENGE
    assert door.judge(door.evidence(new.basic())).outcome is Outcome.ALLOW


@pytest.mark.parametrize("realm", ["", 'a"b', "a\\b", "a\r\nb", "café"])
def test_refuses_a_realm_that_would_break_the_header(realm: str) -> None:
    with pytest.raises(InvalidSetting):
        check_realm(realm)


def test_a_target_is_part_of_what_was_signed() -> None:
    assert Phone(uri=TARGET).answer('nonce="x"') != Phone(uri="/p/other").answer('nonce="x"')
