"""Tokens and facts of a place that is measured, made before its server starts."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp

from provisioner.model.store import Store
from provisioner.services.context import SYSTEM, Context
from provisioner.services.operation.installation import open_context
from provisioner.services.people.api_tokens import create_token
from provisioner.services.people.tenants import list_tenants
from provisioner.settings import ServerSettings
from tests.bench.place import Place

Found = TypeVar("Found")
_PATIENCE = 30.0


def in_place(place: Place, work: Callable[[Context], Awaitable[Found]]) -> Found:
    """Do something with the services of a place; no server needs to run."""

    async def opened() -> Found:
        settings = ServerSettings(**place.settings)  # type: ignore[arg-type]  # checked by pydantic
        store = Store(settings.database_url)
        try:
            return await work(await open_context(settings, store=store))
        finally:
            await store.close()

    return asyncio.run(opened())


def token_of(place: Place, role: str) -> tuple[str, int]:
    """A fresh API token of the place's tenant, and the tenant's id."""

    async def make(context: Context) -> tuple[str, int]:
        tenant = (await list_tenants(context, SYSTEM))[0].tenant
        made = await create_token(context, SYSTEM, name=f"bench {role}", role=role, tenant_id=tenant.id)
        return made.text, tenant.id

    return in_place(place, make)


async def admin_is_up(session: aiohttp.ClientSession, base: str) -> None:
    """Wait for the listener of people, which opens after that of the phones."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with session.get(f"{base}/healthz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)
