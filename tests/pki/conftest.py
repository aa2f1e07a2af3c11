from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from provisioner.clock import Clock
from provisioner.pki.authority import Authority

At = Callable[[float], Clock]


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def at(now: datetime) -> At:
    """A clock that stands so many days from now."""
    return lambda days: lambda: now + timedelta(days=days)


@pytest.fixture
def ca_folder(tmp_path: Path, at: At) -> Path:
    folder = tmp_path / "ca"
    Authority.create(folder, name="Test Authority", clock=at(-1000))
    return folder


@pytest.fixture
def authority(ca_folder: Path, at: At) -> Authority:
    return Authority.load(ca_folder, clock=at(0))
