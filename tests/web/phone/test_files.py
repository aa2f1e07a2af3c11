"""What a phone gets once it proved who it is, and in which form."""

import asyncio

import pytest
from lxml import etree

from provisioner.model import Sighting
from provisioner.services.context import SYSTEM
from provisioner.services.devices.device_settings import put_settings
from provisioner.services.devices.enrolment import remove_device, reveal, update_device
from tests.services.places import GOOD_PASSWORD, device_of
from tests.support.server import RunningServer
from tests.web.phone.conftest import Desk
from tests.web.phone.wire import Phone, basic


async def test_a_phone_gets_its_file_with_basic_over_tls(desk: Desk) -> None:
    answer = await desk.fetch()
    assert answer.status == 200
    assert answer.one("content-type") == "text/xml; charset=utf-8"
    assert etree.fromstring(answer.body).tag == "settings"
    assert desk.device.lines[0].account.encode() in answer.body
    assert (await desk.log())[0].reason == "allowed"


async def test_the_same_revision_is_the_same_bytes(desk: Desk) -> None:
    first = await desk.fetch()
    desk.server.server.files._drop(desk.device.mac)
    assert (await desk.fetch()).body == first.body


async def test_a_body_is_never_chunked_nor_compressed(desk: Desk) -> None:
    answer = await desk.fetch(headers={"Accept-Encoding": "gzip, deflate, br", "TE": "trailers"})
    assert int(answer.one("content-length")) == len(answer.body)
    assert (answer.all("transfer-encoding"), answer.all("content-encoding")) == ([], [])


async def test_head_says_what_get_would_send(desk: Desk) -> None:
    whole, head = await desk.fetch(), await desk.fetch(method="HEAD")
    assert (head.status, head.body) == (200, b"")
    for name in ("content-length", "content-type", "etag"):
        assert head.one(name) == whole.one(name)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_other_methods_are_405(desk: Desk, method: str) -> None:
    for path in (desk.path, "/p/snomD785.htm", "/nothing"):
        answer = await desk.phone.ask(path, method=method, headers={"Content-Length": "0"})
        assert (answer.status, answer.one("allow")) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path",
    [
        "/p/000413000001.xml", "/p/00:04:13:00:00:01.xml", "/p/00%3A04%3A13%3A00%3A00%3A01.xml", "/p/00-04-13-00-00-01.xml", "/p/0004.1300.0001.xml",
        "/p/000413000001.htm", "/p/snomD785-000413000001.htm", "/p/?mac=000413000001", "/p/?mac=00:04:13:00:00:01", "/p/snom.htm?mac=000413000001",
        "/p/settings.xml?mac=00%3A04%3A13%3A00%3A00%3A01&x=1", "/P/../p/x",
    ],
)  # fmt: skip
async def test_a_mac_is_understood_in_every_spelling(desk: Desk, path: str) -> None:
    answer = await desk.phone.fetch(path, desk.device.username, GOOD_PASSWORD)
    assert answer.status == (404 if ".." in path else 200)


async def test_what_a_phone_has_already_is_not_sent_again(desk: Desk) -> None:
    tag = (await desk.fetch()).one("etag")
    again = await desk.fetch(headers={"If-None-Match": f'"old", {tag}'})
    assert (again.status, again.body, again.one("etag")) == (304, b"", tag)
    assert (await desk.fetch(headers={"If-None-Match": '"old"'})).status == 200
    assert [entry.status for entry in await desk.log()] == [200, 304, 200]


async def test_a_change_is_served_at_once(desk: Desk) -> None:
    before = await desk.fetch()
    await put_settings(
        desk.server.context,
        SYSTEM,
        tenant_id=desk.device.tenant_id,
        scope="device",
        ref=str(desk.device.id),
        values={"ntp_server": "ntp.canary.test"},
    )
    after = await desk.fetch()
    assert b"ntp.canary.test" in after.body
    assert before.one("etag") != after.one("etag")


async def test_many_first_requests_render_once(desk: Desk) -> None:
    answers = await asyncio.gather(*(desk.fetch() for _ in range(20)))
    assert {answer.body for answer in answers} == {answers[0].body}
    assert desk.server.server.files.devices_held == 1


async def test_another_vendors_file_is_not_served_and_noted(desk: Desk) -> None:
    answer = await desk.phone.fetch(f"/p/{desk.device.mac}.cfg", desk.device.username, GOOD_PASSWORD)
    assert answer.status == 404
    entry = (await desk.log())[0]
    assert (entry.reason, entry.detail["model"]) == ("other-vendors-file", "D785")


async def test_a_removed_device_gets_nothing_from_the_next_request_on(desk: Desk) -> None:
    """T8."""
    assert (await desk.fetch()).status == 200
    await remove_device(desk.server.context, SYSTEM, device_id=desk.device.id)
    assert (await desk.fetch()).status == 401


async def test_a_new_device_is_known_at_once_though_its_phone_asked_before(server: RunningServer) -> None:
    phone = Phone(server)
    assert (await phone.ask("/p/000413000009.xml")).status == 401
    device = await device_of(server.context, server.tenant, 9)
    assert (await phone.fetch("/p/000413000009.xml", device.username, GOOD_PASSWORD)).status == 200


async def test_a_device_that_moved_to_another_mac_is_served_there_only(desk: Desk) -> None:
    assert (await desk.fetch()).status == 200
    await update_device(desk.server.context, SYSTEM, device_id=desk.device.id, mac="000413000777")
    assert (await desk.fetch()).status == 401
    assert (await desk.phone.fetch("/p/000413000777.xml", desk.device.username, GOOD_PASSWORD)).status == 200


async def test_a_firmware_that_a_phone_tells_is_learnt(desk: Desk) -> None:
    agent = "Mozilla/4.0 (compatible; snomD785-SIP 10.1.84.12)"
    assert (await desk.fetch(headers={"User-Agent": agent})).status == 200
    await desk.log()
    from provisioner.services.devices.enrolment import get_device

    device = await get_device(desk.server.context, SYSTEM, device_id=desk.device.id)
    async with desk.server.context.store.read() as session:
        seen = await session.get_one(Sighting, device.id)
    assert (device.firmware, seen.agent, seen.seen_from, seen.served_revision) == (
        "10.1.84.12",
        agent,
        "127.0.0.1",
        device.revision,
    )
    assert (await desk.fetch(headers={"User-Agent": agent})).status == 200
    assert (
        await get_device(desk.server.context, SYSTEM, device_id=desk.device.id)
    ).revision == device.revision


@pytest.mark.parametrize(
    "agent", ["\xff\xfe\xfd", "x" * 3_000, "<script>alert(1)</script>", "snomD785 \xff 10.1"]
)
async def test_strange_agents_are_kept_as_harmless_text(desk: Desk, agent: str) -> None:
    """T25: what strangers say is capped, and never stops the log."""
    assert (await desk.fetch(headers={"User-Agent": agent})).status == 200
    assert (await desk.phone.ask(desk.path, headers={"User-Agent": agent})).status == 401
    entries = await desk.log()
    assert [entry.status for entry in entries] == [401, 200]
    assert all(len(entry.agent) <= 200 for entry in entries)


async def test_bootstrap_files_are_public_on_both_doors_and_hold_no_secret(desk: Desk) -> None:
    """T5, T6: nothing of any device stands in a public file."""
    secrets = [GOOD_PASSWORD, desk.device.username, desk.device.lines[0].account]
    secrets += [
        reveal(desk.server.context, desk.device, name)
        for name in ("token", "action_token", "admin_password", "admin_pin")
    ]
    for path in (
        "/p/snomD785.htm",
        "/p/y000000000108.cfg",
        f"/p/{desk.device.mac}.boot",
        "/p/001565000001.boot",
    ):
        for tls in (True, False):
            answer = await desk.phone.ask(path, tls=tls)
            assert answer.status == 200, path
            assert [secret for secret in secrets if secret.encode() in answer.body] == []


async def test_the_own_authority_is_given_to_everybody(desk: Desk) -> None:
    for tls in (True, False):
        answer = await desk.phone.ask("/ca.pem", tls=tls)
        assert (answer.status, answer.body) == (200, desk.server.ca_path.read_bytes())
    assert b"PRIVATE" not in answer.body


@pytest.mark.parametrize(
    "path",
    [
        "/", "/p", "/p/", "/p/t/", "/p/t/x", "/p/../../etc/passwd", "/p/%2e%2e/%2e%2e/etc/passwd", "/p/000413000001.xml/../../x", "/p/%00.xml",
        "/p/000413000001.xml%00.htm", "/p//000413000001.xml", "/p/\\000413000001.xml", "/p/" + "a" * 3_000, "/a/", "/a/x", "/a/guess/registered",
        "/p/?" + "&".join(["mac=000413000001"] * 50), "/certs/ca.key", "/p/snom-firmware.htm", "/p/snomD785-firmware.htm", "/%70/000413000001.xml",
    ],
)  # fmt: skip
async def test_paths_that_lead_nowhere_are_404(desk: Desk, path: str) -> None:
    """T13."""
    answer = await desk.phone.fetch(path, desk.device.username, GOOD_PASSWORD)
    assert (answer.status, answer.body) == (404, b"")


async def test_a_target_beyond_the_limit_is_refused_before_anything_is_parsed(desk: Desk) -> None:
    """T26."""
    assert (await desk.phone.ask("/p/" + "a" * 9_000)).status in {414, 431, 400}


async def test_many_requests_share_a_connection(desk: Desk) -> None:
    reader, writer = await desk.phone.connect()
    for _ in range(3):
        writer.write(
            f"GET {desk.path} HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(desk.device.username, GOOD_PASSWORD)}\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()
