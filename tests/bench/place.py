"""An installed data folder with its devices, and servers over it."""

import asyncio
import http.client
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from provisioner.pki.authority import PairFiles
from tests.bench.fleet import MIX, SHORT, Kind, Member, prepare, settings_of
from tests.bench.machine import server_core
from tests.bench.rounds import BenchError
from tests.bench.servers import Ours


@dataclass(frozen=True)
class Place:
    """`members` begins with one device of each kind of `fleet.MIX`, which have 30 keys; those made in bulk follow."""

    data: Path
    settings: dict[str, object]
    members: Sequence[Member]

    @classmethod
    def made(cls, data: Path, *, bulk: Sequence[Kind] = MIX, count: int = 0, **overrides: object) -> "Place":
        settings = settings_of(data, **overrides)
        return cls(data, settings, asyncio.run(prepare(settings, bulk=bulk, count=count)))

    @property
    def short(self) -> Member:
        return self.members[0]

    @property
    def bulk(self) -> Sequence[Member]:
        return self.members[len(MIX) :]

    def short_ones(self, most: int) -> Sequence[Member]:
        """Of the first `most` bulk devices those with the short file."""
        return [member for member in self.bulk[:most] if member.kind is SHORT]

    def server(self, folder: Path, *options: str, pin: bool = True, **overrides: object) -> Ours:
        """A server over this folder; with the first device it proves that it is up."""
        settings = {**self.settings, **overrides}
        core = server_core() if pin else None
        return Ours(
            folder, settings, target=self.short.target, headers=self.short.headers, options=options, core=core
        )

    def pairs(self) -> dict[str, tuple[Path, Path]]:
        """The server's own certificates and keys by kind, for whoever shall do the same work."""
        stems = {"ecdsa": "server-ecdsa", "rsa": "server-rsa"}
        found = {kind: PairFiles.at(self.data / "certs", stem) for kind, stem in stems.items()}
        return {kind: (pair.certificate, pair.key) for kind, pair in found.items()}


def body_of(server: Ours, member: Member) -> bytes:
    """The file of a device; BenchError when it is refused."""
    return warm(server, [member])


def warm(server: Ours, members: Sequence[Member]) -> bytes:
    """Fetch each device's file once over one connection, so that it is in memory; gives back the last."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    body = b""
    try:
        for member in members:
            connection.request("GET", member.target, headers=member.headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise BenchError(f"{member.target} was answered with {answer.status}")
    finally:
        connection.close()
    return body
