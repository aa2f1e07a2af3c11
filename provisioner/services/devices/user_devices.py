"""The devices of many users at once."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select

from provisioner.model import Line, Tenant
from provisioner.services.context import Actor, Context
from provisioner.services.devices.device_list import DeviceRow, list_devices
from provisioner.services.people.users import MAX_PAGE


async def devices_of_users(
    context: Context, actor: Actor, *, tenant_id: int, user_ids: Sequence[int]
) -> Mapping[int, Sequence[DeviceRow]]:
    """User id → that user's devices by name, for every id asked for; of this tenant only."""
    statement = (
        select(Line.user_id, Line.device_id)
        .join(Tenant, Tenant.id == Line.tenant_id)
        .where(
            Line.tenant_id == actor.tenant(tenant_id),
            Line.user_id.in_(user_ids),
            (Line.kind != "hotdesk") | ~Tenant.is_seating_hidden,
        )
    )
    async with context.store.read() as session:
        pairs = [(user_id, device_id) for user_id, device_id in await session.execute(statement)]
    ids = sorted({device_id for _, device_id in pairs})
    rows: dict[int, DeviceRow] = {}
    for start in range(0, len(ids), MAX_PAGE):
        page = await list_devices(
            context, actor, tenant_id=tenant_id, device_ids=ids[start : start + MAX_PAGE], limit=MAX_PAGE
        )
        rows |= {row.device.id: row for row in page.items}
    return {
        user_id: [row for device_id, row in rows.items() if (user_id, device_id) in set(pairs)]
        for user_id in user_ids
    }
