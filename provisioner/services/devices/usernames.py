"""A free device configuration user name to show before the device is made (R1.2)."""

import secrets

from sqlalchemy import select

from provisioner.model import Device
from provisioner.profiles.manifest import Profile
from provisioner.services.context import Context


async def propose_username(context: Context, *, profile: Profile) -> str:
    """A name nobody has at this moment; creating the device checks it again."""
    async with context.store.read() as session:
        while True:
            name = f"{profile.id[:6]}-{secrets.token_hex(4)}"
            if (await session.execute(select(Device.id).where(Device.username == name))).first() is None:
                return name
