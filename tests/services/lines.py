"""A device account and what a registrar says about it; tests of ticks import the fixture `line`."""

from datetime import timedelta
from typing import Any

import pytest

from provisioner.clock import SteppedClock
from provisioner.model import Registration, Tenant
from provisioner.services.context import SYSTEM, Context
from provisioner.services.registrations.account_book import AccountBook
from provisioner.services.registrations.ticks import (
    RegistrationEvent,
    apply_events,
    states_of,
)
from tests.services.places import device_of

PHONE = "sip:d1@192.0.2.7:5060"


class Line:
    """A device account, and what a registrar says about it. Moments are seconds after the test's present."""

    def __init__(self, context: Context, clock: SteppedClock, *, account: str, device_id: int) -> None:
        self.context, self.clock, self.account, self.device_id = context, clock, account, device_id
        self.start = clock()

    def event(self, kind: str, second: float, **fields: Any) -> RegistrationEvent:
        at = self.start + timedelta(seconds=second)
        values: dict[str, Any] = {
            "kind": kind,
            "account": self.account,
            "at": at,
            "contact": PHONE,
            "call_id": "call-a",
        }
        if kind in {"register", "refresh"}:
            values["expires_at"] = at + timedelta(seconds=300)
        return RegistrationEvent(**(values | fields))

    async def hear(self, *events: RegistrationEvent, book: AccountBook | None = None) -> int:
        """`book`: what the process that is told keeps between batches."""
        return await apply_events(self.context, events, book=book)

    async def row(self) -> Registration | None:
        return (await states_of(self.context, SYSTEM, device_ids=[self.device_id])).get(self.device_id)

    async def state(self) -> str:
        row = await self.row()
        return row.state if row else "never"


@pytest.fixture
async def line(context: Context, tenant: Tenant, clock: SteppedClock) -> Line:
    device = await device_of(context, tenant)
    return Line(context, clock, account=device.lines[0].account, device_id=device.id)
