"""The judgement over one phone request: evidence and what is known of the device in, a verdict out.

The order is fixed: no secrets over clear text, then locks, then the conditions of the policy. An unknown MAC goes the same way with
a verifier that nothing satisfies, so it costs and looks the same as a wrong password (THREATS T1).
No I/O; the counters and nonces it is built with live in memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from provisioner.access.addresses import Address, Network, client_key, is_within
from provisioner.access.authorization import Algorithm, BasicCredentials, DigestCredentials, Malformed
from provisioner.access.basic import check_basic
from provisioner.access.digest import Request, challenges, check_digest, check_realm
from provisioner.access.enumeration import Enumeration
from provisioner.access.evidence import Evidence
from provisioner.access.lockout import Barrier, Lockout, Standing
from provisioner.access.nonces import Nonces, nonce_binding
from provisioner.access.policies.evaluation import Finding, Outcome, State, Verdict, evaluate
from provisioner.access.policies.expression import Condition
from provisioner.access.policies.named import DEFAULT, Policy, policy
from provisioner.access.reasons import Reason
from provisioner.access.tokens import secret_matches
from provisioner.access.verifier import MD5_ONLY, Verifier, dummy_verifier


@dataclass(frozen=True, slots=True)
class ClaimWindow:
    """Open until `until` (seconds since the epoch); `claimed_by` is the client of the first success, None before it."""

    until: float
    claimed_by: Address | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What the server knows of the device whose MAC is asked for.

    `policy` None denies. `token_hash` is what `tokens.hash_secret` made. `clear_text_networks` are those for which the
    tenant switched off that secrets need TLS. A revoked device keeps its verifier: it is refused after the same work.
    """

    policy: Policy | None
    verifier: Verifier
    token_hash: bytes | None = field(default=None, repr=False)
    networks: tuple[Network, ...] = ()
    clear_text_networks: tuple[Network, ...] = ()
    window: ClaimWindow | None = None
    is_known: bool = True
    is_revoked: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """How the door asks for credentials.

    One `realm` for the whole door: a realm that differed by tenant would tell known MACs from unknown ones.
    """

    realm: str
    algorithms: Sequence[Algorithm] = MD5_ONLY
    offers_basic: bool = True
    allow_without_qop: bool = False


_GUESSES: Final = frozenset({Reason.WRONG_PASSWORD, Reason.WRONG_USERNAME, Reason.WRONG_TOKEN})
_MET: Final = Finding(State.MET, Reason.ALLOWED)
_NO_RECORD: Final = Standing()
_PROOFS: Final = frozenset({Condition.PASSWORD, Condition.CERTIFICATE, Condition.TOKEN})
_NOT_ASKED: Final = Finding(State.OPEN, Reason.NO_CREDENTIALS)


class Gate:
    """Judges phone requests; `key` is at least 16 secret bytes, times are seconds since the epoch."""

    def __init__(
        self, offer: Offer, *, key: bytes, nonces: Nonces, lockout: Lockout, enumeration: Enumeration
    ) -> None:
        check_realm(offer.realm)
        self.lockout: Final = lockout
        self._offer = offer
        self._key = key
        self._nonces = nonces
        self._enumeration = enumeration
        self.stranger: Final = Subject(
            policy(DEFAULT),
            dummy_verifier(realm=offer.realm, key=key, algorithms=offer.algorithms),
            is_known=False,
        )

    def verifier(
        self, username: str, password: str, *, previous: Verifier | None = None, previous_until: float = 0.0
    ) -> Verifier:
        """Prepare a device's credentials for this gate."""
        return Verifier(
            username,
            password,
            realm=self._offer.realm,
            key=self._key,
            algorithms=self._offer.algorithms,
            previous=previous,
            previous_until=previous_until,
        )

    def challenges(self, evidence: Evidence, *, now: float, is_stale: bool = False) -> list[str]:
        """Answer the WWW-Authenticate values for whatever was not allowed."""
        nonce = self._nonces.issue(nonce_binding(self._offer.realm, evidence.mac, evidence.source), now=now)
        return challenges(
            self._offer.realm,
            nonce,
            algorithms=self._offer.algorithms,
            offers_basic=self._offer.offers_basic,
            is_stale=is_stale,
        )

    def judge(self, evidence: Evidence, subject: Subject | None, *, now: float) -> Verdict:
        """Answer the verdict and count wrong attempts; `subject` None stands for a MAC that nobody registered.

        An ALLOW whose `satisfied` holds `Condition.WINDOW` claims the device: the caller stores the client as
        `claimed_by`, in the transaction that serves the file.
        """
        device = subject or self.stranger
        refusal = self._refuse_unseen(evidence, device, now=now)
        if refusal:
            return refusal
        standing = _NO_RECORD
        if evidence.credentials is not None or evidence.token is not None:
            standing = self.lockout.check(evidence.mac if device.is_known else None, evidence.source, now=now)
        facts = self._gather(evidence, device, standing, now=now)
        verdict = evaluate(device.policy, facts)
        if verdict.outcome is Outcome.ALLOW and device.is_known and not device.is_revoked:
            if evidence.mac is not None and not _PROOFS.isdisjoint(verdict.satisfied):
                self.lockout.succeeded(evidence.mac, evidence.source)
            return verdict
        return self._refused(evidence, device, verdict, facts, now=now)

    def _refuse_unseen(self, evidence: Evidence, device: Subject, *, now: float) -> Verdict | None:
        """What is refused before any credentials are looked at."""
        source = evidence.source
        if not evidence.is_tls and not is_within(source, device.clear_text_networks):
            return Verdict(Outcome.DENY, Reason.NEEDS_TLS, data={"source": str(source)})
        until = self._enumeration.limited_until(source, now=now)
        if until is not None and not self.lockout.is_home(evidence.mac, source):
            return Verdict(
                Outcome.CHALLENGE, Reason.TOO_MANY_UNKNOWN, data={"source": str(source), "until": until}
            )
        if not device.is_known and evidence.mac is not None:
            self._enumeration.asked(evidence.mac, source, now=now)
        return None

    def _gather(
        self, evidence: Evidence, device: Subject, standing: Standing, *, now: float
    ) -> dict[Condition, Finding]:
        """Look at what the policy asks about, the password last and only when nothing else already answers."""
        facts: dict[Condition, Finding] = {}
        if device.policy is None:
            return facts
        for condition in device.policy.cheap:
            match condition:
                case Condition.CERTIFICATE:
                    facts[condition] = _certificate(evidence)
                case Condition.TOKEN:
                    facts[condition] = _token(evidence, device, standing)
                case Condition.NETWORK:
                    facts[condition] = _network(evidence, device)
                case Condition.WINDOW:
                    facts[condition] = _window(evidence, device.window, now=now)
        asks_password = len(device.policy.cheap) < len(device.policy.conditions)
        if asks_password and not (facts and _is_settled(evaluate(device.policy, facts))):
            facts[Condition.PASSWORD] = self._password(evidence, device, standing, now=now)
        return facts

    def _password(self, evidence: Evidence, device: Subject, standing: Standing, *, now: float) -> Finding:
        shown = evidence.credentials
        if shown is None:
            return _NOT_ASKED
        if not standing.is_open:
            return _locked(standing, State.OPEN)
        match shown:
            case Malformed(problem):
                return Finding(State.OPEN, Reason.MALFORMED, {"shown": problem})
            case BasicCredentials() if self._offer.offers_basic:
                reason = check_basic(shown, device.verifier, now=now)
            case BasicCredentials():
                reason = Reason.NOT_OFFERED
            case DigestCredentials():
                reason = check_digest(
                    shown,
                    device.verifier,
                    request=Request(
                        evidence.method,
                        evidence.target,
                        nonce_binding(self._offer.realm, evidence.mac, evidence.source),
                    ),
                    nonces=self._nonces,
                    now=now,
                    allow_without_qop=self._offer.allow_without_qop,
                )
        return _MET if reason is Reason.ALLOWED else Finding(State.OPEN, reason)

    def _refused(
        self,
        evidence: Evidence,
        device: Subject,
        verdict: Verdict,
        facts: Mapping[Condition, Finding],
        *,
        now: float,
    ) -> Verdict:
        """Count what was a guess, and say for the record what the phone is not told."""
        data = {**verdict.data, "source": str(evidence.source)}
        begins_lock = False
        if not _GUESSES.isdisjoint(finding.reason for finding in facts.values()):
            known = evidence.mac if device.is_known else None
            standing = self.lockout.failed(known, evidence.source, now=now)
            data["count"] = standing.subject_failures or standing.source_failures
            begins_lock = standing.is_new_lock
        reason, outcome = verdict.reason, verdict.outcome
        if not device.is_known:
            reason = Reason.UNKNOWN_MAC
        elif device.is_revoked:
            reason, outcome = Reason.REVOKED, Outcome.CHALLENGE
        return Verdict(outcome, reason, data=data, is_stale=verdict.is_stale, begins_lock=begins_lock)


def _certificate(evidence: Evidence) -> Finding:
    if evidence.certificate_problem:
        return Finding(State.UNMET, Reason.CERTIFICATE_REFUSED, {"shown": evidence.certificate_problem})
    if evidence.certificate_mac is None:
        return Finding(State.UNMET, Reason.NO_CERTIFICATE)
    if evidence.certificate_mac != evidence.mac:
        return Finding(
            State.UNMET, Reason.CERTIFICATE_OTHER_MAC, {"shown": evidence.certificate_mac.hex(":")}
        )
    return _MET


def _token(evidence: Evidence, device: Subject, standing: Standing) -> Finding:
    if evidence.token is None:
        return Finding(State.UNMET, Reason.NO_TOKEN)
    if not standing.is_open:
        return _locked(standing, State.UNMET)
    if not secret_matches(evidence.token, device.token_hash):
        return Finding(State.UNMET, Reason.WRONG_TOKEN)
    return _MET


def _network(evidence: Evidence, device: Subject) -> Finding:
    if is_within(evidence.source, device.networks):
        return _MET
    return Finding(State.UNMET, Reason.NOT_IN_NETWORK)


def _window(evidence: Evidence, window: ClaimWindow | None, *, now: float) -> Finding:
    if window is None:
        return Finding(State.UNMET, Reason.WINDOW_NEVER_OPENED)
    if now >= window.until:
        return Finding(State.UNMET, Reason.WINDOW_CLOSED, {"until": window.until})
    if window.claimed_by is not None and client_key(window.claimed_by) != client_key(evidence.source):
        return Finding(State.UNMET, Reason.WINDOW_CLAIMED, {"shown": str(window.claimed_by)})
    return _MET


def _locked(standing: Standing, state: State) -> Finding:
    if standing.barrier is Barrier.SUBJECT:
        data = {"until": standing.until, "count": standing.subject_failures}
        return Finding(state, Reason.DEVICE_LOCKED, data)
    data = {"until": standing.until, "count": standing.source_failures}
    return Finding(state, Reason.SOURCE_LOCKED, data)


def _is_settled(verdict: Verdict) -> bool:
    """Allowed without the password; a claim window is not used up before the password was looked at."""
    return verdict.outcome is Outcome.ALLOW and Condition.WINDOW not in verdict.satisfied
