"""The whole judgement over a phone's request, and attacks on it."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from provisioner.access.enumeration import Allowance, Enumeration
from provisioner.access.gate import ClaimWindow, Gate, Offer, Subject
from provisioner.access.lockout import Lockout
from provisioner.access.nonces import Nonces
from provisioner.access.policies.evaluation import Outcome, Verdict
from provisioner.access.policies.expression import Condition
from provisioner.access.policies.named import policy
from provisioner.access.reasons import Reason, sentence
from provisioner.access.tokens import hash_secret, new_url_token
from provisioner.errors import InvalidSetting
from tests.access.gate_at_work import HOME, KEY, MAC, START, Door, Phone, basic_header

OTHER_MAC = bytes.fromhex("000413000001")
STRANGER = "203.0.113.66"


def with_policy(door: Door, text: str, **known: object) -> Door:
    assert door.subject is not None
    door.subject = replace(door.subject, policy=policy(text), **known)  # type: ignore[arg-type]
    return door


def wrong(door: Door, times: int, *, source: str = STRANGER) -> Verdict:
    verdict = door.judge(door.evidence())
    for n in range(times):
        door.now += 3
        verdict = door.judge(door.evidence(basic_header("u-1001", f"Guess-{n}"), source=source))
    return verdict


def test_the_first_request_without_credentials_is_normal_and_no_failure(door: Door) -> None:
    for _ in range(100):
        verdict = door.judge(door.evidence())
    assert (verdict.outcome, verdict.reason) == (Outcome.CHALLENGE, Reason.NO_CREDENTIALS)
    assert door.lockout.check(MAC, HOME, now=door.now).subject_failures == 0


def test_basic_and_digest_both_open(door: Door) -> None:
    for header in (door.phone.basic(), door.phone.answer(door.challenge())):
        verdict = door.judge(door.evidence(header))
        assert (verdict.outcome, verdict.satisfied) == (Outcome.ALLOW, frozenset({Condition.PASSWORD}))


def test_the_record_says_which_attempt_it_was_and_from_where(door: Door) -> None:
    verdict = wrong(door, 3)
    assert verdict.outcome is Outcome.CHALLENGE
    assert sentence(verdict.reason, verdict.data) == f"wrong password, 3rd time, from {STRANGER}"
    door.now += 60
    renamed = door.judge(door.evidence(basic_header("admin", door.phone.password)))
    assert sentence(renamed.reason, renamed.data) == f"wrong user name, 4th time, from {HOME}"


def test_unreadable_credentials_are_told_but_not_counted(door: Door) -> None:
    verdict = door.judge(door.evidence("Bearer canary"))
    assert (verdict.outcome, verdict.reason) == (Outcome.CHALLENGE, Reason.MALFORMED)
    assert "canary" not in str(verdict.data)
    assert door.lockout.check(MAC, HOME, now=door.now).subject_failures == 0


def test_unknown_wrong_and_locked_look_the_same_from_outside_t1(door: Door) -> None:
    header = basic_header("u-1001", "Guess-1")
    known = door.judge(door.evidence(header))
    unknown = door.gate.judge(door.evidence(header, mac=OTHER_MAC), None, now=door.now)
    wrong(door, 12)
    locked = door.judge(door.evidence(door.phone.basic(), source=STRANGER))
    assert locked.reason is Reason.DEVICE_LOCKED
    assert unknown.reason is Reason.UNKNOWN_MAC
    assert known.reason is Reason.WRONG_PASSWORD
    assert {verdict.outcome for verdict in (known, unknown, locked)} == {Outcome.CHALLENGE}
    assert not any(verdict.is_stale or verdict.satisfied for verdict in (known, unknown, locked))
    shapes = {
        tuple(line.partition("nonce=")[0] for line in door.gate.challenges(seen, now=door.now))
        for seen in (door.evidence(), door.evidence(mac=OTHER_MAC))
    }
    assert len(shapes) == 1


def test_an_unknown_mac_does_the_same_work_as_a_known_one_t1(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    from provisioner.access import digest, verifier

    work: list[str] = []
    for module, name in ((digest, "md5"), (verifier, "blake2b")):
        real = getattr(module, name)

        def counted(
            *args: object, real: Callable[..., object] = real, name: str = name, **kw: object
        ) -> object:
            work.append(name)
            return real(*args, **kw)

        monkeypatch.setattr(module, name, counted)
    done = []
    for subject in (door.subject, None):
        for header in (basic_header("u", "Guess-1"), Phone(password="Guess-1").answer('nonce="00"')):
            work.clear()
            evidence = door.evidence(header)
            work.clear()
            door.gate.judge(evidence, subject, now=door.now)
            done.append(tuple(work))
    assert done[:2] == done[2:]
    assert all(done)


def test_the_right_password_of_one_device_opens_no_other_t3(door: Door) -> None:
    other = Subject(policy("password"), door.gate.verifier("u-1002", "Zt5-other.pw"))
    verdict = door.gate.judge(door.evidence(door.phone.basic(), mac=OTHER_MAC), other, now=door.now)
    assert (verdict.outcome, verdict.reason) == (Outcome.CHALLENGE, Reason.WRONG_USERNAME)


def test_a_stranger_cannot_lock_the_phone_out_t2(door: Door) -> None:
    assert door.judge(door.evidence(door.phone.basic())).outcome is Outcome.ALLOW
    assert wrong(door, 40).reason in {Reason.DEVICE_LOCKED, Reason.SOURCE_LOCKED}
    assert door.judge(door.evidence(door.phone.basic())).outcome is Outcome.ALLOW


def test_the_lock_holds_even_against_the_right_password_and_says_until_when_t2(door: Door) -> None:
    verdicts = [wrong(door, 1) for _ in range(30)]
    locking = [verdict for verdict in verdicts if verdict.begins_lock]
    assert len(locking) == 1
    locked = door.judge(door.evidence(door.phone.basic(), source="192.0.2.99"))
    assert locked.reason is Reason.DEVICE_LOCKED
    assert isinstance(locked.data["until"], float)
    assert "8 wrong attempts" in sentence(locked.reason, locked.data)
    door.now = locked.data["until"]
    assert door.judge(door.evidence(door.phone.basic(), source="192.0.2.99")).outcome is Outcome.ALLOW


def test_a_lock_on_the_password_does_not_shut_out_a_certificate_t2(door: Door) -> None:
    with_policy(door, "certificate-or-password")
    wrong(door, 12)
    verdict = door.judge(door.evidence(door.phone.basic(), source=STRANGER, certificate_mac=MAC))
    assert (verdict.outcome, verdict.satisfied) == (Outcome.ALLOW, frozenset({Condition.CERTIFICATE}))


def test_trying_macs_shuts_the_network_out_of_known_and_unknown_ones_but_not_the_phones_at_home_t1() -> None:
    door = Door(enumeration=Enumeration(Allowance(burst=5)))
    assert door.judge(door.evidence(door.phone.basic())).outcome is Outcome.ALLOW
    for n in range(6):
        tried = door.evidence(source="198.51.100.66", mac=n.to_bytes(6, "big"))
        last = door.gate.judge(tried, None, now=door.now)
    assert (last.outcome, last.reason) == (Outcome.CHALLENGE, Reason.TOO_MANY_UNKNOWN)
    known = door.judge(door.evidence(door.phone.basic(), source="198.51.100.66"))
    assert (known.outcome, known.reason) == (Outcome.CHALLENGE, Reason.TOO_MANY_UNKNOWN)
    assert door.judge(door.evidence(door.phone.basic())).outcome is Outcome.ALLOW


def test_a_boot_storm_of_registered_phones_is_never_limited_t26(door: Door) -> None:
    for n in range(5000):
        verdict = door.judge(door.evidence(mac=n.to_bytes(6, "big")))
        assert verdict.reason is Reason.NO_CREDENTIALS


def test_over_http_nothing_is_asked_and_nothing_is_served_t5(door: Door) -> None:
    verdict = door.judge(door.evidence(door.phone.basic(), is_tls=False))
    assert (verdict.outcome, verdict.reason) == (Outcome.DENY, Reason.NEEDS_TLS)
    unknown = door.gate.judge(door.evidence(is_tls=False), None, now=door.now)
    assert (unknown.outcome, unknown.reason) == (Outcome.DENY, Reason.NEEDS_TLS)


def test_a_tenant_can_allow_clear_text_for_a_network_t5(door: Door) -> None:
    with_policy(door, "password", clear_text_networks=(ip_network("198.51.100.0/24"),))
    assert door.judge(door.evidence(door.phone.basic(), is_tls=False)).outcome is Outcome.ALLOW
    outside = door.judge(door.evidence(door.phone.basic(), is_tls=False, source=STRANGER))
    assert outside.reason is Reason.NEEDS_TLS


def test_a_certificate_opens_its_own_mac_only_t9(door: Door) -> None:
    with_policy(door, "certificate")
    assert door.judge(door.evidence(certificate_mac=MAC)).outcome is Outcome.ALLOW
    foreign = door.judge(door.evidence(certificate_mac=OTHER_MAC))
    assert foreign.outcome is Outcome.DENY
    assert sentence(foreign.reason, foreign.data) == (
        "the client certificate is for another MAC address: 00:04:13:00:00:01"
    )
    expired = door.judge(door.evidence(certificate_mac=MAC, certificate_problem="it expired on 2020-01-01"))
    assert (expired.outcome, expired.reason) == (Outcome.DENY, Reason.CERTIFICATE_REFUSED)
    assert door.judge(door.evidence()).reason is Reason.NO_CERTIFICATE
    assert door.judge(door.evidence(mac=None)).outcome is Outcome.DENY


def test_a_token_opens_and_wrong_ones_are_counted(door: Door) -> None:
    token = new_url_token()
    with_policy(door, "token", token_hash=hash_secret(token))
    assert door.judge(door.evidence(token=token)).satisfied == {Condition.TOKEN}
    assert door.judge(door.evidence()).reason is Reason.NO_TOKEN
    for n in range(9):
        door.now += 20
        guess = door.judge(door.evidence(token=f"guess{n}", source=STRANGER))
    assert guess.reason is Reason.DEVICE_LOCKED
    assert door.judge(door.evidence(token=token)).outcome is Outcome.ALLOW


def test_without_a_stored_token_none_is_right(door: Door) -> None:
    with_policy(door, "token")
    for token in ("", "x", "\0" * 32):
        assert door.judge(door.evidence(token=token)).reason is Reason.WRONG_TOKEN


def test_the_office_network_is_where_it_says(door: Door) -> None:
    with_policy(door, "office-network", networks=(ip_network("198.51.100.0/24"),))
    assert door.judge(door.evidence()).outcome is Outcome.ALLOW
    outside = door.judge(door.evidence(source=STRANGER))
    assert outside.outcome is Outcome.DENY
    assert sentence(outside.reason, outside.data) == f"{STRANGER} is not in the office network"


def test_network_and_password_need_both(door: Door) -> None:
    with_policy(door, "password and network", networks=(ip_network("198.51.100.0/24"),))
    assert door.judge(door.evidence(door.phone.basic())).outcome is Outcome.ALLOW
    assert door.judge(door.evidence()).outcome is Outcome.CHALLENGE
    assert door.judge(door.evidence(door.phone.basic(), source=STRANGER)).outcome is Outcome.DENY


def test_a_claim_window_lets_the_first_phone_in_and_no_second_t7(door: Door) -> None:
    with_policy(door, "password or window", window=ClaimWindow(START + 600))
    first = door.judge(door.evidence())
    assert (first.outcome, first.satisfied) == (Outcome.ALLOW, frozenset({Condition.WINDOW}))
    assert door.judge(door.evidence(door.phone.basic())).satisfied == {Condition.PASSWORD}
    with_policy(door, "password or window", window=ClaimWindow(START + 600, ip_address(str(HOME))))
    assert door.judge(door.evidence()).outcome is Outcome.ALLOW
    second = door.judge(door.evidence(source=STRANGER))
    assert (second.outcome, second.reason) == (Outcome.CHALLENGE, Reason.WINDOW_CLAIMED)
    door.now += 600
    closed = door.judge(door.evidence())
    assert closed.reason is Reason.WINDOW_CLOSED


def test_without_a_window_there_is_nothing_to_claim_t7(door: Door) -> None:
    with_policy(door, "window")
    verdict = door.judge(door.evidence())
    assert (verdict.outcome, verdict.reason) == (Outcome.DENY, Reason.WINDOW_NEVER_OPENED)


def test_a_revoked_device_is_refused_with_the_right_password_t8(door: Door) -> None:
    with_policy(door, "password", is_revoked=True)
    verdict = door.judge(door.evidence(door.phone.basic()))
    assert (verdict.outcome, verdict.reason) == (Outcome.CHALLENGE, Reason.REVOKED)
    assert not verdict.satisfied


def test_no_policy_denies_the_right_password(door: Door) -> None:
    assert door.subject is not None
    door.subject = replace(door.subject, policy=None)
    verdict = door.judge(door.evidence(door.phone.basic(), certificate_mac=MAC))
    assert (verdict.outcome, verdict.reason) == (Outcome.DENY, Reason.NO_POLICY)


def test_nothing_secret_shows_in_a_repr_or_in_a_verdict_t19(door: Door) -> None:
    token = new_url_token()
    with_policy(door, "password or token", token_hash=hash_secret(token))
    answer = door.phone.answer(door.challenge())
    for header in (door.phone.basic(), answer, basic_header("u-1001", "Canary-1")):
        evidence = door.evidence(header, token=token + "x")
        shown = f"{evidence!r} {door.subject!r} {door.judge(evidence)!r}"
        for secret in (door.phone.password, "Canary-1", token, answer.split('response="')[1][:32]):
            assert secret not in shown
        assert door.subject is not None
        assert str(door.subject.verifier.ha1("MD5")) not in shown


def test_a_realm_that_breaks_the_header_is_refused_at_the_start() -> None:
    with pytest.raises(InvalidSetting):
        Gate(
            Offer('a"b'),
            key=KEY,
            nonces=Nonces(KEY, started=START),
            lockout=Lockout(),
            enumeration=Enumeration(),
        )
