"""Overload, slow and oversized requests, a vendor folder that is broken, a proxy in between, and what reaches the log."""

import asyncio
import logging
import shutil
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import aiohttp
import pytest

from provisioner.clock import SteppedClock
from provisioner.errors import StorageFull
from provisioner.services.context import SYSTEM
from provisioner.services.devices.enrolment import enrol, get_device, reveal, update_device
from provisioner.services.operation import installation
from provisioner.services.people.tenants import update_tenant
from provisioner.web import listeners
from provisioner.web.phone.door import PhoneDoor
from tests.services.places import GOOD_PASSWORD, device_of
from tests.support.server import running_server
from tests.web.phone.conftest import Desk
from tests.web.phone.wire import Phone


async def test_headers_beyond_the_limit_are_431(desk: Desk) -> None:
    """T26."""
    assert (await desk.phone.ask(desk.path, headers={"X-Long": "x" * 20_000})).status == 431
    assert (
        await desk.phone.ask(desk.path, headers={f"X-{number}": "x" for number in range(200)})
    ).status == 431
    assert (await desk.fetch()).status == 200


async def test_what_is_not_http_is_400_without_a_word_about_the_inside(desk: Desk) -> None:
    reader, writer = await desk.phone.connect()
    writer.write(b"\x16\x03\x01 nonsense\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    assert answer.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))
    assert b"nonsense" not in answer
    assert b"Traceback" not in answer


async def test_no_answer_tells_what_the_server_is_made_of(desk: Desk) -> None:
    answers = [await desk.fetch(), await desk.fetch("wrong password")]
    answers += [
        await desk.phone.ask(path, **options)
        for path, options in (
            ("/p/settings.boot", {}), ("/no/such/page", {}), ("/ca.pem", {}), (desk.path, {"method": "POST"}),
            (desk.path, {"headers": {"X-Long": "x" * 20_000}}),
        )
    ]  # fmt: skip
    assert {200, 401, 404, 405, 431} <= {answer.status for answer in answers}
    found = [header for answer in answers for header in answer.headers]
    async with aiohttp.ClientSession() as session:
        for path in ("/login", "/healthz", "/api/v1/devices", "/pbx/v1/ring/1000", "/no/such/page"):
            async with session.get(f"{desk.server.admin_url}{path}") as answer:
                found += answer.headers.items()
    assert ("Server", "Provisioner") in found
    assert [(name, value) for name, value in found if "python" in value.lower() or "aiohttp" in value] == []


async def test_a_slow_client_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """T26: half a request does not hold a connection for ever."""
    monkeypatch.setitem(listeners.LIMITS, "keepalive_timeout", 0.3)
    async with running_server(tmp_path / "data") as running:
        for opening in (b"", b"GET /p/000413000001.xml HTTP/1.1\r\nHost: x\r\nX-Slow: "):
            reader, writer = await Phone(running).connect(tls=False)
            writer.write(opening)
            assert await asyncio.wait_for(reader.read(), 10) == b""
            writer.close()


async def test_too_many_requests_at_once_are_told_to_come_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T26: shed before latency explodes."""
    running = asyncio.Event()
    answer = PhoneDoor._answer

    async def slow(door: PhoneDoor, request: object) -> object:
        if door._active >= 10:
            running.set()
        await released.wait()
        return await answer(door, request)  # type: ignore[arg-type]

    released = asyncio.Event()
    monkeypatch.setattr(PhoneDoor, "_answer", slow)
    first = [asyncio.create_task(desk.fetch()) for _ in range(10)]
    async with asyncio.timeout(30):
        await running.wait()
    shed = await desk.fetch()
    assert (shed.status, 5 <= int(shed.one("retry-after")) <= 60) == (503, True)
    released.set()
    assert [one.status for one in await asyncio.gather(*first)] == [200] * 10
    assert desk.server.server.parts.counters.shed == 1


@pytest.fixture
def overrides() -> dict[str, object]:
    return {"max_phone_requests": 10}


async def test_a_broken_vendor_folder_switches_off_that_vendor_alone(
    tmp_path: Path, clock: SteppedClock
) -> None:
    shutil.copytree(installation.PROFILES, tmp_path / "profiles")
    async with running_server(tmp_path / "data", clock=clock, profiles=tmp_path / "profiles") as running:
        snom = await device_of(running.context, running.tenant, 1)
        yealink = (
            await enrol(
                running.context,
                SYSTEM,
                tenant_id=running.tenant.id,
                profile="yealink",
                model="T46U",
                mac="001565000001",
                password=GOOD_PASSWORD,
            )
        ).device
    (tmp_path / "profiles" / "snom" / "models.toml").write_text("[[models]\n")
    from provisioner.app import Server
    from tests.support.server import RunningServer, server_settings

    settings = server_settings(tmp_path / "data", profiles=tmp_path / "profiles")
    async with Server(settings, clock=clock) as server:
        again = RunningServer(server, server.context, running.tenant, "", "", "", "", running.ca_path)
        phone = Phone(again)
        for path in (f"/p/{snom.mac}.xml", "/p/0004130FFFFF.xml"):
            off = await phone.fetch(path, snom.username, GOOD_PASSWORD)
            assert (off.status, int(off.one("retry-after")) > 0) == (503, True)
        assert (await phone.fetch(f"/p/{yealink.mac}.cfg", yealink.username, GOOD_PASSWORD)).status == 200
        findings = [finding for finding in server.health() if "snom" in finding.sentence]
        assert [finding.level for finding in findings] == ["error"]
        assert "models.toml" in findings[0].sentence


async def test_behind_a_trusted_proxy_the_right_most_foreign_hop_counts(
    tmp_path: Path, clock: SteppedClock
) -> None:
    """T10."""
    async with running_server(tmp_path / "data", clock=clock, trusted_proxies=("127.0.0.1/32",)) as running:
        desk = Desk(running, await device_of(running.context, running.tenant, policy="office-network"))
        await update_tenant(running.context, SYSTEM, tenant_id=running.tenant.id, networks=["10.0.0.0/8"])

        async def ask(
            forwarded: str, *, proto: str = "https", source: str = "127.0.0.1", tls: bool = False
        ) -> int:
            headers = {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": proto}
            return (await Phone(running, source=source).ask(desk.path, headers=headers, tls=tls)).status

        assert await ask("203.0.113.5, 10.1.2.3") == 200
        assert await ask("10.1.2.3, 203.0.113.5") == 401
        assert await ask("10.1.2.3, 203.0.113.5, 127.0.0.1") == 401
        assert await ask("10.1.2.3", proto="http") == 403
        assert await ask("10.1.2.3", proto="http", tls=True) == 403
        assert await ask("10.1.2.3", source="127.7.7.7", tls=True) == 401
        assert (await desk.log())[0].source == "127.7.7.7"


async def test_no_secret_reaches_the_log(
    desk: Desk, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """T19: canaries through every path, right and wrong."""
    context, device = desk.server.context, desk.device
    token = reveal(context, device, "token")
    with caplog.at_level(logging.DEBUG):
        await desk.fetch()
        await desk.fetch("Wrong-canary-1")
        await desk.phone.digest(desk.path, device.username, GOOD_PASSWORD)
        await desk.fetch(tls=False)
        await update_device(context, SYSTEM, device_id=device.id, policy="token")
        await desk.phone.ask(f"/p/t/{token}/{device.mac}.xml")
        await desk.phone.ask(f"/p/t/{token}/nothing")
        await desk.phone.ask(f"/a/{reveal(context, device, 'action_token')}/registered")
        await desk.phone.ask("/p/x", headers={"Authorization": "Basic d3JvbmctY2FuYXJ5", "X": "y" * 20_000})
    entries = await desk.log()
    written = (
        caplog.text
        + "".join(capsys.readouterr())
        + repr([vars(entry) for entry in entries])
        + repr(desk.server.server.files._records)
    )
    canaries = [GOOD_PASSWORD, "Wrong-canary-1", token, "d3JvbmctY2FuYXJ5"]
    canaries += [reveal(context, device, name) for name in ("action_token", "admin_password", "admin_pin")]
    assert [canary for canary in canaries if canary in written] == []
    assert len(entries) >= 6


async def test_a_full_disk_turns_no_phone_away(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be noted now (a new firmware) is noted with a later request."""
    agent = {"User-Agent": "Mozilla/4.0 (compatible; snomD785-SIP 10.1.175.16 1.1.3-u)"}

    def full(*_: object) -> AbstractAsyncContextManager[None]:
        raise StorageFull("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(desk.server.context.store, "change", full)
        assert [(await desk.fetch(headers=agent)).status for _ in range(2)] == [200, 200]
    assert (await desk.fetch(headers=agent)).status == 200
    device = await get_device(desk.server.context, SYSTEM, device_id=desk.device.id)
    assert device.firmware == "10.1.175.16"
