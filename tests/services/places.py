"""Short ways to what many tests of the use cases begin with."""

from typing import Any

from provisioner.model import Device, Tenant
from provisioner.services.context import SYSTEM, Context
from provisioner.services.devices.enrolment import Enrolled, enrol, get_device

MODEL: dict[str, Any] = {"profile": "snom", "model": "D785"}
GOOD_PASSWORD = "Blue-kettle-77"


def mac(number: int) -> str:
    """An address of the block of MODEL's vendor."""
    return f"000413{number:06X}"


async def enrolled(context: Context, tenant: Tenant, number: int = 1, **fields: Any) -> Enrolled:
    values: dict[str, Any] = {
        "tenant_id": tenant.id,
        "mac": mac(number),
        "password": GOOD_PASSWORD,
        **MODEL,
        **fields,
    }
    return await enrol(context, SYSTEM, **values)


async def device_of(context: Context, tenant: Tenant, number: int = 1, **fields: Any) -> Device:
    return (await enrolled(context, tenant, number, **fields)).device


async def revision_of(context: Context, device: Device) -> int:
    return (await get_device(context, SYSTEM, device_id=device.id)).revision
