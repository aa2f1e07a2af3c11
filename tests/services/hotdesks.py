"""Two hotdesk devices, two users with PINs, and short ways to what they do; tests of hotdesking import the fixture `office`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import select

from provisioner.model import (
    AuditEntry,
    Device,
    DirectoryEvent,
    HotdeskSession,
    Line,
    PinFailure,
    Resync,
    Tenant,
    User,
)
from provisioner.services.context import SYSTEM, Context
from provisioner.services.devices.enrolment import get_device
from provisioner.services.hotdesk import pins as hotdesk_pins
from provisioner.services.hotdesk.sessions import Outcome, log_in_with_pin, set_device_hotdesk, set_hotdesk
from provisioner.services.people.users import create_user
from tests.services.places import device_of, revision_of

ANNA_PIN = "8642097531"
BEN_PIN = "7391058264"
WRONG_PIN = "5077"


@dataclass
class Office:
    """A tenant with hotdesk devices `left` and `right`, an ordinary phone, and Anna (101) and Ben (102)."""

    context: Context
    tenant: Tenant
    left: Device
    right: Device
    ordinary: Device
    anna: User
    ben: User
    revisions: dict[int, int] = field(default_factory=dict)

    async def enter(self, device: Device, extension: str, pin: str) -> Outcome:
        return await log_in_with_pin(
            self.context, SYSTEM, device_id=device.id, extension=extension, pin=pin, origin="code"
        )

    async def anna_enters(self, device: Device) -> Outcome:
        return await self.enter(device, "101", ANNA_PIN)

    async def ben_enters(self, device: Device) -> Outcome:
        return await self.enter(device, "102", BEN_PIN)

    async def sitting(self, device: Device) -> int | None:
        """The user on the device's line."""
        return (await get_device(self.context, SYSTEM, device_id=device.id)).lines[0].user_id

    async def rows(self, table: Any) -> Sequence[Any]:
        async with self.context.store.read() as session:
            key = table.device_id if table is Resync else table.id
            return (await session.execute(select(table).order_by(key))).scalars().all()

    async def open_sessions(self) -> list[tuple[int, int]]:
        """(user, device) of those who sit somewhere, as the history says."""
        rows: Sequence[HotdeskSession] = await self.rows(HotdeskSession)
        return [(row.user_id, row.device_id) for row in rows if row.ended_at is None]

    async def endings(self) -> list[str]:
        return [row.ending for row in await self.rows(HotdeskSession) if row.ended_at is not None]

    async def events(self, *kinds: str) -> list[tuple[str, Any]]:
        rows: Sequence[DirectoryEvent] = await self.rows(DirectoryEvent)
        return [(row.kind, row.detail) for row in rows if row.kind in kinds]

    async def audited(self, prefix: str) -> list[str]:
        rows: Sequence[AuditEntry] = await self.rows(AuditEntry)
        return [f"{row.action}: {row.object}" for row in rows if row.action.startswith(prefix)]

    async def failures(self) -> int:
        return len(await self.rows(PinFailure))

    async def asked(self) -> set[int]:
        """The devices that should fetch again."""
        return {row.device_id for row in await self.rows(Resync)}

    async def remember(self) -> None:
        """From here on `changed` counts."""
        self.revisions = {device.id: await revision_of(self.context, device) for device in self.devices}

    async def changed(self) -> set[int]:
        """The devices with a newer revision than when it was remembered."""
        return {
            device.id
            for device in self.devices
            if await revision_of(self.context, device) != self.revisions[device.id]
        }

    @property
    def devices(self) -> tuple[Device, ...]:
        return (self.left, self.right, self.ordinary)


async def line_of(context: Context, device: Device, position: int = 1) -> Line:
    lines = (await get_device(context, SYSTEM, device_id=device.id)).lines
    return next(line for line in lines if line.position == position)


async def make_office(context: Context, tenant: Tenant) -> Office:
    left = await device_of(context, tenant, 1, name="Left")
    right = await device_of(context, tenant, 2, name="Right")
    ordinary = await device_of(context, tenant, 3, name="Ordinary")
    people: list[User] = []
    for name, extension, pin in (("Anna", "101", ANNA_PIN), ("Ben", "102", BEN_PIN)):
        user = await create_user(context, SYSTEM, tenant_id=tenant.id, name=name, extension=extension)
        people.append((await set_hotdesk(context, SYSTEM, user_id=user.id, enabled=True, pin=pin)).user)
    for device in (left, right):
        await set_device_hotdesk(context, SYSTEM, device_id=device.id, enabled=True)
    made = Office(context, tenant, left, right, ordinary, anna=people[0], ben=people[1])
    await made.remember()
    return made


@pytest.fixture
async def office(context: Context, tenant: Tenant) -> Office:
    return await make_office(context, tenant)


@pytest.fixture(autouse=True)
def quick_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong PINs are answered without the pause."""
    monkeypatch.setattr(hotdesk_pins, "SLOWER", 0.0)
