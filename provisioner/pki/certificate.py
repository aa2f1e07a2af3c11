"""What a certificate says about itself, and reading certificates from files."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from provisioner.errors import CannotStart


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """A certificate for people: names in RFC 4514 form, times in UTC, the fingerprint as 64 hexadecimal digits."""

    subject: str
    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]  # host names and addresses it is valid for
    fingerprint: str


def facts_of(certificate: x509.Certificate) -> CertificateFacts:
    """The facts of one certificate."""
    return CertificateFacts(
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        serial=f"{certificate.serial_number:x}",
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        names=alternative_names(certificate),
        fingerprint=certificate.fingerprint(SHA256()).hex(),
    )


def alternative_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """DNS names and addresses of the subject alternative name; empty when there is none."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = (str(address) for address in found.get_values_for_type(x509.IPAddress))
    return (*found.get_values_for_type(x509.DNSName), *addresses)


def read_certificates(path: Path) -> list[x509.Certificate]:
    """Every certificate of a PEM file, or the one of a DER file. CannotStart when there is none or it is broken."""
    try:
        content = path.read_bytes()
        if b"-----BEGIN" in content:
            return x509.load_pem_x509_certificates(content)
        return [x509.load_der_x509_certificate(content)]
    except OSError as error:
        raise CannotStart(f"cannot read the certificate {path}: {error.strerror}", path=str(path)) from error
    except ValueError as error:
        raise CannotStart(f"{path} holds no readable certificate", path=str(path)) from error
