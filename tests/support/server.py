"""A whole server for tests: installed in a temporary folder, on free loopback ports, with one tenant to work in.

Installing costs a second (keys, schema, a slow hash); it is done once for each test process, and copied.
"""

import asyncio
import atexit
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.clock import Clock, system_clock
from provisioner.model import Tenant
from provisioner.model.store import Store
from provisioner.services.context import SYSTEM, Context
from provisioner.services.operation.installation import Installed, install, open_context
from provisioner.services.people.api_tokens import create_token
from provisioner.services.people.tenants import create_tenant
from provisioner.settings import ServerSettings
from tests.support.ports import free_port

if TYPE_CHECKING:
    from provisioner.app import Server

__all__ = [
    "RunningServer",
    "copies",
    "free_port",
    "no_leaks",
    "opened_context",
    "prepared",
    "running_server",
    "server_settings",
]


def server_settings(data: Path, **overrides: object) -> ServerSettings:
    values: dict[str, object] = {
        "data": data, "phone_address": "127.0.0.1", "https_port": free_port(), "http_port": free_port(), "admin_port": free_port(),
        "log_level": "error",
    }  # fmt: skip
    return ServerSettings(**(values | overrides))  # type: ignore[arg-type]  # checked by pydantic


@dataclass(frozen=True)
class RunningServer:
    server: "Server"
    context: Context
    tenant: Tenant
    operator_password: str
    admin_url: str
    https_url: str
    http_url: str
    ca_path: Path

    async def token(self, role: str, *, tenant_id: int | None = None) -> str:
        """A fresh API token of a role; of the test tenant unless the role is operator."""
        owner = None if role == "operator" else tenant_id or self.tenant.id
        return (
            await create_token(self.context, SYSTEM, name=f"test {role}", role=role, tenant_id=owner)
        ).text


_templates: dict[str, tuple[Path, Installed]] = {}
copies: set[str] = set()
"""URLs of databases that are copies of an installed one."""


async def prepared(data: Path, **overrides: object) -> tuple[ServerSettings, str]:
    """An installation in `data` (which may exist already) and the first operator's password."""
    folder, installed = await _template()
    if not await asyncio.to_thread(data.exists):
        await asyncio.to_thread(shutil.copytree, folder, data)
    settings = server_settings(data, **overrides)
    if settings.database in copies:
        return settings, installed.password or ""
    if settings.database or settings.public_host != "localhost":
        again = await install(settings)
        return settings, again.password or installed.password or ""
    return settings, installed.password or ""


@asynccontextmanager
async def running_server(
    data: Path, *, clock: Clock = system_clock, **overrides: object
) -> AsyncIterator[RunningServer]:
    """Everything that listens; `overrides` are server settings. The tenant is "acme" with the SIP domain acme.test."""
    from provisioner.app import Server  # late: services' tests need no doors

    settings, password = await prepared(data, **overrides)
    async with no_leaks(), Server(settings, clock=clock) as server:
        tenant = await create_tenant(server.context, SYSTEM, key="acme", name="Acme", sip_domain="acme.test")
        yield RunningServer(
            server=server,
            context=server.context,
            tenant=tenant,
            operator_password=password,
            admin_url=f"http://127.0.0.1:{server.ports['admin']}",
            https_url=f"https://localhost:{server.ports['https']}",
            http_url=f"http://127.0.0.1:{server.ports['http']}",
            ca_path=data / "certs" / "ca.pem",
        )


@asynccontextmanager
async def opened_context(
    data: Path, *, clock: Clock = system_clock, **overrides: object
) -> AsyncIterator[Context]:
    """The use cases over a fresh installation, without any listener."""
    settings, _ = await prepared(data, **overrides)
    async with no_leaks():
        store = Store(settings.database_url)
        try:
            yield await open_context(settings, store=store, clock=clock)
        finally:
            await store.close()


@asynccontextmanager
async def no_leaks() -> AsyncIterator[None]:
    """Fails when tasks or threads that began inside are still there afterwards."""
    tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
    yield
    for _ in range(100):  # a cancelled task, a thread that was told to end: each needs a moment
        left = [task for task in asyncio.all_tasks() - tasks - {asyncio.current_task()} if not task.done()]
        running = [
            thread
            for thread in set(threading.enumerate()) - threads
            if not thread.name.startswith("asyncio_")
        ]
        if not left and not running:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"left over: {left} {running}")


async def _template() -> tuple[Path, Installed]:
    if "sqlite" not in _templates:
        folder = Path(tempfile.mkdtemp(prefix="installed-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        installed = await install(server_settings(folder / "data"))
        _templates["sqlite"] = (folder / "data", installed)
    return _templates["sqlite"]
