"""The floor of the PBX door: aiohttp's `web.Application` on uvloop, which answers every request with one body."""

import argparse
import asyncio
from pathlib import Path

import uvloop
from aiohttp import web


async def serve(port: int, body: bytes) -> None:
    """Answer until cancelled; what is posted is read and thrown away."""

    async def look_up(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type="application/json")

    async def take(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/pbx/v1/ring/{number}", look_up)
    app.router.add_post("/pbx/v1/registrations", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("body", type=Path)
    arguments = parser.parse_args()
    uvloop.run(serve(arguments.port, arguments.body.read_bytes()))


if __name__ == "__main__":
    main()
