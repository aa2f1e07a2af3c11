"""A device as people write one: "Reception (00:04:13:AA:BB:01)"; and which device somebody means who typed that."""

import re
from collections.abc import Sequence

from sqlalchemy import func, select

from provisioner.errors import BadInput
from provisioner.model import Device, Mac
from provisioner.model.text import is_plain
from provisioner.services.context import Actor, Context

MOST_NAMES = 2_000
"""How many names a form offers; more can be typed all the same."""
_WITH_MAC = re.compile(
    r"(?:.*\()?\s*([0-9A-Fa-f]{2}(?:[:. -]?[0-9A-Fa-f]{2}){5})\s*\)?", re.ASCII | re.DOTALL
)


def name_of(name: str, mac: str) -> str:
    """The name with the address, which no other device has."""
    return f"{name} ({Mac(mac).pretty})"


async def list_names(context: Context, actor: Actor, *, tenant_id: int) -> Sequence[str]:
    """The tenant's devices by name, as `find_by_name` understands them."""
    statement = (
        select(Device.name, Device.mac)
        .where(Device.tenant_id == actor.everything(tenant_id))
        .order_by(func.lower(Device.name), Device.id)
        .limit(MOST_NAMES)
    )
    async with context.store.read() as session:
        return [name_of(name, mac) for name, mac in await session.execute(statement)]


async def find_by_name(
    context: Context, actor: Actor, *, tenant_id: int, typed: str, field: str
) -> int | None:
    """The id of the device somebody means: by MAC address, alone or in brackets behind the name, else by the whole name.

    None for nothing typed; BadInput (at `field`) when there is none, or more than one.
    """
    typed = typed.strip()[:200]
    if not typed:
        return None
    if not is_plain(typed):  # PostgreSQL takes no NUL in a text
        raise BadInput("A name has no control characters.", field=field)
    owner = Device.tenant_id == actor.everything(tenant_id)
    found = _WITH_MAC.fullmatch(typed)
    named = select(Device.id).where(owner, func.lower(Device.name) == typed.lower()).limit(2)
    if found is not None:
        digits = re.sub(r"[^0-9A-F]", "", found[1].upper())
        named = select(Device.id).where(owner, Device.mac == digits)
    async with context.store.read() as session:
        ids = (await session.execute(named)).scalars().all()
    if len(ids) > 1:
        raise BadInput(
            f"Several devices are called “{typed}”; type the MAC address of the one you mean.", field=field
        )
    if not ids:
        raise BadInput(f"There is no device “{typed}” here; type a name or a MAC address.", field=field)
    return ids[0]
