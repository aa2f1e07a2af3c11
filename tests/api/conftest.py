"""A running REST door over an empty, migrated database, with two tenants and somebody of every role."""

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from provisioner.clock import system_clock
from provisioner.composition.catalogue import load_catalogue
from provisioner.model.migration import migrate
from provisioner.model.store import Store
from provisioner.profiles.loader import Profiles, load_profiles
from provisioner.secrets import KeyRing
from provisioner.services.context import Context
from provisioner.services.live import Hub
from provisioner.settings import ServerSettings
from tests.api.world import ApiClient, World, make_app, populate

VENDORS = Path(__file__).resolve().parents[2] / "vendor_profiles"


@pytest.fixture(scope="session")
def vendor_profiles() -> Profiles:
    return load_profiles(VENDORS, settings=load_catalogue().phone_settings)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import asyncio

    path = tmp_path_factory.mktemp("schema") / "empty.sqlite"

    async def make() -> None:
        store = Store(f"sqlite+aiosqlite:///{path}")
        await migrate(store)
        await store.close()

    asyncio.run(make())
    return path


@pytest.fixture
def open_context(tmp_path: Path, vendor_profiles: Profiles, empty_database: Path) -> Callable[[], Context]:
    """Makes a server's parts over its own copy of the empty database."""

    def make() -> Context:
        settings = ServerSettings(data=tmp_path)
        shutil.copy(empty_database, tmp_path / "provisioner.sqlite")
        return Context(
            store=Store(settings.database_url),
            keyring=KeyRing.create(tmp_path / "keyring.json"),
            catalogue=load_catalogue(),
            profiles=vendor_profiles,
            settings=settings,
            clock=system_clock,
            hub=Hub(),
            realm="phone provisioning",
        )

    return make


@pytest.fixture
async def context(open_context: Callable[[], Context]) -> AsyncIterator[Context]:
    context = open_context()
    yield context
    await context.store.close()


@pytest.fixture
async def world(context: Context) -> World:
    return await populate(context)


@pytest.fixture
async def api(context: Context, world: World) -> AsyncIterator[ApiClient]:
    app: web.Application = make_app(context)
    async with TestClient(TestServer(app)) as client:
        yield ApiClient(client, world)
