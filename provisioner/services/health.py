"""What an operator should know about the server itself, in sentences."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from provisioner.pki.tls import FailedHandshakes
from provisioner.pki.trust import Trust
from provisioner.pki.watch import watch
from provisioner.services.context import Context
from provisioner.services.fetch_log import FetchLog

Level = Literal["error", "warning"]
FREE_BYTES_WANTED = 200 * 1024 * 1024


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
            Finding("error", f"The vendor profile “{name}” is switched off because its folder is broken: {reason}")
            for name, reason in self._context.profiles.broken.items()
        ]

    def _storage(self) -> Sequence[Finding]:
        free = shutil.disk_usage(self._context.settings.data).free
        findings = []
        if free < FREE_BYTES_WANTED:
            findings.append(Finding("error", f"Only {free // (1024 * 1024)} MiB are free on the disk of the data folder."))
        if self._log.dropped:
            findings.append(Finding("warning", f"{self._log.dropped} entries of the provisioning log were dropped under load."))
        return findings

    def _refused(self) -> Sequence[Finding]:
        certificates = sum(count for (kind, _), count in self._handshakes.counts.items() if kind == "certificate")
        if not certificates:
            return []
        newest = next((failure for failure in self._handshakes.latest if failure.kind == "certificate"), None)
        why = f"; the newest: {newest.cause}" if newest else ""
        return [Finding("warning", f"{certificates} connections were refused because of the phone's certificate{why}.")]
