"""The TLS side of the phone listener: which phones get through, and why the others did not.

OpenSSL drops a phone whose certificate does not verify before any request is seen, and neither asyncio nor
uvloop says so. Here every failed handshake goes to a sink, in words that an operator can act on. The address of
the phone is not known at this place.
"""

import ssl
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from provisioner.clock import Clock
from provisioner.errors import CannotStart
from provisioner.pki.authority import PairFiles

NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL; ssl.VerifyFlags has no name for it
KEPT = 500  # failures kept for the page; strangers can make any number

CERTIFICATE = "certificate"  # the phone showed one that does not verify
REFUSED = "refused"  # the phone does not accept ours
PROTOCOL = "protocol"  # no common version or cipher, or not TLS at all

# X509_V_ERR_… of OpenSSL's x509_vfy.h
_VERIFY = {
    9: "the phone's certificate is not valid yet; is a clock wrong?",
    10: "the phone's certificate has expired",
    18: "the phone's certificate is self-signed",
    19: "the phone's certificate comes from an authority that is not among the trust anchors (own root sent along)",
    20: "the phone's certificate comes from an authority that is not among the trust anchors",
    21: "the phone's certificate comes from an authority that is not among the trust anchors",
    26: "the phone's certificate is not meant for clients",
    66: "the phone's certificate has a key that is too weak for the cipher level in use",
    67: "the phone's vendor certificate has a key that is too weak for the cipher level in use",
    68: "the phone's certificate is signed with a digest that is too weak for the cipher level in use",
}
_ALERTS = {
    "UNKNOWN_CA": "the phone does not know the authority of this server's certificate",
    "BAD_CERTIFICATE": "the phone does not accept this server's certificate",
    "CERTIFICATE_UNKNOWN": "the phone does not accept this server's certificate",
    "UNSUPPORTED_CERTIFICATE": "the phone cannot read this server's kind of certificate",
    "CERTIFICATE_EXPIRED": "the phone holds this server's certificate for expired; is the phone's clock right?",
}
_PROTOCOL = {
    "UNSUPPORTED_PROTOCOL": "the phone only speaks TLS versions older than 1.2",
    "NO_SHARED_CIPHER": "the phone and this server have no cipher in common",
    "HTTP_REQUEST": "plain http was spoken to the https port",
    "WRONG_VERSION_NUMBER": "this was not TLS",
}


@dataclass(frozen=True, slots=True)
class HandshakeFailure:
    """One connection that did not come about: its kind, OpenSSL's code (0 when it has none) and text, and the cause."""

    at: datetime
    kind: str  # CERTIFICATE | REFUSED | PROTOCOL
    code: int
    text: str
    cause: str


Sink = Callable[[HandshakeFailure], None]


class FailedHandshakes:
    """A sink that keeps the latest failures and counts all of them by cause."""

    def __init__(self, *, keep: int = KEPT) -> None:
        self._latest: deque[HandshakeFailure] = deque(maxlen=keep)
        self._counts: Counter[tuple[str, str]] = Counter()

    def __call__(self, failure: HandshakeFailure) -> None:
        self._latest.append(failure)
        self._counts[failure.kind, failure.cause] += 1

    @property
    def latest(self) -> list[HandshakeFailure]:
        """Newest first."""
        return list(reversed(self._latest))

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        """(kind, cause) to number, since the start; causes come from a fixed list, so this cannot grow."""
        return dict(self._counts)


def server_context(
    pairs: Sequence[PairFiles],
    *,
    clock: Clock,
    sink: Sink,
    anchors: str = "",
    check_dates: bool = True,
    tickets: int = 0,
    ciphers: str = "",
) -> ssl.SSLContext:
    """The context of a listener: TLS 1.2 and newer, all `pairs` side by side (ECDSA and RSA).

    With `anchors` (PEM) clients are asked for a certificate: one that is shown must verify, none is fine. Then
    a phone with a factory certificate of a vendor that is not among the anchors cannot connect at all.
    `check_dates` false lets expired certificates pass. `ciphers` is an OpenSSL list for TLS 1.2, for example
    with @SECLEVEL=1 for old vendor certificates. CannotStart when a file or the list is not usable.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = tickets
    context.set_alpn_protocols(["http/1.1"])
    if ciphers:
        _set_ciphers(context, ciphers)
    _load_pairs(context, pairs)
    if anchors:
        _ask_for_certificate(context, anchors, check_dates=check_dates)
    context.sslobject_class = _watched(clock, sink)
    return context


def _set_ciphers(context: ssl.SSLContext, ciphers: str) -> None:
    try:
        context.set_ciphers(ciphers)
    except ssl.SSLError:
        raise CannotStart(f"OpenSSL knows no cipher in {ciphers!r}") from None


def _load_pairs(context: ssl.SSLContext, pairs: Iterable[PairFiles]) -> None:
    for pair in pairs:
        try:
            # an empty password: without it OpenSSL asks at the terminal when the key has one
            context.load_cert_chain(pair.certificate, pair.key, password="")
        except OSError as error:  # ssl.SSLError is one
            raise CannotStart(
                f"the certificate {pair.certificate} cannot be used with its key: {error.strerror or error}",
                path=str(pair.certificate),
            ) from error


def _ask_for_certificate(context: ssl.SSLContext, anchors: str, *, check_dates: bool) -> None:
    try:
        context.load_verify_locations(cadata=anchors)
    except ssl.SSLError as error:
        raise CannotStart(f"the trust anchors cannot be used: {error.reason}") from error
    context.verify_mode = ssl.CERT_OPTIONAL
    # a vendor may hand out the issuing authority alone, without the root above it
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    if not check_dates:
        context.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME)


def _watched(clock: Clock, sink: Sink) -> type[ssl.SSLObject]:
    class WatchedSSLObject(ssl.SSLObject):
        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except ssl.SSLError as error:
                sink(describe(error, clock()))
                raise

    return WatchedSSLObject


def describe(error: ssl.SSLError, at: datetime) -> HandshakeFailure:
    """What a failed handshake means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        cause = _VERIFY.get(error.verify_code, "the phone's certificate does not verify")
        return HandshakeFailure(at, CERTIFICATE, error.verify_code, error.verify_message, cause)
    reason = error.reason or type(error).__name__
    _, is_alert, alert = reason.partition("_ALERT_")
    if is_alert:
        cause = _ALERTS.get(alert, "the phone broke off")
        return HandshakeFailure(at, REFUSED if alert in _ALERTS else PROTOCOL, 0, reason, cause)
    return HandshakeFailure(
        at,
        PROTOCOL,
        0,
        reason,
        _PROTOCOL.get(reason, "the phone and this server do not understand each other"),
    )
