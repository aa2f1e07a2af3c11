"""A server process that kills itself in the middle of a change: `python -m tests.e2e.crashing DATA import|settings`."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from provisioner.app import Server
from provisioner.model.store import touch_where
from provisioner.services.context import SYSTEM, Context
from provisioner.services.devices import device_settings
from provisioner.services.devices.imports import import_devices
from provisioner.services.people.tenant_keys import tenant_by_key
from provisioner.settings import load_settings

ROWS = 80
TABLE = "mac,model,user\n" + "".join(
    f"0004130{number:05X},snom/D785,user {number}\n" for number in range(1, ROWS + 1)
)


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL has no effect")


async def crash_in_import(context: Context, tenant_id: int) -> None:
    """Die when half of the rows are written and none is committed."""

    def told(done: int, total: int) -> None:
        if done >= total // 2:
            die()

    await import_devices(
        context, SYSTEM, tenant_id=tenant_id, text=TABLE, create_users=True, on_progress=told
    )


async def crash_in_settings(context: Context, tenant_id: int) -> None:
    """Die when the new values and the devices' new revisions are written and not committed."""

    async def touch_and_die(session: Any, condition: Any) -> int:
        await touch_where(session, condition)
        die()

    vars(device_settings)["touch_where"] = touch_and_die
    await device_settings.put_settings(
        context,
        SYSTEM,
        tenant_id=tenant_id,
        scope="tenant",
        values={"language": "de", "timezone": "Europe/Berlin"},
    )


async def main(data: Path, change: str) -> None:
    async with Server(load_settings(data)) as server:
        tenant = await tenant_by_key(server.context, SYSTEM, key="acme")
        await {"import": crash_in_import, "settings": crash_in_settings}[change](server.context, tenant.id)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
