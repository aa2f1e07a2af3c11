from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from provisioner.clock import Clock
from provisioner.model.mac import Mac
from provisioner.pki.authority import Authority, PairFiles
from provisioner.pki.trust import load_trust
from provisioner.pki.watch import expiring, watch

At = Callable[[float], Clock]
MAC = Mac.parse("00041312AB34")


def test_only_what_runs_out_is_told_and_the_most_urgent_first(
    authority: Authority, now: datetime, at: At
) -> None:
    certificates = [
        (f"{days} days", authority.issue_device(MAC, days=days).certificate) for days in (400, 20, 31, 5)
    ]
    found = expiring(certificates, now=now, days=30)
    assert [(finding.label, finding.days_left, finding.is_expired) for finding in found] == [
        ("5 days", 5, False),
        ("20 days", 20, False),
    ]
    assert f"expires on {at(5)():%Y-%m-%d}" in found[0].message


def test_what_is_over_is_told_as_over(ca_folder: Path, now: datetime, at: At) -> None:
    old = Authority.load(ca_folder, clock=at(-100)).issue_device(MAC, days=30).certificate
    [finding] = expiring([("phone", old)], now=now)
    assert finding.is_expired
    assert f"expired on {at(-70)():%Y-%m-%d}" in finding.message


def test_files_and_anchors_are_watched_together(authority: Authority, tmp_path: Path, now: datetime) -> None:
    files = authority.issue_server(["x.example"], days=10).save(PairFiles.at(tmp_path, "server"))
    anchors = tmp_path / "anchors"
    (anchors / "acme").mkdir(parents=True)
    (anchors / "acme" / "ca.pem").write_text("nonsense")
    trust = load_trust(tmp_path / "absent.toml", anchors, own=authority.certificate)
    found = watch([files.certificate, tmp_path / "gone.pem"], trust, now=now)
    assert [finding.is_expired for finding in found] == [True, True, False]
    assert [finding.label for finding in found[2:]] == ["server.pem"]
    later = watch([], trust, now=authority.certificate.not_valid_after_utc)
    assert "trust anchor of this server" in {finding.label for finding in later}


def test_an_anchor_is_told_a_year_ahead(authority: Authority, tmp_path: Path, now: datetime, at: At) -> None:
    trust = load_trust(tmp_path / "absent.toml", tmp_path / "absent", own=authority.certificate)
    assert watch([], trust, now=now) == []
    [finding] = watch([], trust, now=at(20 * 365 - 1000 - 300)())
    assert finding.days_left == 300
