"""What a PBX asks for every call and says for every registration, answered before the application's router, middlewares and sessions.

Only what needs nobody to be waited for and nothing to be decided is answered here: a token that was checked within the last
second, an answer of the directory that is in memory. Everything else goes the usual way, where it is learnt.
"""

from functools import partial
from typing import Final

from aiohttp import web

from provisioner.access.permissions import Permission, allows
from provisioner.access.tokens import bearer_token
from provisioner.services.context import Actor
from provisioner.web.identity import CONTEXT, DIRECTORY, QUEUE, TOKENS
from provisioner.web.listeners import Handle
from provisioner.web.pbx.directory import respond
from provisioner.web.pbx.routes import BASE, take_events
from provisioner.web.problems import problems

RING: Final = f"{BASE}/ring/"
REGISTRATIONS: Final = f"{BASE}/registrations"


async def _fail(error: Exception, _request: web.Request) -> web.StreamResponse:
    raise error


class Front:
    """Stands before the application's handler."""

    def __init__(self, app: web.Application, behind: Handle) -> None:
        self._behind = behind
        self._tokens = app[TOKENS]
        self._directory = app[DIRECTORY]
        self._queue = app[QUEUE]
        self._clock = app[CONTEXT].clock
        self._header = ""
        self._text: str | None = None

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer, or let the application answer."""
        target = request.raw_path
        if target.startswith(RING) and request.method == "GET":
            actor = self._known(request, Permission.PBX_DIRECTORY)
            if actor is not None:
                answer = self._directory.known((actor.tenant_id, target))
                if answer is not None:
                    return respond(request, answer)
        elif target == REGISTRATIONS and request.method == "POST" and isinstance(request, web.Request):
            actor = self._known(request, Permission.PBX_EVENTS)
            if actor is not None:
                try:
                    return await take_events(request, actor, queue=self._queue, clock=self._clock)
                except Exception as error:  # noqa: BLE001 - `problems` is where every error becomes an answer
                    return await problems(request, partial(_fail, error))
        return await self._behind(request)

    def _known(self, request: web.BaseRequest, permission: Permission) -> Actor | None:
        header = request.headers.get("Authorization", "")
        if header != self._header:  # a PBX says the same all the time
            self._header, self._text = header, bearer_token(header)
        text = self._text
        actor = self._tokens.known(text, now=self._tokens.now()) if text else None
        return actor if actor is not None and allows(actor.role, permission) else None
