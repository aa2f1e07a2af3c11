"""Which authorities speak for phones, and what a phone's certificate says: its MAC address, or why it says none.

Anchors are files, `<folder>/<vendor>/*.pem`; what is known about a vendor's certificates (the field with the MAC,
names of issuing authorities) is data in `anchors.toml`. A vendor without an entry gets the usual form: CN = MAC.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from provisioner.errors import CannotStart
from provisioner.model.mac import Mac
from provisioner.pki.certificate import read_certificates
from provisioner.pki.names import Parts, mac_in, parse_name, parts_of

OWN = "own"
REMEMBERED = 2048  # certificates of phones that were looked at lately
LONGEST_SHOWN = 300


@dataclass(frozen=True, slots=True)
class VendorRule:
    """What is known about one vendor's certificates."""

    vendor: str
    label: str
    field: str = "CN"
    issuers: tuple[Parts, ...] = ()


@dataclass(frozen=True, slots=True)
class Anchor:
    """An authority that is believed, for the devices of one vendor."""

    rule: VendorRule
    certificate: x509.Certificate
    path: str = ""


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """A verified client certificate. `mac` none: it does not say which phone this is, and `reason` tells why."""

    mac: Mac | None
    vendor: str  # id of the vendor rule, "own", or "" when the issuer is not known
    subject: str
    issuer: str
    not_after: datetime | None = None
    reason: str = ""


@dataclass(frozen=True)
class Trust:
    """All anchors. `broken`: files that could not be used, with the reason; for health, never fatal."""

    anchors: tuple[Anchor, ...]
    rules: tuple[VendorRule, ...] = ()
    broken: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "identify_der", lru_cache(maxsize=REMEMBERED)(self.identify_der))

    @property
    def pem(self) -> str:
        """Every anchor, for a TLS context."""
        return "".join(
            anchor.certificate.public_bytes(serialization.Encoding.PEM).decode() for anchor in self.anchors
        )

    def identify_der(self, der: bytes) -> PeerCertificate:
        """What a certificate says whose chain the TLS layer has verified against these anchors. Never raises."""
        try:
            return self._identify(x509.load_der_x509_certificate(der))
        except ValueError:
            return PeerCertificate(None, "", "", "", reason="the certificate cannot be read")

    def _identify(self, certificate: x509.Certificate) -> PeerCertificate:
        rule = self._rule_of_signature(certificate) or self._rule_of_issuer(parts_of(certificate.issuer))
        return _judge(
            parts_of(certificate.subject),
            rule,
            subject=certificate.subject.rfc4514_string(),
            issuer=certificate.issuer.rfc4514_string(),
            not_after=certificate.not_valid_after_utc,
        )

    def _rule_of_signature(self, certificate: x509.Certificate) -> VendorRule | None:
        for anchor in self.anchors:
            if anchor.certificate.subject == certificate.issuer and _is_signed_by(
                certificate, anchor.certificate
            ):
                return anchor.rule
        return None

    def _rule_of_issuer(self, issuer: Parts) -> VendorRule | None:
        """For intermediate authorities that the phone sends along: known by name, below an anchor of that vendor."""
        installed = {anchor.rule.vendor for anchor in self.anchors}
        for rule in self.rules:
            if rule.vendor in installed and any(set(known) <= set(issuer) for known in rule.issuers):
                return rule
        return None


def load_trust(facts: Path, folder: Path, *, own: x509.Certificate | None = None) -> Trust:
    """Read `anchors.toml` at `facts` (may be absent) and the anchors below `folder` (may be absent).

    CannotStart when `facts` is not valid; an anchor file that cannot be used is told in `broken`.
    """
    rules = {rule.vendor: rule for rule in _read_rules(facts)}
    anchors, broken = [], {}
    for path in sorted(folder.glob("*/*")):
        if path.suffix.lower() not in {".pem", ".crt", ".cer", ".der"}:
            continue
        vendor = path.parent.name
        rule = rules.get(vendor) or VendorRule(vendor, vendor)
        try:
            anchors += [Anchor(rule, certificate, str(path)) for certificate in _read_anchors(path)]
        except CannotStart as error:
            broken[str(path)] = error.detail
    if own is not None:
        anchors.append(Anchor(VendorRule(OWN, "this server"), own))
    return Trust(tuple(anchors), tuple(rules.values()), broken)


def _read_rules(path: Path) -> list[VendorRule]:
    if not path.exists():
        return []
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return [
            VendorRule(
                vendor=str(entry["id"]),
                label=str(entry["label"]),
                field=str(entry.get("field", "CN")),
                issuers=tuple(_checked_issuer(path, text) for text in entry.get("issuers", ())),
            )
            for entry in document.get("vendors", ())
        ]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CannotStart(f"{path} is not valid TOML: {error}", path=str(path)) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise CannotStart(
            f"{path}: a vendor needs id and label, and issuers as a list", path=str(path)
        ) from error


def _checked_issuer(path: Path, text: str) -> Parts:
    parts = parse_name(text)
    if not any(name == "CN" and value for name, value in parts):  # an empty name would match every issuer
        raise CannotStart(f"{path}: the issuer {text!r} names no CN", path=str(path))
    return parts


def _read_anchors(path: Path) -> list[x509.Certificate]:
    certificates = read_certificates(path)
    for certificate in certificates:
        if not _is_authority(certificate):
            raise CannotStart(f"{certificate.subject.rfc4514_string()} is not a certificate authority")
    return certificates


def _is_authority(certificate: x509.Certificate) -> bool:
    if certificate.version == x509.Version.v1:  # older than the extension: roots only
        return certificate.subject == certificate.issuer
    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except (x509.ExtensionNotFound, ValueError):
        return False


def _is_signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _judge(
    parts: Parts, rule: VendorRule | None, *, subject: str, issuer: str, not_after: datetime | None = None
) -> PeerCertificate:
    subject, issuer = subject[:LONGEST_SHOWN], issuer[:LONGEST_SHOWN]
    if rule is None:
        reason = "the certificate was issued by an authority that is not among the trust anchors"
        return PeerCertificate(None, "", subject, issuer, not_after, reason)
    mac = mac_in(parts, field=rule.field)
    if mac is None:
        reason = f"the certificate of {rule.label} has no MAC address in {rule.field}: it stands for a class of devices"
        return PeerCertificate(None, rule.vendor, subject, issuer, not_after, reason)
    return PeerCertificate(mac, rule.vendor, subject, issuer, not_after)
