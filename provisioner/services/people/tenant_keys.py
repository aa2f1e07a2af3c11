"""Tenants by the key that stands in addresses of pages."""

from sqlalchemy import select

from provisioner.errors import NotFound
from provisioner.model import Tenant
from provisioner.services.context import Actor, Context


async def tenant_by_key(context: Context, actor: Actor, *, key: str) -> Tenant:
    """The tenant with this key that this actor may see; NotFound otherwise, as if it did not exist."""
    async with context.store.read() as session:
        tenant = (await session.execute(select(Tenant).where(Tenant.key == key))).scalar_one_or_none()
    if tenant is None or actor.tenant_id not in {None, tenant.id}:
        raise NotFound("There is no such tenant.")
    return tenant
