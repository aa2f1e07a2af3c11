"""The newest requests of a tenant's phones that were refused for a reason somebody must act on."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from provisioner.access.reasons import Reason
from provisioner.model import Device, Fetch
from provisioner.services.context import Actor, Context

NORMAL = frozenset(
    {Reason.ALLOWED, Reason.NO_CREDENTIALS, Reason.STALE_NONCE, Reason.NOT_OFFERED, Reason.WRONG_REALM}
)
"""Part of every healthy exchange: the phone is asked, and answers the second time."""


@dataclass(frozen=True, slots=True)
class Refusal:
    fetch: Fetch
    device_name: str


async def list_refusals(
    context: Context, actor: Actor, *, tenant_id: int, limit: int = 8
) -> Sequence[Refusal]:
    """Newest first; at most one for each device and reason, so that one stubborn phone does not hide the others."""
    statement = (
        select(Fetch, Device.name)
        .join(Device, Device.id == Fetch.device_id)
        .where(Device.tenant_id == actor.tenant(tenant_id), Fetch.status.between(400, 499))
        .where(Fetch.reason.not_in(sorted(NORMAL)))
        .order_by(Fetch.at.desc(), Fetch.id.desc())
        .limit(limit * 20)
    )
    found: dict[tuple[int | None, str], Refusal] = {}
    async with context.store.read() as session:
        for fetch, name in await session.execute(statement):
            found.setdefault((fetch.device_id, fetch.reason), Refusal(fetch, name))
    return list(found.values())[:limit]
