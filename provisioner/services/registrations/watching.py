"""Ticks of registrars that send no events: a tenant names its registrar, and every account is followed by SUBSCRIBE (RFC 3680)."""

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address
from typing import Protocol

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from provisioner.errors import BadInput, ProvisionerError, Unavailable
from provisioner.model import Line, Tenant
from provisioner.registrar.reg_event import Contact as SeenContact
from provisioner.registrar.watcher import OnState, RegEventWatcher
from provisioner.services.context import Context
from provisioner.services.registrations.ticks import Contact, RegistrationEvent

log = structlog.get_logger()

PAUSE_SECONDS = 0.2
"""Between two looks at the accounts, so that a burst of changes costs one."""
RETRY_SECONDS = 30.0
"""Until a registrar whose name cannot be resolved, or a database that is away, is tried again."""
USUAL_EXPIRY = timedelta(hours=1)
"""How long a contact counts whose registrar does not say (RFC 3261 §10.2.1.1)."""
SIP_PORT = 5060

_REGISTRAR = re.compile(
    r"(?=.{1,253}$)(?:(?P<name>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)|\[(?P<v6>[0-9A-Fa-f:.]{2,45})\])(?::(?P<port>[0-9]{1,5}))?"
)
SLACK = timedelta(seconds=5)
"""A contact that is missing this shortly before its end has ended: registrars round."""

_ENDINGS = {"unregistered": "unregister", "expired": "expired"}
"""Event of RFC 3680 §5.1 → kind of ours; the others say that the registrar took the contact away."""


class Watcher(Protocol):
    """Follows addresses of record at one registrar."""

    @property
    def watched(self) -> frozenset[str]: ...
    async def start(self, aors: Iterable[str] = ()) -> None: ...
    async def stop(self) -> None: ...
    def watch(self, aor: str) -> None: ...
    async def unwatch(self, aor: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Target:
    """A tenant's registrar as `host[:port]`, and the domain of its addresses of record."""

    tenant_id: int
    registrar: str
    domain: str


MakeWatcher = Callable[[Target, OnState], Watcher]


class Watching:
    """Keeps one watcher for every tenant with a registrar to watch, in step with its accounts.

    `put` takes the events, as `RegistrationQueue.put`. Without anybody to watch it costs one small query per change.
    """

    def __init__(
        self,
        context: Context,
        put: Callable[[Sequence[RegistrationEvent]], None],
        *,
        make: MakeWatcher | None = None,
    ) -> None:
        self._context = context
        self._put = put
        self._make = make or make_watcher
        self._watchers: dict[Target, Watcher] = {}
        self._woken = asyncio.Event()
        self._is_ending = False

    def wake(self) -> None:
        """Look again: tenants or devices may have changed."""
        self._woken.set()

    async def run(self) -> None:
        """Follow until cancelled, then unsubscribe everywhere."""
        self._is_ending = False
        try:
            while True:
                self._woken.clear()
                is_complete = await self._keep_in_step()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(None if is_complete else RETRY_SECONDS):
                        await self._woken.wait()
                await asyncio.sleep(PAUSE_SECONDS)
        finally:
            self._is_ending = True
            await asyncio.gather(*(self._stop(target) for target in tuple(self._watchers)))

    async def _keep_in_step(self) -> bool:
        """One look; False when something must be tried again later."""
        try:
            wanted = await self._wanted()
        except (SQLAlchemyError, ProvisionerError, OSError) as error:
            log.warning("accounts to watch cannot be read", error=type(error).__name__)
            return False
        await asyncio.gather(*(self._stop(target) for target in self._watchers.keys() - wanted.keys()))
        done = await asyncio.gather(*(self._follow(target, aors) for target, aors in wanted.items()))
        return all(done)

    async def _wanted(self) -> dict[Target, set[str]]:
        statement = (
            select(Tenant.id, Tenant.watch_registrar, Tenant.sip_domain, Line.account)
            .join(Line, Line.tenant_id == Tenant.id)
            .where(Tenant.watch_registrar != "")
        )
        wanted: dict[Target, set[str]] = {}
        async with self._context.store.read() as session:
            for tenant_id, registrar, domain, account in await session.execute(statement):
                target = Target(tenant_id, registrar, domain)
                wanted.setdefault(target, set()).add(f"{account}@{domain}")
        return wanted

    async def _follow(self, target: Target, aors: set[str]) -> bool:
        try:
            watcher = self._watchers.get(target) or await self._start(target)
            await asyncio.gather(*(watcher.unwatch(aor) for aor in watcher.watched - aors))
            for aor in sorted(aors - watcher.watched):
                watcher.watch(aor)
        except (ProvisionerError, OSError) as error:
            why = error.detail if isinstance(error, ProvisionerError) else str(error)
            log.warning(
                "a registrar is not watched", registrar=target.registrar, tenant=target.tenant_id, why=why
            )
            return False
        return True

    async def _start(self, target: Target) -> Watcher:
        watcher = self._make(target, self._listener(target.tenant_id))
        try:
            await watcher.start()
        except BaseException:
            await watcher.stop()
            raise
        self._watchers[target] = watcher
        return watcher

    async def _stop(self, target: Target) -> None:
        await self._watchers.pop(target).stop()

    def _listener(self, tenant_id: int) -> OnState:
        ends: dict[str, datetime] = {}

        async def tell(aor: str, contacts: tuple[SeenContact, ...], is_final: bool) -> None:
            if is_final:
                return  # nothing newer is known: a registration counts until its time is over
            event = event_of(
                aor, contacts, tenant_id=tenant_id, at=self._context.clock(), known_end=ends.pop(aor, None)
            )
            if event.contacts:
                ends[aor] = max(contact.expires_at for contact in event.contacts)
            while not self._is_ending:
                try:
                    self._put([event])
                except Unavailable as full:
                    await asyncio.sleep(float(full.data.get("retry_after", 1)))
                else:
                    return

        return tell


def make_watcher(target: Target, on_state: OnState) -> RegEventWatcher:
    """The watcher of a target that lets this server watch by its address, without a password."""
    host, port = registrar_address(target.registrar)
    local = ("::", 0) if ":" in host else ("0.0.0.0", 0)  # noqa: S104 - the registrar must reach it; what it may send is checked
    return RegEventWatcher(
        host, on_state, identity=f"sip:provisioning@{target.domain}", port=port, local=local
    )


def event_of(
    aor: str,
    contacts: Iterable[SeenContact],
    *,
    tenant_id: int,
    at: datetime,
    known_end: datetime | None = None,
) -> RegistrationEvent:
    """What a registrar told about `user@domain` as the whole state of the account at the moment `at`.

    `known_end`: until when the account was registered, as told before; it tells expiry from removal where the
    registrar only leaves the contact out.
    """
    contacts = tuple(contacts)
    return RegistrationEvent(
        kind=_ending(contacts, is_over=known_end is not None and known_end <= at + SLACK),
        account=aor.partition("@")[0],
        at=at,
        contacts=tuple(_binding(contact, at) for contact in contacts if contact.is_active),
        tenant_id=tenant_id,
    )


def registrar_address(text: str, *, default_port: int = SIP_PORT) -> tuple[str, int]:
    """Host and port of `host`, `host:port`, `[ipv6]` or `[ipv6]:port`; raises BadInput."""
    found = _REGISTRAR.fullmatch(text)
    host, port = (found["name"] or found["v6"], int(found["port"] or default_port)) if found else ("", 0)
    if found and found["v6"] and not _is_ipv6(host):
        host = ""
    if not host or not 0 < port < 65_536:
        raise BadInput("A registrar is a host name or address, with :port behind it when that is not 5060.")
    return host, port


def _ending(contacts: Iterable[SeenContact], *, is_over: bool) -> str:
    """The kind of an event; it is said of an account only when no contact is left."""
    said = {_ENDINGS.get(contact.event, "unlisted") for contact in contacts if not contact.is_active}
    for kind in ("unregister", "expired"):
        if kind in said:
            return kind
    return "expired" if is_over else "unlisted"


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def _binding(contact: SeenContact, at: datetime) -> Contact:
    ends = USUAL_EXPIRY if contact.expires_in is None else timedelta(seconds=contact.expires_in)
    return Contact(contact.uri, at + ends, contact.user_agent)
