"""The floor of the PBX door: aiohttp's low-level server on uvloop, which answers every request with one body."""

import argparse
import asyncio
from pathlib import Path

import uvloop
from aiohttp import web


async def serve(port: int, body: bytes) -> None:
    """Answer until cancelled; what is posted is read and thrown away."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "POST":
            await request.read()
        return web.Response(body=body, content_type="application/json")

    runner = web.ServerRunner(web.Server(answer, access_log=None))
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
