"""The REST door under /api/v1: every endpoint of the table, the OpenAPI document and the pages about problems."""

from aiohttp import web

from provisioner.web.api.endpoint import ACTOR, BASE, aiohttp_handler
from provisioner.web.api.openapi import get_openapi
from provisioner.web.api.problem_pages import get_problems
from provisioner.web.api.table import ENDPOINTS
from provisioner.web.identity import person, session_cookie, set_session


def add_api(app: web.Application) -> None:
    """Add the REST door to the admin application."""
    for endpoint in ENDPOINTS:
        if endpoint.method == "GET":
            app.router.add_get(BASE + endpoint.path, aiohttp_handler(endpoint))
        else:
            app.router.add_route(endpoint.method, BASE + endpoint.path, aiohttp_handler(endpoint))
    app.router.add_get(f"{BASE}/openapi.json", get_openapi)
    app.router.add_get("/problems", get_problems)
    app.on_response_prepare.append(_hand_over_session)


async def _hand_over_session(request: web.Request, response: web.StreamResponse) -> None:
    """A browser whose session token was rotated during this request gets the new one, also with a problem."""
    actor = request.get(ACTOR)
    if actor is not None and actor.login_id is not None:
        logged_in = await person(request)
        if logged_in is not None and logged_in.token is not None:
            set_session(request, response, logged_in)
            # the signal comes after aiohttp has turned the response's cookies into headers
            response.headers.add("Set-Cookie", response.cookies[session_cookie(request)].OutputString())
