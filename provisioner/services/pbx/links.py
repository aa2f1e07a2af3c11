"""How a check-sync goes out through each kind of PBX. Plain values in and out; nothing here reads the database."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import aiohttp

from provisioner.errors import ProvisionerError, Unavailable
from provisioner.registrar import ami, esl
from provisioner.registrar.agent import Address, SipAgent, Timers
from provisioner.registrar.ami import ami_session
from provisioner.registrar.check_sync import (
    CheckSyncResult,
    Reach,
    check_sync_by_rpc,
    check_sync_directly,
)
from provisioner.registrar.esl import esl_session
from provisioner.registrar.sip import SipParseError, parse_uri, sip_uri
from provisioner.registrar.sip_digest import Credentials
from provisioner.services.registrations.watching import registrar_address

KINDS: Final = ("kamailio", "asterisk", "freeswitch", "direct")
KNOWS_CONTACTS: Final = frozenset({"asterisk", "freeswitch"})
"""Kinds that find the phone by its account; the others are told where it is."""
PORTS: Final[Mapping[str, int]] = {"asterisk": ami.PORT, "freeswitch": esl.PORT}
AT_ONCE: Final = 10
"""Requests to one PBX under way at the same time."""
PATIENCE: Final = 5.0
RPC_METHOD: Final = "tm.t_uac_start"
_SENDER: Final = "provisioning"
_DIRECT_TIMERS: Final = Timers(t1=0.2, t2=2.0)
"""A phone that does not answer is given up after 12.8 s; it is asked again later."""
_MOST_RPC_ANSWER: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Pbx:
    """A connection to a PBX, its secret in clear. `username`: for FreeSWITCH the Sofia profile, for Kamailio HTTP Basic."""

    kind: str
    address: str = ""
    username: str = ""
    secret: str = field(default="", repr=False)

    @property
    def place(self) -> tuple[str, int]:
        """Host and port of a manager or event socket; raises BadInput."""
        return registrar_address(self.address, default_port=PORTS[self.kind])

    @property
    def credentials(self) -> Credentials | None:
        return Credentials(self.username, self.secret) if self.username else None


@dataclass(frozen=True, slots=True)
class Errand:
    """A phone to be told. `contacts`: newest first; `source`: `host:port` it really speaks from, "" when that is not known."""

    device_id: int
    account: str
    domain: str
    contacts: tuple[str, ...] = ()
    source: str = ""


class Links:
    """Open ends towards PBXs, made when they are first needed; `close` ends them. One per process."""

    def __init__(self, *, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._http: aiohttp.ClientSession | None = None
        self._agents: dict[str, SipAgent] = {}

    async def close(self) -> None:
        """May be called twice; afterwards everything can be opened anew."""
        if self._http is not None:
            await self._http.close()
        for agent in self._agents.values():
            await agent.close()
        self._http, self._agents = None, {}

    async def send(self, pbx: Pbx, errands: Sequence[Errand]) -> Mapping[int, CheckSyncResult]:
        """Tell each phone to fetch again (never to restart); device id → what became of it. Raises nothing."""
        ways: Mapping[str, Callable[[Pbx, Sequence[Errand]], Awaitable[Mapping[int, CheckSyncResult]]]] = {
            "kamailio": self._by_rpc,
            "asterisk": self._by_manager,
            "freeswitch": self._by_event_socket,
            "direct": self._directly,
        }
        try:
            return await ways[pbx.kind](pbx, errands)
        except ProvisionerError as error:
            failed = CheckSyncResult(Reach.FAILED, detail=error.detail[:200])
            return {errand.device_id: failed for errand in errands}

    async def probe(self, pbx: Pbx) -> str:
        """Try the connection without telling any phone anything: "" when all is well, else what failed, in words."""
        ways: Mapping[str, Callable[[Pbx], Awaitable[str]]] = {
            "kamailio": self._probe_rpc,
            "asterisk": self._probe_manager,
            "freeswitch": self._probe_event_socket,
            "direct": self._probe_directly,
        }
        try:
            return await ways[pbx.kind](pbx)
        except ProvisionerError as error:
            return error.detail

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            connector = aiohttp.TCPConnector(limit_per_host=AT_ONCE)
            self._http = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._http

    async def _agent(self, host: str) -> SipAgent:
        local = "::" if host.startswith("[") else "0.0.0.0"  # noqa: S104 - phones must reach it; it only asks
        if local not in self._agents:
            try:
                self._agents[local] = await SipAgent(timers=_DIRECT_TIMERS).open(local)
            except OSError as error:
                raise Unavailable("This server cannot open a port to speak SIP from.") from error
        return self._agents[local]

    async def _by_rpc(self, pbx: Pbx, errands: Sequence[Errand]) -> Mapping[int, CheckSyncResult]:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(errand: Errand, contact: str) -> CheckSyncResult:
            async with gate:
                return await check_sync_by_rpc(
                    self._session(),
                    pbx.address,
                    contact=contact,
                    sender=sip_uri(_SENDER, errand.domain),
                    next_hop=next_hop(errand, contact),
                    patience=self._patience,
                    credentials=pbx.credentials,
                )

        return await _each_contact(errands, one)

    async def _directly(self, _pbx: Pbx, errands: Sequence[Errand]) -> Mapping[int, CheckSyncResult]:
        async def one(errand: Errand, contact: str) -> CheckSyncResult:
            uri = parse_uri(contact)
            if uri.scheme == "sips" or uri.params.get("transport", "udp").lower() != "udp":
                return CheckSyncResult(
                    Reach.FAILED, detail="The phone is not registered over UDP: only its PBX can reach it."
                )
            agent = await self._agent(uri.host)
            sender = sip_uri(_SENDER, errand.domain)
            towards = _socket_address(errand.source)
            return await check_sync_directly(agent, contact=contact, sender=sender, towards=towards)

        return await _each_contact(errands, one)

    async def _by_manager(self, pbx: Pbx, errands: Sequence[Errand]) -> Mapping[int, CheckSyncResult]:
        host, port = pbx.place
        credentials = Credentials(pbx.username, pbx.secret)
        done: dict[int, CheckSyncResult] = {}
        async with ami_session(host, port, credentials=credentials, patience=self._patience) as session:
            for errand in errands:
                done[errand.device_id] = await session.check_sync(errand.account)
        return done

    async def _by_event_socket(self, pbx: Pbx, errands: Sequence[Errand]) -> Mapping[int, CheckSyncResult]:
        host, port = pbx.place
        profile = pbx.username or esl.PROFILE
        done: dict[int, CheckSyncResult] = {}
        async with esl_session(host, port, password=pbx.secret, patience=self._patience) as session:
            for errand in errands:
                done[errand.device_id] = await session.check_sync(
                    errand.account, errand.domain, profile=profile
                )
        return done

    async def _probe_rpc(self, pbx: Pbx) -> str:
        credentials = pbx.credentials
        headers = {}
        if credentials is not None:
            headers["Authorization"] = aiohttp.encode_basic_auth(credentials.username, credentials.password)
        ask = {"jsonrpc": "2.0", "id": 1, "method": "system.listMethods", "params": []}
        timeout = aiohttp.ClientTimeout(total=self._patience)
        try:
            async with self._session().post(
                pbx.address, json=ask, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                return _judge_rpc(response.status, await response.content.read(_MOST_RPC_ANSWER))
        except TimeoutError:
            return "The PBX did not answer in time."
        except aiohttp.ClientError:
            return "There is no connection to the PBX: nobody listens at its address."

    async def _probe_manager(self, pbx: Pbx) -> str:
        host, port = pbx.place
        credentials = Credentials(pbx.username, pbx.secret)
        async with ami_session(host, port, credentials=credentials, patience=self._patience) as session:
            if await session.may_notify():
                return ""
        return "The manager user may not send NOTIFY: give it write = system, and load res_pjsip_notify."

    async def _probe_event_socket(self, pbx: Pbx) -> str:
        host, port = pbx.place
        async with esl_session(host, port, password=pbx.secret, patience=self._patience):
            return ""

    async def _probe_directly(self, _pbx: Pbx) -> str:
        await self._agent("")
        return ""


def next_hop(errand: Errand, contact: str) -> str:
    """A SIP address to send to when the phone speaks from elsewhere than its contact says (NAT); "" for the contact itself.

    Raises SipParseError for a contact that is no SIP address.
    """
    uri, seen = parse_uri(contact), _socket_address(errand.source)
    if seen is None or seen == (uri.host.strip("[]"), uri.port or 5060):
        return ""
    host = f"[{seen[0]}]" if ":" in seen[0] else seen[0]
    transport = uri.params.get("transport", "")
    return sip_uri("", host, port=seen[1]) + (f";transport={transport}" if transport else "")


def _socket_address(source: str) -> Address | None:
    """`192.0.2.7:5060` or `[2001:db8::7]:5060`; None for anything else."""
    host, _, port = source.rpartition(":")
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65_536):
        return None
    return host.strip("[]"), int(port)


async def _each_contact(
    errands: Sequence[Errand], one: Callable[[Errand, str], Awaitable[CheckSyncResult]]
) -> Mapping[int, CheckSyncResult]:
    """Every contact of every phone; of one phone's answers the best counts."""

    async def told(errand: Errand, contact: str) -> CheckSyncResult:
        try:
            return await one(errand, contact)
        except SipParseError as error:
            return CheckSyncResult(Reach.FAILED, detail=error.detail)

    pairs = [(errand, contact) for errand in errands for contact in errand.contacts]
    answers = await asyncio.gather(*(told(errand, contact) for errand, contact in pairs))
    best: dict[int, CheckSyncResult] = {}
    for (errand, _), answer in zip(pairs, answers, strict=True):
        known = best.get(errand.device_id)
        if known is None or _RANKS.index(answer.reach) < _RANKS.index(known.reach):
            best[errand.device_id] = answer
    return best


_RANKS: Final = (
    Reach.ANSWERED,
    Reach.SENT,
    Reach.CHALLENGED,
    Reach.REFUSED,
    Reach.SILENT,
    Reach.FAILED,
)


def _judge_rpc(status: int, data: bytes) -> str:
    """What an answer to `system.listMethods` says about the way to the phones; "" when it is open."""
    if status in (401, 403):
        return "The PBX refuses this server: look at its list of peers and at the password."
    try:
        answer = json.loads(data)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or not ("result" in answer or "error" in answer):
        return "What answers there is no JSON-RPC: look at the path of the address."
    methods = answer.get("result")
    if isinstance(methods, list) and RPC_METHOD not in methods:
        return "The PBX cannot send messages by itself: load its module tm."
    return ""
