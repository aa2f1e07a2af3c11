from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from provisioner.clock import Clock, SteppedClock
from provisioner.errors import BadInput, CannotStart, Conflict
from provisioner.model.mac import Mac
from provisioner.pki.authority import Algorithm, Authority, PairFiles, ensure_server_certificates
from provisioner.pki.certificate import facts_of, read_certificates

MAC = Mac.parse("00041312AB34")
NOW = datetime.now(UTC).replace(microsecond=0)  # real handshakes go by the real date


def at(days: float) -> Clock:
    return lambda: NOW + timedelta(days=days)


NAMES = ("prov.example.net", "localhost", "127.0.0.1", "::1")


def test_the_authority_is_p256_and_may_only_sign_leaves(authority: Authority) -> None:
    key = authority.certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    limits = authority.certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert limits.critical
    assert (limits.value.ca, limits.value.path_length) == (True, 0)


def test_an_authority_is_made_once(ca_folder: Path) -> None:
    before = (ca_folder / "ca.key").read_bytes()
    with pytest.raises(Conflict):
        Authority.create(ca_folder, name="Another", clock=at(0))
    assert (ca_folder / "ca.key").read_bytes() == before


@pytest.mark.parametrize(("algorithm", "kind"), [("ecdsa", (False, 256)), ("rsa", (True, 2048))])
def test_a_server_certificate_carries_its_names(
    authority: Authority, algorithm: Algorithm, kind: tuple[bool, int]
) -> None:
    certificate = authority.issue_server(NAMES, algorithm=algorithm).certificate
    facts = facts_of(certificate)
    assert facts.names == NAMES
    assert facts.subject == "CN=prov.example.net"
    assert facts.issuer == "CN=Test Authority"
    assert facts.not_before <= NOW < facts.not_after
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey)
    assert (isinstance(key, rsa.RSAPublicKey), key.key_size) == kind
    certificate.verify_directly_issued_by(authority.certificate)
    uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_a_device_certificate_says_the_mac_and_is_for_clients_only(authority: Authority) -> None:
    certificate = authority.issue_device(MAC).certificate
    assert certificate.subject.rfc4514_string() == "CN=00041312AB34"
    uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_international_names_stand_in_their_ascii_form(authority: Authority) -> None:
    assert facts_of(authority.issue_server(["münchen.example"]).certificate).names == (
        "xn--mnchen-3ya.example",
    )


@pytest.mark.parametrize(
    "names", [[], [""], ["a b"], ["https://x"], ["x:8443"], ["x\n"], ["ü" * 300], ["-x"]]
)
def test_what_is_no_name_is_refused(authority: Authority, names: list[str]) -> None:
    with pytest.raises(BadInput):
        authority.issue_server(names)


def test_keys_are_private_files(authority: Authority, ca_folder: Path, tmp_path: Path) -> None:
    files = authority.issue_device(MAC).save(PairFiles.at(tmp_path, "device"))
    for key in (files.key, ca_folder / "ca.key"):
        assert key.stat().st_mode & 0o777 == 0o600
        assert b"PRIVATE KEY" in key.read_bytes()
    assert b"PRIVATE" not in files.certificate.read_bytes()


def test_nothing_that_is_printed_holds_a_key(authority: Authority) -> None:
    issued = authority.issue_device(MAC)
    assert "PRIVATE" not in repr(issued) + repr(authority)
    assert repr(issued) == "Issued('CN=00041312AB34')"


def test_a_key_of_another_certificate_is_refused(ca_folder: Path, tmp_path: Path) -> None:
    Authority.create(tmp_path / "other", name="Other", clock=at(0))
    (ca_folder / "ca.key").write_bytes((tmp_path / "other" / "ca.key").read_bytes())
    with pytest.raises(CannotStart, match="is not the key of"):
        Authority.load(ca_folder, clock=at(0))


@pytest.mark.parametrize("name", ["ca.pem", "ca.key"])
def test_an_absent_or_broken_file_is_named(ca_folder: Path, name: str) -> None:
    (ca_folder / name).write_text("nonsense")
    with pytest.raises(CannotStart, match=name):
        Authority.load(ca_folder, clock=at(0))
    (ca_folder / name).unlink()
    with pytest.raises(CannotStart, match=name):
        Authority.load(ca_folder, clock=at(0))


def serials(pairs: list[PairFiles]) -> list[int]:
    return [read_certificates(pair.certificate)[0].serial_number for pair in pairs]


def test_server_certificates_are_kept_until_they_run_out_or_the_names_change(
    authority: Authority, tmp_path: Path
) -> None:
    def ensure(names: tuple[str, ...], day: float) -> list[int]:
        return serials(ensure_server_certificates(tmp_path, authority, names=names, clock=at(day)))

    first = ensure(NAMES, 0)
    assert ensure(NAMES, 0) == first
    assert ensure(tuple(reversed(NAMES)), 600) == first
    assert not set(ensure(NAMES, 701)) & set(first)
    second = ensure(NAMES, 0)
    assert not set(ensure((*NAMES, "new.example.net"), 0)) & set(second)


def test_a_server_certificate_of_a_former_authority_is_replaced(authority: Authority, tmp_path: Path) -> None:
    other = Authority.create(tmp_path / "other", name="Other", clock=at(0))
    first = serials(ensure_server_certificates(tmp_path, authority, names=NAMES, clock=at(0)))
    assert not set(serials(ensure_server_certificates(tmp_path, other, names=NAMES, clock=at(0)))) & set(
        first
    )


def test_validity_starts_before_now_for_phones_whose_clock_is_behind(authority: Authority) -> None:
    assert authority.issue_server(["x.example"]).certificate.not_valid_before_utc <= NOW - timedelta(hours=12)


def test_certificates_that_the_operator_brought_are_used_and_left_alone(tmp_path: Path) -> None:
    clock = SteppedClock(datetime(2026, 11, 22, tzinfo=UTC))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "own").mkdir()
    public = Authority.create(tmp_path / "elsewhere", name="Somebody Else's CA", clock=clock)
    own = Authority.create(tmp_path / "own", name="Own CA", clock=clock)
    brought = public.issue_server(["prov.example.net"]).save(PairFiles.at(tmp_path / "own", "public-ecdsa"))
    before = brought.certificate.read_bytes()

    found = ensure_server_certificates(tmp_path / "own", own, names=["prov.example.net"], clock=clock)

    assert found == [brought]
    assert brought.certificate.read_bytes() == before
