"""What an operator should know about the server itself, in sentences."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from provisioner.pki.tls import CERTIFICATE, REFUSED, FailedHandshakes
from provisioner.pki.trust import Trust
from provisioner.pki.watch import watch
from provisioner.services.context import Context
from provisioner.services.files.fetch_log import FetchLog

Level = Literal["error", "warning"]
FREE_BYTES_WANTED = 200 * 1024 * 1024


_HANDSHAKES = {
    CERTIFICATE: "{count} connections were refused because of the phone's certificate",
    REFUSED: "{count} times a phone did not accept the server's certificate (does it trust the authority?)",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong or soon will be."""

    level: Level
    sentence: str


HealthReport = Callable[[], Sequence[Finding]]


class Health:
    """Looks at the parts of a running server; quick enough for every page. Certificates are looked at by the hour."""

    def __init__(self, context: Context, trust: Trust, handshakes: FailedHandshakes, log: FetchLog) -> None:
        self._context = context
        self._trust = trust
        self._handshakes = handshakes
        self._log = log
        self._certificates: Sequence[Finding] = ()

    def look_at_certificates(self) -> None:
        """Read the certificate files anew; not on the event loop."""
        files = sorted((self._context.settings.data / "certs").glob("*.pem"))
        self._certificates = [
            Finding("error" if finding.is_expired else "warning", finding.message)
            for finding in watch(files, self._trust, now=self._context.clock())
        ]

    def __call__(self) -> Sequence[Finding]:
        """Errors first."""
        findings = [*self._profiles(), *self._certificates, *self._storage(), *self._refused()]
        return sorted(findings, key=lambda finding: finding.level != "error")

    def _profiles(self) -> Sequence[Finding]:
        return [
            Finding(
                "error", f"The vendor profile “{name}” is switched off because its folder is broken: {reason}"
            )
            for name, reason in self._context.profiles.broken.items()
        ]

    def _storage(self) -> Sequence[Finding]:
        free = shutil.disk_usage(self._context.settings.data).free
        findings = []
        if free < FREE_BYTES_WANTED:
            findings.append(
                Finding("error", f"Only {free // (1024 * 1024)} MiB are free on the disk of the data folder.")
            )
        if self._log.dropped:
            findings.append(
                Finding(
                    "warning", f"{self._log.dropped} entries of the provisioning log were dropped under load."
                )
            )
        return findings

    def _refused(self) -> Sequence[Finding]:
        """Phones that could not even connect: they leave no line in any provisioning log."""
        return [
            finding for kind, sentence in _HANDSHAKES.items() if (finding := self._failed(kind, sentence))
        ]

    def _failed(self, kind: str, sentence: str) -> Finding | None:
        count = sum(number for (known, _), number in self._handshakes.counts.items() if known == kind)
        newest = next((failure.cause for failure in self._handshakes.latest if failure.kind == kind), "")
        return (
            Finding("warning", sentence.format(count=count) + (f"; the newest: {newest}." if newest else "."))
            if count
            else None
        )
