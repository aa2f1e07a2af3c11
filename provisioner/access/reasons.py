"""Why a phone got its file or not: a stable code for programs, a sentence for the installer.

`SENTENCES` is the whole vocabulary; each sentence is also the message id of its translations. Placeholders are filled from the
reason's data: `source`, `count` (a number; `nth` makes "3rd" of it), `until` (seconds since the epoch, or a time already in
words), `shown` (what the phone showed).
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """Most telling first: when several conditions fail, the verdict carries the earliest of these."""

    UNKNOWN_MAC = "unknown-mac"
    REVOKED = "revoked"
    NO_POLICY = "no-policy"
    NEEDS_TLS = "needs-tls"
    DEVICE_LOCKED = "device-locked"
    SOURCE_LOCKED = "source-locked"
    TOO_MANY_UNKNOWN = "too-many-unknown"
    CERTIFICATE_OTHER_MAC = "certificate-other-mac"
    CERTIFICATE_REFUSED = "certificate-refused"
    WRONG_PASSWORD = "wrong-password"  # noqa: S105  # a code, no secret
    WRONG_USERNAME = "wrong-username"
    WRONG_TARGET = "wrong-target"
    REPLAYED = "replayed"
    WRONG_REALM = "wrong-realm"
    NOT_OFFERED = "not-offered"
    MALFORMED = "malformed-credentials"
    WRONG_TOKEN = "wrong-token"  # noqa: S105  # a code, no secret
    WINDOW_CLAIMED = "window-claimed"
    WINDOW_CLOSED = "window-closed"
    NOT_IN_NETWORK = "not-in-network"
    STALE_NONCE = "stale-nonce"
    OTHER_VENDORS_FILE = "other-vendors-file"
    NO_CREDENTIALS = "no-credentials"
    NO_TOKEN = "no-token"  # noqa: S105  # a code, no secret
    NO_CERTIFICATE = "no-certificate"
    WINDOW_NEVER_OPENED = "window-never-opened"
    ALLOWED = "allowed"


SENTENCES: Final[Mapping[Reason, str]] = {
    Reason.UNKNOWN_MAC: "no device with this MAC address is registered (asked from %(source)s)",
    Reason.REVOKED: "the device was deleted or its credentials were revoked (asked from %(source)s)",
    Reason.NO_POLICY: "no credential policy is chosen for this device, so nothing is served",
    Reason.NEEDS_TLS: "the configuration holds secrets and is served over https only; the phone asked over http from %(source)s",
    Reason.DEVICE_LOCKED: "locked until %(until)s after %(count)s wrong attempts for this device; asked from %(source)s",
    Reason.SOURCE_LOCKED: "locked until %(until)s after %(count)s wrong attempts from %(source)s",
    Reason.TOO_MANY_UNKNOWN: "too many unknown MAC addresses were asked for from the network of %(source)s; locked until %(until)s",
    Reason.CERTIFICATE_OTHER_MAC: "the client certificate is for another MAC address: %(shown)s",
    Reason.CERTIFICATE_REFUSED: "the client certificate was refused: %(shown)s",
    Reason.WRONG_PASSWORD: "wrong password, %(nth)s time, from %(source)s",
    Reason.WRONG_USERNAME: "wrong user name, %(nth)s time, from %(source)s",
    Reason.WRONG_TARGET: "the Digest credentials were made for another address than the one asked for, from %(source)s",
    Reason.REPLAYED: "the same Digest credentials were sent twice, from %(source)s",
    Reason.WRONG_REALM: "the Digest credentials are for another realm; the phone was asked again",
    Reason.NOT_OFFERED: "the phone chose a way of logging in that was not offered; it was asked again",
    Reason.MALFORMED: "the credentials cannot be read: %(shown)s",
    Reason.WRONG_TOKEN: "wrong token in the address, %(nth)s time, from %(source)s",
    Reason.WINDOW_CLAIMED: "another phone already claimed this device, from %(shown)s; this one asked from %(source)s",
    Reason.WINDOW_CLOSED: "the claim window closed at %(until)s",
    Reason.NOT_IN_NETWORK: "%(source)s is not in the office network",
    Reason.STALE_NONCE: "the Digest nonce had expired; the phone was asked again (normal)",
    Reason.OTHER_VENDORS_FILE: "this device is a %(model)s, but the phone asked for another vendor's file",
    Reason.NO_CREDENTIALS: "no credentials sent yet (normal first request)",
    Reason.NO_TOKEN: "the address has no token; enter the whole provisioning URL in the phone",
    Reason.NO_CERTIFICATE: "the phone showed no client certificate",
    Reason.WINDOW_NEVER_OPENED: "no claim window is open for this device",
    Reason.ALLOWED: "allowed",
}

RANK: Final[Mapping[Reason, int]] = {reason: rank for rank, reason in enumerate(Reason)}


def sentence(
    reason: Reason, data: Mapping[str, object], *, translate: Callable[[str], str] = lambda text: text
) -> str:
    """Put a reason in words; what `data` lacks is shown as "?"."""
    filling = _Filling(data)
    until = filling.get("until")
    if isinstance(until, float | int):
        filling["until"] = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return translate(SENTENCES[reason]) % filling


def ordinal(count: int) -> str:
    """Answer 1st, 2nd, 3rd, 4th, and so on."""
    ending = "th" if count % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th")
    return f"{count}{ending}"


class _Filling(dict[str, object]):
    def __missing__(self, name: str) -> object:
        count = self.get("count")
        return ordinal(count) if name == "nth" and isinstance(count, int) else "?"
