import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from aiohttp import ClientResponse, ClientSession, CookieJar, web
from aiohttp.test_utils import TestServer

from provisioner.access.passwords import PeoplesPasswords
from provisioner.services.change_feed import ChangedDevices, ChangeFeed
from provisioner.services.context import Context
from provisioner.services.operation.health import Finding, Health
from provisioner.services.people.api_tokens import TokenBook
from provisioner.services.people.logins import Doorkeeper
from provisioner.web.health import HEALTH
from provisioner.web.identity import CONTEXT, DOORKEEPER, TOKENS
from provisioner.web.problems import problems
from provisioner.web.ui.routes import add_ui
from tests.ui.office import HASHER, Office, furnish_office, open_context


@dataclass
class Site:
    """The running user interface, and browsers that are logged in as one of the office's people."""

    context: Context
    office: Office
    server: TestServer
    sessions: dict[str, ClientSession]

    def browser(self, name: str = "") -> ClientSession:
        """A browser of this person; "" for a stranger."""
        if name not in self.sessions:
            cookies = {"session": self.office.tokens[name]} if name else {}
            self.sessions[name] = ClientSession(
                self.server.make_url("/"), cookies=cookies, cookie_jar=CookieJar(unsafe=True)
            )
        return self.sessions[name]

    async def get(self, path: str, *, who: str = "admin", status: int = 200, language: str = "") -> str:
        headers = {"Accept-Language": language} if language else {}
        async with self.browser(who).get(path, allow_redirects=False, headers=headers) as response:
            return await checked(response, status)

    async def post(
        self, path: str, form: dict[str, str] | None = None, *, who: str = "admin", status: int = 303
    ) -> str:
        """The page that answers a form, or where it leads."""
        async with self.browser(who).post(path, data=form or {}, allow_redirects=False) as response:
            text = await checked(response, status)
            return response.headers["Location"] if status == 303 else text


async def checked(response: ClientResponse, status: int) -> str:
    text = await response.text()
    assert response.status == status, text[:2000]
    return text


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Office]:
    """The office's data, made once; every test works on a copy."""
    folder = tmp_path_factory.mktemp("office")

    async def furnish() -> Office:
        context = open_context(folder)
        try:
            return await furnish_office(context)
        finally:
            await context.store.close()

    return folder, asyncio.run(furnish())


@pytest.fixture
async def site(furnished: tuple[Path, Office], tmp_path: Path) -> AsyncIterator[Site]:
    folder, office = furnished
    shutil.copytree(folder, tmp_path / "data")
    context = open_context(tmp_path / "data")
    doorkeeper = Doorkeeper(context)
    doorkeeper.passwords.close()
    doorkeeper.passwords = PeoplesPasswords(hasher=HASHER)
    app = web.Application(middlewares=[problems])
    tokens = TokenBook(context)
    app[CONTEXT], app[DOORKEEPER], app[TOKENS] = context, doorkeeper, tokens
    app.on_cleanup.append(lambda _: tokens.close())
    app[HEALTH] = cast("Health", lambda: [Finding("warning", "The certificate ends in 9 days.")])
    add_ui(app)
    feed = ChangeFeed(context.store, context.hub, _nothing)
    await feed.start()
    following = asyncio.create_task(feed.run())
    server = TestServer(app)
    await server.start_server()
    running = Site(context, office, server, {})
    try:
        yield running
    finally:
        for session in running.sessions.values():
            await session.close()
        await server.close()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        doorkeeper.close()
        await context.store.close()


def _nothing(_: ChangedDevices) -> None: ...
