"""What the phone doors of one process share, and what one door keeps of a connection."""

from dataclasses import dataclass

from provisioner.access.addresses import Address
from provisioner.access.gate import Gate
from provisioner.pki.trust import Trust
from provisioner.services.change_feed import ChangeFeed
from provisioner.services.context import Context
from provisioner.services.fetch_log import FetchLog
from provisioner.services.phone_files import PhoneFiles
from provisioner.web.phone.counters import DoorCounters


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
    certificate_mac: bytes | None
    certificate_problem: str | None
