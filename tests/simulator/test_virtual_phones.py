"""Virtual phones of every dialect against a file server with authentication and the simulator's registrar."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest
import uvloop
from aiohttp import web
from aiohttp.test_utils import TestServer

from provisioner.errors import BadInput
from provisioner.registrar.agent import Timers
from provisioner.registrar.sip_digest import Credentials, ha1
from provisioner.simulator.dialect import Dialect, load_dialects
from provisioner.simulator.fleet import Fleet, FleetProgress
from provisioner.simulator.phone import VirtualPhone
from provisioner.simulator.registrar import Limits, SimulatedRegistrar
from provisioner.simulator.status import Phase, PhoneStatus

DIALECTS = load_dialects(Path(__file__).resolve().parents[2] / "vendor_profiles")
DOMAIN = "tenant1.test"
QUICK = Timers(t1=0.05, t2=0.2)
DEVICE = Credentials("dev-1", "Prov1!x")
MACS = {"snom": "000413AABBCC", "yealink": "805EC0AABBCC", "generic": "02A4C3AABBCC"}


def snom(port: int, *, password: str = "pw-1001", active: str = "on", expires: int = 60) -> bytes:
    on = active == "on"
    return f"""<?xml version="1.0" encoding="utf-8"?>
<settings><phone-settings e="2">
<user_active idx="1" perm="R">{active}</user_active>
<user_name idx="1" perm="R">{"1001" if on else ""}</user_name>
<user_pname idx="1" perm="R"></user_pname>
<user_pass idx="1" perm="R">{password if on else ""}</user_pass>
<user_host idx="1" perm="R">{DOMAIN if on else ""}</user_host>
<user_outbound idx="1" perm="R">{f"127.0.0.1:{port};transport=udp" if on else ""}</user_outbound>
<user_expiry idx="1" perm="R">{expires}</user_expiry>
<user_active idx="2" perm="R">off</user_active><user_name idx="2" perm="R"></user_name>
</phone-settings><functionKeys e="2">
<fkey idx="0" context="1" label="Line" perm="">line</fkey>
<fkey idx="1" context="1" label="Anna &amp; 202" perm="">blf 202|*8</fkey>
</functionKeys></settings>""".encode()


def yealink(port: int, *, password: str = "pw-1001", active: str = "1", expires: int = 60) -> bytes:
    return f"""#!version:1.0.0.1
account.1.enable = {active}
account.1.user_name = 1001
account.1.auth_name = 1001
account.1.password = {password}
account.1.sip_server.1.address = {DOMAIN}
account.1.sip_server.1.port = 5060
account.1.sip_server.1.transport_type = 0
account.1.sip_server.1.expires = {expires}
account.1.outbound_proxy_enable = 1
account.1.outbound_proxy.1.address = 127.0.0.1
account.1.outbound_proxy.1.port = {port}
account.2.enable = 0
account.2.user_name =
linekey.1.type = 15
linekey.1.line = 1
linekey.2.type = 16
linekey.2.value = 202
linekey.2.label = Anna = 202
linekey.2.extension = *8
linekey.2.line = 1
""".encode()


def generic(port: int, *, password: str = "pw-1001", active: str = "1", expires: int = 60) -> bytes:
    entries = {
        "auth_info_0": {"username": "1001", "userid": "1001", "passwd": password, "realm": DOMAIN},
        "proxy_0": {
            "reg_identity": f'"Anna" &lt;sip:1001@{DOMAIN}&gt;',
            "reg_proxy": f"&lt;sip:{DOMAIN}&gt;",
            "reg_route": f"&lt;sip:127.0.0.1:{port};transport=udp;lr&gt;",
            "reg_expires": str(expires),
            "reg_sendregister": active,
        },
        "proxy_1": {"reg_identity": "", "reg_sendregister": "0"},
    }
    sections = "".join(
        f'<section name="{section}">'
        + "".join(f'<entry name="{name}" overwrite="true">{value}</entry>' for name, value in rows.items())
        + "</section>"
        for section, rows in entries.items()
    )
    return f'<config xmlns="http://www.linphone.org/xsds/lpconfig.xsd">{sections}</config>'.encode()


FILES: dict[str, tuple[str, Callable[..., bytes]]] = {
    "snom": ("/p/000413AABBCC.xml", snom),
    "yealink": ("/p/805ec0aabbcc.cfg", yealink),
    "generic": ("/p/02A4C3AABBCC/linphone.xml", generic),
}
TYPED = {"snom": "{base}/p/{mac}.xml", "yealink": "{base}/p", "generic": "{base}/p/02A4C3AABBCC/linphone.xml"}


def typed(vendor: str, base: str) -> str:
    return TYPED[vendor].replace("{base}", base)


class FileDoor:
    """Serves `files` to who knows the device password; asks for Digest first, then Basic, or as told."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.public: set[str] = set()
        self.asked: list[tuple[str, int]] = []
        self.agents: set[str] = set()
        self.schemes: set[str] = set()
        self.challenges = ['Digest realm="prov", nonce="n1", qop="auth", algorithm=MD5', 'Basic realm="prov"']
        self.base = ""
        self.served = asyncio.Event()

    async def handle(self, request: web.Request) -> web.Response:
        self.agents.add(request.headers.get("User-Agent", ""))
        body = self.files.get(request.path)
        if body is None:
            return self._answer(request, web.Response(status=404))
        if request.path not in self.public and not self._is_known(request):
            refusal = web.Response(status=401)
            for challenge in self.challenges:
                refusal.headers.add("WWW-Authenticate", challenge)
            return self._answer(request, refusal)
        self.served.set()
        return self._answer(request, web.Response(body=body))

    def _answer(self, request: web.Request, response: web.Response) -> web.Response:
        self.asked.append((request.path, response.status))
        return response

    def _is_known(self, request: web.Request) -> bool:
        value = request.headers.get("Authorization", "")
        if not value:
            return False
        self.schemes.add(value.partition(" ")[0])
        if value.startswith("Basic"):
            return value == aiohttp.encode_basic_auth(DEVICE.username, DEVICE.password)
        fields = {name: text.strip('"') for name, text in re.findall(r'(\w+)=("[^"]*"|[^,\s]+)', value)}

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        secret = md5(f"{DEVICE.username}:prov:{DEVICE.password}")
        request_part = md5(f"GET:{request.raw_path}")
        parts = [secret, "n1", fields["nc"], fields["cnonce"], "auth", request_part]
        return bool(fields["uri"] == request.raw_path and fields["response"] == md5(":".join(parts)))


class World:
    """A file server, a registrar, an HTTP session; phones that are switched off at the end."""

    def __init__(self) -> None:
        self.door = FileDoor()
        self.accounts = {"1001": "pw-1001"}
        self.told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.statuses: asyncio.Queue[PhoneStatus] = asyncio.Queue()
        self.registrar = SimulatedRegistrar(self.ha1, self.tell, limits=Limits(contacts=100), timers=QUICK)
        self._stack = AsyncExitStack()
        self.session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/{path:.*}", self.door.handle)
        server = await self._stack.enter_async_context(TestServer(app, host="127.0.0.1"))
        self.door.base = str(server.make_url("")).rstrip("/")
        self.session = await self._stack.enter_async_context(
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        )
        await self.registrar.start()
        self._stack.push_async_callback(self.registrar.stop)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def ha1(self, user: str, realm: str) -> str | None:
        return ha1(user, realm, self.accounts[user]) if user in self.accounts else None

    async def tell(self, event: dict[str, Any]) -> None:
        self.told.put_nowait(event)

    async def event(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.told.get(), 5)

    async def status(self, phase: Phase) -> PhoneStatus:
        """The next status of this phase; others are passed over."""
        async with asyncio.timeout(5):
            while (status := await self.statuses.get()).phase is not phase:
                pass
        return status

    def serve(self, vendor: str, **changes: Any) -> None:
        path, make = FILES[vendor]
        self.door.files[path] = make(self.registrar.port, **changes)

    def phone(self, vendor: str, **changes: Any) -> VirtualPhone:
        url = changes.pop("url", typed(vendor, self.door.base))
        settings: dict[str, Any] = {
            "mac": MACS[vendor],
            "credentials": DEVICE,
            "retry": 0.05,
            "timers": QUICK,
        }
        phone = VirtualPhone(DIALECTS[vendor], self.session, url=url, **(settings | changes))
        phone.listen(self.statuses.put_nowait)
        self._stack.push_async_callback(phone.stop)
        return phone


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World() as world:
        yield world


every_vendor = pytest.mark.parametrize("vendor", sorted(FILES))


@every_vendor
async def test_a_phone_fetches_registers_and_says_goodbye(world: World, vendor: str) -> None:
    world.serve(vendor)
    phone = world.phone(vendor)
    await phone.start()
    event = await world.event()
    assert (event["event"], event["aor"]) == ("register", f"1001@{DOMAIN}")
    assert event["bindings"][0]["instance"] == f"<urn:uuid:00000000-0000-1000-8000-{MACS[vendor].lower()}>"
    assert (await world.status(Phase.REGISTERED)).line == 1
    assert phone.is_registered
    assert len(phone.lines) == 1
    await phone.stop()
    assert (await world.event())["event"] == "unregister"
    await world.status(Phase.STOPPED)


ORDERS = {
    "snom": [("/p/000413AABBCC.xml", 401), ("/p/000413AABBCC.xml", 200), ("/snomD785-firmware.htm", 404)],
    "yealink": [
        ("/p/805ec0aabbcc.boot", 404),
        ("/p/y000000000000.boot", 404),
        ("/p/y000000000108.cfg", 404),
        ("/p/805ec0aabbcc.cfg", 401),
        ("/p/805ec0aabbcc.cfg", 200),
    ],
    "generic": [("/p/02A4C3AABBCC/linphone.xml", 401), ("/p/02A4C3AABBCC/linphone.xml", 200)],
}
SCHEMES = {"snom": {"Basic"}, "yealink": {"Digest"}, "generic": {"Digest"}}
AGENTS = {
    "snom": "Mozilla/4.0 (compatible; snomD785-SIP 10.1.175.16 2010.12-00004-g9ba52f5 000413AABBCC SXM:0 UXM:0)",
    "yealink": "Yealink SIP-T46U 108.86.0.90 80:5e:c0:aa:bb:cc",
    "generic": "Linphonec/5.1.65 (simulator) LinphoneSDK/5.1.64",
}
SIP_AGENTS = {
    "snom": "snomD785/10.1.175.16",
    "yealink": "Yealink SIP-T46U 108.86.0.90",
    "generic": "Linphonec/5.1.65 (simulator) LinphoneSDK/5.1.64",
}


@every_vendor
async def test_a_phone_asks_in_its_vendors_order_and_words(world: World, vendor: str) -> None:
    world.serve(vendor)
    await world.phone(vendor).start()
    event = await world.event()
    assert world.door.asked == ORDERS[vendor]
    assert world.door.schemes == SCHEMES[vendor]
    assert world.door.agents == {AGENTS[vendor]}
    assert event["user_agent"] == SIP_AGENTS[vendor]


@pytest.mark.parametrize(
    ("vendor", "pairs"),
    [
        ("snom", [(1, "line", "", "Line", ""), (2, "blf", "202", "Anna & 202", "*8")]),
        ("yealink", [(1, "15", "", "", ""), (2, "16", "202", "Anna = 202", "*8")]),
        ("generic", []),
    ],
)
async def test_function_keys_are_read_in_the_vendors_words(
    world: World, vendor: str, pairs: list[tuple[int, str, str, str, str]]
) -> None:
    world.serve(vendor)
    phone = world.phone(vendor)
    await phone.start()
    await world.status(Phase.REGISTERED)
    assert [(key.slot, key.type, key.value, key.label, key.pickup) for key in phone.keys] == pairs


@every_vendor
async def test_a_wrong_sip_password_in_the_file_is_told_by_the_registrar(world: World, vendor: str) -> None:
    world.serve(vendor, password="wrong")
    phone = world.phone(vendor)
    await phone.start()
    assert (await world.event())["event"] == "auth-failed"
    assert (await world.status(Phase.REFUSED)).detail.startswith("401")
    assert not phone.is_registered
    assert "wrong" not in repr(phone.lines)


@every_vendor
async def test_a_phone_with_the_wrong_device_password_gets_nothing_until_it_is_right(
    world: World, vendor: str
) -> None:
    world.serve(vendor)
    phone = world.phone(vendor, credentials=Credentials("dev-1", "nope"))
    await phone.start()
    assert "401" in (await world.status(Phase.FETCH_FAILED)).detail
    assert phone.lines == ()
    phone._fetcher._credentials = DEVICE
    await world.status(Phase.REGISTERED)


@every_vendor
async def test_check_sync_makes_it_fetch_again_and_a_line_switched_off_goes(
    world: World, vendor: str
) -> None:
    world.serve(vendor)
    phone = world.phone(vendor)
    await phone.start()
    assert (await world.event())["event"] == "register"
    world.serve(vendor, active={"snom": "off"}.get(vendor, "0"))
    results = await world.registrar.check_sync(f"1001@{DOMAIN}")
    assert [result.status for result in results] == [200]
    assert (await world.event())["event"] == "unregister"
    assert not phone.is_registered


async def test_a_line_that_a_file_no_longer_mentions_stays(world: World) -> None:
    world.serve("snom")
    phone = world.phone("snom")
    await phone.start()
    assert (await world.event())["event"] == "register"
    await world.status(Phase.CONFIGURED)
    world.door.files[FILES["snom"][0]] = (
        b"<settings><phone-settings><language>English</language></phone-settings></settings>"
    )
    phone.resync()
    await world.status(Phase.CONFIGURED)
    assert phone.is_registered
    assert [line.user for line in phone.lines] == ["1001"]


async def test_a_registration_is_renewed_before_it_expires(world: World) -> None:
    world.serve("yealink", expires=1)
    await world.phone("yealink").start()
    assert [(await world.event())["event"] for _ in range(3)] == ["register", "refresh", "refresh"]


async def test_a_file_that_changes_the_account_moves_the_line(world: World) -> None:
    world.accounts["1001"] = "rotated"
    world.serve("yealink")
    phone = world.phone("yealink")
    await phone.start()
    assert (await world.event())["event"] == "auth-failed"
    world.serve("yealink", password="rotated")
    phone.resync()
    async with asyncio.timeout(5):
        while (await world.event())["event"] != "register":
            pass


async def test_an_unreadable_file_is_kept_out_and_said(world: World) -> None:
    world.door.files[FILES["snom"][0]] = b"<settings><broken"
    phone = world.phone("snom")
    await phone.start()
    assert "not well-formed" in (await world.status(Phase.FETCH_FAILED)).detail
    world.serve("snom")
    assert (await world.event())["event"] == "register"


async def test_a_server_that_is_away_is_asked_again(world: World) -> None:
    phone = world.phone("snom", url="http://127.0.0.1:1/p/{mac}.xml")
    await phone.start()
    for _ in range(2):
        assert "ClientConnectorError" in (await world.status(Phase.FETCH_FAILED)).detail


async def test_other_transports_are_refused_and_said(world: World) -> None:
    path, make = FILES["snom"]
    world.door.files[path] = make(world.registrar.port).replace(b"transport=udp", b"transport=tls")
    await world.phone("snom").start()
    assert "not tls" in (await world.status(Phase.REFUSED)).detail


async def test_a_boot_file_decides_what_a_phone_fetches_and_forgets(world: World) -> None:
    world.serve("yealink")
    phone = world.phone("yealink")
    await phone.start()
    assert (await world.event())["event"] == "register"
    await world.status(Phase.REGISTERED)
    boot = '#!version:1.0.0.1\noverwrite_mode = 1\n[T58]include:config "no.cfg"\n[T54W,T46U]include:config "own.cfg"\n'
    world.door.files |= {"/p/805ec0aabbcc.boot": boot.encode(), "/p/own.cfg": b"lang.gui = Dutch\n"}
    world.door.public |= {"/p/805ec0aabbcc.boot", "/p/own.cfg"}
    world.door.asked.clear()
    phone.resync()
    assert (await world.event())["event"] == "unregister"
    assert world.door.asked == [("/p/805ec0aabbcc.boot", 200), ("/p/own.cfg", 200)]
    assert phone.lines == ()


async def test_a_boot_file_without_its_first_line_is_no_boot_file(world: World) -> None:
    world.serve("yealink")
    world.door.files["/p/805ec0aabbcc.boot"] = b'include:config "own.cfg"\n'
    world.door.public.add("/p/805ec0aabbcc.boot")
    phone = world.phone("yealink")
    await phone.start()
    assert (await world.event())["event"] == "register"
    assert "/p/own.cfg" not in [path for path, _ in world.door.asked]


async def test_a_folder_as_setting_url_is_asked_file_by_file(world: World) -> None:
    world.door.files["/p/snomD735-000413AABBCC.htm"] = snom(world.registrar.port)
    phone = world.phone("snom", url=f"{world.door.base}/p/", model="D735")
    await phone.start()
    assert (await world.event())["user_agent"] == "snomD735/10.1.175.16"
    assert [path for path, status in world.door.asked if status != 401] == [
        "/p/snomD735.htm",
        "/p/snomD735-000413AABBCC.htm",
        "/p/snomD735-firmware.htm",
    ]


async def test_a_client_that_reads_only_the_first_challenge_needs_digest_first(world: World) -> None:
    world.serve("generic")
    world.door.challenges.reverse()
    phone = world.phone("generic")
    await phone.start()
    await world.status(Phase.FETCH_FAILED)
    world.door.challenges.reverse()
    assert (await world.event())["event"] == "register"


async def test_credentials_in_the_address_count_and_are_never_sent_unasked(world: World) -> None:
    world.serve("generic")
    url = typed("generic", world.door.base).replace("http://", "http://dev-1:Prov1%21x@")
    phone = world.phone("generic", url=url, credentials=None)
    await phone.start()
    assert (await world.event())["event"] == "register"
    assert world.door.asked == ORDERS["generic"]
    assert "Prov1" not in str(phone.files)


async def test_an_entry_without_overwrite_does_not_change_what_is_stored(world: World) -> None:
    world.serve("generic")
    phone = world.phone("generic")
    await phone.start()
    assert (await world.event())["event"] == "register"
    path = FILES["generic"][0]
    world.door.files[path] = generic(world.registrar.port, active="0").replace(b' overwrite="true"', b"")
    await world.status(Phase.CONFIGURED)
    phone.resync()
    await world.status(Phase.CONFIGURED)
    assert phone.lines[0].is_active


def test_a_url_that_the_vendor_cannot_use_is_refused() -> None:
    async def make(url: str) -> None:
        async with aiohttp.ClientSession() as session:
            VirtualPhone(DIALECTS["snom"], session, mac=MACS["snom"], url=url)

    for url in ("ftp://x/{mac}.xml", "http://host/other.bin", "http:///{mac}.xml"):
        with pytest.raises(BadInput):
            asyncio.run(make(url))


async def test_a_fleet_reports_progress_and_reasons(world: World) -> None:
    vendors = sorted(FILES)
    for vendor in vendors:
        world.serve(vendor)
    phones = [world.phone(vendor) for vendor in vendors]
    phones.append(world.phone("snom", mac="000413000001"))  # no file
    phones.append(world.phone("yealink", mac="805EC0000002"))
    world.door.files["/p/805ec0000002.cfg"] = yealink(world.registrar.port, password="wrong")
    progress: list[FleetProgress] = []
    fleet = Fleet(phones, on_progress=progress.append)
    summary = await fleet.run(rate=200.0, patience=10.0)
    assert (summary.total, summary.registered, summary.failed) == (5, 3, 2)
    assert dict(summary.reasons) == {"fetch failed: 404, 404": 1, "refused: 401 Unauthorized": 1}
    assert progress[-1] == FleetProgress(total=5, started=5, registered=3, failed=2)
    assert 0 < summary.seconds < 10
    await fleet.stop()
    assert world.registrar.bindings(f"1001@{DOMAIN}") == ()


async def test_a_fleet_that_does_not_finish_is_said_to_be_late(world: World) -> None:
    gate = asyncio.Event()
    world.serve("snom")
    handle = world.door.handle

    async def slow(request: web.Request) -> web.Response:
        await gate.wait()
        return await handle(request)

    app = web.Application()
    app.router.add_get("/{path:.*}", slow)
    async with TestServer(app, host="127.0.0.1") as server:
        phone = world.phone("snom", url=str(server.make_url("/p/")) + "{mac}.xml")
        fleet = Fleet([phone])
        summary = await fleet.run(patience=0.05)
        assert dict(summary.reasons) == {"did not finish in time": 1}
        gate.set()
        await fleet.stop()


def test_all_of_it_runs_on_uvloop() -> None:
    async def boot() -> list[str]:
        async with World() as world:
            for vendor in FILES:
                world.serve(vendor)
            fleet = Fleet([world.phone(vendor) for vendor in FILES])
            summary = await fleet.run(patience=10.0)
            assert summary.registered == 3, summary.reasons
            await fleet.stop()
            return sorted(world.told.get_nowait()["event"] for _ in range(6))

    assert uvloop.run(boot()) == ["register"] * 3 + ["unregister"] * 3


def test_every_dialect_names_itself_and_holds_its_own_default_model() -> None:
    assert set(DIALECTS) >= set(FILES)
    for dialect in DIALECTS.values():
        assert isinstance(dialect, Dialect)
        assert not dialect.models or dialect.model in dialect.models
