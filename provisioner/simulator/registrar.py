"""A minimal SIP registrar on UDP for demonstrations and tests. It is no PBX: it registers, expires and tells.

Passwords never reach it: an account's HA1 is asked for, and what happens is told in the form of the PBX door.
"""

import asyncio
import hashlib
import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from provisioner.clock import Clock, system_clock
from provisioner.errors import ProvisionerError
from provisioner.registrar.agent import Address, SipAgent, Timers
from provisioner.registrar.check_sync import REREAD, CheckSyncResult, check_sync_directly
from provisioner.registrar.sip import Request, Response, SipParseError, parse_name_addr, parse_uri, reply
from provisioner.registrar.sip_digest import parse_digest
from provisioner.registrar.sip_digest import response as digest_response

log = logging.getLogger(__name__)

MAX_EVENTS: Final = 50_000  # waiting for a slow listener; the oldest goes
NONCE_LIFETIME: Final = 300  # seconds

Ha1 = Callable[[str, str], Awaitable[str | None]]
"""`(user, realm)`: the MD5 HA1 of an account, None when there is no such account."""
Owns = Callable[[str, str], Awaitable[bool]]
"""`(account, user@domain)`: whether an account may register an address that is not its own, as members of a shared line do."""
Event = dict[str, Any]
OnEvent = Callable[[Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Limits:
    """Expiries in seconds; how many phones one address may have, and how many addresses there may be."""

    expires_least: int = 1
    expires_usual: int = 300
    expires_most: int = 3600
    contacts: int = 9
    addresses: int = 100_000


@dataclass(slots=True)
class Binding:
    """One phone at one address; `expires` as seconds since the epoch."""

    uri: str
    expires: int
    user_agent: str
    instance: str
    call_id: str
    cseq: int
    source: Address
    timer: asyncio.TimerHandle

    def described(self) -> dict[str, Any]:
        """As it stands in the `bindings` of an event."""
        told = {"uri": self.uri, "expires": self.expires, "user_agent": self.user_agent}
        return told | {"instance": self.instance} if self.instance else told


class _Refused(Exception):
    def __init__(self, status: int, reason: str, *headers: tuple[str, str], event: str = "") -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers, self.event = status, reason, headers, event


class SimulatedRegistrar:
    """Registers accounts of any domain; the domain is the realm. Events are told one at a time, in order."""

    def __init__(
        self,
        ha1: Ha1,
        on_event: OnEvent,
        *,
        clock: Clock = system_clock,
        limits: Limits | None = None,
        timers: Timers | None = None,
        owns: Owns | None = None,
    ) -> None:
        self._ha1 = ha1
        self._owns = owns
        self._on_event = on_event
        self._clock = clock
        self._limits = limits or Limits()
        self._agent = SipAgent(self._handle, user_agent="provisioner-simulator", timers=timers)
        self._key = secrets.token_bytes(32)
        self._locations: dict[str, dict[str, Binding]] = {}
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._teller: asyncio.Task[None] | None = None
        self.host = ""

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Bind (port 0: any free one); raises OSError when the address is taken."""
        await self._agent.open(host, port)
        self.host = host
        self._teller = asyncio.get_running_loop().create_task(self._tell())

    async def stop(self) -> None:
        """Close the socket, tell what is still queued, forget all bindings without further events."""
        await self._agent.close()
        for bindings in self._locations.values():
            for binding in bindings.values():
                binding.timer.cancel()
        self._locations.clear()
        if self._teller is not None:
            await self._events.join()
            self._teller.cancel()
            await asyncio.gather(self._teller, return_exceptions=True)

    @property
    def port(self) -> int:
        return self._agent.port

    def bindings(self, aor: str) -> tuple[Binding, ...]:
        """The phones registered at `user@domain` now."""
        return tuple(self._locations.get(aor, {}).values())

    async def check_sync(self, aor: str, *, event: str = REREAD) -> tuple[CheckSyncResult, ...]:
        """Ask every phone at `user@domain` to fetch its configuration again; one result for each."""
        asked = [
            check_sync_directly(
                self._agent, contact=binding.uri, sender=f"sip:{aor}", event=event, towards=binding.source
            )
            for binding in self.bindings(aor)
        ]
        return tuple(await asyncio.gather(*asked))

    async def _handle(self, request: Request, source: Address) -> Response | None:
        tag = secrets.token_hex(6)
        if request.method == "ACK":
            return None
        if request.method == "OPTIONS":
            return reply(request, 200, "OK", to_tag=tag, headers=(("Allow", "REGISTER, OPTIONS"),))
        if request.method != "REGISTER":
            return reply(
                request, 405, "Method Not Allowed", to_tag=tag, headers=(("Allow", "REGISTER, OPTIONS"),)
            )
        try:
            to = parse_uri(parse_name_addr(request.get("To") or "").uri)
            aor = f"{to.user}@{to.host}"
            await self._authenticate(request, user=to.user, realm=to.host)
            contacts = self._register(aor, request, source)
        except SipParseError:
            return reply(request, 400, "Bad Request", to_tag=tag)
        except _Refused as refusal:
            if refusal.event:
                self._happened(refusal.event, aor, request=request, source=source)
            return reply(request, refusal.status, refusal.reason, to_tag=tag, headers=refusal.headers)
        return reply(
            request, 200, "OK", to_tag=tag, headers=tuple(("Contact", contact) for contact in contacts)
        )

    async def _authenticate(self, request: Request, *, user: str, realm: str) -> None:
        offered = [parse_digest(value) for value in request.all("Authorization")]
        fields = next((item for item in offered if item and item.get("realm") == realm), None)
        if fields is None:
            raise self._challenge(realm)
        if not self._is_fresh(fields.get("nonce", ""), realm):
            raise self._challenge(realm, stale=True)
        account = fields.get("username", "")
        try:
            if account != user and not (self._owns and await self._owns(account, f"{user}@{realm}")):
                raise _Refused(403, "Identity Mismatch")
            secret = await self._ha1(account, realm)
        except ProvisionerError as error:
            raise _Refused(503, "Account Server Not Reachable") from error
        if secret is None:
            raise _Refused(403, "Unknown Account")
        expected = digest_response(secret, request.method, fields)
        if not expected or not hmac.compare_digest(
            expected.encode(), fields.get("response", "").lower().encode()
        ):
            raise self._challenge(realm, event="auth-failed")

    def _challenge(self, realm: str, *, stale: bool = False, event: str = "") -> _Refused:
        issued = f"{int(self._clock().timestamp()):x}"
        parts = [
            f'realm="{realm}"',
            f'nonce="{issued}.{self._seal(issued, realm)}"',
            'qop="auth"',
            "algorithm=MD5",
        ]
        value = "Digest " + ", ".join([*parts, "stale=true"] if stale else parts)
        return _Refused(401, "Unauthorized", ("WWW-Authenticate", value), event=event)

    def _is_fresh(self, nonce: str, realm: str) -> bool:
        issued, _, seal = nonce.partition(".")
        if not hmac.compare_digest(seal.encode(), self._seal(issued, realm).encode()):
            return False
        return self._clock().timestamp() - int(issued, 16) < NONCE_LIFETIME

    def _seal(self, issued: str, realm: str) -> str:
        return hmac.new(self._key, f"{issued} {realm}".encode(), hashlib.sha256).hexdigest()[:32]

    def _register(self, aor: str, request: Request, source: Address) -> list[str]:
        """Change the bindings (RFC 3261 §10.3) and return them as Contact values."""
        known = self._locations.get(aor, {})
        changes = self._changes(known, request)
        fresh = [uri for uri, (seconds, _) in changes.items() if seconds and uri not in known]
        kept = [uri for uri in known if uri not in changes or changes[uri][0]]
        if len(fresh) + len(kept) > self._limits.contacts:
            raise _Refused(503, "Too Many Contacts", event="too-many-contacts")
        if not known and fresh and len(self._locations) >= self._limits.addresses:
            raise _Refused(503, "Registrar Full")
        stale = [uri for uri in changes if uri in known and self._is_older(known[uri], request)]
        if stale:
            raise _Refused(500, "CSeq Out Of Order")
        for uri, (seconds, instance) in changes.items():
            self._change(aor, uri, seconds, instance=instance, request=request, source=source)
        now = int(self._clock().timestamp())
        return [f"<{item.uri}>;expires={max(0, item.expires - now)}" for item in self.bindings(aor)]

    def _changes(self, known: dict[str, Binding], request: Request) -> dict[str, tuple[int, str]]:
        """Contact URI → (seconds, instance); 0 seconds means remove."""
        default = request.number("Expires")
        default = self._limits.expires_usual if default is None else default
        values = request.values("Contact")
        if values == ["*"]:
            if default:
                raise _Refused(400, "Contact * Needs Expires 0")
            return dict.fromkeys(known, (0, ""))
        changes = {}
        for value in values:
            contact = parse_name_addr(value)
            parse_uri(contact.uri)
            asked = contact.params.get("expires", "")
            seconds = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else default
            if 0 < seconds < self._limits.expires_least:
                raise _Refused(423, "Interval Too Brief", ("Min-Expires", str(self._limits.expires_least)))
            seconds = min(seconds, self._limits.expires_most)
            changes[contact.uri] = (seconds, contact.params.get("+sip.instance", ""))
        return changes

    def _is_older(self, binding: Binding, request: Request) -> bool:
        return binding.call_id == request.call_id and request.cseq <= binding.cseq

    def _change(
        self, aor: str, uri: str, seconds: int, *, instance: str, request: Request, source: Address
    ) -> None:
        bindings = self._locations.setdefault(aor, {})
        old = bindings.pop(uri, None)
        if old is not None:
            old.timer.cancel()
        if seconds:
            bindings[uri] = Binding(
                uri=uri,
                expires=int(self._clock().timestamp()) + seconds,
                user_agent=request.get("User-Agent") or "",
                instance=instance,
                call_id=request.call_id,
                cseq=request.cseq,
                source=source,
                timer=asyncio.get_running_loop().call_later(seconds, self._expire, aor, uri),
            )
            self._happened("refresh" if old else "register", aor, contact=uri, request=request, source=source)
        elif old is not None:
            self._happened("unregister", aor, contact=uri, request=request, source=source)
        if not bindings:
            del self._locations[aor]

    def _expire(self, aor: str, uri: str) -> None:
        bindings = self._locations.get(aor, {})
        binding = bindings.pop(uri, None)
        if binding is None:
            return
        if not bindings:
            del self._locations[aor]
        event = {"event": "expired", "aor": aor, "contact": uri, "user_agent": binding.user_agent}
        self._queue(event | {"call_id": binding.call_id, "cseq": binding.cseq})

    def _happened(self, kind: str, aor: str, *, request: Request, source: Address, contact: str = "") -> None:
        self._queue(
            {
                "event": kind,
                "aor": aor,
                "contact": contact or self._claimed_contact(request),
                "user_agent": request.get("User-Agent") or "",
                "source": f"{source[0]}:{source[1]}",
                "transport": "udp",
                "call_id": request.call_id,
                "cseq": request.cseq,
            }
        )

    def _claimed_contact(self, request: Request) -> str:
        values = request.values("Contact")
        try:
            return parse_name_addr(values[0]).uri if values else ""
        except SipParseError:
            return ""

    def _queue(self, event: Event) -> None:
        if self._events.qsize() >= MAX_EVENTS:
            self._events.get_nowait()
            self._events.task_done()
        told = [binding.described() for binding in self.bindings(event["aor"])]
        self._events.put_nowait(event | {"time": int(self._clock().timestamp()), "bindings": told})

    async def _tell(self) -> None:
        while True:
            event = await self._events.get()
            try:
                await self._on_event(event)
            except Exception:
                # a task boundary: one event that could not be told must not silence the next
                log.exception("A registration event could not be told")
            finally:
                self._events.task_done()
