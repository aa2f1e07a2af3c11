"""A stand-in for the PBX door that keeps what it is told; for tests of Kamailio, not of the product."""

import hashlib
import json
import ssl
from typing import Any, Self

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.ports import free_port


class Door:
    """Knows `accounts` (user -> password) and one token. `async with` starts it; `answer` is its status for events."""

    def __init__(
        self,
        accounts: dict[str, str],
        *,
        token: str,
        realm: str = "tenant1.test",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.accounts = accounts
        self.token = token
        self.realm = realm
        self.tls = tls
        self.events: list[dict[str, Any]] = []
        self.states: list[dict[str, Any]] = []
        self.look_ups: list[str] = []
        self.refused: list[str] = []
        self.answer = 200
        self.answers: dict[str, tuple[int, Any]] = {}
        """What any other path gets: "accounts/x" or "owner?account=x&address=y" -> status and JSON; 404 when it is not here."""
        self.asked: list[tuple[str, Any]] = []
        """Those questions: path, and the JSON that came with it."""
        self.batches = 0
        self.port = free_port("127.0.0.1")
        self._server: TestServer | None = None

    @property
    def url(self) -> str:
        """The base that Kamailio gets; over TLS with the name `localhost`, as certificates have it."""
        host = "https://localhost" if self.tls else "http://127.0.0.1"
        return f"{host}:{self.port}/pbx/v1"

    def of(self, event: str) -> list[dict[str, Any]]:
        """The events of one kind, in the order of their arrival."""
        return [each for each in self.events if each["event"] == event]

    async def open(self) -> None:
        """Listen; after `close` on the same port again."""
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_get("/pbx/v1/ha1", self._ha1)
        app.router.add_post("/pbx/v1/registrations", self._events)
        app.router.add_put("/pbx/v1/registrations", self._state)
        app.router.add_route("*", "/pbx/v1/{tail:.*}", self._other)
        self._server = TestServer(app, host="127.0.0.1", port=self.port)
        await self._server.start_server(ssl=self.tls)

    async def close(self) -> None:
        if self._server is not None:
            await self._server.close()
            self._server = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _check(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            self.refused.append(request.path)
            raise web.HTTPUnauthorized

    async def _ha1(self, request: web.Request) -> web.Response:
        self._check(request)
        user, realm = request.query["user"], request.query["realm"]
        self.look_ups.append(user)
        if user not in self.accounts or realm != self.realm:
            raise web.HTTPNotFound
        text = f"{user}:{realm}:{self.accounts[user]}"
        return web.Response(text=hashlib.md5(text.encode()).hexdigest())

    async def _events(self, request: web.Request) -> web.Response:
        self._check(request)
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType
        if self.answer != 200:
            return web.Response(status=self.answer)
        told = json.loads(await request.text())
        events = told.get("events", [told])
        self.events.extend(events)
        self.batches += 1
        return web.json_response({"accepted": len(events), "ignored": 0})

    async def _state(self, request: web.Request) -> web.Response:
        self._check(request)
        self.states.append(json.loads(await request.text()))
        return web.json_response({})

    async def _other(self, request: web.Request) -> web.Response:
        self._check(request)
        path = request.path_qs.removeprefix("/pbx/v1/")
        self.asked.append((path, json.loads(await request.text() or "null")))
        status, body = self.answers.get(path, (404, None))
        return web.json_response(body, status=status) if body is not None else web.Response(status=status)
