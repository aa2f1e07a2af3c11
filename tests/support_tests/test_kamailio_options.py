import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from tests.support import sipp
from tests.support.door import Door
from tests.support.kamailio import Kamailio, Site
from tests.support.program import is_installed, until

TOKEN = "canary-token"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not is_installed("kamailio", "sipp"), reason="Kamailio or SIPp is not installed"),
]


def has(module: str) -> bool:
    return any(Path("/usr/lib").glob(f"*/kamailio/modules/{module}.so"))


def probe(*, event: str, target: str) -> Callable[[Kamailio], str]:
    """Sends a SUBSCRIBE and returns the first line of the answer."""

    def send(kamailio: Kamailio) -> str:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
            channel.bind(("127.0.0.1", 0))
            channel.settimeout(5)
            here = f"127.0.0.1:{channel.getsockname()[1]}"
            lines = [
                f"SUBSCRIBE sip:{target} SIP/2.0",
                f"Via: SIP/2.0/UDP {here};branch=z9hG4bK-probe",
                "Max-Forwards: 70",
                f"From: <sip:{target}>;tag=1",
                f"To: <sip:{target}>",
                "Call-ID: probe",
                "CSeq: 1 SUBSCRIBE",
                f"Contact: <sip:probe@{here}>",
                f"Event: {event}",
                "Expires: 60",
                "Content-Length: 0",
            ]
            channel.sendto("\r\n".join([*lines, "", ""]).encode(), (kamailio.address, kamailio.port))
            return channel.recv(4096).decode().splitlines()[0]

    return send


@pytest.mark.skipif(not has("presence_reginfo"), reason="the presence modules are not installed")
async def test_registrations_can_be_watched_by_listed_peers_alone(tmp_path: Path) -> None:
    subscribe = probe(event="reg", target="1001@tenant1.test")
    for watchers, answer in (("127.0.0.0/8", "SIP/2.0 200 OK"), ("192.0.2.1/32", "SIP/2.0 403 Forbidden")):
        site = Site(door="http://127.0.0.1:9/pbx/v1", token=TOKEN, watchers=watchers)
        async with Kamailio(tmp_path / watchers.replace("/", "-"), site, options=["WITH_PRES"]) as kamailio:
            assert await asyncio.to_thread(subscribe, kamailio) == answer


async def test_without_the_option_nobody_can_watch(tmp_path: Path) -> None:
    subscribe = probe(event="reg", target="1001@tenant1.test")
    async with Kamailio(tmp_path, Site(door="http://127.0.0.1:9/pbx/v1", token=TOKEN)) as kamailio:
        assert (await asyncio.to_thread(subscribe, kamailio)).startswith("SIP/2.0 407")


@pytest.mark.skipif(not has("sca"), reason="the sca module is not installed")
async def test_shared_appearances_ask_for_a_password(tmp_path: Path) -> None:
    subscribe = probe(event="call-info", target="1001@tenant1.test")
    site = Site(door="http://127.0.0.1:9/pbx/v1", token=TOKEN)
    async with Kamailio(tmp_path, site, options=["WITH_SCA", "WITH_PRES"]) as kamailio:
        assert (await asyncio.to_thread(subscribe, kamailio)).startswith("SIP/2.0 407")
        assert await asyncio.to_thread(kamailio.rpc, "sca.all_subscriptions") is not None


@pytest.mark.skipif(not has("tls"), reason="the tls module is not installed")
async def test_sip_over_tls_shows_the_certificate_of_the_site(tmp_path: Path) -> None:
    ca = trustme.CA()
    issued = ca.issue_cert("sip.tenant1.test")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    issued.private_key_pem.write_to_path(key)
    issued.cert_chain_pems[0].write_to_path(certificate)
    site = Site(door="http://127.0.0.1:9/pbx/v1", token=TOKEN, tls_key=key, tls_certificate=certificate)
    context = ssl.create_default_context()
    ca.configure_trust(context)

    def greet(kamailio: Kamailio) -> str:
        with (
            socket.create_connection((kamailio.address, kamailio.tls_port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname="sip.tenant1.test") as channel,
        ):
            return channel.version() or ""

    async with Kamailio(tmp_path / "kamailio", site, options=["WITH_TLS"]) as kamailio:
        assert (await asyncio.to_thread(greet, kamailio)) in {"TLSv1.2", "TLSv1.3"}


@pytest.mark.parametrize(("trusted", "code"), [(True, 0), (False, 1)])
async def test_the_door_over_https_is_checked_against_the_ca_of_the_site(
    tmp_path: Path, *, trusted: bool, code: int
) -> None:
    ca, stranger = trustme.CA(), trustme.CA()
    ca_file = tmp_path / "ca.pem"
    (ca if trusted else stranger).cert_pem.write_to_path(ca_file)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("localhost").configure_cert(context)
    async with Door({"1001": "right"}, token=TOKEN, tls=context) as door:
        site = Site(door=door.url, token=TOKEN, ca_file=ca_file)
        async with Kamailio(tmp_path / "kamailio", site) as kamailio:
            outcome = await sipp.run_beside(
                "register",
                f"{kamailio.address}:{kamailio.port}",
                folder=tmp_path / "sipp",
                rows=[sipp.login("1001", "right")],
                keys={"domain": "tenant1.test", "expires": "60"},
                seconds=10,
            )
            assert outcome.code == code, outcome.errors
            if trusted:
                await until(lambda: door.of("register"), what="the event")
            else:
                assert "503 Account server not reachable" in outcome.errors
                assert door.look_ups == []
