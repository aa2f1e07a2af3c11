"""A phone proves who it is with its certificate; curl and nginx play phone and proxy."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from provisioner.clock import SteppedClock, system_clock
from provisioner.model import Mac
from provisioner.pki.authority import Authority, Issued, PairFiles
from provisioner.services.files.fetch_words import fetch_sentence
from tests.support.lab import Phone, fetches, register
from tests.support.nginx import Nginx
from tests.support.ports import free_port, loopback
from tests.support.program import is_installed
from tests.support.server import RunningServer, running_server

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not is_installed("curl"), reason="curl is not installed"),
]

A, B = "000413CE0001", "000413CE0002"
LONG_AGO = datetime(2015, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Answer:
    """What curl got. `code` 0 is its success; without an answer `status` is 0 and `error` holds its words."""

    code: int
    status: int
    body: str
    error: str


@dataclass(frozen=True)
class Place:
    running: RunningServer
    phones: dict[str, Phone]
    folder: Path

    def pair(self, name: str, issued: Issued) -> tuple[str, ...]:
        """Curl's options for showing this certificate."""
        files = issued.save(PairFiles.at(self.folder, name))
        return ("--cert", str(files.certificate), "--key", str(files.key))

    def own(self, mac: str, *, at: datetime | None = None, days: int = 30) -> tuple[str, ...]:
        """One of the server's own authority, made at that moment."""
        clock = SteppedClock(at) if at else system_clock
        authority = Authority.load(self.running.ca_path.parent, clock=clock)
        return self.pair(f"{mac}-{days}", authority.issue_device(Mac.parse(mac), days=days))

    async def get(self, mac: str, *options: str, base: str = "") -> Answer:
        return await curl(self, f"{base or self.running.https_url}/p/{mac}.xml", *options)

    async def reasons(self, mac: str) -> list[str]:
        return [fetch.reason for fetch in await fetches(self.running, self.phones[mac].id)]

    def health(self) -> list[str]:
        return [finding.sentence for finding in self.running.server.health()]


async def curl(place: Place, url: str, *options: str) -> Answer:
    """One GET with curl's own TLS; it trusts our authority alone."""
    body = place.folder / "body"
    body.unlink(missing_ok=True)
    quiet = ("--disable", "--silent", "--show-error", "--noproxy", "*", "--max-time", "20")
    what = ("--cacert", str(place.running.ca_path), "--output", str(body), "--write-out", "%{http_code}")
    process = await asyncio.create_subprocess_exec(
        *("curl", *quiet, *what, *options, url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    text = body.read_text() if body.exists() else ""
    return Answer(process.returncode or 0, int(out or b"0"), text, error.decode())


@asynccontextmanager
async def place_with(folder: Path, *, policy: str = "certificate", **settings: Any) -> AsyncIterator[Place]:
    """Two devices that must show a certificate, unless the policy is another one."""
    asked = {"policy": policy, "client_certificates": "ask", **settings}
    async with running_server(folder / "data", **asked) as running:
        phones = {mac: await register(running, "snom", "D785", mac) for mac in (A, B)}
        (folder / "phones").mkdir()
        yield Place(running, phones, folder / "phones")


async def test_a_certificate_opens_its_own_file_and_never_anothers(tmp_path: Path, database_url: str) -> None:
    async with place_with(tmp_path, database=database_url) as place:
        certificate = place.own(A)
        mine = await place.get(A, *certificate)
        assert (mine.code, mine.status) == (0, 200)
        assert place.phones[A].account in mine.body
        assert await place.reasons(A) == ["allowed"]

        others = await place.get(B, *certificate)
        assert (others.code, others.status, others.body) == (0, 401, "")
        [refused] = await fetches(place.running, place.phones[B].id)
        words = fetch_sentence(refused).lower()
        assert words == f"the client certificate is for another mac address: {Mac.parse(A).pretty}".lower()

        none = await place.get(A)
        assert (none.code, none.status, none.body) == (0, 401, "")
        assert await place.reasons(A) == ["allowed", "no-certificate"]
        password = f"{place.phones[A].username}:{place.phones[A].password}"
        assert (await place.get(A, "--user", password)).status == 401, "a password is no certificate"


async def test_expired_and_foreign_certificates_are_refused_and_health_says_why(tmp_path: Path) -> None:
    stranger = Authority.create(tmp_path / "stranger", name="Somebody else", clock=system_clock)
    async with place_with(tmp_path) as place:
        expired = place.own(A, at=LONG_AGO, days=30)
        foreign = place.pair("foreign", stranger.issue_device(Mac.parse(A)))
        anchors = "the phone's certificate comes from an authority that is not among the trust anchors"
        for options, cause in ((expired, "the phone's certificate has expired"), (foreign, anchors)):
            for version in (("--tls-max", "1.2"), ("--tlsv1.3",)):
                before = len(place.running.server.handshakes.latest)
                answer = await place.get(A, *options, *version)
                assert answer.code != 0, "curl got through"
                assert (answer.status, answer.body) == (0, "")
                latest = place.running.server.handshakes.latest
                assert [failure.cause for failure in latest[: len(latest) - before]] == [cause]
            assert any(cause in sentence for sentence in place.health())
        assert await place.reasons(A) == [], "nobody came as far as a request"


async def test_an_expired_factory_certificate_identifies_where_the_operator_accepts_that(
    tmp_path: Path,
) -> None:
    async with place_with(tmp_path, accept_expired_certificates=True) as place:
        certificate = place.own(A, at=LONG_AGO, days=30)
        assert (await place.get(A, *certificate)).status == 200
        assert (await place.get(B, *certificate)).status == 401


NGINX = """
server {{
  listen {address}:{port} ssl;
  ssl_certificate {certificate};
  ssl_certificate_key {key};
  ssl_client_certificate {ca};
  ssl_verify_client optional;
  location / {{
    proxy_pass {backend};
    proxy_http_version 1.1;
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-SSL-Client-Verify $ssl_client_verify;
    proxy_set_header X-SSL-Client-S-DN $ssl_client_s_dn;
  }}
}}
"""


@asynccontextmanager
async def behind_nginx(place: Place) -> AsyncIterator[str]:
    """The https address of a proxy in front of the server's plain listener."""
    folder = place.folder / "nginx"
    folder.mkdir()
    port = free_port()
    authority = Authority.load(place.running.ca_path.parent, clock=system_clock)
    pair = authority.issue_server(["localhost"]).save(PairFiles.at(folder, "proxy"))
    values = {
        "address": "127.0.0.1",
        "port": port,
        "certificate": pair.certificate,
        "key": pair.key,
        "ca": place.running.ca_path,
        "backend": place.running.http_url,
    }
    user = "root" if os.geteuid() == 0 else ""
    async with Nginx(folder, NGINX.format(**values), address="127.0.0.1", port=port, user=user):
        yield f"https://localhost:{port}"


@pytest.mark.skipif(not is_installed("nginx"), reason="nginx is not installed")
async def test_behind_a_trusted_proxy_the_phones_own_address_counts_and_tls_is_believed(
    tmp_path: Path,
) -> None:
    async with place_with(
        tmp_path, policy="password", trusted_proxies=(IPv4Network("127.0.0.1/32"),)
    ) as place:
        phone = place.phones[A]
        office = loopback()
        login = ("--user", f"{phone.username}:{phone.password}", "--digest", "--interface", office)
        async with behind_nginx(place) as base:
            answer = await place.get(A, *login, base=base)
            assert (answer.status, phone.account in answer.body) == (200, True)
            lying = await place.get(A, "--interface", office, "-H", "X-Forwarded-For: 192.0.2.7", base=base)
            assert lying.status == 401
        log = await fetches(place.running, phone.id)
        assert {fetch.source for fetch in log} == {office}
        assert log[-2].reason == "allowed"


@pytest.mark.skipif(not is_installed("nginx"), reason="nginx is not installed")
async def test_what_somebody_who_is_no_trusted_proxy_says_about_a_request_is_not_believed(
    tmp_path: Path,
) -> None:
    async with place_with(
        tmp_path, policy="password", trusted_proxies=(IPv4Network("192.0.2.0/24"),)
    ) as place:
        async with behind_nginx(place) as base:
            assert (await place.get(A, base=base)).status == 403, "to us it was plain http"
        assert await place.reasons(A) == ["needs-tls"]


@pytest.mark.skipif(not is_installed("nginx"), reason="nginx is not installed")
async def test_a_certificate_that_a_proxy_only_talks_about_opens_nothing(tmp_path: Path) -> None:
    async with place_with(tmp_path, trusted_proxies=(IPv4Network("127.0.0.1/32"),)) as place:
        async with behind_nginx(place) as base:
            answer = await place.get(A, *place.own(A), base=base)
        assert (answer.code, answer.status, answer.body) == (0, 401, "")
        assert await place.reasons(A) == ["no-certificate"]
