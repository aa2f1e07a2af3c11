"""A whole server for tests: installed in a temporary folder, on free loopback ports, with one tenant to work in."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from provisioner.app import Server
from provisioner.model import Tenant
from provisioner.services.api_tokens import create_token
from provisioner.services.context import SYSTEM, Context
from provisioner.services.installation import install, open_context
from provisioner.services.tenants import create_tenant
from provisioner.model.store import Store
from provisioner.settings import ServerSettings


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def server_settings(data: Path, **overrides: object) -> ServerSettings:
    values: dict[str, object] = {
        "data": data, "phone_address": "127.0.0.1", "https_port": free_port(), "http_port": free_port(), "admin_port": free_port(),
        "log_level": "error",
    }  # fmt: skip
    return ServerSettings(**(values | overrides))  # type: ignore[arg-type]  # checked by pydantic


@dataclass(frozen=True)
class RunningServer:
    server: Server
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
        return (await create_token(self.context, SYSTEM, name=f"test {role}", role=role, tenant_id=owner)).text


@asynccontextmanager
async def running_server(data: Path, **overrides: object) -> AsyncIterator[RunningServer]:
    settings = server_settings(data, **overrides)
    installed = await install(settings)
    async with Server(settings) as server:
        tenant = await create_tenant(server.context, SYSTEM, key="acme", name="Acme", sip_domain="acme.test")
        yield RunningServer(
            server=server,
            context=server.context,
            tenant=tenant,
            operator_password=installed.password or "",
            admin_url=f"http://127.0.0.1:{server.ports['admin']}",
            https_url=f"https://localhost:{server.ports['https']}",
            http_url=f"http://127.0.0.1:{server.ports['http']}",
            ca_path=data / "certs" / "ca.pem",
        )


@asynccontextmanager
async def opened_context(data: Path, **overrides: object) -> AsyncIterator[Context]:
    """The use cases over a fresh installation, without any listener."""
    settings = server_settings(data, **overrides)
    await install(settings)
    store = Store(settings.database_url)
    try:
        yield await open_context(settings, store=store)
    finally:
        await store.close()
