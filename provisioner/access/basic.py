"""HTTP Basic (RFC 7617) for phones: only ever over TLS, which the gate sees to."""

from provisioner.access.authorization import BasicCredentials
from provisioner.access.reasons import Reason
from provisioner.access.verifier import Verifier


def check_basic(credentials: BasicCredentials, verifier: Verifier, *, now: float) -> Reason:
    """Answer ALLOWED or which half was wrong; the latter is for the record only and never reaches the phone."""
    if verifier.accepts_pair(credentials.pair, now=now):
        return Reason.ALLOWED
    if credentials.pair.partition(b":")[0] != verifier.username.encode():
        return Reason.WRONG_USERNAME
    return Reason.WRONG_PASSWORD


def basic_challenge(realm: str) -> str:
    """Answer the value of a WWW-Authenticate header."""
    return f'Basic realm="{realm}", charset="UTF-8"'
