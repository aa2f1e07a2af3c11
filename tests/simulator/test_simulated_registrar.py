import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from provisioner.clock import SteppedClock
from provisioner.errors import Unavailable
from provisioner.registrar.agent import Address, SipAgent, Timers
from provisioner.registrar.check_sync import Reach
from provisioner.registrar.sip import Request, Response, reply
from provisioner.registrar.sip_digest import Credentials, ha1
from provisioner.simulator.registrar import Limits, SimulatedRegistrar

DOMAIN = "tenant1.test"
AOR = f"1001@{DOMAIN}"
QUICK = Timers(t1=0.05, t2=0.2)
RIGHT = Credentials("1001", "right")


class Pbx:
    """A registrar with its accounts and what it told."""

    def __init__(self, *, limits: Limits | None = None) -> None:
        self.accounts = {"1001": "right", "1002": "other"}
        self.is_reachable = True
        self.told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.clock = SteppedClock(datetime(2026, 11, 22, 12, 0, tzinfo=UTC))
        self.registrar = SimulatedRegistrar(
            self.ha1, self.tell, clock=self.clock, limits=limits, timers=QUICK, owns=self.owns
        )

    async def ha1(self, user: str, realm: str) -> str | None:
        if not self.is_reachable:
            raise Unavailable("away")
        return ha1(user, realm, self.accounts[user]) if user in self.accounts else None

    async def owns(self, account: str, address: str) -> bool:
        if not self.is_reachable:
            raise Unavailable("away")
        return (account, address) == ("1001", f"shared@{DOMAIN}")

    async def tell(self, event: dict[str, Any]) -> None:
        self.told.put_nowait(event)

    async def next(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.told.get(), 5)


@pytest.fixture
async def pbx() -> AsyncIterator[Pbx]:
    pbx = Pbx(limits=Limits(contacts=2))
    await pbx.registrar.start()
    yield pbx
    await pbx.registrar.stop()


class Ua:
    def __init__(self) -> None:
        self.agent = SipAgent(self._handle, user_agent="Test/1", timers=QUICK)
        self.cseq = 0
        self.notified: list[str] = []

    async def _handle(self, request: Request, _source: Address) -> Response:
        self.notified.append(request.get("Event") or "")
        return reply(request, 200, "OK")

    async def register(
        self,
        pbx: Pbx,
        *,
        user: str = "1001",
        credentials: Credentials | None = RIGHT,
        contact: str = "",
        expires: int | None = 60,
        cseq: int = 0,
        call_id: str = "c1",
    ) -> Response:
        self.cseq = cseq or self.cseq + 1
        headers = [
            ("From", f"<sip:{user}@{DOMAIN}>;tag=1"),
            ("To", f"<sip:{user}@{DOMAIN}>"),
            ("Call-ID", call_id),
            ("CSeq", f"{self.cseq} REGISTER"),
            ("Contact", contact or f'<{self.contact}>;+sip.instance="<urn:uuid:1>"'),
        ]
        if expires is not None:
            headers.append(("Expires", str(expires)))
        request = Request(method="REGISTER", uri=f"sip:{DOMAIN}", headers=tuple(headers))
        place = ("127.0.0.1", pbx.registrar.port)
        answer, self.cseq = await self.agent.exchange(request, place, credentials=credentials)
        return answer

    @property
    def contact(self) -> str:
        return f"sip:1001@127.0.0.1:{self.agent.port}"


@pytest.fixture
async def ua() -> AsyncIterator[Ua]:
    ua = Ua()
    await ua.agent.open("127.0.0.1")
    yield ua
    await ua.agent.close()


async def test_register_refresh_and_unregister_are_told_in_the_form_of_the_pbx_door(pbx: Pbx, ua: Ua) -> None:
    answer = await ua.register(pbx)
    assert answer.status == 200
    assert answer.get("Contact") == f"<{ua.contact}>;expires=60"
    now = int(pbx.clock().timestamp())
    assert await pbx.next() == {
        "event": "register",
        "aor": AOR,
        "contact": ua.contact,
        "user_agent": "Test/1",
        "source": f"127.0.0.1:{ua.agent.port}",
        "transport": "udp",
        "call_id": "c1",
        "cseq": 2,
        "time": now,
        "bindings": [
            {"uri": ua.contact, "expires": now + 60, "user_agent": "Test/1", "instance": "<urn:uuid:1>"}
        ],
    }
    await ua.register(pbx)
    assert (await pbx.next())["event"] == "refresh"
    await ua.register(pbx, expires=0)
    event = await pbx.next()
    assert (event["event"], event["bindings"]) == ("unregister", [])
    assert pbx.registrar.bindings(AOR) == ()


async def test_a_binding_that_is_not_refreshed_expires(pbx: Pbx, ua: Ua) -> None:
    await ua.register(pbx, expires=1)
    assert (await pbx.next())["event"] == "register"
    event = await pbx.next()
    assert (event["event"], event["aor"], event["contact"], event["bindings"]) == (
        "expired",
        AOR,
        ua.contact,
        [],
    )
    assert pbx.registrar.bindings(AOR) == ()


async def test_a_member_registers_the_address_of_its_shared_line_and_nobody_else_does(
    pbx: Pbx, ua: Ua
) -> None:
    assert (await ua.register(pbx, user="shared")).status == 200
    assert (await pbx.next())["aor"] == f"shared@{DOMAIN}"
    assert (await ua.register(pbx, user="shared", credentials=Credentials("1002", "other"))).status == 403
    assert (await ua.register(pbx, user="1002")).status == 403
    pbx.is_reachable = False
    assert (await ua.register(pbx, user="shared")).status == 503


async def test_a_wrong_password_is_refused_and_told(pbx: Pbx, ua: Ua) -> None:
    answer = await ua.register(pbx, credentials=Credentials("1001", "wrong"))
    assert answer.status == 401
    event = await pbx.next()
    assert (event["event"], event["aor"], event["bindings"]) == ("auth-failed", AOR, [])
    assert "wrong" not in str(event)
    assert pbx.told.empty()


async def test_unknown_accounts_foreign_addresses_and_no_credentials(pbx: Pbx, ua: Ua) -> None:
    assert (await ua.register(pbx, user="9", credentials=Credentials("9", "x"))).status == 403
    assert (await ua.register(pbx, credentials=Credentials("1002", "other"))).status == 403
    assert (await ua.register(pbx, credentials=None)).status == 401
    pbx.is_reachable = False
    assert (await ua.register(pbx)).status == 503
    assert pbx.told.empty()


async def test_an_old_nonce_is_stale_and_a_foreign_one_worthless(pbx: Pbx, ua: Ua) -> None:
    challenge = (await ua.register(pbx, credentials=None)).get("WWW-Authenticate") or ""
    assert "stale" not in challenge
    pbx.clock.advance(timedelta(seconds=400))
    nonce = challenge.partition('nonce="')[2].partition('"')[0]
    for value in (nonce, "1.2", "", nonce[:-1]):
        request = Request(
            method="REGISTER",
            uri=f"sip:{DOMAIN}",
            headers=(
                ("From", f"<sip:{AOR}>;tag=1"),
                ("To", f"<sip:{AOR}>"),
                ("Call-ID", "c1"),
                ("CSeq", "50 REGISTER"),
                (
                    "Authorization",
                    f'Digest username="1001", realm="{DOMAIN}", nonce="{value}", uri="x", response="y"',
                ),
            ),
        )
        answer = await ua.agent.request(request, ("127.0.0.1", pbx.registrar.port))
        assert answer.status == 401
        assert "stale=true" in (answer.get("WWW-Authenticate") or "")
    assert pbx.told.empty()


async def test_one_address_has_only_so_many_phones(pbx: Pbx, ua: Ua) -> None:
    for number in (1, 2):
        assert (await ua.register(pbx, contact=f"<sip:1001@127.0.0.1:700{number}>")).status == 200
        assert (await pbx.next())["event"] == "register"
    assert (await ua.register(pbx, contact="<sip:1001@127.0.0.1:7003>")).status == 503
    event = await pbx.next()
    assert (event["event"], event["contact"], len(event["bindings"])) == (
        "too-many-contacts",
        "sip:1001@127.0.0.1:7003",
        2,
    )
    assert (await ua.register(pbx, contact="*", expires=0)).status == 200
    assert [(await pbx.next())["event"] for _ in range(2)] == ["unregister", "unregister"]


async def test_there_are_only_so_many_addresses(ua: Ua) -> None:
    pbx = Pbx(limits=Limits(addresses=1))
    await pbx.registrar.start()
    assert (await ua.register(pbx)).status == 200
    answer = await ua.register(pbx, user="1002", credentials=Credentials("1002", "other"))
    assert answer.status == 503
    await pbx.registrar.stop()


async def test_expiries_have_bounds_and_a_default(ua: Ua) -> None:
    pbx = Pbx(limits=Limits(expires_least=30, expires_usual=90, expires_most=100))
    await pbx.registrar.start()
    brief = await ua.register(pbx, expires=5)
    assert (brief.status, brief.get("Min-Expires")) == (423, "30")
    assert (await ua.register(pbx, expires=500)).get("Contact") == f"<{ua.contact}>;expires=100"
    assert (await ua.register(pbx, expires=None)).get("Contact") == f"<{ua.contact}>;expires=90"
    own = await ua.register(pbx, contact=f"<{ua.contact}>;expires=40")
    assert own.get("Contact") == f"<{ua.contact}>;expires=40"
    await pbx.registrar.stop()


async def test_an_overtaken_register_changes_nothing(pbx: Pbx, ua: Ua) -> None:
    await ua.register(pbx, cseq=10)
    assert (await ua.register(pbx, cseq=5, expires=0)).status == 500
    assert len(pbx.registrar.bindings(AOR)) == 1
    assert (await ua.register(pbx, cseq=1, call_id="after-a-restart")).status == 200


async def test_other_methods_are_refused_and_nonsense_is_400(pbx: Pbx, ua: Ua) -> None:
    assert (await ua.register(pbx, contact="*", expires=60)).status == 400
    assert (await ua.register(pbx, contact="<mailto:x@y>")).status == 400
    base = (("From", "<sip:a@x>;tag=1"), ("To", "<sip:a@x>"), ("Call-ID", "c9"))
    for method, status in (("OPTIONS", 200), ("INVITE", 405)):
        request = Request(method=method, uri="sip:x", headers=(*base, ("CSeq", f"1 {method}")))
        assert (await ua.agent.request(request, ("127.0.0.1", pbx.registrar.port))).status == status


async def test_check_sync_goes_to_every_phone_of_the_address(pbx: Pbx, ua: Ua) -> None:
    await ua.register(pbx)
    results = await pbx.registrar.check_sync(AOR)
    assert [result.reach for result in results] == [Reach.ANSWERED]
    assert ua.notified == ["check-sync;reboot=false"]
    assert await pbx.registrar.check_sync("nobody@x") == ()


async def test_a_listener_that_fails_does_not_silence_the_next_event(ua: Ua) -> None:
    pbx = Pbx()
    failures = iter((True, False))

    async def sometimes(event: dict[str, Any]) -> None:
        if next(failures):
            raise RuntimeError
        await Pbx.tell(pbx, event)

    pbx.registrar._on_event = sometimes
    await pbx.registrar.start()
    await ua.register(pbx)
    await ua.register(pbx)
    assert (await pbx.next())["event"] == "refresh"
    await pbx.registrar.stop()
