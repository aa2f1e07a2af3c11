import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support import sipp
from tests.support.door import Door
from tests.support.kamailio import REFERENCE, Kamailio, RpcError, Site
from tests.support.ports import loopback
from tests.support.program import is_installed, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not is_installed("kamailio", "sipp"), reason="Kamailio or SIPp is not installed"),
]

TOKEN = "canary-token"
DOMAIN = "tenant1.test"


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with Door({"1001": "right", "1002": "other"}, token=TOKEN) as door:
        yield door


@pytest.fixture
async def kamailio(door: Door, tmp_path: Path) -> AsyncIterator[Kamailio]:
    site = Site(door=door.url, token=TOKEN)
    async with Kamailio(tmp_path / "kamailio", site, options=["MIN_EXPIRES=1"]) as kamailio:
        yield kamailio


async def register(
    kamailio: Kamailio,
    *rows: tuple[str, str, str],
    expires: int = 60,
    domain: str = DOMAIN,
    local: str = "",
) -> sipp.Outcome:
    return await sipp.run_beside(
        "register",
        f"{kamailio.address}:{kamailio.port}",
        folder=kamailio.folder / "sipp",
        rows=rows,
        keys={"domain": domain, "expires": str(expires)},
        local=local,
        seconds=10,
    )


RIGHT, WRONG, OTHER = sipp.login("1001", "right"), sipp.login("1001", "wrong"), sipp.login("1002", "other")


async def test_a_registration_is_authenticated_by_the_door_and_told_to_it(
    door: Door, kamailio: Kamailio
) -> None:
    outcome = await register(kamailio, RIGHT)
    assert outcome.code == 0, outcome.errors
    await until(lambda: door.events, what="the event")
    (event,) = door.events
    assert event["event"] == "register"
    assert event["aor"] == f"1001@{DOMAIN}"
    assert event["user_agent"] == "Fleet/1.0"
    assert event["transport"] == "udp"
    assert event["cseq"] == 2
    assert 0 < event["bindings"][0]["expires"] - event["time"] <= 60
    assert event["bindings"][0]["uri"] == event["contact"]
    assert event["bindings"][0]["instance"] == "<urn:uuid:00000000-0000-1000-8000-000413001001>"
    assert (door.look_ups, door.refused) == (["1001"], [])


async def test_a_wrong_password_is_refused_and_reported_once(door: Door, kamailio: Kamailio) -> None:
    here = loopback()
    for _ in range(3):
        outcome = await register(kamailio, WRONG, local=here)
        assert outcome.code == 1
    assert (await register(kamailio, WRONG)).code == 1
    await until(lambda: len(door.events) == 2, what="one event per source")
    assert [event["event"] for event in door.events] == ["auth-failed", "auth-failed"]
    assert [event["source"].startswith(here + ":") for event in door.events] == [True, False]
    assert door.events[0]["aor"] == f"1001@{DOMAIN}"
    assert "bindings" not in door.events[0]
    assert kamailio.contacts(f"1001@{DOMAIN}") == []


async def test_an_unknown_account_is_asked_for_once(door: Door, kamailio: Kamailio) -> None:
    for _ in range(3):
        assert (await register(kamailio, sipp.login("9999", "x"))).code == 1
    assert door.look_ups == ["9999"]


async def test_an_account_cannot_take_the_address_of_another(door: Door, kamailio: Kamailio) -> None:
    row = ("1001", "[authentication username=1002 password=other]", "000413001001")
    outcome = await register(kamailio, row)
    assert outcome.code == 1
    assert "403 Not your address" in outcome.errors
    assert kamailio.contacts(f"1001@{DOMAIN}") == []


async def test_a_domain_of_nobody_is_not_served(door: Door, kamailio: Kamailio) -> None:
    outcome = await register(kamailio, RIGHT, domain="elsewhere.test")
    assert outcome.code == 1
    assert "403 Domain not served here" in outcome.errors


async def test_a_changed_password_works_at_once_and_the_old_one_dies_by_rpc(
    door: Door, kamailio: Kamailio
) -> None:
    assert (await register(kamailio, RIGHT)).code == 0
    door.accounts["1001"] = "new"
    assert (await register(kamailio, sipp.login("1001", "new"))).code == 0
    door.accounts["1001"] = "newest"
    assert (await register(kamailio, sipp.login("1001", "new"))).code == 0, "cached for five minutes"
    await asyncio.to_thread(kamailio.rpc, "htable.delete", "ha1", f"1001@{DOMAIN}")
    assert (await register(kamailio, sipp.login("1001", "new"))).code == 1


async def test_events_wait_for_the_door_and_keep_their_order(door: Door, kamailio: Kamailio) -> None:
    users = [f"20{n:02}" for n in range(40)]
    door.accounts |= dict.fromkeys(users, "pw")
    door.answer = 503
    outcome = await register(kamailio, *[sipp.login(user, "pw") for user in users])
    assert outcome.code == 0, outcome.errors
    outcome = await register(kamailio, *[sipp.login(user, "pw") for user in users], expires=0)
    assert outcome.code == 0, outcome.errors
    assert door.events == []
    door.answer = 200
    await until(lambda: len(door.events) == 80, what="80 events")
    for user in users:
        mine = [each["event"] for each in door.events if each["aor"] == f"{user}@{DOMAIN}"]
        assert mine == ["register", "unregister"]
    assert [each["time"] for each in door.events] == sorted(each["time"] for each in door.events)


async def test_a_door_that_is_gone_is_answered_with_503_and_found_again(
    door: Door, kamailio: Kamailio
) -> None:
    assert (await register(kamailio, RIGHT)).code == 0
    await until(lambda: door.events, what="the event")
    await door.close()
    assert (await register(kamailio, RIGHT)).code == 0, "the HA1 is cached"
    outcome = await register(kamailio, OTHER)
    assert outcome.code == 1
    assert "503 Account server not reachable" in outcome.errors
    await door.open()
    await until(lambda: len(door.events) == 2, what="the event held back")
    await asyncio.to_thread(kamailio.rpc, "htable.delete", "door", "down")
    assert (await register(kamailio, OTHER)).code == 0


async def test_events_the_door_calls_malformed_do_not_block_the_others(
    door: Door, kamailio: Kamailio
) -> None:
    door.answer = 422
    assert (await register(kamailio, RIGHT)).code == 0
    await until(lambda: "refused events (422)" in kamailio.log(), what="the log line")
    door.answer = 200
    assert (await register(kamailio, OTHER)).code == 0
    await until(lambda: door.events, what="the event")
    assert [each["aor"] for each in door.events] == [f"1002@{DOMAIN}"]


async def test_the_tenth_device_is_refused_and_told(door: Door, kamailio: Kamailio) -> None:
    for number in range(9):
        assert (await register(kamailio, sipp.login("1001", "right", mac=f"00041300000{number}"))).code == 0
    outcome = await register(kamailio, sipp.login("1001", "right", mac="000413000009"))
    assert outcome.code == 1
    assert "503" in outcome.errors
    await until(lambda: door.of("too-many-contacts"), what="the event")
    assert [len(each["bindings"]) for each in door.events] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 9]


async def test_a_phone_that_moved_replaces_its_own_binding(door: Door, kamailio: Kamailio) -> None:
    for _ in range(2):
        assert (await register(kamailio, RIGHT)).code == 0, "another address, the same +sip.instance"
    await until(lambda: len(door.events) == 2, what="two events")
    assert [(each["event"], len(each["bindings"])) for each in door.events] == [
        ("register", 1),
        ("refresh", 1),
    ]


async def test_taking_back_a_binding_that_is_gone_is_no_registration(door: Door, kamailio: Kamailio) -> None:
    assert (await register(kamailio, RIGHT)).code == 0
    await asyncio.to_thread(kamailio.rpc, "ul.rm", "location", f"1001@{DOMAIN}")
    assert (await register(kamailio, RIGHT, expires=0)).code == 0
    await until(lambda: len(door.events) == 2, what="two events")
    assert [(each["event"], len(each["bindings"])) for each in door.events] == [
        ("register", 1),
        ("unregister", 0),
    ]


async def test_an_expiry_is_told(door: Door, kamailio: Kamailio) -> None:
    assert (await register(kamailio, RIGHT, expires=1)).code == 0
    await until(lambda: door.of("expired"), what="the expiry")
    (event,) = door.of("expired")
    assert event["aor"] == f"1001@{DOMAIN}"
    assert event["cseq"] == 2
    assert event["call_id"] == door.of("register")[0]["call_id"]


async def test_json_rpc_is_for_listed_peers_on_its_own_port(door: Door, tmp_path: Path) -> None:
    friend, stranger = loopback(), loopback()
    site = Site(door=door.url, token=TOKEN, rpc_peers=f"{friend}/32,127.0.0.1/32")
    async with Kamailio(tmp_path / "kamailio", site) as kamailio:
        assert await asyncio.to_thread(lambda: kamailio.rpc("core.uptime", source=friend))
        with pytest.raises(RpcError) as refusal:
            await asyncio.to_thread(lambda: kamailio.rpc("core.uptime", source=stranger))
        assert refusal.value.code == 403
        kamailio.rpc_port = kamailio.port
        with pytest.raises(RpcError) as refusal:
            await asyncio.to_thread(lambda: kamailio.rpc("core.uptime", source=friend))
        assert refusal.value.code == 403


async def test_the_token_is_in_no_log(door: Door, kamailio: Kamailio) -> None:
    door.token = "another"
    assert (await register(kamailio, RIGHT)).code == 1
    assert door.refused == ["/pbx/v1/ha1"]
    assert TOKEN not in kamailio.log()


async def test_the_token_may_come_from_the_environment_as_in_the_committed_site_file(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed = REFERENCE.with_name("site.cfg").read_text()
    assert '"!SITE_TOKEN!$env(PBX_TOKEN)!g"' in committed
    monkeypatch.setenv("PBX_TOKEN", TOKEN)
    async with Kamailio(tmp_path / "kamailio", Site(door=door.url, token="$env(PBX_TOKEN)")) as kamailio:
        assert (await register(kamailio, RIGHT)).code == 0
        await until(lambda: door.events, what="the event")


def test_the_committed_site_file_sets_what_the_tests_set(tmp_path: Path) -> None:
    names = [
        set(re.findall(r'^#!substdef "!(\w+)!', file.read_text(), flags=re.MULTILINE))
        for file in (REFERENCE.with_name("site.cfg"), site_file(tmp_path))
    ]
    used = set(re.findall(r"SITE_[A-Z_]*[A-Z]", REFERENCE.read_text()))
    assert names[0] == names[1] == used


def site_file(folder: Path) -> Path:
    Kamailio(folder, Site(door="http://127.0.0.1:9/pbx/v1", token=TOKEN)).prepare()
    return folder / "site.cfg"
