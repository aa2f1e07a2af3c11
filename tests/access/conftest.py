from collections.abc import Callable

import pytest

from provisioner.access.gate import Offer
from tests.access.gate_at_work import Door


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def open_door() -> Callable[[Offer], Door]:
    return lambda offer: Door(offer=offer)
