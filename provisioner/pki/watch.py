"""Certificates that run out: told long before phones stop coming."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from provisioner.errors import CannotStart
from provisioner.pki.certificate import read_certificates
from provisioner.pki.trust import Trust

WARN_DAYS = 30
WARN_ANCHOR_DAYS = 365  # bringing a new anchor to every phone takes long


@dataclass(frozen=True, slots=True)
class ExpiryFinding:
    """One certificate that is over or will be soon, or cannot be read (then `not_after` is none)."""

    label: str
    subject: str
    not_after: datetime | None
    days_left: int
    message: str

    @property
    def is_expired(self) -> bool:
        """No longer valid, or not readable."""
        return self.not_after is None or self.days_left < 0


def expiring(
    certificates: Iterable[tuple[str, x509.Certificate]], *, now: datetime, days: int = WARN_DAYS
) -> list[ExpiryFinding]:
    """Those of (label, certificate) that are over within `days`; the most urgent first."""
    found = [_finding(label, certificate, now) for label, certificate in certificates]
    return sorted((item for item in found if item.days_left < days), key=lambda item: item.days_left)


def watch(
    files: Iterable[Path], trust: Trust, *, now: datetime, days: int = WARN_DAYS
) -> list[ExpiryFinding]:
    """Findings about the server's own certificate files, the anchors, and anchor files that are not usable."""
    own: list[tuple[str, x509.Certificate]] = []
    unreadable = [_unreadable(path, reason) for path, reason in trust.broken.items()]
    for path in files:
        try:
            own += [(path.name, certificate) for certificate in read_certificates(path)]
        except CannotStart as error:
            unreadable.append(_unreadable(str(path), error.detail))
    anchors = [(f"trust anchor of {anchor.rule.label}", anchor.certificate) for anchor in trust.anchors]
    return [
        *unreadable,
        *expiring(own, now=now, days=days),
        *expiring(anchors, now=now, days=max(days, WARN_ANCHOR_DAYS)),
    ]


def _finding(label: str, certificate: x509.Certificate, now: datetime) -> ExpiryFinding:
    not_after = certificate.not_valid_after_utc
    days_left = (not_after - now) // timedelta(days=1)
    subject = certificate.subject.rfc4514_string()
    when = f"expired on {not_after:%Y-%m-%d}" if days_left < 0 else f"expires on {not_after:%Y-%m-%d}"
    return ExpiryFinding(label, subject, not_after, days_left, f"{label}: {subject} {when}")


def _unreadable(path: str, reason: str) -> ExpiryFinding:
    return ExpiryFinding(path, "", None, -1, f"{path}: {reason}")
