"""What a virtual phone tells about itself."""

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    FETCHING = "fetching"
    CONFIGURED = "configured"
    FETCH_FAILED = "fetch-failed"
    REGISTERED = "registered"
    REFUSED = "refused"  # a line could not be registered
    UNREGISTERED = "unregistered"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class PhoneStatus:
    """What just happened. `line` is the slot, 0 for the phone itself; `detail` is for people and holds no secret."""

    mac: str
    phase: Phase
    line: int = 0
    detail: str = ""
