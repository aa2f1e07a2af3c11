"""The phone door: configuration files, bootstrap files, action URLs, pages for phones' screens.

It works below aiohttp's routing, because every microsecond here is paid by every phone of a boot storm.
"""

import asyncio
import json
from typing import Final

import structlog
from aiohttp import web
from multidict import CIMultiDict
from sqlalchemy.exc import SQLAlchemyError

from provisioner.access.addresses import Address, came_by_tls, client_address
from provisioner.access.authorization import parse_authorization
from provisioner.access.evidence import Evidence
from provisioner.access.lockout import Barrier
from provisioner.access.policies.evaluation import Outcome, Verdict
from provisioner.access.policies.expression import Condition
from provisioner.access.reasons import Reason
from provisioner.clock import epoch_of
from provisioner.errors import NotFound, ProvisionerError, StorageFull, Unavailable
from provisioner.profiles.manifest import FileRule
from provisioner.services.files.fetch_rows import Note
from provisioner.services.files.phone_files import PhoneRecord
from provisioner.services.registrations.hints import take_hint
from provisioner.web.listeners import BoundedRequestHandler
from provisioner.web.phone.answers import (
    bootstrap_facts,
    come_back,
    detail_of,
    mac_bytes,
    peer_address,
    plain_file,
    screen_page,
    serve,
    used_current,
)
from provisioner.web.phone.parts import Connection, DoorParts, quietly
from provisioner.web.phone.requests import (
    ActionRequest,
    CertificateRequest,
    FileRequest,
    RequestParser,
    ScreenRequest,
)
from provisioner.web.phone.screens import ScreenPages

log = structlog.get_logger()

Asked = FileRequest | ScreenRequest
_TEXT: Final = "text/plain; charset=utf-8"
_ALLOW: Final = "GET, HEAD"
PROFILE_BROKEN: Final = "profile-broken"
SCREEN: Final = "screen"
SHORTEST_LOCK: Final = 60.0
"""Seconds; what refuses for less is a delay, which is not worth storing."""


class PhoneDoor:
    """Answers phones on one listener; `is_tls` says which."""

    def __init__(self, parts: DoorParts, *, is_tls: bool) -> None:
        self._parts = parts
        self._is_tls = is_tls
        self._parser = RequestParser(parts.context.profiles)
        self._screens = ScreenPages(parts.context)
        self._trusted = parts.context.settings.trusted_proxies
        self._limit = parts.context.settings.max_phone_requests
        self._active = 0
        self._storing: set[asyncio.Task[None]] = set()
        self._now = epoch_of(parts.context.clock)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; never raises."""
        if self._active >= self._limit:
            self._parts.counters.shed += 1
            return come_back(5, 60)
        self._active += 1
        try:
            return await self._answer(request)
        except StorageFull:
            return web.Response(status=507)
        except (Unavailable, SQLAlchemyError) as error:
            log.warning("phone told to come back", error=type(error).__name__)
            return come_back(30, 120)
        except ProvisionerError as error:
            log.error("phone request failed", error=type(error).__name__, detail=error.detail)  # noqa: TRY400 - no trace: it may quote a file
            return web.Response(status=500)
        finally:
            self._active -= 1

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method not in {"GET", "HEAD"}:
            self._parts.counters.count("method-not-allowed")
            return web.Response(status=405, headers={"Allow": _ALLOW})
        target = request.raw_path
        parsed = self._parser.parse(target)
        if isinstance(parsed, FileRequest):
            return await self._file(request, parsed, target)
        if isinstance(parsed, ActionRequest):
            return await self._action(request, parsed)
        if isinstance(parsed, ScreenRequest):
            return await self._screen(request, parsed, target)
        if isinstance(parsed, CertificateRequest):
            return plain_file(self._parts.ca_pem, "application/x-pem-file")
        self._parts.counters.count("no-such-path")
        return web.Response(status=404)

    async def _file(self, request: web.BaseRequest, asked: FileRequest, target: str) -> web.StreamResponse:
        parts = self._parts
        if parts.feed.is_behind:
            await parts.feed.catch_up()
        mac = asked.mac
        if mac is None:
            return self._public(asked)
        record = parts.files.known(mac) or await parts.files.record(mac)
        evidence = self._gather(request, asked, mac, target)
        now = self._now()
        verdict = parts.gate.judge(evidence, record.subject, now=now)
        if verdict.outcome is not Outcome.ALLOW or not record.device_id:
            status = await self._status(verdict, evidence)
            return self._refuse(
                request, asked, record=record, verdict=verdict, evidence=evidence, now=now, status=status
            )
        match = asked.match_of(record.profile)
        if match is None:
            return self._other_vendor(request, asked, record=record, evidence=evidence, now=now)
        if match.file.role != "device":  # only other vendors' phones have a secret file of this name
            return self._public(FileRequest(matches=(match,), token=None, name=asked.name))
        return await self._allowed(
            request, asked, match.file, record=record, verdict=verdict, evidence=evidence, now=now
        )

    async def _allowed(
        self,
        request: web.BaseRequest,
        asked: FileRequest,
        rule: FileRule,
        *,
        record: PhoneRecord,
        verdict: Verdict,
        evidence: Evidence,
        now: float,
    ) -> web.StreamResponse:
        parts = self._parts
        agent = request.headers.get("User-Agent", "")
        if agent != record.agent:
            record = await self._learn_agent(record, agent)
        if record.has_previous or Condition.WINDOW in verdict.satisfied:
            refusal = await self._settle(record, evidence, verdict)
            if refusal is not None:
                return self._refuse(
                    request, asked, record=record, verdict=refusal, evidence=evidence, now=now
                )
        served = record.files.get(rule.id)
        if served is None or record.is_stale:
            try:
                served = await parts.files.file(record, rule)
            except NotFound:  # removed between the verdict and now: as if it had never been there
                verdict = Verdict(Outcome.CHALLENGE, Reason.UNKNOWN_MAC)
                record = PhoneRecord(mac=record.mac, subject=record.subject)
                return self._refuse(
                    request, asked, record=record, verdict=verdict, evidence=evidence, now=now
                )
        answer = serve(request, served)
        parts.log.note(
            Note(
                record.tenant_id, record.device_id, record.mac, now, self._words(request, evidence), request.method, asked.name, agent,
                answer.status, "allowed", "{}", served.hash, served.revision,
            )
        )  # fmt: skip
        parts.counters.count("allowed")
        return answer

    async def _screen(
        self, request: web.BaseRequest, asked: ScreenRequest, target: str
    ) -> web.StreamResponse:
        """A page for a phone's screen: the same proof as for its file. Only GET, for a page may do what it is asked."""
        parts = self._parts
        if request.method != "GET":
            return web.Response(status=405, headers={"Allow": "GET"})
        if parts.feed.is_behind:
            await parts.feed.catch_up()
        record = parts.files.known(asked.mac) or await parts.files.record(asked.mac)
        evidence, now = self._gather(request, asked, asked.mac, target), self._now()
        verdict = parts.gate.judge(evidence, record.subject, now=now)
        refusal: Verdict | None = verdict
        if verdict.outcome is Outcome.ALLOW and record.device_id:
            refusal = await self._settle(record, evidence, verdict)
        if refusal is not None:
            status = await self._status(refusal, evidence)
            return self._refuse(
                request, asked, record=record, verdict=refusal, evidence=evidence, now=now, status=status
            )
        source = self._words(request, evidence)
        page = await self._screens.page(asked, device_id=record.device_id, address=source)
        answer = screen_page(page) if page is not None else web.Response(status=404)
        parts.log.note(
            Note(
                record.tenant_id, record.device_id, record.mac, now, source, request.method, asked.name,
                request.headers.get("User-Agent", ""), answer.status, SCREEN, "{}", "", 0,
            )
        )  # fmt: skip
        parts.counters.count(SCREEN)
        return answer

    def _gather(self, request: web.BaseRequest, asked: Asked, mac: str, target: str) -> Evidence:
        headers = request.headers
        facts = self._connection(request)
        source = facts.peer
        is_tls = self._is_tls
        if self._trusted:
            source = self._source(request)
            is_tls = came_by_tls(
                facts.peer,
                is_tls=is_tls,
                forwarded_proto=headers.getall("X-Forwarded-Proto", ()),
                trusted=self._trusted,
            )
        return Evidence(
            mac=mac_bytes(mac),
            source=source,
            is_tls=is_tls,
            target=target,
            method=request.method,
            credentials=parse_authorization(headers.get("Authorization")),
            certificate_mac=facts.certificate_mac,
            certificate_problem=facts.certificate_problem,
            token=asked.token,
        )

    def _connection(self, request: web.BaseRequest) -> Connection:
        """What is the same for every request of a connection: the peer and its verified certificate."""
        protocol = request.protocol
        known: Connection | None = getattr(protocol, "connection_facts", None)
        if known is not None:
            return known
        transport = request.transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        tls = transport.get_extra_info("ssl_object") if transport is not None and self._is_tls else None
        der = tls.getpeercert(binary_form=True) if tls is not None else None
        address, words = peer_address(peer[0] if peer else "::")
        shown = self._parts.trust.identify_der(der) if der else None
        facts = Connection(
            peer=address,
            words=words,
            certificate_mac=bytes.fromhex(shown.mac.digits) if shown and shown.mac else None,
            certificate_problem=shown.reason or None if shown and not shown.mac else None,
        )
        if isinstance(protocol, BoundedRequestHandler):
            protocol.connection_facts = facts
        return facts

    def _words(self, request: web.BaseRequest, evidence: Evidence) -> str:
        """The client's address as text."""
        facts = self._connection(request)
        return facts.words if evidence.source is facts.peer else str(evidence.source)

    async def _status(self, verdict: Verdict, evidence: Evidence) -> int:
        needs_tls = verdict.reason is Reason.NEEDS_TLS
        return 403 if needs_tls and not await self._parts.files.is_asked_in_clear(evidence.source) else 401

    def _refuse(
        self,
        request: web.BaseRequest,
        asked: Asked,
        *,
        record: PhoneRecord,
        verdict: Verdict,
        evidence: Evidence,
        now: float,
        status: int = 401,
    ) -> web.Response:
        """The same answer for an unknown address, a wrong password and a locked device."""
        parts = self._parts
        parts.counters.count(verdict.reason.value)
        agent = request.headers.get("User-Agent", "")
        data = detail_of(verdict)
        known = record.device_id or None
        parts.log.note(
            Note(
                record.tenant_id, known, record.mac, now, str(evidence.source), request.method, asked.name, agent,
                status, verdict.reason.value, data, "", 0,
            )
        )  # fmt: skip
        if verdict.begins_lock:
            log.warning("locked after wrong attempts", mac=record.mac, source=str(evidence.source))
            self._store_lock(record, evidence, now=now)
        if status == 403:
            return web.Response(status=403)
        headers: CIMultiDict[str] = CIMultiDict()
        for challenge in parts.gate.challenges(evidence, now=now, is_stale=verdict.is_stale):
            headers.add("WWW-Authenticate", challenge)
        return web.Response(status=401, headers=headers)

    def _other_vendor(
        self,
        request: web.BaseRequest,
        asked: FileRequest,
        *,
        record: PhoneRecord,
        evidence: Evidence,
        now: float,
    ) -> web.Response:
        is_off = record.profile not in self._parts.context.profiles.all
        status, reason = (503, PROFILE_BROKEN) if is_off else (404, Reason.OTHER_VENDORS_FILE.value)
        self._parts.counters.count(reason)
        agent, source = request.headers.get("User-Agent", ""), str(evidence.source)
        detail = json.dumps({"model": record.model, "source": source})
        self._parts.log.note(
            Note(
                record.tenant_id, record.device_id, record.mac, now, source, request.method, asked.name, agent,
                status, reason, detail, "", 0,
            )
        )  # fmt: skip
        return come_back(30, 120) if is_off else web.Response(status=404)

    async def _learn_agent(self, record: PhoneRecord, agent: str) -> PhoneRecord:
        seen = self._parts.context.profiles.identify_agent(agent)
        firmware = seen.firmware if seen is not None and seen.profile_id == record.profile else ""
        try:
            await self._parts.files.note_agent(record, agent=agent, firmware=firmware)
        except (StorageFull, Unavailable):  # the phone gets the file it had; the next request tells it again
            return record
        return record if not record.is_stale else await self._parts.files.record(record.mac)

    async def _settle(self, record: PhoneRecord, evidence: Evidence, verdict: Verdict) -> Verdict | None:
        """What a success ends: a claim window is bound to its first user, a replaced password has done its duty.

        Gives a refusal back when another phone used the window at the same moment.
        """
        window = record.subject.window
        if Condition.WINDOW in verdict.satisfied and window is not None and window.claimed_by is None:
            address = str(evidence.source)
            if not await self._parts.files.note_claim(record, address=address):
                return Verdict(Outcome.CHALLENGE, Reason.WINDOW_CLAIMED, data={"source": address})
        if record.has_previous and used_current(evidence, record.subject.verifier):
            record.has_previous = False
            try:
                await self._parts.files.note_new_password(record)
            except (StorageFull, Unavailable):  # no reason to turn the phone away; its next request ends it
                record.has_previous = True
        return None

    def _public(self, asked: FileRequest) -> web.Response:
        """Files without secrets: the same for every address, known or not."""
        profiles, match = self._parts.context.profiles, asked.public
        if match is None and profiles.broken:
            # it may be a file of a vendor that is switched off: "come back" is right, "there is none" would be wrong
            self._parts.counters.count(PROFILE_BROKEN)
            return come_back(30, 120)
        if match is None or match.file.role != "bootstrap":
            self._parts.counters.count("no-such-file")
            return web.Response(status=404)
        facts = bootstrap_facts(self._parts.context.settings, match)
        rendered = profiles.render_bootstrap(match.profile.id, match.file, facts)
        self._parts.counters.count("bootstrap")
        return plain_file(rendered.body, rendered.content_type)

    async def _action(self, request: web.BaseRequest, asked: ActionRequest) -> web.StreamResponse:
        hint = await take_hint(self._parts.context, token=asked.token, event=asked.event)
        self._parts.counters.count("hint" if hint else "no-such-path")
        if hint is None:
            return web.Response(status=404)
        tenant_id, device_id, mac = hint
        source, agent = str(self._source(request)), request.headers.get("User-Agent", "")
        self._parts.log.note(
            Note(
                tenant_id, device_id, mac, self._now(), source, request.method, f"/a/…/{asked.event}", agent,
                200, f"hint-{asked.event}", "{}", "", 0,
            )
        )  # fmt: skip
        return web.Response(status=200, headers={"Content-Type": _TEXT})

    def _source(self, request: web.BaseRequest) -> Address:
        """The client's own address, behind trusted proxies too."""
        peer = self._connection(request).peer
        return (
            client_address(peer, request.headers.getall("X-Forwarded-For", ()), self._trusted)
            if self._trusted
            else peer
        )

    def _store_lock(self, record: PhoneRecord, evidence: Evidence, *, now: float) -> None:
        """Beside the answer's way: a stored lock outlives a restart and reaches the other workers."""
        standing = self._parts.gate.lockout.check(evidence.mac, evidence.source, now=now)
        if (
            not record.device_id
            or standing.barrier is not Barrier.SUBJECT
            or standing.until - now < SHORTEST_LOCK
        ):
            return
        task = asyncio.create_task(quietly(self._parts.files.note_lock(record, until=standing.until)))
        self._storing.add(task)
        task.add_done_callback(self._storing.discard)
