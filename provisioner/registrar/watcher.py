"""Follows registrations at a registrar that has no events of its own: one SUBSCRIBE `Event: reg` per address (RFC 3680, RFC 6665)."""

import asyncio
import contextlib
import logging
import random
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from provisioner.errors import ProvisionerError, Unavailable
from provisioner.registrar.agent import Address, SipAgent, Timers, resolve
from provisioner.registrar.reg_event import Contact, ReginfoError, follow, parse_reginfo
from provisioner.registrar.sip import (
    Request,
    Response,
    SipParseError,
    parse_name_addr,
    parse_params,
    parse_uri,
    reply,
)
from provisioner.registrar.sip_digest import Credentials

log = logging.getLogger(__name__)

MAX_WATCHED: Final = 20_000
MAX_NEWS: Final = 32  # observations of one address that wait for a slow listener; the oldest goes

OnState = Callable[[str, tuple[Contact, ...], bool], Awaitable[None]]
"""`(aor, contacts, is_final)`: the contacts of an address now, and those that just went (`is_active` false).

`is_final`: the subscription is lost or ended; nothing newer is known until the next call, so the state is stale, not false.
"""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds. `settle`: how long an empty first NOTIFY may be followed by the real one before it means "nobody"."""

    expires: int = 3600
    settle: float = 2.0
    retry_first: float = 2.0
    retry_most: float = 300.0
    farewell: float = 2.0  # how long `stop` waits for the registrar to confirm


@dataclass(slots=True)
class _Subscription:
    """One dialog. `wake` is set when the loop should look: terminated by the notifier, or unwatched."""

    aor: str
    call_id: str = field(default_factory=lambda: secrets.token_hex(12))
    tag: str = field(default_factory=lambda: secrets.token_hex(6))
    cseq: int = 0
    remote_tag: str = ""
    target: str = ""
    routes: tuple[str, ...] = ()
    notified: int = -1  # CSeq of the newest NOTIFY
    contacts: tuple[Contact, ...] = ()
    has_document: bool = False
    expires_at: float = 0.0
    is_terminated: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    settle: asyncio.TimerHandle | None = None
    news: deque[tuple[tuple[Contact, ...], bool]] = field(default_factory=lambda: deque(maxlen=MAX_NEWS))
    teller: asyncio.Task[None] | None = None


class RegEventWatcher:
    """Watches addresses-of-record such as `101@pbx.example.net` at one registrar.

    `on_state` is awaited for one observation at a time per address, in the order of the NOTIFYs.
    """

    def __init__(
        self,
        registrar: str,
        on_state: OnState,
        *,
        identity: str,
        port: int = 5060,
        credentials: Credentials | None = None,
        local: Address = ("0.0.0.0", 0),  # noqa: S104 - the registrar must reach us; what it may send is checked
        concurrency: int = 20,
        pace: Pace | None = None,
        timers: Timers | None = None,
    ) -> None:
        self._registrar = (registrar, port)
        self._on_state = on_state
        self._identity = identity
        self._credentials = credentials
        self._local = local
        self._pace = pace or Pace()
        self._slots = asyncio.Semaphore(concurrency)
        self._agent = SipAgent(self._notified, timers=timers)
        self._destination: Address = ("", 0)
        self._dialogs: dict[tuple[str, str], _Subscription] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._tellers: set[asyncio.Task[None]] = set()

    async def start(self, aors: Iterable[str] = ()) -> None:
        """Open the socket and watch `aors`. Raises Unavailable when the registrar's name cannot be resolved, OSError."""
        parse_uri(self._identity)
        self._destination = await resolve(*self._registrar)
        await self._agent.open(*self._local)
        for aor in aors:
            self.watch(aor)

    async def stop(self) -> None:
        """Unsubscribe everywhere (waiting a moment for the answers) and close the socket."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*self._tellers, return_exceptions=True)
        await self._agent.close()

    @property
    def watched(self) -> frozenset[str]:
        return frozenset(self._tasks)

    def watch(self, aor: str) -> None:
        """Begin to follow `user@domain`; nothing happens if it is followed already. Raises SipParseError, Unavailable."""
        if aor in self._tasks:
            return
        if not parse_uri(f"sip:{aor}").user:
            raise SipParseError("An address-of-record looks like 101@pbx.example.net")
        if len(self._tasks) >= MAX_WATCHED:
            raise Unavailable(f"No more than {MAX_WATCHED} addresses can be watched")
        task = asyncio.get_running_loop().create_task(self._follow(aor), name=f"reg-event {aor}")
        self._tasks[aor] = task
        task.add_done_callback(lambda _: self._tasks.pop(aor, None))

    async def unwatch(self, aor: str) -> None:
        """Stop following; returns when the registrar was told. Nothing happens if it is not followed."""
        task = self._tasks.get(aor)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _follow(self, aor: str) -> None:
        delay, is_known_lost = self._pace.retry_first, False
        while True:
            subscription = _Subscription(aor)
            key = (subscription.call_id, subscription.tag)
            self._dialogs[key] = subscription
            try:
                had_success = await self._keep(subscription)
                if had_success or not is_known_lost:
                    self._tell(subscription, is_final=True)
                is_known_lost = True
            except asyncio.CancelledError:
                await self._farewell(subscription)
                self._tell(subscription, is_final=True)
                raise
            finally:
                self._dialogs.pop(key, None)
                if subscription.settle is not None:
                    subscription.settle.cancel()
            delay = self._pace.retry_first if had_success else min(2 * delay, self._pace.retry_most)
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, guards nothing

    async def _keep(self, subscription: _Subscription) -> bool:
        """Subscribe and refresh until refused or terminated; whether it ever worked."""
        loop, had_success = asyncio.get_running_loop(), False
        while not subscription.is_terminated:
            try:
                async with self._slots:
                    response = await self._subscribe(subscription, expires=self._pace.expires)
            except ProvisionerError as error:
                log.warning("Registrations of %s cannot be watched: %s", subscription.aor, error.detail)
                return had_success
            if not 200 <= response.status < 300:
                log.warning(
                    "Registrations of %s cannot be watched: %s %s",
                    subscription.aor,
                    response.status,
                    response.reason,
                )
                return had_success
            had_success = True
            granted = response.number("Expires") or self._pace.expires
            subscription.expires_at = loop.time() + granted
            subscription.wake.clear()
            while not subscription.is_terminated:
                # refresh early enough for every retransmission of the SUBSCRIBE, late enough to be cheap
                due = subscription.expires_at - min(32.0, 0.25 * granted)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(1.0, due - loop.time())):
                        await subscription.wake.wait()
                if not subscription.wake.is_set():
                    break
                subscription.wake.clear()
        return had_success

    async def _subscribe(self, subscription: _Subscription, *, expires: int) -> Response:
        subscription.cseq += 1
        to = f"<sip:{subscription.aor}>" + (
            f";tag={subscription.remote_tag}" if subscription.remote_tag else ""
        )
        user = parse_uri(self._identity).user or "provisioner"
        request = Request(
            method="SUBSCRIBE",
            uri=subscription.target or f"sip:{subscription.aor}",
            headers=(
                *(("Route", route) for route in subscription.routes),
                ("From", f"<{self._identity}>;tag={subscription.tag}"),
                ("To", to),
                ("Call-ID", subscription.call_id),
                ("CSeq", f"{subscription.cseq} SUBSCRIBE"),
                ("Contact", self._agent.contact(user, self._destination)),
                ("Event", "reg"),
                ("Accept", "application/reginfo+xml"),
                ("Expires", str(expires)),
            ),
        )
        response, subscription.cseq = await self._agent.exchange(
            request, self._destination, credentials=self._credentials
        )
        if 200 <= response.status < 300 and not subscription.remote_tag:
            subscription.remote_tag = parse_name_addr(response.get("To") or "").params.get("tag", "")
            subscription.routes = tuple(reversed(response.values("Record-Route")))
            contacts = response.values("Contact")
            subscription.target = parse_name_addr(contacts[0]).uri if contacts else ""
        return response

    async def _farewell(self, subscription: _Subscription) -> None:
        if not subscription.remote_tag or subscription.is_terminated:
            return
        subscription.is_terminated = True
        with contextlib.suppress(ProvisionerError, TimeoutError):
            async with asyncio.timeout(self._pace.farewell), self._slots:
                await self._subscribe(subscription, expires=0)

    async def _notified(self, request: Request, _source: Address) -> Response:
        """Any request that reaches our socket (RFC 6665 §4.1.3)."""
        if request.method != "NOTIFY":
            return reply(
                request,
                405,
                "Method Not Allowed",
                to_tag=secrets.token_hex(4),
                headers=(("Allow", "NOTIFY"),),
            )
        to_tag = parse_name_addr(request.get("To") or "").params.get("tag", "")
        subscription = self._dialogs.get((request.call_id, to_tag))
        if (
            subscription is None
        ):  # the random Call-ID and tag are what proves the sender; registrars have many addresses
            return reply(request, 481, "Subscription does not exist")
        if parse_params(request.get("Event") or "")[0].lower() != "reg":
            return reply(request, 489, "Bad Event")
        if request.cseq > subscription.notified:  # an older one overtaken on the way is only acknowledged
            subscription.notified = request.cseq
            self._read(subscription, request)
        return reply(request, 200, "OK")

    def _read(self, subscription: _Subscription, request: Request) -> None:
        state, params = parse_params(request.get("Subscription-State") or "")
        if request.body.strip():
            try:
                document = parse_reginfo(request.body)
            except ReginfoError as error:
                log.warning("A NOTIFY about %s was of no use: %s", subscription.aor, error.detail)
            else:
                subscription.has_document = True
                subscription.contacts = follow(subscription.contacts, document)
                self._tell(subscription, is_final=False)
        elif not subscription.has_document and subscription.settle is None:
            loop = asyncio.get_running_loop()
            subscription.settle = loop.call_later(self._pace.settle, self._settled, subscription)
        if state.lower() == "terminated":
            subscription.is_terminated = True
            subscription.wake.set()
        elif (seconds := params.get("expires", "")).isdecimal() and len(seconds) < 8:
            before = subscription.expires_at
            subscription.expires_at = asyncio.get_running_loop().time() + int(seconds)
            if subscription.expires_at < before - 1:
                subscription.wake.set()

    def _settled(self, subscription: _Subscription) -> None:
        if not subscription.has_document and not subscription.is_terminated:
            subscription.has_document = True
            self._tell(subscription, is_final=False)

    def _tell(self, subscription: _Subscription, *, is_final: bool) -> None:
        contacts = tuple(contact for contact in subscription.contacts if contact.is_active or not is_final)
        subscription.news.append((contacts, is_final))
        if subscription.teller is None:
            subscription.teller = asyncio.get_running_loop().create_task(self._tell_all(subscription))
            self._tellers.add(subscription.teller)
            subscription.teller.add_done_callback(self._tellers.discard)

    async def _tell_all(self, subscription: _Subscription) -> None:
        while subscription.news:
            contacts, is_final = subscription.news.popleft()
            try:
                await self._on_state(subscription.aor, contacts, is_final)
            except Exception:
                # a task boundary: the listener's trouble must not end the subscription
                log.exception("Registrations of %s could not be passed on", subscription.aor)
        subscription.teller = None
