"""An answer whose bytes are all there, sent in one write: half of what an ordinary answer costs goes into building its head."""

import time
from email.utils import formatdate
from functools import lru_cache
from typing import Final

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

_LEAST: Final = HttpVersion11


class Ready(web.StreamResponse):
    """200 in HTTP/1.1; good for one request."""

    def __init__(self, head: bytes, body: bytes, *, keep_alive: bool) -> None:
        super().__init__()
        self._head = head
        self._whole = body
        self._stays = keep_alive

    @property
    def keep_alive(self) -> bool:
        return self._stays

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send it; ConnectionResetError when the client is gone. Waits while the client reads too slowly."""
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client left")
        transport.write(self._head + _date(int(time.time())) + self._whole)
        if request.protocol.writing_paused:
            await request.writer.drain()
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to send."""


def ready(
    request: web.BaseRequest, body: bytes, *, content_type: str, etag: str = "", cache_control: str = ""
) -> web.StreamResponse:
    """A whole body with status 200; `etag` with its quotes. HEAD and HTTP/1.0 get an ordinary answer."""
    if request.method != "HEAD" and request.version == _LEAST:
        stays = request.keep_alive
        head = _head(content_type, cache_control, stays)
        tag = f"ETag: {etag}\r\n" if etag else ""
        return Ready(
            b"%b%bContent-Length: %d\r\n" % (head, tag.encode("ascii"), len(body)), body, keep_alive=stays
        )
    headers = {"Content-Type": content_type, "ETag": etag, "Cache-Control": cache_control}
    return web.Response(body=body, headers={name: value for name, value in headers.items() if value})


@lru_cache(maxsize=256)
def _head(content_type: str, cache_control: str, stays: bool) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Type: {content_type}"]
    if not stays:
        lines.append("Connection: close")
    if cache_control:
        lines.append(f"Cache-Control: {cache_control}")
    if any(not line.isprintable() for line in lines):
        raise ValueError("a header is one line of printable text")
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1")


@lru_cache(maxsize=4)
def _date(second: int) -> bytes:
    """RFC 9110 6.6.1, and the end of the head."""
    return f"Date: {formatdate(second, usegmt=True)}\r\n\r\n".encode("ascii")
