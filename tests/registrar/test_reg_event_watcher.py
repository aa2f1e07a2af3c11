import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest

from provisioner.errors import Unavailable
from provisioner.registrar import watcher as watcher_module
from provisioner.registrar.agent import Address, SipAgent, Timers
from provisioner.registrar.reg_event import Contact
from provisioner.registrar.sip import Request, Response, SipParseError, parse_name_addr, reply
from provisioner.registrar.sip_digest import Credentials, ha1, parse_digest, response
from provisioner.registrar.watcher import Pace, RegEventWatcher

QUICK = Timers(t1=0.02, t2=0.08)
PACE = Pace(expires=600, settle=0.1, retry_first=0.02, retry_most=0.1, farewell=1.0)
AOR = "101@pbx.test"
PHONE = "sip:101@192.0.2.51:5060"


def document(*uris: str) -> bytes:
    contacts = "".join(
        f'<contact id="{secrets.token_hex(4)}" state="active" event="registered" expires="60"><uri>{uri}</uri></contact>'
        for uri in uris
    )
    return (
        '<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="0" state="full">'
        f'<registration aor="sip:{AOR}" id="1" state="active">{contacts}</registration></reginfo>'
    ).encode()


class Notifier:
    """A registrar that answers SUBSCRIBE as it is told and sends the NOTIFYs it is told to."""

    def __init__(self) -> None:
        self.agent = SipAgent(self._handle, timers=QUICK)
        self.subscribes: asyncio.Queue[Request] = asyncio.Queue()
        self.status = 200
        self.granted: int | None = None
        self.secret = ""
        self.cseq = 0
        self.watcher: Address = ("", 0)

    async def _handle(self, request: Request, source: Address) -> Response:
        self.watcher = source
        if self.secret:
            fields = parse_digest(request.get("Authorization") or "")
            if fields is None or fields["response"] != response(self.secret, "SUBSCRIBE", fields):
                challenge = ("WWW-Authenticate", 'Digest realm="pbx.test", nonce="n", qop="auth"')
                return reply(request, 401, "Unauthorized", to_tag="r", headers=(challenge,))
        self.subscribes.put_nowait(request)
        if self.status != 200:
            return reply(request, self.status, "No")
        expires = str(self.granted) if self.granted is not None else request.get("Expires") or ""
        contact = f"<sip:127.0.0.1:{self.agent.port}>"
        return reply(request, 200, "OK", to_tag="r", headers=(("Expires", expires), ("Contact", contact)))

    async def subscribed(self) -> Request:
        return await asyncio.wait_for(self.subscribes.get(), 5)

    async def notify(
        self,
        subscribe: Request,
        body: bytes = b"",
        *,
        state: str = "active;expires=600",
        cseq: int = 0,
        **changed: str,
    ) -> Response:
        self.cseq = cseq or self.cseq + 1
        contact = parse_name_addr(subscribe.get("Contact") or "").uri
        tag = changed.get("tag") or parse_name_addr(subscribe.get("From") or "").params["tag"]
        request = Request(
            method=changed.get("method", "NOTIFY"),
            uri=contact,
            headers=(
                ("From", f"<sip:{AOR}>;tag=r"),
                ("To", f"<sip:prov@pbx.test>;tag={tag}"),
                ("Call-ID", subscribe.call_id),
                ("CSeq", f"{self.cseq} {changed.get('method', 'NOTIFY')}"),
                ("Event", changed.get("event", "reg")),
                ("Subscription-State", state),
                ("Content-Type", "application/reginfo+xml"),
            ),
            body=body,
        )
        return await self.agent.request(request, self.watcher)


class Seen:
    def __init__(self) -> None:
        self.states: asyncio.Queue[tuple[str, tuple[Contact, ...], bool]] = asyncio.Queue()

    async def __call__(self, aor: str, contacts: tuple[Contact, ...], is_final: bool) -> None:
        self.states.put_nowait((aor, contacts, is_final))

    async def next(self) -> tuple[list[str], list[str], bool]:
        """Active URIs, ended URIs, is_final of the next observation."""
        aor, contacts, is_final = await asyncio.wait_for(self.states.get(), 5)
        assert aor == AOR
        return (
            [c.uri for c in contacts if c.is_active],
            [c.uri for c in contacts if not c.is_active],
            is_final,
        )


@pytest.fixture
async def notifier() -> AsyncIterator[Notifier]:
    notifier = Notifier()
    await notifier.agent.open("127.0.0.1")
    yield notifier
    await notifier.agent.close()


@pytest.fixture
def seen() -> Seen:
    return Seen()


def make(
    notifier: Notifier, seen: Seen, *, credentials: Credentials | None = None, pace: Pace = PACE
) -> RegEventWatcher:
    return RegEventWatcher(
        "127.0.0.1",
        seen,
        identity="sip:prov@pbx.test",
        port=notifier.agent.port,
        credentials=credentials,
        local=("127.0.0.1", 0),
        pace=pace,
        timers=QUICK,
    )


@pytest.fixture
async def watcher(notifier: Notifier, seen: Seen) -> AsyncIterator[RegEventWatcher]:
    watcher = make(notifier, seen)
    await watcher.start([AOR])
    yield watcher
    await watcher.stop()


async def test_the_subscription_asks_for_what_rfc_3680_says(
    watcher: RegEventWatcher, notifier: Notifier
) -> None:
    subscribe = await notifier.subscribed()
    assert subscribe.uri == f"sip:{AOR}"
    assert [subscribe.get(name) for name in ("Event", "Accept", "Expires")] == [
        "reg",
        "application/reginfo+xml",
        "600",
    ]


async def test_contacts_are_told_and_the_ones_that_went_too(
    watcher: RegEventWatcher, notifier: Notifier, seen: Seen
) -> None:
    subscribe = await notifier.subscribed()
    assert (await notifier.notify(subscribe)).status == 200
    assert (await notifier.notify(subscribe, document(PHONE))).status == 200
    assert await seen.next() == ([PHONE], [], False)
    await notifier.notify(subscribe, document())
    assert await seen.next() == ([], [PHONE], False)


async def test_an_empty_first_notify_means_nobody_only_after_a_while(
    watcher: RegEventWatcher, notifier: Notifier, seen: Seen
) -> None:
    subscribe = await notifier.subscribed()
    await notifier.notify(subscribe)
    assert seen.states.empty()
    assert await seen.next() == ([], [], False)


async def test_a_document_after_the_empty_notify_comes_alone(notifier: Notifier, seen: Seen) -> None:
    watcher = make(notifier, seen, pace=Pace(settle=0.0, farewell=1.0))
    await watcher.start([AOR])
    subscribe = await notifier.subscribed()
    await notifier.notify(subscribe, document(PHONE))
    await notifier.notify(subscribe)
    await watcher.stop()
    assert await seen.next() == ([PHONE], [], False)
    assert await seen.next() == ([PHONE], [], True)
    assert seen.states.empty()


async def test_an_overtaken_notify_changes_nothing(
    watcher: RegEventWatcher, notifier: Notifier, seen: Seen
) -> None:
    subscribe = await notifier.subscribed()
    await notifier.notify(subscribe, document(PHONE), cseq=9)
    assert (await notifier.notify(subscribe, document(), cseq=8)).status == 200
    await notifier.notify(subscribe, document(PHONE, "sip:b@192.0.2.52"), cseq=10)
    assert await seen.next() == ([PHONE], [], False)
    assert await seen.next() == ([PHONE, "sip:b@192.0.2.52"], [], False)


async def test_strangers_and_other_events_are_refused(
    watcher: RegEventWatcher, notifier: Notifier, seen: Seen
) -> None:
    subscribe = await notifier.subscribed()
    assert (await notifier.notify(subscribe, document(PHONE), tag="guessed")).status == 481
    assert (await notifier.notify(subscribe, document(PHONE), event="presence")).status == 489
    assert (await notifier.notify(subscribe, method="MESSAGE")).status == 405
    assert (await notifier.notify(subscribe, b"<broken")).status == 200
    assert seen.states.empty()


async def test_it_refreshes_in_the_same_dialog(notifier: Notifier, seen: Seen) -> None:
    notifier.granted = 1
    watcher = make(notifier, seen)
    await watcher.start([AOR])
    first, second = await notifier.subscribed(), await notifier.subscribed()
    assert first.call_id == second.call_id
    assert second.cseq > first.cseq
    assert parse_name_addr(second.get("To") or "").params["tag"] == "r"
    assert second.uri == f"sip:127.0.0.1:{notifier.agent.port}"
    await watcher.stop()


async def test_a_terminated_subscription_is_stale_and_begun_anew(
    watcher: RegEventWatcher, notifier: Notifier, seen: Seen
) -> None:
    subscribe = await notifier.subscribed()
    await notifier.notify(subscribe, document(PHONE))
    assert await seen.next() == ([PHONE], [], False)
    await notifier.notify(subscribe, state="terminated;reason=deactivated")
    assert await seen.next() == ([PHONE], [], True)
    again = await notifier.subscribed()
    assert again.call_id != subscribe.call_id
    await notifier.notify(again, document(PHONE), cseq=1)
    assert await seen.next() == ([PHONE], [], False)


async def test_a_refusing_registrar_is_asked_again_and_reported_once(notifier: Notifier, seen: Seen) -> None:
    notifier.status = 503
    watcher = make(notifier, seen)
    await watcher.start([AOR])
    for _ in range(4):
        await notifier.subscribed()
    notifier.status = 200
    while (subscribe := await notifier.subscribed()) and notifier.subscribes.qsize():
        pass
    await notifier.notify(subscribe, document(PHONE))
    assert await seen.next() == ([], [], True)
    assert await seen.next() == ([PHONE], [], False)
    await watcher.stop()


async def test_a_silent_registrar_is_a_loss(seen: Seen) -> None:
    nobody = Notifier()
    await nobody.agent.open("127.0.0.1")
    watcher = make(nobody, seen)
    await nobody.agent.close()
    watcher._agent.timers = Timers(t1=0.005, t2=0.01)
    await watcher.start([AOR])
    assert await seen.next() == ([], [], True)
    await watcher.stop()


async def test_it_logs_in_where_the_registrar_asks(notifier: Notifier, seen: Seen) -> None:
    notifier.secret = ha1("prov", "pbx.test", "canary-secret")
    watcher = make(notifier, seen, credentials=Credentials("prov", "canary-secret"))
    await watcher.start([AOR])
    subscribe = await notifier.subscribed()
    assert subscribe.cseq == 2
    assert "canary-secret" not in subscribe.to_bytes().decode()
    await watcher.stop()


async def test_stopping_unsubscribes(notifier: Notifier, seen: Seen) -> None:
    watcher = make(notifier, seen)
    await watcher.start([AOR])
    subscribe = await notifier.subscribed()
    await notifier.notify(subscribe, document(PHONE))
    await watcher.stop()
    assert (await notifier.subscribed()).get("Expires") == "0"
    assert watcher.watched == frozenset()
    assert watcher._dialogs == {}
    assert await seen.next() == ([PHONE], [], False)
    assert await seen.next() == ([PHONE], [], True)


async def test_one_address_can_be_left_alone_again(watcher: RegEventWatcher, notifier: Notifier) -> None:
    await notifier.subscribed()
    await watcher.unwatch(AOR)
    assert (await notifier.subscribed()).get("Expires") == "0"
    assert watcher.watched == frozenset()


async def test_a_listener_that_fails_does_not_end_the_subscription(notifier: Notifier) -> None:
    heard: asyncio.Queue[int] = asyncio.Queue()

    async def broken(_aor: str, contacts: tuple[Contact, ...], _is_final: bool) -> None:
        heard.put_nowait(len(contacts))
        raise RuntimeError

    watcher = RegEventWatcher(
        "127.0.0.1",
        broken,
        identity="sip:prov@pbx.test",
        port=notifier.agent.port,
        local=("127.0.0.1", 0),
        pace=PACE,
        timers=QUICK,
    )
    await watcher.start([AOR])
    subscribe = await notifier.subscribed()
    for _ in range(2):
        await notifier.notify(subscribe, document(PHONE))
        assert await asyncio.wait_for(heard.get(), 5) == 1
    await watcher.stop()


async def test_what_cannot_be_watched_is_refused_at_once(
    watcher: RegEventWatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wrong in ("pbx.test", "a b@pbx.test", "a@pbx.test>\r\nX: y", ""):
        with pytest.raises(SipParseError):
            watcher.watch(wrong)
    monkeypatch.setattr(watcher_module, "MAX_WATCHED", 1)
    watcher.watch(AOR)
    with pytest.raises(Unavailable):
        watcher.watch("102@pbx.test")
