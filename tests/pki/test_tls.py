import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvloop
from aiohttp import web

from provisioner.clock import Clock
from provisioner.errors import CannotStart
from provisioner.model.mac import Mac
from provisioner.pki.authority import Authority, PairFiles, ensure_server_certificates
from provisioner.pki.tls import FailedHandshakes, HandshakeFailure, describe, server_context
from provisioner.pki.trust import Trust, load_trust

MAC = Mac.parse("00041312AB34")
OTHER = Mac.parse("00041399AB99")
NOW = datetime.now(UTC).replace(microsecond=0)  # real handshakes go by the real date


def at(days: float) -> Clock:
    return lambda: NOW + timedelta(days=days)


class House(NamedTuple):
    folder: Path
    ca: Path
    servers: list[PairFiles]
    trust: Trust


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    folder = tmp_path_factory.mktemp("pki")
    Authority.create(folder / "ca", name="Test Authority", clock=at(-1000))
    own = Authority.load(folder / "ca", clock=at(0))
    foreign = Authority.create(folder / "foreign", name="Foreign Authority", clock=at(-1000))
    servers = ensure_server_certificates(folder, own, names=["localhost", "127.0.0.1"], clock=at(0))
    own.issue_device(MAC).save(PairFiles.at(folder, "good"))
    own.issue_device(OTHER).save(PairFiles.at(folder, "other"))
    Authority.load(folder / "ca", clock=at(-100)).issue_device(MAC, days=30).save(
        PairFiles.at(folder, "expired")
    )
    Authority.load(folder / "ca", clock=at(10)).issue_device(MAC).save(PairFiles.at(folder, "early"))
    own.issue_server(["localhost"]).save(PairFiles.at(folder, "usage"))
    pair = (
        Authority.load(folder / "foreign", clock=at(0))
        .issue_device(MAC)
        .save(PairFiles.at(folder, "foreign"))
    )
    chain = PairFiles.at(folder, "foreign-chain")
    chain.key.write_bytes(pair.key.read_bytes())
    chain.certificate.write_bytes(pair.certificate.read_bytes() + foreign.pem)
    selfsigned = PairFiles.at(folder, "selfsigned")
    selfsigned.key.write_bytes((folder / "foreign" / "ca.key").read_bytes())
    selfsigned.certificate.write_bytes(foreign.pem)
    trust = load_trust(folder / "absent.toml", folder / "absent", own=own.certificate)
    return House(folder, folder / "ca" / "ca.pem", servers, trust)


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Awaitable[Any]], Any]:
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def runner(work: Awaitable[Any]) -> Any:
        async def main() -> Any:
            return await asyncio.wait_for(work, 20)

        with asyncio.Runner(loop_factory=factory) as loop:
            return loop.run(main())

    return runner


class Seen(NamedTuple):
    answer: str  # what the handler saw, "" when the connection was dropped
    failures: list[HandshakeFailure]


def client(house: House, name: str = "none") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=house.ca)
    if name != "none":
        pair = PairFiles.at(house.folder, name)
        context.load_cert_chain(pair.certificate, pair.key)
    return context


async def ask(port: int, context: ssl.SSLContext | None) -> str:
    try:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname="localhost" if context else None
        )
    except (ssl.SSLError, OSError):
        return ""
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return (await reader.read()).decode().partition("\r\n\r\n")[2]
    except (ssl.SSLError, OSError):
        return ""
    finally:
        writer.close()


def ask_blocking(port: int, context: ssl.SSLContext) -> str:
    """A peer that, other than asyncio's, says goodbye with a TLS alert, as phones do."""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as raw,
            context.wrap_socket(raw, server_hostname="localhost") as peer,
        ):
            return str(peer.version())
    except (ssl.SSLError, OSError):
        return ""


async def visit(house: House, context: ssl.SSLContext | None, **options: Any) -> Seen:
    """One request to an aiohttp server that says which MAC it saw."""
    sink = FailedHandshakes()
    is_blocking = options.pop("is_blocking", False)

    async def handler(request: web.BaseRequest) -> web.Response:
        assert request.transport is not None
        tls = request.transport.get_extra_info("ssl_object")
        der = tls.getpeercert(binary_form=True)
        peer = house.trust.identify_der(der) if der else None
        return web.Response(text=f"{tls.version()} {tls.cipher()[0]} {peer.mac if peer else None}")

    server_side = server_context(
        options.pop("pairs", house.servers), clock=at(0), sink=sink, anchors=house.trust.pem, **options
    )
    runner = web.ServerRunner(web.Server(handler))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_side)
    await site.start()
    try:
        port = runner.addresses[0][1]
        if is_blocking:
            assert context is not None
            answer = await asyncio.to_thread(ask_blocking, port, context)
        else:
            answer = await ask(port, context)
    finally:
        await runner.cleanup()
    return Seen(answer, sink.latest)


Run = Callable[[Awaitable[Any]], Any]


@pytest.mark.parametrize(("name", "mac"), [("good", str(MAC)), ("other", str(OTHER)), ("none", "None")])
def test_a_phone_is_seen_as_who_it_is(run: Run, house: House, name: str, mac: str) -> None:
    seen = run(visit(house, client(house, name)))
    assert seen.answer.endswith(f" {mac}")
    assert seen.failures == []


class Refusal(NamedTuple):
    name: str
    code: int
    cause: str


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal("expired", 10, "has expired"),
        Refusal("early", 9, "not valid yet"),
        Refusal("foreign", 20, "not among the trust anchors"),
        Refusal("foreign-chain", 19, "not among the trust anchors"),
        Refusal("selfsigned", 18, "self-signed"),
        Refusal("usage", 26, "not meant for clients"),
    ],
)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_bad_certificate_is_refused_and_the_reason_is_seen(
    run: Run, house: House, refusal: Refusal, version: ssl.TLSVersion
) -> None:
    context = client(house, refusal.name)
    context.minimum_version = context.maximum_version = version
    seen = run(visit(house, context))
    assert seen.answer == ""
    [failure] = seen.failures
    assert (failure.kind, failure.code, failure.at) == ("certificate", refusal.code, NOW)
    assert refusal.cause in failure.cause
    assert failure.text


@pytest.mark.parametrize("name", ["expired", "early"])
def test_dates_can_be_left_unchecked_as_a_policy(run: Run, house: House, name: str) -> None:
    seen = run(visit(house, client(house, name), check_dates=False))
    assert seen.answer.endswith(f" {MAC}")


@pytest.mark.parametrize("name", ["foreign", "selfsigned", "usage"])
def test_unchecked_dates_excuse_nothing_else(run: Run, house: House, name: str) -> None:
    assert run(visit(house, client(house, name), check_dates=False)).answer == ""


@pytest.mark.parametrize(
    ("cipher", "kind"), [("ECDHE-ECDSA-AES128-GCM-SHA256", 0), ("ECDHE-RSA-AES128-GCM-SHA256", 1)]
)
def test_both_server_certificates_are_offered(run: Run, house: House, cipher: str, kind: int) -> None:
    context = client(house)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(cipher)
    assert cipher in run(visit(house, context)).answer
    only_the_other_kind = run(visit(house, context, pairs=[house.servers[1 - kind]]))
    assert only_the_other_kind.answer == ""
    assert "no cipher in common" in only_the_other_kind.failures[0].cause


def test_a_phone_that_does_not_know_our_authority_is_told_apart(run: Run, house: House) -> None:
    stranger = ssl.create_default_context(cafile=house.folder / "foreign" / "ca.pem")
    seen = run(visit(house, stranger, is_blocking=True))
    assert seen.answer == ""
    [failure] = seen.failures
    assert failure.kind == "refused"
    assert failure.cause == "the phone does not know the authority of this server's certificate"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_old_tls_is_refused_with_a_reason(run: Run, house: House) -> None:
    context = client(house)
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    seen = run(visit(house, context))
    assert seen.answer == ""
    assert seen.failures[0].cause == "the phone only speaks TLS versions older than 1.2"


def test_plain_http_at_the_tls_port_is_recognised(run: Run, house: House) -> None:
    seen = run(visit(house, None))
    assert [failure.cause for failure in seen.failures] == ["plain http was spoken to the https port"]


def test_only_http_1_1_is_agreed_on_and_no_ticket_is_given(run: Run, house: House) -> None:
    context = client(house, "good")
    context.set_alpn_protocols(["h2", "http/1.1"])
    assert run(visit(house, context)).answer.startswith("TLSv1.3")
    made = server_context(house.servers, clock=at(0), sink=FailedHandshakes(), tickets=1)
    assert made.num_tickets == 1
    assert made.verify_mode is ssl.CERT_NONE
    assert server_context(house.servers, clock=at(0), sink=FailedHandshakes()).num_tickets == 0


def test_failures_are_bounded_and_counted() -> None:
    sink = FailedHandshakes(keep=3)
    error = ssl.SSLError(1, "[SSL: HTTP_REQUEST] http request")
    error.reason = "HTTP_REQUEST"
    for day in range(10):
        sink(describe(error, at(day)()))
    assert [failure.at for failure in sink.latest] == [at(day)() for day in (9, 8, 7)]
    assert sink.counts == {("protocol", "plain http was spoken to the https port"): 10}


def test_unusable_files_stop_the_start(house: House, tmp_path: Path) -> None:
    mixed = PairFiles(house.servers[0].certificate, house.servers[1].key)
    for pairs in ([mixed], [PairFiles.at(tmp_path, "absent")]):
        with pytest.raises(CannotStart, match="cannot be used with its key"):
            server_context(pairs, clock=at(0), sink=FailedHandshakes())
    with pytest.raises(CannotStart, match="trust anchors"):
        server_context(house.servers, clock=at(0), sink=FailedHandshakes(), anchors="nonsense")
    with pytest.raises(CannotStart, match="no cipher"):
        server_context(house.servers, clock=at(0), sink=FailedHandshakes(), ciphers="NONSENSE")
