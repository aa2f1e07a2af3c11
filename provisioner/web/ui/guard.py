"""What stands before every page: who is asking, may they, was it this site that asked; and the headers of every answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from provisioner.access.permissions import Permission, require
from provisioner.errors import ProvisionerError, Unauthenticated
from provisioner.services.devices.device_settings import get_settings
from provisioner.services.people.tenant_keys import tenant_by_key
from provisioner.web.identity import CONTEXT, person, refuse_foreign, set_session
from provisioner.web.ui.pages.errors import error_page
from provisioner.web.ui.translations import LANGUAGES, languages, preferred
from provisioner.web.ui.visit import Visit, redirect

log = structlog.get_logger()

Answer = Callable[[Visit], Awaitable[web.StreamResponse]]
Access = Permission | Literal["public"]

POLICY: Final = (
    "default-src 'none'; "
    "script-src 'self'; "
    "style-src 'self'; "
    "img-src 'self' data:; "
    "connect-src 'self'; "
    "font-src 'self'; "
    "form-action 'self'; "
    "frame-ancestors 'none'; "
    "base-uri 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Route:
    """One address, who may use it, and what answers."""

    method: Literal["GET", "POST"]
    path: str
    access: Access
    answer: Answer


def guarded(route: Route) -> Handler:
    """The route as a handler: errors become pages, answers get their headers."""

    async def handle(request: web.Request) -> web.StreamResponse:
        visit = Visit(request, languages()[preferred(request.headers.get("Accept-Language", ""))])
        visit.zone = ZoneInfo(_default_zone(visit))
        try:
            await _admit(visit, route)
            response = await route.answer(visit)
        except Unauthenticated as error:
            response = _to_login(visit) if visit.logged_in is None else error_page(visit, error)
        except ProvisionerError as error:
            if error.status >= 500:
                log.error("page failed", path=request.path, error=type(error).__name__)  # noqa: TRY400 - a known error, no trace
            response = error_page(visit, error)
        except web.HTTPException as error:
            response = error_page(visit, error)
        if not response.prepared:
            secure(response)
            if visit.logged_in is not None and "Set-Cookie" not in response.headers and not response.cookies:
                set_session(request, response, visit.logged_in)
        return response

    return handle


def secure(response: web.StreamResponse) -> None:
    """Give an answer the headers that every page has; those it has already stay."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


async def _admit(visit: Visit, route: Route) -> None:
    """Raise unless this person may use the route. Unauthenticated, Forbidden, NotFound for a foreign tenant."""
    request = visit.request
    visit.logged_in = await person(request)
    if visit.logged_in is not None and visit.logged_in.login.language in LANGUAGES:
        visit.language = languages()[visit.logged_in.login.language]
    refuse_foreign(request, has_session=True)
    if route.access == "public":
        return
    actor = visit.actor
    key = request.match_info.get("tenant")
    if key is not None:
        visit.tenant = await tenant_by_key(visit.context, actor, key=key)
    require(actor.role, route.access)
    if visit.tenant is not None:
        visit.zone = await _zone(visit)


async def _zone(visit: Visit) -> ZoneInfo:
    set_here = await get_settings(visit.context, visit.actor, tenant_id=visit.tenant_id, scope="tenant")
    return ZoneInfo(set_here.get("timezone") or _default_zone(visit))


def _default_zone(visit: Visit) -> str:
    """The time zone of tenants that have set none."""
    default: str = visit.request.config_dict[CONTEXT].catalogue["timezone"].default
    return default


def _to_login(visit: Visit) -> web.Response:
    """Send a stranger to the login page, and back afterwards where that is harmless."""
    request = visit.request
    target = request.path_qs if request.method == "GET" and not visit.is_partial else "/"
    location = "/login" if target == "/" else f"/login?next={quote(target, safe='')}"
    if visit.is_partial:
        return web.Response(status=401, headers={"HX-Redirect": "/login"})
    return redirect(location)
