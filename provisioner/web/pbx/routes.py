"""The PBX door under /pbx/v1: machine token, directory of device accounts, registration events. See docs/pbx-kamailio.md."""

import asyncio
import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from provisioner.access.permissions import Permission
from provisioner.clock import Clock
from provisioner.errors import BadInput, NotFound
from provisioner.services.context import Actor
from provisioner.services.directory.device_accounts import ha1_of
from provisioner.services.registrations.ticks import RegistrationQueue, reconcile
from provisioner.web.identity import CONTEXT, QUEUE, authenticate
from provisioner.web.pbx.calls import post_call
from provisioner.web.pbx.directory import WAITING, Waiting, end_waiting, get_account, get_changes, get_ring
from provisioner.web.pbx.events import read_events, read_single, read_snapshot
from provisioner.web.pbx.hotdesk import post_dialog, post_single, post_step
from provisioner.web.pbx.httapi import get_httapi_hotdesk, post_httapi_hotdesk
from provisioner.web.pbx.owner import get_owner
from provisioner.web.pbx.prompts import get_prompts
from provisioner.web.ready import ready

BASE = "/pbx/v1"
MAX_BODY = 64 * 1024 * 1024
"""A full state of 100,000 contacts fits."""

SINGLE_BODY = 4 * 1024
"""Up to here a body is probably one event."""

LARGE_BODY = 256 * 1024
"""From here on a body is read in a thread."""

BODY_SECONDS = 30.0
"""How long a body may take to arrive."""

Handler = Callable[[web.Request, Actor], Awaitable[web.StreamResponse]]


async def get_ha1(request: web.Request, actor: Actor) -> web.StreamResponse:
    """HA1 as plain text; 404 for an unknown account."""
    account, realm = request.query.get("user", ""), request.query.get("realm", "")
    if not account or not realm:
        raise BadInput("Say which account and realm: ?user=…&realm=…", field="user")
    ha1 = await ha1_of(
        request.config_dict[CONTEXT],
        actor,
        account=account,
        realm=realm,
        algorithm=request.query.get("algorithm", "MD5"),
    )
    if ha1 is None:
        raise NotFound("There is no such account in this realm.")
    return web.Response(text=ha1, headers={"Cache-Control": "no-store"})


async def post_registrations(request: web.Request, actor: Actor) -> web.StreamResponse:
    """One event or a batch; answered as soon as they are queued, in the order received."""
    return await take_events(
        request, actor, queue=request.config_dict[QUEUE], clock=request.config_dict[CONTEXT].clock
    )


async def take_events(
    request: web.BaseRequest, actor: Actor, *, queue: RegistrationQueue, clock: Clock
) -> web.StreamResponse:
    """The same for a request that no application has seen."""
    body, now = await _body(request), clock()
    single = read_single(body, tenant_id=actor.tenant_id, now=now) if len(body) < SINGLE_BODY else None
    events = [single] if single else read_events(await _parsed(body), tenant_id=actor.tenant_id, now=now)
    queue.put(events)
    return ready(request, b'{"accepted": %d}' % len(events), content_type="application/json")


async def put_registrations(request: web.Request, actor: Actor) -> web.StreamResponse:
    """The registrar's whole state: what it does not list is not registered."""
    context, queue = request.config_dict[CONTEXT], request.config_dict[QUEUE]
    body, now = await _json(request), context.clock()
    # a large one takes a second: not on the event loop
    at, contacts = await asyncio.to_thread(lambda: read_snapshot(body, now=now))
    await queue.drained()
    return web.json_response({"changed": await reconcile(context, actor, at=at, contacts=contacts)})


ROUTES: tuple[tuple[str, str, Permission, Handler], ...] = (
    ("GET", "/ha1", Permission.PBX_DIRECTORY, get_ha1),
    ("GET", "/owner", Permission.PBX_DIRECTORY, get_owner),
    ("GET", "/accounts/{account}", Permission.PBX_DIRECTORY, get_account),
    ("GET", "/ring/{number}", Permission.PBX_DIRECTORY, get_ring),
    ("GET", "/changes", Permission.PBX_DIRECTORY, get_changes),
    ("GET", "/prompts", Permission.PBX_DIRECTORY, get_prompts),
    ("GET", "/httapi/hotdesk", Permission.PBX_HOTDESK, get_httapi_hotdesk),
    ("POST", "/httapi/hotdesk", Permission.PBX_HOTDESK, post_httapi_hotdesk),
    ("POST", "/hotdesk", Permission.PBX_HOTDESK, post_single),
    ("POST", "/hotdesk/dialog", Permission.PBX_HOTDESK, post_dialog),
    ("POST", "/hotdesk/dialog/{session}", Permission.PBX_HOTDESK, post_step),
    ("POST", "/calls", Permission.PBX_EVENTS, post_call),
    ("POST", "/registrations", Permission.PBX_EVENTS, post_registrations),
    ("PUT", "/registrations", Permission.PBX_EVENTS, put_registrations),
)


def add_pbx(app: web.Application) -> None:
    """Add the PBX door to the admin application."""
    app[WAITING] = Waiting()
    app.on_shutdown.append(end_waiting)
    for method, path, permission, handler in ROUTES:
        app.router.add_route(method, BASE + path, _guarded(handler, permission))


def _guarded(
    handler: Handler, permission: Permission
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def guarded(request: web.Request) -> web.StreamResponse:
        return await handler(request, await authenticate(request, permission))

    return guarded


async def _json(request: web.BaseRequest) -> object:
    return await _parsed(await _body(request))


async def _parsed(body: bytes) -> object:
    try:
        return json.loads(body) if len(body) < LARGE_BODY else await asyncio.to_thread(json.loads, body)
    except (ValueError, RecursionError):
        raise BadInput("The body is not JSON.") from None


async def _body(request: web.BaseRequest) -> bytes:
    if request.content.is_eof():  # a small one came together with its head
        return request.content.read_nowait()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
