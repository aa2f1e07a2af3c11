"""Client certificates on the wire: whose they are, and why a handshake failed."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from provisioner.clock import SteppedClock, system_clock
from provisioner.model import Mac
from provisioner.pki.authority import Authority, PairFiles
from provisioner.services.context import SYSTEM
from provisioner.services.devices.enrolment import update_device
from tests.services.places import GOOD_PASSWORD, device_of, mac
from tests.web.phone.conftest import Desk
from tests.web.phone.wire import Phone, client_tls

Shown = Callable[..., Awaitable[Phone]]


@pytest.fixture
def overrides() -> dict[str, object]:
    return {"client_certificates": "ask"}


@pytest.fixture
def shows(desk: Desk, tmp_path: Path) -> Shown:
    """A phone that shows a certificate for a MAC, from the server's own authority unless told otherwise."""

    async def show(address: str, **options: Any) -> Phone:
        return await asyncio.to_thread(make, address, **options)

    def make(
        address: str, *, authority: Authority | None = None, days: int = 30, ago: timedelta = timedelta()
    ) -> Phone:
        issuer = authority or Authority.load(desk.server.ca_path.parent, clock=lambda: system_clock() - ago)
        files = PairFiles.at(tmp_path, f"phone-{address}")
        issuer.issue_device(Mac.parse(address), days=days).save(files)
        return Phone(
            desk.server, tls=client_tls(desk.server.ca_path, certificate=files.certificate, key=files.key)
        )

    return show


@pytest.mark.parametrize("policy", ["certificate", "certificate-or-password"])
async def test_a_certificate_opens_its_own_file_and_no_other(desk: Desk, shows: Shown, policy: str) -> None:
    """T9."""
    other = await device_of(desk.server.context, desk.server.tenant, 2, policy=policy)
    await update_device(desk.server.context, SYSTEM, device_id=desk.device.id, policy=policy)
    phone = await shows(desk.device.mac)
    assert (await phone.ask(desk.path)).status == 200
    assert (await phone.ask(f"/p/{other.mac}.xml")).status == 401
    await desk.server.server.fetches.flush()
    from provisioner.services.files.fetch_log import list_fetches

    entry = (await list_fetches(desk.server.context, SYSTEM, device_id=other.id)).items[0]
    assert (entry.reason, entry.detail["shown"]) == ("certificate-other-mac", "00:04:13:00:00:01")
    assert (await (await shows(mac(0x10001))).ask(desk.path)).status == 401


async def test_without_a_certificate_only_the_password_is_left(desk: Desk) -> None:
    await update_device(desk.server.context, SYSTEM, device_id=desk.device.id, policy="certificate")
    assert (await desk.fetch()).status == 401
    await update_device(
        desk.server.context, SYSTEM, device_id=desk.device.id, policy="certificate-or-password"
    )
    assert (await desk.fetch()).status == 200


async def test_a_certificate_means_nothing_to_the_password_policy(desk: Desk, shows: Shown) -> None:
    assert (await (await shows(desk.device.mac)).ask(desk.path)).status == 401


async def _refused(phone: Phone, path: str) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError, IndexError, asyncio.IncompleteReadError)):
        await phone.ask(path)


async def test_foreign_and_expired_certificates_fail_with_a_reason_the_operator_sees(
    desk: Desk, shows: Shown, tmp_path: Path, clock: SteppedClock
) -> None:
    """T9."""
    (tmp_path / "foreign").mkdir()
    foreign = await asyncio.to_thread(
        Authority.create, tmp_path / "foreign", name="Somebody else", clock=system_clock
    )
    await _refused(await shows(desk.device.mac, authority=foreign), desk.path)
    await _refused(await shows(mac(5), days=1, ago=timedelta(days=30)), desk.path)
    causes = [failure.cause for failure in desk.server.server.handshakes.latest]
    assert "the phone's certificate has expired" in causes[0]
    assert "not among the trust anchors" in causes[1]
    sentences = [finding.sentence for finding in desk.server.server.health()]
    assert any(
        "2 connections were refused because of the phone's certificate" in sentence for sentence in sentences
    )
    assert (await desk.fetch(GOOD_PASSWORD)).status == 200
