"""NOTIFY check-sync: asks a phone to fetch its configuration again, through the PBX or directly.

The answer of a phone says only that it was reached. Whether it took the new configuration shows in the fetch that follows.
"""

import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import aiohttp

from provisioner.errors import Unavailable
from provisioner.registrar.agent import Address, SipAgent, SipTimeout, resolve
from provisioner.registrar.sip import Request, SipParseError, parse_uri
from provisioner.registrar.sip_digest import Credentials

REREAD = "check-sync;reboot=false"
REBOOT = "check-sync;reboot=true"
_WAITING = "tm.t_uac_wait_block"  # occupies a process of the PBX until the phone answers or 30 s are over
_STARTING = "tm.t_uac_start"


class Reach(StrEnum):
    SENT = "sent"  # handed to the PBX, which does not wait for the phone
    ANSWERED = "answered"  # the phone said 2xx
    CHALLENGED = "challenged"  # the phone wants the SIP password of the account first (401, 407)
    REFUSED = "refused"  # reachable, but takes no unsolicited NOTIFY (481, 400, 405, 489 …)
    SILENT = "silent"  # no answer
    FAILED = "failed"  # the PBX could not be asked


@dataclass(frozen=True, slots=True)
class CheckSyncResult:
    """What became of one NOTIFY; `status` is the SIP status, None when there is none."""

    reach: Reach
    status: int | None = None
    detail: str = ""

    @classmethod
    def of(cls, status: int, detail: str) -> "CheckSyncResult":
        """The result for the SIP status that the phone (or the PBX for it) gave."""
        if status < 300:
            reach = Reach.ANSWERED
        elif status in (401, 407):
            reach = Reach.CHALLENGED
        else:
            reach = Reach.SILENT if status == 408 else Reach.REFUSED
        return cls(reach, status, detail)


async def check_sync_by_rpc(
    session: aiohttp.ClientSession,
    rpc_url: str,
    *,
    contact: str,
    sender: str,
    next_hop: str = "",
    event: str = REREAD,
    waits: bool = False,
    patience: float = 5.0,
    credentials: Credentials | None = None,
) -> CheckSyncResult:
    """Let a PBX with a transaction JSON-RPC (`tm.t_uac_…`) send it: `contact` as registered, `sender` a SIP address.

    `next_hop`: a SIP address to send to instead of the contact's own, for a phone behind a NAT.
    `waits`: ask for the phone's own answer; else the result is SENT. `credentials`: HTTP Basic, where the PBX wants it. `patience`: seconds for the whole call.
    Raises SipParseError for addresses that are none.
    """
    headers = {}
    if credentials is not None:
        headers["Authorization"] = aiohttp.encode_basic_auth(credentials.username, credentials.password)
    method = _WAITING if waits else _STARTING
    params = [*_rpc_head(contact, next_hop), _rpc_headers(contact, sender, event)]
    ask = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    try:
        async with session.post(
            rpc_url,
            json=ask,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=patience),
            allow_redirects=False,
        ) as response:
            # JSON-RPC errors come with a 4xx or 5xx status and still say why in their body
            body = await response.json(content_type=None)
    except TimeoutError:
        return CheckSyncResult(
            Reach.SILENT if waits else Reach.FAILED, detail="The PBX did not answer in time"
        )
    except (aiohttp.ClientError, ValueError) as error:
        return CheckSyncResult(Reach.FAILED, detail=f"The PBX could not be asked: {type(error).__name__}")
    return _rpc_result(body, waits=waits)


async def check_sync_directly(
    agent: SipAgent, *, contact: str, sender: str, event: str = REREAD, towards: Address | None = None
) -> CheckSyncResult:
    """Send it from our own socket to the phone's contact (or to `towards`, the address seen by the registrar).

    Raises SipParseError for addresses that are none. Many phones accept this only from their registrar.
    """
    target, me = parse_uri(contact), parse_uri(sender)
    try:
        destination = towards or await resolve(target.host, target.port or 5060)
        request = Request(
            method="NOTIFY",
            uri=contact,
            headers=(
                ("From", f"<{sender}>;tag={secrets.token_hex(4)}"),
                ("To", f"<{contact}>"),
                ("Contact", agent.contact(me.user or "provisioner", destination)),
                ("Call-ID", secrets.token_hex(12)),
                ("CSeq", "1 NOTIFY"),
                ("Subscription-State", "terminated"),
                ("Event", event),
            ),
        )
        response = await agent.request(request, destination)
    except SipTimeout:
        return CheckSyncResult(Reach.SILENT, detail="The phone did not answer")
    except Unavailable as error:
        return CheckSyncResult(Reach.FAILED, detail=error.detail)
    return CheckSyncResult.of(response.status, response.reason)


def _rpc_head(contact: str, next_hop: str) -> list[str]:
    parse_uri(contact)
    if next_hop:
        parse_uri(next_hop)
    return ["NOTIFY", contact, next_hop or ".", "."]


def _rpc_headers(contact: str, sender: str, event: str) -> str:
    """From without a tag: the PBX adds one. Subscription-State always: some phones answer 400 without it."""
    parse_uri(sender)
    if any(char in event for char in "\r\n\0"):
        raise SipParseError("The event holds a line break")
    lines = [f"From: <{sender}>", f"To: <{contact}>", f"Contact: <{sender}>"]
    lines += [f"Event: {event}", "Subscription-State: terminated"]
    return "".join(f"{line}\r\n" for line in lines)


def _rpc_result(body: Any, *, waits: bool) -> CheckSyncResult:
    if not isinstance(body, dict) or "error" in body or "result" not in body:
        error = body.get("error") if isinstance(body, dict) else None
        detail = str(error.get("message", "")) if isinstance(error, dict) else "no JSON-RPC answer"
        return CheckSyncResult(Reach.FAILED, detail=f"The PBX refused: {detail}"[:200])
    if not waits:
        return CheckSyncResult(Reach.SENT)
    result = body["result"] if isinstance(body["result"], dict) else {}
    code = str(result.get("code", ""))
    if not (code.isascii() and code.isdigit() and len(code) == 3):
        return CheckSyncResult(Reach.FAILED, detail="The PBX did not say what the phone answered")
    return CheckSyncResult.of(int(code), str(result.get("text", ""))[:200])
