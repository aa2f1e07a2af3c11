"""The floor we build on: aiohttp's `web.Application` on uvloop, answering with a body from a dict."""

import argparse
import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path

import uvloop
from aiohttp import web


async def serve(port: int, body: bytes, name: str, *, is_shared: bool, tls: ssl.SSLContext | None) -> None:
    """Answer GET /p/`name` until cancelled. `is_shared`: others may listen on the same port."""
    bodies = {name: body}

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=bodies[request.match_info["name"]])

    app = web.Application()
    app.router.add_get("/p/{name}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(
        runner, "127.0.0.1", port, reuse_port=is_shared or None, ssl_context=tls, backlog=4_096
    ).start()
    await asyncio.Event().wait()


def context(pairs: Sequence[Path]) -> ssl.SSLContext | None:
    """Certificates and keys in turn; None when there are none."""
    if not pairs:
        return None
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.num_tickets = 0
    for certificate, key in zip(pairs[::2], pairs[1::2], strict=True):
        found.load_cert_chain(certificate, key)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("body", type=Path)
    parser.add_argument("name")
    parser.add_argument("--shared", action="store_true", help="one of several processes on this port")
    parser.add_argument("--pairs", type=Path, nargs="*", default=[], help="certificate key …")
    given = parser.parse_args()
    tls = context(given.pairs)
    uvloop.run(serve(given.port, given.body.read_bytes(), given.name, is_shared=given.shared, tls=tls))


if __name__ == "__main__":
    main()
