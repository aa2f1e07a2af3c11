"""A phone's way over HTTP: its order of requests, its authentication, its limits. Nothing is guessed, nothing is followed."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

import aiohttp
from yarl import URL

from provisioner.errors import BadInput
from provisioner.registrar.sip_digest import Credentials, answer
from provisioner.simulator.dialect import Dialect, FileKind, FileStep, fill
from provisioner.simulator.reader import FileContents, UnreadableFile, read_file

MAX_FILE = 4 * 1024 * 1024  # bytes
MAX_FILES = 20  # in one round
PATIENCE = aiohttp.ClientTimeout(total=15)


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """One request: the path (never the credentials), the HTTP status (0: no answer) and why it was of no use."""

    path: str
    status: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FetchRound:
    """All requests in order, and what the readable settings files said."""

    files: tuple[FetchedFile, ...]
    contents: tuple[FileContents, ...]

    @property
    def is_complete(self) -> bool:
        """Whether settings were read and every file was either there or cleanly absent (404)."""
        has_settings = any(item.entries for item in self.contents)
        return has_settings and all(item.status in (200, 404) and not item.detail for item in self.files)

    @property
    def reason(self) -> str:
        """What each request brought, in one line."""
        return "; ".join(f"{item.path}: {item.detail or item.status}" for item in self.files)[:500]


class Fetcher:
    """Fetches for one phone. `url` as typed into the phone, with the vendor's placeholders; user info in it counts as credentials."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        dialect: Dialect,
        *,
        url: str,
        names: Mapping[str, str],
        credentials: Credentials | None = None,
    ) -> None:
        self._session = session
        self._dialect = dialect
        self._names = names
        self._order = dialect.order_for(url)
        for literal, template in dialect.placeholders.items():
            url = url.replace(literal, fill(template, names))
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadInput("A phone needs an http or https URL", field="url")
        if parts.username is not None:
            credentials = Credentials(unquote(parts.username), unquote(parts.password or ""))
        self._credentials = credentials
        self._url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        if self._order.is_folder and not self._url.endswith("/"):
            self._url += "/"

    async def fetch(self) -> FetchRound:
        """One round in the vendor's order. Never raises for what a server does: the round says it."""
        files: list[FetchedFile] = []
        contents: list[FileContents] = []
        has_list = False
        for step in self._order.files:
            if step.unless_included and has_list:
                continue
            found = await self._step(step, files)
            if found is None:
                continue
            contents.append(found)
            if step.kind is FileKind.INCLUDES:
                has_list = True
            for name in found.includes[:MAX_FILES]:
                included = await self._get(urljoin(self._url, name), files)
                if included is not None:
                    contents.append(included)
        return FetchRound(tuple(files), tuple(contents))

    async def _step(self, step: FileStep, files: list[FetchedFile]) -> FileContents | None:
        names = {**self._names, "url": self._url}
        contents = await self._get(
            urljoin(self._url, fill(step.name, names)), files, ignored=step.kind is FileKind.IGNORED
        )
        if step.kind is FileKind.INCLUDES and contents is not None and not contents.is_list:
            return None
        return contents

    async def _get(self, url: str, files: list[FetchedFile], *, ignored: bool = False) -> FileContents | None:
        path = URL(url, encoded=True).raw_path
        if len(files) >= MAX_FILES:
            return None
        try:
            status, body = await self._ask(URL(url, encoded=True))
            if status != 200 or ignored:
                files.append(FetchedFile(path, status))
                return None
            contents = read_file(body, self._dialect, model=self._names["model"])
        except UnreadableFile as error:
            files.append(FetchedFile(path, 200, error.detail))
            return None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            files.append(FetchedFile(path, 0, type(error).__name__))
            return None
        files.append(FetchedFile(path, 200))
        return contents

    async def _ask(self, url: URL) -> tuple[int, bytes]:
        """Without credentials first; once more with them when the server asks in a way that this phone understands."""
        status, body, challenges = await self._send(url, {})
        if status == 401 and self._credentials is not None:
            value = self._authorization(challenges, url, self._credentials)
            if value is not None:
                status, body, _ = await self._send(url, {"Authorization": value})
        return status, body

    async def _send(self, url: URL, headers: Mapping[str, str]) -> tuple[int, bytes, list[str]]:
        sent = {"User-Agent": fill(self._dialect.http_agent, self._names), **headers}
        async with self._session.get(url, headers=sent, allow_redirects=False, timeout=PATIENCE) as response:
            body = bytearray()
            async for chunk in response.content.iter_chunked(65_536):
                body += chunk
                if len(body) > MAX_FILE:
                    raise UnreadableFile("The file is longer than a phone can hold")
            return response.status, bytes(body), response.headers.getall("WWW-Authenticate", [])

    def _authorization(self, challenges: list[str], url: URL, credentials: Credentials) -> str | None:
        offered = challenges[:1] if self._dialect.reads_first_challenge_only else challenges
        for scheme in self._dialect.auth:
            matching = [item for item in offered if item.partition(" ")[0].lower() == scheme]
            if not matching:
                continue
            if scheme == "basic":
                return aiohttp.encode_basic_auth(credentials.username, credentials.password, encoding="utf-8")
            return answer(matching, credentials, method="GET", uri=url.raw_path_qs)
        return None
