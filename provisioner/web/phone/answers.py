"""The answers of the phone door, and small things remembered between requests."""

import json
import random
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final

from aiohttp import web

from provisioner.access.addresses import Address
from provisioner.access.authorization import BasicCredentials, DigestCredentials
from provisioner.access.digest import digest_response
from provisioner.access.evidence import Evidence
from provisioner.access.policies.evaluation import Verdict
from provisioner.access.verifier import Verifier
from provisioner.profiles.matching import FileMatch
from provisioner.profiles.protocols import BootstrapFacts, BootstrapServer
from provisioner.profiles.rendering import Rendered
from provisioner.services.files.phone_files import Served
from provisioner.settings import ServerSettings
from provisioner.web.ready import ready

_CACHE: Final = "private, no-cache"


def bootstrap_facts(settings: ServerSettings, match: FileMatch) -> BootstrapFacts:
    """All that a public file may say."""
    ca_url = f"{settings.http_base}/ca.pem" if settings.http_base else ""
    server = BootstrapServer(https_url=settings.https_base, http_url=settings.http_base, ca_url=ca_url)
    return BootstrapFacts(
        server=server, base=f"{settings.https_base}/p", mac=match.mac or "", model=match.model or ""
    )


def come_back(soonest: int, latest: int) -> web.Response:
    """Come back later, not all at once."""
    return web.Response(status=503, headers={"Retry-After": str(random.randint(soonest, latest))})  # noqa: S311 - no secret


def detail_of(verdict: Verdict) -> str:
    """What the log keeps of a verdict beside its reason, as JSON."""
    return json.dumps(
        {
            name: value if isinstance(value, int | float) else str(value)
            for name, value in verdict.data.items()
        }
    )


def used_current(evidence: Evidence, verifier: Verifier) -> bool:
    """Whether the phone showed the current password, not the replaced one."""
    shown = evidence.credentials
    if isinstance(shown, BasicCredentials):
        return verifier.accepts_pair(shown.pair, now=float("inf"))
    if not isinstance(shown, DigestCredentials):
        return False
    ha1 = verifier.ha1(shown.algorithm)
    return ha1 is not None and digest_response(shown, ha1, method=evidence.method) == shown.response.lower()


@lru_cache(maxsize=65_536)
def mac_bytes(digits: str) -> bytes:
    """The six bytes of a MAC."""
    return bytes.fromhex(digits)


def serve(request: web.BaseRequest, served: Served) -> web.StreamResponse:
    tag = f'"{served.hash[:32]}"'
    asked = request.headers.get("If-None-Match")
    if asked is not None and (tag in asked or asked.strip() == "*"):
        headers = {"Content-Type": served.content_type, "ETag": tag, "Cache-Control": _CACHE}
        return web.Response(status=304, headers=headers)
    return ready(request, served.body, content_type=served.content_type, etag=tag, cache_control=_CACHE)


def plain_file(body: bytes, content_type: str) -> web.Response:
    return web.Response(body=body, headers={"Content-Type": content_type, "Cache-Control": "no-cache"})


@lru_cache(maxsize=65_536)
def peer_address(text: str) -> tuple[Address, str]:
    """A socket's peer as an address, and as text; IPv4 written as IPv6 becomes IPv4."""
    address: Address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    return address, str(address)


def screen_page(page: Rendered) -> web.Response:
    """A page for a phone's screen: of this moment, and after a login in the address that asked for it."""
    headers = {"Content-Type": page.content_type, "Cache-Control": "no-store"}
    return web.Response(body=page.body, headers=headers)
