"""Who a request on the admin listener comes from: a person's session cookie or a program's bearer token."""

from aiohttp import web

from provisioner.access import sessions
from provisioner.access.addresses import came_by_tls, client_address, parse_address
from provisioner.access.permissions import Permission, require
from provisioner.access.same_site import Crossing, crossing
from provisioner.access.tokens import basic_token, bearer_token
from provisioner.errors import Forbidden, Unauthenticated
from provisioner.services.context import Actor, Context
from provisioner.services.directory.answers import PbxDirectory
from provisioner.services.people.api_tokens import TokenBook
from provisioner.services.people.logins import Doorkeeper, LoggedIn, resume
from provisioner.services.registrations.ticks import RegistrationQueue

CONTEXT = web.AppKey("context", Context)
DOORKEEPER = web.AppKey("doorkeeper", Doorkeeper)
TOKENS = web.AppKey("tokens", TokenBook)
QUEUE = web.AppKey("queue", RegistrationQueue)
DIRECTORY = web.AppKey("directory", PbxDirectory)

_PERSON = web.RequestKey[LoggedIn | None]("person")


async def person(request: web.Request) -> LoggedIn | None:
    """Who is logged in with this browser; None for nobody. Looked up once per request."""
    if _PERSON not in request:
        token = request.cookies.get(session_cookie(request))
        request[_PERSON] = (
            await resume(request.config_dict[CONTEXT], token, address=address_of(request)) if token else None
        )
    found: LoggedIn | None = request[_PERSON]
    return found


async def machine(request: web.Request) -> Actor | None:
    """The program behind `Authorization: Bearer …` (or, for clients that cannot, X-Token or a Basic password); None for none."""
    header = request.headers.get("Authorization")
    text = bearer_token(header) or basic_token(header) or request.headers.get("X-Token")
    return await request.config_dict[TOKENS].actor(text, address=address_of(request)) if text else None


async def authenticate(request: web.Request, permission: Permission) -> Actor:
    """The actor of a request who has `permission`. Unauthenticated, Forbidden (also for a foreign site's request)."""
    actor = await machine(request)
    if actor is None:
        logged_in = await person(request)
        if logged_in is None:
            raise Unauthenticated("Log in, or send a token: Authorization: Bearer prov_….")
        refuse_foreign(request, has_session=True)
        actor = logged_in.actor
    require(actor.role, permission)
    return actor


def refuse_foreign(request: web.Request, *, has_session: bool) -> None:
    """Raise Forbidden when another web site made the browser send this."""
    if (
        crossing(request.method, request.headers, host=request.host, has_session=has_session)
        is Crossing.FOREIGN
    ):
        raise Forbidden("This request was made by another web site; it was not carried out.")


def address_of(request: web.Request) -> str:
    """The client's own address, behind trusted proxies too; empty when there is none (a test, a socket)."""
    peer = parse_address(request.remote or "")
    if peer is None:
        return ""
    trusted = request.config_dict[CONTEXT].settings.trusted_proxies
    return str(client_address(peer, request.headers.getall("X-Forwarded-For", []), trusted))


def is_tls(request: web.Request) -> bool:
    """Whether the browser itself speaks TLS."""
    peer = parse_address(request.remote or "")
    if peer is None:
        return request.secure
    trusted = request.config_dict[CONTEXT].settings.trusted_proxies
    return came_by_tls(
        peer,
        is_tls=request.secure,
        forwarded_proto=request.headers.getall("X-Forwarded-Proto", []),
        trusted=trusted,
    )


def session_cookie(request: web.Request) -> str:
    """The name of the session cookie on this connection."""
    return sessions.cookie_name(is_tls=is_tls(request))


def set_session(request: web.Request, response: web.StreamResponse, logged_in: LoggedIn) -> None:
    """Give the browser its (new) session token."""
    if logged_in.token is None:
        return
    response.set_cookie(
        session_cookie(request), logged_in.token, max_age=logged_in.max_age, httponly=True, samesite="Lax", secure=is_tls(request), path="/"
    )  # fmt: skip


def clear_session(request: web.Request, response: web.StreamResponse) -> None:
    """Take the session token away."""
    response.del_cookie(
        session_cookie(request), path="/", secure=is_tls(request), httponly=True, samesite="Lax"
    )
