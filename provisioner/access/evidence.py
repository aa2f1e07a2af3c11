"""What a phone's request shows about who is asking: values only, gathered by the phone door."""

from typing import NamedTuple

from provisioner.access.addresses import Address
from provisioner.access.authorization import Credentials


class Evidence(NamedTuple):
    """One request; a tuple because one is made for every request of a boot storm.

    `mac` is the requested one, six bytes, None when the path names none. `source` and `is_tls` are the client's own
    (see `addresses`). `target` is the request target as it stood in the request line (path and query, still percent-encoded).
    `certificate_mac` is the MAC field of a client certificate whose chain was verified; `certificate_problem` says
    why a shown certificate does not count. `token` is the path's token.
    """

    mac: bytes | None
    source: Address
    is_tls: bool
    target: str
    method: str = "GET"
    credentials: Credentials | None = None
    certificate_mac: bytes | None = None
    certificate_problem: str | None = None
    token: str | None = None

    def __repr__(self) -> str:
        mac = self.mac.hex() if self.mac else None
        return (
            f"Evidence(mac={mac}, source={self.source}, is_tls={self.is_tls}, credentials={self.credentials})"
        )
