"""A phone as the wire sees it: raw sockets, because clients hide spellings, headers and how a body is sent."""

import asyncio
import base64
import hashlib
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.server import RunningServer


@dataclass(frozen=True)
class Answer:
    """What came back. `headers` in order, names lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known == name.lower()]

    def one(self, name: str) -> str:
        (value,) = self.all(name)
        return value

    @property
    def shape(self) -> tuple[int, list[tuple[str, str]], bytes]:
        """Everything a stranger sees, without what differs from request to request."""
        shown = [
            (name, re.sub(r'nonce="[^"]*"', "nonce", value)) for name, value in self.headers if name != "date"
        ]
        return self.status, shown, self.body


def client_tls(ca: Path, *, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca))
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


@dataclass
class Phone:
    """Talks to one running server. `source` is the loopback address it calls from."""

    server: RunningServer
    source: str = "127.0.0.1"
    tls: ssl.SSLContext | None = field(default=None)

    async def connect(self, *, tls: bool = True) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        port = self.server.server.ports["https" if tls else "http"]
        context = (self.tls or client_tls(self.server.ca_path)) if tls else None
        return await asyncio.open_connection(
            "127.0.0.1",
            port,
            ssl=context,
            server_hostname="localhost" if tls else None,
            local_addr=(self.source, 0),
        )

    async def ask(
        self, target: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, tls: bool = True
    ) -> Answer:
        """One request on a connection of its own."""
        reader, writer = await self.connect(tls=tls)
        try:
            lines = [
                f"{method} {target} HTTP/1.1",
                "Host: localhost",
                "Connection: close",
                *(f"{name}: {value}" for name, value in (headers or {}).items()),
            ]
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
            async with asyncio.timeout(20):
                return parse(await reader.read())
        finally:
            writer.close()

    async def fetch(
        self,
        target: str,
        username: str,
        password: str,
        *,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Answer:
        """The same with Basic credentials."""
        return await self.ask(
            target, headers={"Authorization": basic(username, password), **(headers or {})}, **options
        )

    async def digest(
        self, target: str, username: str, password: str, *, algorithm: str = "MD5", tls: bool = True
    ) -> Answer:
        """Challenge and response."""
        challenge = await self.ask(target, tls=tls)
        if challenge.status != 401:
            return challenge
        return await self.ask(
            target,
            headers={"Authorization": respond(challenge, target, username, password, algorithm=algorithm)},
            tls=tls,
        )


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def respond(
    challenge: Answer,
    target: str,
    username: str,
    password: str,
    *,
    algorithm: str = "MD5",
    method: str = "GET",
    nc: int = 1,
) -> str:
    """The Authorization header that answers a Digest challenge (RFC 7616)."""
    offer = next(value for value in challenge.all("www-authenticate") if f"algorithm={algorithm}," in value)
    values = dict(re.findall(r'(\w+)="([^"]*)"', offer))

    def hashed(text: str) -> str:
        return hashlib.new("md5" if algorithm == "MD5" else "sha256", text.encode()).hexdigest()

    ha1, ha2 = hashed(f"{username}:{values['realm']}:{password}"), hashed(f"{method}:{target}")
    response = hashed(f"{ha1}:{values['nonce']}:{nc:08x}:c0ffee:auth:{ha2}")
    return (
        f'Digest username="{username}", realm="{values["realm"]}", nonce="{values["nonce"]}", uri="{target}", '
        f'algorithm={algorithm}, qop=auth, nc={nc:08x}, cnonce="c0ffee", response="{response}"'
    )


def parse(raw: bytes) -> Answer:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.partition(":") for line in lines]
    return Answer(int(first.split()[1]), [(name.lower(), value.strip()) for name, _, value in pairs], body)
