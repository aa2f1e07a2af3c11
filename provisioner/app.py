"""The composition root: settings in, listeners and background tasks out. The only place where everything meets."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog
from aiohttp import web

from provisioner.access.enumeration import Enumeration
from provisioner.access.gate import Gate, Offer
from provisioner.access.lockout import Lockout
from provisioner.access.nonces import Nonces
from provisioner.clock import Clock, system_clock
from provisioner.model.store import Store
from provisioner.pki.authority import Authority, PairFiles
from provisioner.pki.tls import FailedHandshakes, server_context
from provisioner.pki.trust import Trust, load_trust
from provisioner.services.change_feed import ChangedDevices, ChangeFeed
from provisioner.services.context import Context
from provisioner.services.directory.answers import DirectoryAnswers, PbxDirectory
from provisioner.services.directory.changes import prune_changes
from provisioner.services.files.fetch_log import FetchLog, prune_fetches
from provisioner.services.files.phone_files import PhoneFiles
from provisioner.services.hotdesk.timer import HotdeskTimer, prune_hotdesk
from provisioner.services.operation.health import Health
from provisioner.services.operation.installation import ANCHOR_FACTS, open_context, server_certificates
from provisioner.services.pbx.resyncs import Resyncs
from provisioner.services.people.audit_log import prune_audit
from provisioner.services.people.logins import Doorkeeper
from provisioner.services.registrations.primary_watch import PrimaryWatch
from provisioner.services.registrations.ticks import ExpiryTimer, RegistrationQueue
from provisioner.services.registrations.watching import Watching
from provisioner.settings import ServerSettings
from provisioner.web.listeners import listen_for_people, listen_for_phones
from provisioner.web.phone.counters import DoorCounters
from provisioner.web.phone.door import PhoneDoor
from provisioner.web.phone.parts import DoorParts

log = structlog.get_logger()

JANITOR_SECONDS = 3_600.0


class Server:
    """One process: `async with Server(settings)` listens; leaving it stops everything in order.

    `phones_only` is a further worker: it shares the phone ports and leaves people, PBX and clean-up to the first.
    """

    def __init__(
        self,
        settings: ServerSettings,
        *,
        clock: Clock = system_clock,
        phones_only: bool = False,
        shared: bool = False,
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._phones_only = phones_only
        self._shared = shared or phones_only
        self._runners: list[web.BaseRunner] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.handshakes = FailedHandshakes()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def ports(self) -> dict[str, int]:
        """The ports that are really open: "https", "http", "admin", "fastagi" (useful when settings say 0 … any)."""
        return dict(self._ports)

    async def _start(self) -> None:
        settings = self.settings
        self._ports: dict[str, int] = {}
        self.store = Store(settings.database_url)
        self.context = await open_context(settings, store=self.store, clock=self._clock)
        for name, reason in self.context.profiles.broken.items():
            log.error("vendor profile switched off", profile=name, reason=reason)
        authority, pairs = await asyncio.to_thread(server_certificates, settings, clock=self._clock)
        trust = await asyncio.to_thread(_trust, settings, authority)
        self.gate = make_gate(self.context)
        self.files = PhoneFiles(self.context, self.gate)
        answers = DirectoryAnswers()
        self.feed = ChangeFeed(self.store, self.context.hub, self._devices_changed, answers)
        self.directory = PbxDirectory(answers, self.feed, self._clock)
        self.fetches = FetchLog(self.store, self.context.hub)
        self.timer = ExpiryTimer(self.context)
        self.queue = RegistrationQueue(self.context, self.timer.wake)
        self.watching = Watching(self.context, self.queue.put)
        self.resyncs = Resyncs(self.context)
        self.hotdesk_timer = HotdeskTimer(self.context)
        self.parts = DoorParts(
            context=self.context,
            gate=self.gate,
            files=self.files,
            feed=self.feed,
            log=self.fetches,
            trust=trust,
            ca_pem=authority.pem,
            counters=DoorCounters(),
        )
        await self.feed.start()
        self._run("change feed", self.feed.run)
        self._run("fetch log", self.fetches.run)
        await self._listen_for_phones(_tls(settings, pairs, trust, self.handshakes, self._clock))
        if not self._phones_only:
            await self._listen_for_people(trust, pairs)

    async def stop(self) -> None:
        """Stop taking requests, finish those under way, write what waits, close."""
        for runner in self._runners:
            await runner.cleanup()
        if hasattr(self, "fastagi"):
            await self.fastagi.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._write_the_rest()
        if hasattr(self, "doorkeeper"):
            self.doorkeeper.close()
        if hasattr(self, "store"):
            await self.store.close()
        self._runners, self._tasks = [], []

    def _devices_changed(self, changed: ChangedDevices) -> None:
        self.files.forget(changed)
        self.watching.wake()
        self.resyncs.wake()
        self.hotdesk_timer.wake()

    async def _write_the_rest(self) -> None:
        for part in ("queue", "fetches"):
            if not hasattr(self, part):
                continue
            try:
                await getattr(self, part).flush()
            except Exception:  # the process ends: this must not keep it from closing the rest
                log.exception("not everything could be written at the end", part=part)

    async def _listen_for_phones(self, tls: ssl.SSLContext) -> None:
        settings = self.settings
        for name, port, context in (("https", settings.https_port, tls), ("http", settings.http_port, None)):
            if port:
                door = PhoneDoor(self.parts, is_tls=context is not None)
                runner = await listen_for_phones(
                    door.handle, address=settings.phone_address, port=port, tls=context, shared=self._shared
                )
                self._opened(name, runner)

    async def _listen_for_people(self, trust: Trust, pairs: Sequence[PairFiles]) -> None:
        self.doorkeeper = Doorkeeper(self.context)
        self.health = Health(self.context, trust, self.handshakes, self.fetches)
        await asyncio.to_thread(self.health.look_at_certificates)
        people = await asyncio.to_thread(_load_people)  # phones are served meanwhile
        app = people.admin_app(
            self.context,
            doorkeeper=self.doorkeeper,
            queue=self.queue,
            health=self.health,
            parts=self.parts,
            directory=self.directory,
        )
        tls = (
            server_context(pairs, clock=self._clock, sink=self.handshakes)
            if self.settings.admin_tls
            else None
        )
        self._opened(
            "admin",
            await listen_for_people(
                app,
                address=self.settings.admin_address,
                port=self.settings.admin_port,
                tls=tls,
                front=lambda behind: people.Front(app, behind).handle,
            ),
        )
        if self.settings.fastagi_port:
            self.fastagi = people.FastAgi(self.context)
            await self.fastagi.start()
            self._ports["fastagi"] = self.fastagi.port
        self._run("registrations", self.queue.run)
        self._run("expiry", self.timer.run)
        self._run("watching", self.watching.run)
        self._run("primary devices", PrimaryWatch(self.context).run)
        self._run("resyncs", self.resyncs.run)
        self._run("hotdesk timer", self.hotdesk_timer.run)
        self._run("janitor", self._clean_up)

    def _opened(self, name: str, runner: web.BaseRunner) -> None:
        self._runners.append(runner)
        address: Any = runner.addresses[0]
        self._ports[name] = address[1]

    def _run(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        self._tasks.append(asyncio.create_task(_supervised(name, work), name=name))

    async def _clean_up(self) -> None:
        while True:
            await prune_fetches(self.context)
            await prune_audit(self.context)
            await prune_changes(self.context)
            await prune_hotdesk(self.context)
            await asyncio.to_thread(self.health.look_at_certificates)
            await asyncio.sleep(JANITOR_SECONDS)


def _load_people() -> Any:
    """The module of the admin listener's doors, with what its pages need."""
    from provisioner.web import people  # noqa: PLC0415 - half of a start, and nothing that phones need

    people.prepare_pages()
    return people


def make_gate(context: Context) -> Gate:
    """The judge over phones' requests; workers share what a challenge is signed with, through the key ring."""
    offer = Offer(
        realm=context.realm, algorithms=("SHA-256", "MD5") if context.settings.offer_sha256 else ("MD5",)
    )
    nonces = Nonces(context.keyring.derive("phone nonces"), started=time.time())
    return Gate(
        offer,
        key=context.keyring.derive("phone verifiers"),
        nonces=nonces,
        lockout=Lockout(),
        enumeration=Enumeration(),
    )


def _trust(settings: ServerSettings, authority: Authority) -> Trust:
    folder = settings.anchors or settings.data / "certs" / "anchors"
    return load_trust(ANCHOR_FACTS, Path(folder), own=authority.certificate)


def _tls(
    settings: ServerSettings, pairs: Sequence[PairFiles], trust: Trust, sink: FailedHandshakes, clock: Clock
) -> ssl.SSLContext:
    # Phones are asked only when all their vendors can be trusted: one that shows a certificate nobody can check is
    # cut off before it can say its password. The own CA alone is no reason to ask.
    installed = [anchor for anchor in trust.anchors if anchor.rule.vendor != "own"]
    ask = settings.client_certificates == "ask" or (
        settings.client_certificates == "auto" and bool(installed)
    )
    return server_context(
        pairs,
        clock=clock,
        sink=sink,
        anchors=trust.pem if ask else "",
        check_dates=not settings.accept_expired_certificates,
        ciphers=settings.tls_ciphers,
    )


async def _supervised(name: str, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except Exception:  # a task boundary: one part's fault must not take the others with it
            log.exception("background task failed; it is started again", task=name)
            await asyncio.sleep(1.0)
        else:
            return
