from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from provisioner.clock import Clock
from provisioner.errors import CannotStart
from provisioner.model.mac import Mac
from provisioner.pki.authority import Authority
from provisioner.pki.trust import Trust, load_trust

SHIPPED = Path(__file__).parents[2] / "certs" / "anchors.toml"
MAC = Mac.parse("00041312AB34")
NOW = datetime.now(UTC).replace(microsecond=0)  # real handshakes go by the real date


def at(days: float) -> Clock:
    return lambda: NOW + timedelta(days=days)


DER = serialization.Encoding.DER
PEM = serialization.Encoding.PEM


def certificate(
    subject: list[tuple[x509.ObjectIdentifier, str]],
    issuer: x509.Certificate | None = None,
    issuer_key: ec.EllipticCurvePrivateKey | None = None,
    *,
    is_authority: bool = False,
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(field, value) for field, value in subject])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=100))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(issuer_key or key, hashes.SHA256())
    )
    return made, key


@pytest.fixture
def anchors(tmp_path: Path) -> Path:
    return tmp_path / "anchors"


def install(anchors: Path, vendor: str, *certificates: x509.Certificate) -> None:
    (anchors / vendor).mkdir(parents=True, exist_ok=True)
    content = b"".join(item.public_bytes(PEM) for item in certificates)
    (anchors / vendor / "ca.pem").write_bytes(content)


def test_without_any_anchor_nobody_is_identified(authority: Authority, anchors: Path) -> None:
    trust = load_trust(SHIPPED, anchors)
    assert (trust.anchors, trust.pem, dict(trust.broken)) == ((), "", {})
    peer = trust.identify_der(authority.issue_device(MAC).certificate.public_bytes(DER))
    assert (peer.mac, peer.vendor) == (None, "")
    assert "not among the trust anchors" in peer.reason


def test_a_certificate_of_our_own_authority_names_its_device(authority: Authority, anchors: Path) -> None:
    trust = load_trust(SHIPPED, anchors, own=authority.certificate)
    issued = authority.issue_device(MAC).certificate
    peer = trust.identify_der(issued.public_bytes(DER))
    assert (peer.mac, peer.vendor, peer.reason) == (MAC, "own", "")
    assert peer.not_after == issued.not_valid_after_utc


def test_the_name_of_an_anchor_without_its_signature_is_nothing(
    authority: Authority, anchors: Path, tmp_path: Path
) -> None:
    impostor = Authority.create(tmp_path / "impostor", name="Test Authority", clock=at(0))
    trust = load_trust(SHIPPED, anchors, own=authority.certificate)
    peer = trust.identify_der(impostor.issue_device(MAC).certificate.public_bytes(DER))
    assert (peer.mac, peer.vendor) == (None, "")


def test_a_vendor_folder_is_enough(anchors: Path) -> None:
    ca, key = certificate([(NameOID.COMMON_NAME, "Acme Phones")], is_authority=True)
    install(anchors, "acme", ca)
    phone, _ = certificate([(NameOID.COMMON_NAME, "00:04:13:12:ab:34")], ca, key)
    peer = load_trust(SHIPPED, anchors).identify_der(phone.public_bytes(DER))
    assert (peer.mac, peer.vendor) == (MAC, "acme")


def test_a_certificate_for_a_class_of_phones_identifies_none(anchors: Path) -> None:
    ca, key = certificate([(NameOID.COMMON_NAME, "Yealink Root CA")], is_authority=True)
    install(anchors, "yealink", ca)
    phone, _ = certificate([(NameOID.COMMON_NAME, "Yealink Generic 00041312AB34")], ca, key)
    peer = load_trust(SHIPPED, anchors).identify_der(phone.public_bytes(DER))
    assert (peer.mac, peer.vendor) == (None, "yealink")
    assert (
        peer.reason == "the certificate of Yealink has no MAC address in CN: it stands for a class of devices"
    )


def test_the_field_with_the_mac_is_data(anchors: Path, tmp_path: Path) -> None:
    facts = tmp_path / "anchors.toml"
    facts.write_text('[[vendors]]\nid = "acme"\nlabel = "Acme"\nfield = "serialNumber"\n')
    ca, key = certificate([(NameOID.COMMON_NAME, "Acme Phones")], is_authority=True)
    install(anchors, "acme", ca)
    names = [(NameOID.COMMON_NAME, "0004135678AB"), (NameOID.SERIAL_NUMBER, "00041312AB34")]
    phone, _ = certificate(names, ca, key)
    assert load_trust(facts, anchors).identify_der(phone.public_bytes(DER)).mac == MAC


def test_an_issuer_below_an_installed_anchor_is_known_by_name(anchors: Path) -> None:
    root, root_key = certificate([(NameOID.COMMON_NAME, "Yealink Root CA")], is_authority=True)
    middle, middle_key = certificate(
        [(NameOID.COMMON_NAME, "Yealink Equipment Issuing CA"), (NameOID.ORGANIZATION_NAME, "Yealink")],
        root,
        root_key,
        is_authority=True,
    )
    phone, _ = certificate([(NameOID.COMMON_NAME, MAC.digits)], middle, middle_key)
    assert load_trust(SHIPPED, anchors).identify_der(phone.public_bytes(DER)).mac is None
    install(anchors, "yealink", root)
    peer = load_trust(SHIPPED, anchors).identify_der(phone.public_bytes(DER))
    assert (peer.mac, peer.vendor) == (MAC, "yealink")


@pytest.fixture
def snom(anchors: Path) -> Trust:
    install(anchors, "snom", certificate([(NameOID.COMMON_NAME, "Snom Root")], is_authority=True)[0])
    return load_trust(SHIPPED, anchors)


@pytest.mark.parametrize(
    ("names", "vendor"),
    [
        (
            [
                (NameOID.COUNTRY_NAME, "DE"),
                (NameOID.STATE_OR_PROVINCE_NAME, "Berlin"),
                (NameOID.LOCALITY_NAME, "Berlin"),
                (NameOID.ORGANIZATION_NAME, "Snom Technology AG"),
                (NameOID.COMMON_NAME, "Snom Phone 1"),
            ],
            "snom",
        ),
        (
            [
                (NameOID.COUNTRY_NAME, "DE"),
                (NameOID.ORGANIZATION_NAME, "snom technology AG"),
                (NameOID.COMMON_NAME, "Snom Phone 1 SHA-256"),
                (NameOID.EMAIL_ADDRESS, "security@snom.com"),
            ],
            "snom",
        ),
        ([(NameOID.COMMON_NAME, "Snom Phone 1")], ""),
        ([(NameOID.COMMON_NAME, "Snom Phone 12"), (NameOID.ORGANIZATION_NAME, "Snom Technology AG")], ""),
        ([(NameOID.COMMON_NAME, "Evil")], ""),
    ],
)
def test_an_authority_below_an_anchor_is_known_by_all_of_its_name(
    snom: Trust, names: list[tuple[x509.ObjectIdentifier, str]], vendor: str
) -> None:
    middle, key = certificate(names, is_authority=True)
    phone, _ = certificate([(NameOID.COMMON_NAME, MAC.digits)], middle, key)
    peer = snom.identify_der(phone.public_bytes(DER))
    assert (peer.mac, peer.vendor) == (MAC if vendor else None, vendor)


def test_unusable_anchors_are_told_and_the_others_work(anchors: Path) -> None:
    ca, _ = certificate([(NameOID.COMMON_NAME, "Acme Phones")], is_authority=True)
    leaf, _ = certificate([(NameOID.COMMON_NAME, "a leaf")])
    install(anchors, "acme", ca)
    install(anchors, "leaf", leaf)
    install(anchors, "broken")
    (anchors / "acme" / "README.txt").write_text("not a certificate")
    (anchors / "acme" / "binary.cer").write_bytes(ca.public_bytes(DER))
    trust = load_trust(SHIPPED, anchors)
    assert [anchor.rule.vendor for anchor in trust.anchors] == ["acme", "acme"]
    assert {Path(path).parent.name: reason for path, reason in trust.broken.items()} == {
        "leaf": "CN=a leaf is not a certificate authority",
        "broken": f"{anchors}/broken/ca.pem holds no readable certificate",
    }


@pytest.mark.parametrize(
    "content",
    [
        "nonsense",
        "[[vendors]]\nid='x'",
        "vendors = 3",
        "[[vendors]]\nid='x'\nlabel='x'\nissuers=['']",
        "vendors=['x']",
    ],
)
def test_a_broken_fact_file_stops_the_start(tmp_path: Path, anchors: Path, content: str) -> None:
    facts = tmp_path / "anchors.toml"
    facts.write_text(content)
    with pytest.raises(CannotStart, match=r"anchors\.toml"):
        load_trust(facts, anchors)


@pytest.mark.parametrize("der", [b"", b"nonsense", b"\x30\x82\x00\x00"])
def test_bytes_that_are_no_certificate_are_nothing(snom: Trust, der: bytes) -> None:
    assert snom.identify_der(der).reason == "the certificate cannot be read"


def test_long_names_are_cut_for_display(anchors: Path) -> None:
    units = [(NameOID.ORGANIZATIONAL_UNIT_NAME, "x" * 60)] * 8
    phone, _ = certificate([(NameOID.COMMON_NAME, MAC.digits), *units])
    assert len(load_trust(SHIPPED, anchors).identify_der(phone.public_bytes(DER)).subject) == 300
