"""Who gets a file and who does not, over real connections."""

import asyncio
from datetime import timedelta

import pytest

from provisioner.clock import SteppedClock
from provisioner.services.context import SYSTEM
from provisioner.services.devices.enrolment import (
    get_device,
    open_claim_window,
    replace_device_password,
    reveal,
    unlock_device,
    update_device,
)
from provisioner.services.people.tenants import create_tenant, update_tenant
from tests.services.places import GOOD_PASSWORD, device_of
from tests.support.server import RunningServer
from tests.web.phone.conftest import Desk
from tests.web.phone.wire import Phone, basic, respond

HOME, STRANGER = "127.0.0.1", "127.7.7.7"


@pytest.fixture
def overrides() -> dict[str, object]:
    return {"offer_sha256": True}


async def _policy(desk: Desk, policy: str) -> None:
    await update_device(desk.server.context, SYSTEM, device_id=desk.device.id, policy=policy)


async def _networks(desk: Desk, *networks: str, **fields: object) -> None:
    await update_tenant(
        desk.server.context, SYSTEM, tenant_id=desk.device.tenant_id, networks=list(networks), **fields
    )


# ---- each policy --------------------------------------------------------------------------------------------------


async def test_the_challenge_lists_digest_before_basic_with_the_stored_realm(desk: Desk) -> None:
    """T4."""
    challenges = (await desk.phone.ask(desk.path, headers={"X-Host": "evil"})).all("www-authenticate")
    assert [value.split()[0] for value in challenges] == ["Digest", "Digest", "Basic"]
    assert ["algorithm=SHA-256" in challenges[0], "algorithm=MD5" in challenges[1]] == [True, True]
    assert all(f'realm="{desk.server.context.realm}"' in value for value in challenges)


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_digest_opens_and_a_replay_does_not(desk: Desk, algorithm: str) -> None:
    """T4."""
    challenge = await desk.phone.ask(desk.path)
    header = respond(challenge, desk.path, desk.device.username, GOOD_PASSWORD, algorithm=algorithm)
    assert (await desk.phone.ask(desk.path, headers={"Authorization": header})).status == 200
    replay = await desk.phone.ask(desk.path, headers={"Authorization": header})
    assert (replay.status, "stale=true" in replay.all("www-authenticate")[0]) == (401, True)
    assert (await desk.log())[0].reason == "replayed"


async def test_a_digest_response_is_for_one_address_only(desk: Desk) -> None:
    """T4: made for one file, shown for another."""
    header = respond(await desk.phone.ask(desk.path), "/p/other.xml", desk.device.username, GOOD_PASSWORD)
    assert (await desk.phone.ask(desk.path, headers={"Authorization": header})).status == 401
    assert (await desk.log())[0].reason == "wrong-target"


async def test_wrong_credentials_and_none(desk: Desk) -> None:
    assert (await desk.phone.ask(desk.path)).status == 401
    assert (await desk.fetch("Sesame-open-1")).status == 401
    assert (await desk.phone.fetch(desk.path, "somebody", GOOD_PASSWORD)).status == 401
    assert (await desk.phone.ask(desk.path, headers={"Authorization": "Bearer x"})).status == 401
    assert [entry.reason for entry in await desk.log()] == [
        "malformed-credentials",
        "wrong-username",
        "wrong-password",
        "no-credentials",
    ]


async def test_the_token_policy_wants_the_devices_own_path(desk: Desk) -> None:
    await _policy(desk, "token")
    token = reveal(desk.server.context, desk.device, "token")
    assert (await desk.phone.ask(f"/p/t/{token}/{desk.device.mac}.xml")).status == 200
    assert (await desk.phone.ask(f"/p/t/{token[:-1]}~/{desk.device.mac}.xml")).status == 401
    assert (await desk.fetch()).status == 401
    other = await device_of(desk.server.context, desk.server.tenant, 2, policy="token")
    assert (await desk.phone.ask(f"/p/t/{token}/{other.mac}.xml")).status == 401
    entries = await desk.log()
    assert token not in "".join(entry.path for entry in entries)


async def test_the_office_network_policy_looks_at_the_source(desk: Desk) -> None:
    await _policy(desk, "office-network")
    assert (await desk.fetch()).status == 401
    await _networks(desk, "127.0.0.0/24")
    assert (await desk.phone.ask(desk.path)).status == 200
    assert (await Phone(desk.server, source=STRANGER).ask(desk.path)).status == 401


async def test_an_expression_needs_all_it_says(desk: Desk) -> None:
    await _policy(desk, "certificate or (password and network)")
    assert (await desk.fetch()).status == 401
    await _networks(desk, "127.0.0.0/24")
    assert (await desk.fetch()).status == 200
    assert (await desk.phone.ask(desk.path)).status == 401
    assert (await desk.fetch(source=STRANGER)).status == 401


async def test_a_claim_window_serves_its_first_user_and_nobody_else(desk: Desk, clock: SteppedClock) -> None:
    """T7."""
    await _policy(desk, "password or window")
    assert (await desk.phone.ask(desk.path)).status == 401
    await open_claim_window(desk.server.context, SYSTEM, device_id=desk.device.id, minutes=10)
    assert (await desk.phone.ask(desk.path)).status == 200
    assert (await desk.phone.ask(desk.path)).status == 200
    assert (await Phone(desk.server, source=STRANGER).ask(desk.path)).status == 401
    assert (await desk.log())[0].reason == "window-claimed"
    assert (await get_device(desk.server.context, SYSTEM, device_id=desk.device.id)).window_address == HOME
    clock.advance(timedelta(minutes=11))
    assert (await desk.phone.ask(desk.path)).status == 401


async def test_of_two_who_claim_at_once_one_gets_the_file(desk: Desk) -> None:
    """T7: the race between a phone and a thief."""
    await _policy(desk, "window")
    await open_claim_window(desk.server.context, SYSTEM, device_id=desk.device.id, minutes=10)
    phones = [Phone(desk.server, source=f"127.9.{number}.1") for number in range(6)]
    statuses = [answer.status for answer in await asyncio.gather(*(phone.ask(desk.path) for phone in phones))]
    assert sorted(statuses) == [200, 401, 401, 401, 401, 401]


# ---- a replaced password ------------------------------------------------------------------------------------------


async def test_the_old_password_works_until_the_new_one_was_used(desk: Desk) -> None:
    await replace_device_password(
        desk.server.context, SYSTEM, device_id=desk.device.id, password="Green-kettle-88"
    )
    assert (await desk.fetch()).status == 200
    assert (await desk.phone.digest(desk.path, desk.device.username, GOOD_PASSWORD)).status == 200
    assert (await desk.fetch("Green-kettle-88")).status == 200
    assert (await desk.fetch()).status == 401
    assert (await desk.fetch("Green-kettle-88")).status == 200


async def test_the_old_password_ends_after_a_week(desk: Desk, clock: SteppedClock) -> None:
    await replace_device_password(
        desk.server.context, SYSTEM, device_id=desk.device.id, password="Green-kettle-88"
    )
    clock.advance(timedelta(days=7, seconds=1))
    assert (await desk.fetch()).status == 401


async def test_a_stolen_phones_password_is_refused_at_once(desk: Desk) -> None:
    """T8."""
    assert (await desk.fetch()).status == 200
    await replace_device_password(desk.server.context, SYSTEM, device_id=desk.device.id, at_once=True)
    assert (await desk.fetch()).status == 401


# ---- strangers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [None, basic("guess", "Guess-work-1"), "Digest username=x", "Basic %%%"])
async def test_unknown_known_and_locked_look_the_same(desk: Desk, header: str | None) -> None:
    """T1: status, headers and body tell nothing about which addresses exist."""
    locked = await device_of(desk.server.context, desk.server.tenant, 2)
    for number in range(10):
        await Phone(desk.server, source=f"127.8.{number}.1").fetch(
            f"/p/{locked.mac}.xml", locked.username, "Wrong-guess-1"
        )
    headers = {"Authorization": header} if header else {}
    for method in ("GET", "HEAD"):
        shapes = {
            str(
                (
                    await Phone(desk.server, source=f"127.6.{number}.1").ask(
                        path, headers=headers, method=method
                    )
                ).shape
            )
            for number, path in enumerate(
                [
                    desk.path,
                    "/p/000413FFFFF1.xml",
                    f"/p/{locked.mac}.xml",
                    f"/p/{desk.device.mac}.cfg",
                    "/p/001565000001.cfg",
                ]
            )
        }
        assert len(shapes) == 1
        assert shapes.pop().startswith("(401")


async def test_guessing_addresses_is_limited_and_registered_phones_are_not(desk: Desk) -> None:
    """T1: the vendor's block is small enough to be tried through."""
    assert (await desk.fetch()).status == 200
    thief = Phone(desk.server, source=STRANGER)
    for number in range(80):
        assert (await thief.ask(f"/p/0004130F{number:04X}.xml")).status == 401
    assert (await thief.fetch(desk.path, desk.device.username, GOOD_PASSWORD)).status == 401
    assert (await desk.log())[0].reason == "too-many-unknown"
    assert (await desk.fetch()).status == 200


async def test_guessing_a_password_locks_and_never_locks_out_the_phone_itself(
    desk: Desk, clock: SteppedClock
) -> None:
    """T2."""
    assert (await desk.fetch(source=HOME)).status == 200
    for number in range(12):
        await desk.fetch(f"Wrong-guess-{number}", source=STRANGER)
        clock.advance(timedelta(seconds=20))
    assert (await desk.fetch(source=STRANGER)).status == 401
    assert (await desk.log())[0].reason == "device-locked"
    assert (await desk.fetch(source=HOME)).status == 200


async def _locked(desk: Desk, clock: SteppedClock) -> None:
    for number in range(8):
        await desk.fetch(f"Wrong-guess-{number}", source=STRANGER)
        clock.advance(timedelta(seconds=20))
    async with asyncio.timeout(10):
        while (await get_device(desk.server.context, SYSTEM, device_id=desk.device.id)).locked_until is None:  # noqa: ASYNC110 - what is waited for is a stored fact
            await asyncio.sleep(0.01)


async def test_a_lock_is_stored_and_outlives_what_is_in_memory(desk: Desk, clock: SteppedClock) -> None:
    """T2: a restart, or another worker, is no way round a lock."""
    await _locked(desk, clock)
    lockout = desk.server.server.gate.lockout
    lockout.unlock(bytes.fromhex(desk.device.mac))  # what a restart forgets
    desk.server.server.files._drop(desk.device.mac)
    assert (await desk.fetch(source=STRANGER)).status == 401
    assert (await desk.log())[0].reason == "device-locked"


async def test_an_admin_unlocks_in_memory_too(desk: Desk, clock: SteppedClock) -> None:
    await _locked(desk, clock)
    assert (await desk.fetch(source=STRANGER)).status == 401
    await unlock_device(desk.server.context, SYSTEM, device_id=desk.device.id)
    assert (await desk.fetch(source=STRANGER)).status == 200


# ---- clear text ---------------------------------------------------------------------------------------------------


async def test_secrets_never_go_over_http_and_no_password_is_asked_for_there(desk: Desk) -> None:
    """T5."""
    for path in (desk.path, "/p/000413FFFFF1.xml"):
        answer = await desk.phone.fetch(path, desk.device.username, GOOD_PASSWORD, tls=False)
        assert (answer.status, answer.all("www-authenticate"), answer.body) == (403, [], b"")
    assert (await desk.log())[0].reason == "needs-tls"


async def test_a_network_where_clear_text_was_allowed_gets_files_over_http(desk: Desk) -> None:
    """T5, T1: and there strangers are asked for credentials like everybody."""
    assert (await desk.phone.ask("/p/000413FFFFF1.xml", tls=False)).status == 403
    await _networks(desk, "127.0.0.0/24", is_clear_text_allowed=True)
    assert (await desk.phone.digest(desk.path, desk.device.username, GOOD_PASSWORD, tls=False)).status == 200
    known, unknown = (
        await desk.phone.ask(desk.path, tls=False),
        await desk.phone.ask("/p/000413FFFFF1.xml", tls=False),
    )
    assert known.shape == unknown.shape
    assert known.status == 401
    assert (await desk.fetch(source=STRANGER, tls=False)).status == 403
    await _networks(desk, "127.0.0.0/24", is_clear_text_allowed=False)
    assert (await desk.fetch(tls=False)).status == 403


async def test_where_one_tenant_allows_clear_text_phones_of_others_look_like_strangers(desk: Desk) -> None:
    """T1, T27: 403 for some addresses and 401 for the rest would tell which ones are registered."""
    context = desk.server.context
    other = await create_tenant(context, SYSTEM, key="open", name="Open", sip_domain="open.test")
    await update_tenant(
        context, SYSTEM, tenant_id=other.id, networks=["127.0.0.0/24"], is_clear_text_allowed=True
    )
    known = await desk.phone.ask(desk.path, tls=False)
    unknown = await desk.phone.ask("/p/000413FFFFF1.xml", tls=False)
    assert known.shape == unknown.shape
    assert (await desk.fetch(tls=False)).status == 401
    assert (await desk.log())[0].reason == "needs-tls"
    await update_tenant(context, SYSTEM, tenant_id=other.id, is_clear_text_allowed=False)
    assert (await desk.phone.ask(desk.path, tls=False)).status == 403


# ---- forwarded ----------------------------------------------------------------------------------------------------


async def test_a_forged_forwarding_header_changes_nothing(desk: Desk) -> None:
    """T10."""
    await _policy(desk, "office-network")
    await _networks(desk, "10.0.0.0/8")
    for forged in ("10.0.0.1", "10.0.0.1, 10.0.0.2"):
        answer = await desk.phone.ask(
            desk.path, headers={"X-Forwarded-For": forged, "X-Forwarded-Proto": "https"}
        )
        assert answer.status == 401
    assert (await desk.log())[0].source == HOME


# ---- action URLs --------------------------------------------------------------------------------------------------


async def test_an_action_url_is_a_hint_with_a_log_entry(desk: Desk) -> None:
    token = reveal(desk.server.context, desk.device, "action_token")
    assert (await desk.phone.ask(f"/a/{token}/registered")).status == 200
    assert (await desk.phone.ask(f"/a/{token}/unheard-of")).status == 404
    assert (await desk.phone.ask(f"/a/{token[:-1]}~/registered")).status == 404
    (entry,) = await desk.log()
    assert (entry.reason, entry.path) == ("hint-registered", "/a/…/registered")


async def test_a_strangers_requests_do_not_fill_the_log(server: RunningServer, desk: Desk) -> None:
    """T26: equal refusals are one entry with a number."""
    log = server.server.fetches
    reader, writer = await desk.phone.connect()
    await log.flush()
    written = log.written
    writer.write(f"GET {desk.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 200)
    for _ in range(200):
        await reader.readuntil(b"\r\n\r\n")
    await log.flush()
    writer.close()
    assert log.written - written <= 10
    assert sum(entry.detail.get("times", 1) for entry in await desk.log()) == 200
