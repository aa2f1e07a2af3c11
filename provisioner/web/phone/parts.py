"""What the phone doors of one process share, and what one door keeps of a connection."""

from collections.abc import Awaitable
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from provisioner.access.addresses import Address
from provisioner.access.gate import Gate
from provisioner.errors import ProvisionerError
from provisioner.pki.trust import Trust
from provisioner.services.change_feed import ChangeFeed
from provisioner.services.context import Context
from provisioner.services.files.fetch_log import FetchLog
from provisioner.services.files.phone_files import PhoneFiles
from provisioner.web.phone.counters import DoorCounters

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DoorParts:
    """What one process's doors share."""

    context: Context
    gate: Gate
    files: PhoneFiles
    feed: ChangeFeed
    log: FetchLog
    trust: Trust
    ca_pem: bytes
    counters: DoorCounters


@dataclass(frozen=True, slots=True)
class Connection:
    """The same for every request of a connection: the peer, and what its verified certificate says."""

    peer: Address
    words: str
    """The peer as text, for the log."""
    certificate_mac: bytes | None
    certificate_problem: str | None


async def quietly(work: Awaitable[None]) -> None:
    """Store a lock beside an answer; what fails is said in the log and harms nobody."""
    try:
        await work
    except (ProvisionerError, SQLAlchemyError, OSError) as error:
        log.warning("a lock is kept in memory only", error=type(error).__name__)
