"""The installation's own certificate authority: server certificates, and device certificates with CN = MAC.

Nothing is revoked by list: a device that is deleted is refused by the database, whatever certificate it shows.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from provisioner.clock import Clock
from provisioner.errors import BadInput, CannotStart, Conflict
from provisioner.model.mac import Mac
from provisioner.pki.certificate import alternative_names, read_certificates
from provisioner.secrets import write_private

Algorithm = Literal["ecdsa", "rsa"]
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

CA_DAYS = 20 * 365  # phones keep the anchor for their whole life
SERVER_DAYS = 2 * 365
DEVICE_DAYS = 10 * 365
RENEW_DAYS = 30  # a server certificate with less left is issued anew
SLACK = timedelta(days=1)  # clocks of phones that have just started are behind
RSA_BITS = 2048  # the most that old phones check without a noticeable pause
_HOST = re.compile(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]{0,250}[A-Za-z0-9_])?\.?")
LONGEST_CN = 64  # RFC 5280, ub-common-name


@dataclass(frozen=True, slots=True)
class PairFiles:
    """Where a certificate (chain) and its private key lie."""

    certificate: Path
    key: Path

    @classmethod
    def at(cls, folder: Path, stem: str) -> "PairFiles":
        """`stem`.pem and `stem`.key in `folder`."""
        return cls(folder / f"{stem}.pem", folder / f"{stem}.key")


class Issued:
    """A certificate with its private key. The issuer is not sent along: whoever checks has it as the anchor."""

    def __init__(self, certificate: x509.Certificate, key: PrivateKey) -> None:
        self.certificate = certificate
        self._key = key

    def __repr__(self) -> str:
        return f"Issued({self.certificate.subject.rfc4514_string()!r})"

    @property
    def certificate_pem(self) -> bytes:
        """The certificate."""
        return _pem(self.certificate)

    @property
    def key_pem(self) -> bytes:
        """The private key, PKCS 8, not encrypted: only for a file with mode 0600 or for the device itself."""
        return _key_pem(self._key)

    def save(self, files: PairFiles) -> PairFiles:
        """Write both; the key (mode 0600) first, so that a certificate never stands without its key."""
        write_private(files.key, self.key_pem, replace=True)
        write_private(files.certificate, self.certificate_pem, replace=True)
        return files


class Authority:
    """An ECDSA P-256 authority in `ca.pem` and `ca.key` of one folder."""

    def __init__(self, certificate: x509.Certificate, key: PrivateKey, *, clock: Clock) -> None:
        self.certificate = certificate
        self._key = key
        self._clock = clock

    def __repr__(self) -> str:
        return f"Authority({self.certificate.subject.rfc4514_string()!r})"

    @classmethod
    def create(cls, folder: Path, *, name: str, clock: Clock) -> "Authority":
        """Make the authority `name` and write it. Conflict when the folder already has one."""
        files = PairFiles.at(folder, "ca")
        if files.key.exists() or files.certificate.exists():
            raise Conflict(f"there is already a certificate authority in {folder}")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        builder = _builder(subject, subject, key, now=clock(), days=CA_DAYS)
        usage = _usage(digital_signature=False, key_encipherment=False, key_cert_sign=True)
        certificate = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(key, hashes.SHA256())
        )
        write_private(files.key, _key_pem(key), replace=False)
        write_private(files.certificate, _pem(certificate), replace=False)
        return cls(certificate, key, clock=clock)

    @classmethod
    def load(cls, folder: Path, *, clock: Clock) -> "Authority":
        """Read the authority. CannotStart when it is absent, broken, or key and certificate do not belong together."""
        files = PairFiles.at(folder, "ca")
        certificate = read_certificates(files.certificate)[0]
        key = _read_key(files.key)
        if key.public_key() != certificate.public_key():
            raise CannotStart(f"{files.key} is not the key of {files.certificate}")
        return cls(certificate, key, clock=clock)

    @property
    def pem(self) -> bytes:
        """The authority's certificate: public, for phones and browsers."""
        return _pem(self.certificate)

    def issue_server(
        self, names: Sequence[str], *, algorithm: Algorithm = "ecdsa", days: int = SERVER_DAYS
    ) -> Issued:
        """A certificate for a TLS server with these host names and addresses; the first is its CN too.

        BadInput when there is no name, or one that a certificate cannot carry.
        """
        if not names:
            raise BadInput("a server certificate needs at least one name or address", field="names")
        key: PrivateKey = (
            ec.generate_private_key(ec.SECP256R1())
            if algorithm == "ecdsa"
            else rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
        )
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
        builder = self._leaf(
            _name(_canonical(names[0])[:LONGEST_CN]), key, days=days, use=ExtendedKeyUsageOID.SERVER_AUTH
        )
        return self._sign(builder.add_extension(alternatives, critical=False), key)

    def issue_device(self, mac: Mac, *, days: int = DEVICE_DAYS) -> Issued:
        """A client certificate for one device: CN is its MAC, twelve upper-case digits."""
        key = ec.generate_private_key(ec.SECP256R1())
        return self._sign(
            self._leaf(_name(mac.digits), key, days=days, use=ExtendedKeyUsageOID.CLIENT_AUTH), key
        )

    def _leaf(
        self, subject: x509.Name, key: PrivateKey, *, days: int, use: ObjectIdentifier
    ) -> x509.CertificateBuilder:
        is_rsa_server = isinstance(key, rsa.RSAPrivateKey)
        builder = _builder(subject, self.certificate.subject, key, now=self._clock(), days=days)
        # RFC 5280 4.2.1.1: byte for byte the authority's own identifier
        identifier = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                _usage(digital_signature=True, key_encipherment=is_rsa_server, key_cert_sign=False),
                critical=True,
            )
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
            )
        )

    def _sign(self, builder: x509.CertificateBuilder, key: PrivateKey) -> Issued:
        return Issued(builder.sign(self._key, hashes.SHA256()), key)


def ensure_server_certificates(
    folder: Path, authority: Authority, *, names: Sequence[str], clock: Clock
) -> list[PairFiles]:
    """The ECDSA and the RSA server certificate in `folder`; issued anew when absent, nearly over, or for other names.

    Where the operator put `public-ecdsa` or `public-rsa` (.pem with the chain, and .key), those are used and left alone.
    """
    theirs = [PairFiles.at(folder, f"public-{algorithm}") for algorithm in ("ecdsa", "rsa")]
    found = [files for files in theirs if files.certificate.exists() and files.key.exists()]
    for algorithm in ("ecdsa", "rsa") if not found else ():
        files = PairFiles.at(folder, f"server-{algorithm}")
        if not _is_current(files, authority, names=names, now=clock()):
            authority.issue_server(names, algorithm=algorithm).save(files)
        found.append(files)
    return found


def _is_current(files: PairFiles, authority: Authority, *, names: Sequence[str], now: datetime) -> bool:
    if not (files.certificate.exists() and files.key.exists()):
        return False
    certificate = read_certificates(files.certificate)[0]
    return (
        set(alternative_names(certificate)) == {_canonical(name) for name in names}
        and certificate.issuer == authority.certificate.subject
        and certificate.not_valid_after_utc - now > timedelta(days=RENEW_DAYS)
        and _read_key(files.key).public_key() == certificate.public_key()
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PrivateKey, *, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SLACK)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, digital_signature: bool, key_encipherment: bool, key_cert_sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=key_cert_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(_canonical(name))


def _canonical(name: str) -> str:
    """As it stands in a certificate: addresses shortened, international names in their ASCII form."""
    try:
        return str(ip_address(name))
    except ValueError:
        pass
    try:
        host = name.encode("idna").decode() if not name.isascii() else name
    except UnicodeError:
        host = ""
    if not _HOST.fullmatch(host):
        raise BadInput(f"{name!r} is neither a host name nor an address", field="names")
    return host


def _read_key(path: Path) -> PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise CannotStart(f"cannot read the private key {path}: {error.strerror}", path=str(path)) from error
    except (ValueError, TypeError):
        raise CannotStart(f"{path} is not a private key without a password", path=str(path)) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise CannotStart(f"{path} is neither an ECDSA nor an RSA key", path=str(path))
    return key


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
