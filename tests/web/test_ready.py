"""An answer sent in one write looks like any other to clients, and gives way to the ordinary one where it must."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime

import pytest
from aiohttp import web

from provisioner.web.ready import ready

BODY = b"x" * 10_000


class Wire:
    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**20)
        return self._reader, self._writer

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


@pytest.fixture
def answered() -> list[str]:
    """The requests that were answered."""
    return []


@pytest.fixture
async def port(answered: list[str]) -> AsyncIterator[int]:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        answered.append(request.method)
        return ready(request, BODY, content_type="text/x", etag='"abc"', cache_control="no-cache")

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def _head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    return status, {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


async def test_it_has_length_tag_type_and_date_and_the_connection_stays(port: int) -> None:
    async with Wire(port) as (reader, writer):
        for _ in range(3):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            status, headers = await _head(reader)
            assert await reader.readexactly(len(BODY)) == BODY
            assert status == "HTTP/1.1 200 OK"
            date = headers.pop("date")
            assert parsedate_to_datetime(date).tzinfo is not None
            assert headers == {
                "content-type": "text/x", "cache-control": "no-cache", "etag": '"abc"', "content-length": str(len(BODY)),
            }  # fmt: skip


@pytest.mark.parametrize(
    ("request_line", "more", "has_body"),
    [
        ("GET / HTTP/1.0", "", True),
        ("GET / HTTP/1.1", "Connection: close\r\n", True),
        ("HEAD / HTTP/1.1", "Connection: close\r\n", False),
        ("HEAD / HTTP/1.0", "", False),
    ],
)
async def test_who_asks_otherwise_gets_the_same_head_and_the_end_of_the_connection(
    port: int, request_line: str, more: str, has_body: bool
) -> None:
    async with Wire(port) as (reader, writer):
        writer.write(f"{request_line}\r\nHost: x\r\n{more}\r\n".encode())
        _, headers = await _head(reader)
        assert (headers["content-length"], headers["etag"], headers["content-type"]) == (
            str(len(BODY)), '"abc"', "text/x",
        )  # fmt: skip
        assert ("HTTP/1.0" in request_line) or headers["connection"] == "close"
        assert await reader.read() == (BODY if has_body else b"")


async def test_requests_sent_ahead_are_answered_in_order_and_wait_for_a_slow_reader(
    port: int, answered: list[str]
) -> None:
    """T26: what a client does not read must not pile up in the server."""
    count = 5_000  # 50 MB of answers, far more than the sockets between them hold
    async with Wire(port) as (reader, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # sockets' transports have it
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * count)
        before = -1
        while len(answered) != before:  # until it stands still
            before = len(answered)
            for _ in range(200):
                await asyncio.sleep(0)
        assert before < count
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        for _ in range(count):
            _, headers = await _head(reader)
            assert len(await reader.readexactly(int(headers["content-length"]))) == len(BODY)


async def test_a_client_that_left_is_no_fault(port: int, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(20):
        async with Wire(port) as (_, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
            writer.transport.abort()
    async with Wire(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await _head(reader))[0] == "HTTP/1.1 200 OK"
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_header_of_two_lines_is_refused() -> None:
    """T11."""
    from provisioner.web import ready as module

    with pytest.raises(ValueError, match="one line"):
        module._head("text/x\r\nSet-Cookie: a=b", "", True)
