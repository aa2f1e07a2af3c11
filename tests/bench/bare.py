"""The floor we build on: aiohttp's `web.Application` on uvloop, answering with a body from a dict."""

import argparse
import asyncio
from pathlib import Path

import uvloop
from aiohttp import web


async def serve(port: int, body: bytes, name: str) -> None:
    """Answer GET /p/`name` until cancelled."""
    bodies = {name: body}

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=bodies[request.match_info["name"]])

    app = web.Application()
    app.router.add_get("/p/{name}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("body", type=Path)
    parser.add_argument("name")
    arguments = parser.parse_args()
    uvloop.run(serve(arguments.port, arguments.body.read_bytes(), arguments.name))


if __name__ == "__main__":
    main()
