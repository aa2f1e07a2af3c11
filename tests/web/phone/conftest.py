from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from provisioner.clock import SteppedClock
from provisioner.model import Device, Fetch
from provisioner.services.context import SYSTEM
from provisioner.services.files.fetch_log import list_fetches
from tests.services.places import GOOD_PASSWORD, device_of
from tests.support.server import RunningServer, running_server
from tests.web.phone.wire import Answer, Phone


@pytest.fixture
def overrides() -> dict[str, object]:
    """Server settings of a module's tests; redefine."""
    return {}


@pytest.fixture
async def server(
    tmp_path: Path, clock: SteppedClock, overrides: dict[str, object], request: pytest.FixtureRequest
) -> AsyncIterator[RunningServer]:
    async with running_server(tmp_path / "data", clock=clock, **overrides) as running:
        request.getfixturevalue("unblocked")
        yield running


class Desk:
    """One registered phone, and what the server remembers of it."""

    def __init__(self, server: RunningServer, device: Device) -> None:
        self.server, self.device, self.phone = server, device, Phone(server)
        self.path = f"/p/{device.mac}.xml"

    async def fetch(
        self, password: str = GOOD_PASSWORD, *, source: str = "127.0.0.1", **options: Any
    ) -> Answer:
        """Its configuration file with Basic credentials."""
        return await Phone(self.server, source=source).fetch(
            self.path, self.device.username, password, **options
        )

    async def log(self) -> list[Fetch]:
        """Newest first."""
        await self.server.server.fetches.flush()
        return list((await list_fetches(self.server.context, SYSTEM, device_id=self.device.id)).items)


@pytest.fixture
async def desk(server: RunningServer) -> Desk:
    return Desk(server, await device_of(server.context, server.tenant))
