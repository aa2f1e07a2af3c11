"""Listeners: sockets with limits that strangers cannot stretch."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web, web_response
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

# else every answer tells strangers the versions of aiohttp and Python
web_response.SERVER_SOFTWARE = "Provisioner"  # type: ignore[attr-defined]

IDLE_SECONDS = 20.0
"""A connection that has sent no whole request for so long is closed: slow senders and forgotten ones."""
MAX_LINE = 4_096
MAX_FIELD = 8_190
MAX_HEADERS = 64
LIMITS: dict[str, Any] = {
    "keepalive_timeout": IDLE_SECONDS,
    "tcp_keepalive": False,  # an idle connection is closed long before the system would ask whether anybody is there
    "lingering_time": 2.0,
    "max_line_size": MAX_LINE,
    "max_field_size": MAX_FIELD,
    "max_headers": MAX_HEADERS,
    "access_log": None,
}


class BoundedRequestHandler(RequestHandler):
    """Answers requests that go beyond the limits with the status that says so, without a word about the inside.

    `connection_facts` is a place for what a door learns once per connection.
    """

    __slots__ = ("connection_facts",)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.connection_facts: Any = None
        super().connection_made(transport)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if isinstance(exc, LineTooLong) or (status == 400 and message and "Too many headers" in message):
            answer = web.Response(status=431, text="The request's headers are too large.")
        else:
            super().handle_error(request, status, exc, message)  # it logs
            answer = web.Response(
                status=status,
                text="The request cannot be answered." if status >= 500 else "The request cannot be read.",
            )
        answer.force_close()
        return answer


class BoundedServer(web.Server):
    """aiohttp's low-level server with the limits above."""

    def __call__(self) -> RequestHandler:
        return BoundedRequestHandler(self, loop=self._loop, **self._kwargs)


class _ServerRunner(web.ServerRunner):
    """A runner whose shutdown does not wait long for phones that hold a connection open."""

    def __init__(self, server: BoundedServer) -> None:
        super().__init__(server, shutdown_timeout=5.0)


Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class _AppRunner(web.AppRunner):
    def __init__(self, app: web.Application, *, front: Callable[[Handle], Handle] | None) -> None:
        super().__init__(app, shutdown_timeout=5.0)
        self._front = front

    async def _make_server(self) -> Any:
        plain = await super()._make_server()
        handle = self._front(plain.request_handler) if self._front is not None else plain.request_handler
        return BoundedServer(handle, request_factory=plain.request_factory, **LIMITS)


async def listen_for_phones(
    handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
    *,
    address: str,
    port: int,
    tls: ssl.SSLContext | None,
    shared: bool,
) -> web.BaseRunner:
    """Open a phone listener; `shared`: several processes take connections from the same port."""
    runner = _ServerRunner(BoundedServer(handle, **LIMITS))
    await runner.setup()
    await web.TCPSite(
        runner, address, port, ssl_context=tls, reuse_port=shared or None, backlog=4_096
    ).start()
    return runner


async def listen_for_people(
    app: web.Application,
    *,
    address: str,
    port: int,
    tls: ssl.SSLContext | None,
    front: Callable[[Handle], Handle] | None = None,
) -> web.BaseRunner:
    """Open the admin listener. `front` is given the application's handler and gives back what sees requests first."""
    runner = _AppRunner(app, front=front)
    await runner.setup()
    await web.TCPSite(runner, address, port, ssl_context=tls, backlog=1_024).start()
    return runner
