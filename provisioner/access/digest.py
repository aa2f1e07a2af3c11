"""HTTP Digest (RFC 7616) for phones: MD5 and SHA-256, qop "auth".

What goes on the wire follows what phones do: the Digest challenges stand before Basic, because some clients look
at the first challenge only; MD5 alone by default, because many fail on an algorithm they do not know.
"""

import re
import secrets
from collections.abc import Sequence
from functools import lru_cache
from hashlib import md5, sha256
from typing import NamedTuple

from provisioner.access.authorization import Algorithm, DigestCredentials
from provisioner.access.basic import basic_challenge
from provisioner.access.nonces import Nonces
from provisioner.access.reasons import Reason
from provisioner.access.verifier import MD5_ONLY, Verifier
from provisioner.errors import InvalidSetting


class Request(NamedTuple):
    """What a Digest response is checked against: the request line as it arrived, and what a nonce must be bound to."""

    method: str
    target: str
    binding: bytes


def check_digest(
    credentials: DigestCredentials,
    verifier: Verifier,
    *,
    request: Request,
    nonces: Nonces,
    now: float,
    allow_without_qop: bool = False,
) -> Reason:
    """Answer ALLOWED or what is wrong with the credentials; `now` in seconds since the epoch.

    The response is checked before the nonce: only who knows the password learns that the nonce was stale
    (RFC 7616 §3.3), and only they can fill the replay window.
    """
    if credentials.realm != verifier.realm:
        return Reason.WRONG_REALM
    if not verifier.ha1(credentials.algorithm) or not (credentials.qop or allow_without_qop):
        return Reason.NOT_OFFERED
    if not _is_right(credentials, verifier, method=request.method, now=now):
        return Reason.WRONG_PASSWORD
    if credentials.username != verifier.username:
        return Reason.WRONG_USERNAME
    if credentials.uri != request.target and not is_same_target(credentials.uri, request.target):
        return Reason.WRONG_TARGET
    return _check_use(credentials, nonces, binding=request.binding, now=now)


def digest_response(credentials: DigestCredentials, ha1: str, *, method: str) -> str:
    """Compute the response of RFC 7616 §3.4.1, or that of RFC 2069 when there is no qop; lower-case hexadecimal."""
    ha2 = _ha2(credentials.algorithm, method, credentials.uri)
    if not credentials.qop:
        return _hash(credentials.algorithm, f"{ha1}:{credentials.nonce}:{ha2}")
    middle = f"{credentials.nonce}:{credentials.nc}:{credentials.cnonce}:{credentials.qop}"
    return _hash(credentials.algorithm, f"{ha1}:{middle}:{ha2}")


def is_same_target(uri: str, target: str) -> bool:
    """Compare a Digest `uri` with the request target, forgiving absolute form and the case of percent-encoding."""
    return _plain_target(uri) == _plain_target(target)


def challenges(
    realm: str,
    nonce: str,
    *,
    algorithms: Sequence[Algorithm] = MD5_ONLY,
    offers_basic: bool = True,
    is_stale: bool = False,
) -> list[str]:
    """Answer the values of the WWW-Authenticate headers, in the order to send them."""
    stale = ", stale=true" if is_stale else ""
    offered = [
        f'Digest realm="{realm}", qop="auth", algorithm={algorithm}, nonce="{nonce}"{stale}'
        for algorithm in algorithms
    ]
    return [*offered, basic_challenge(realm)] if offers_basic else offered


def check_realm(realm: str) -> str:
    """Answer the realm if it can stand in a header as it is; InvalidSetting otherwise."""
    if not realm or not realm.isascii() or not realm.isprintable() or '"' in realm or "\\" in realm:
        raise InvalidSetting(
            "The realm must be printable ASCII without quotation marks and backslashes.", field="realm"
        )
    return realm


def _check_use(credentials: DigestCredentials, nonces: Nonces, *, binding: bytes, now: float) -> Reason:
    if not nonces.is_ours(credentials.nonce, binding, now=now):
        return Reason.STALE_NONCE
    if credentials.qop:
        is_first = nonces.count_use(credentials.nonce, int(credentials.nc, 16), now=now)
    else:
        is_first = nonces.use_once(credentials.nonce, credentials.response, now=now)
    return Reason.ALLOWED if is_first else Reason.REPLAYED


def _is_right(credentials: DigestCredentials, verifier: Verifier, *, method: str, now: float) -> bool:
    ha1 = verifier.ha1(credentials.algorithm)
    if ha1 is None:
        return False
    expected = digest_response(credentials, ha1, method=method)
    if secrets.compare_digest(expected, credentials.response.lower()):
        return True
    old = verifier.previous
    return (
        old is not None
        and now < verifier.previous_until
        and _is_right(credentials, old, method=method, now=now)
    )


@lru_cache(maxsize=4_096)
def _ha2(algorithm: Algorithm, method: str, uri: str) -> str:
    """Nothing secret is in it, and a phone asks for the same files again and again."""
    return _hash(algorithm, f"{method}:{uri}")


def _hash(algorithm: Algorithm, text: str) -> str:
    # Header bytes that were not UTF-8 arrive as surrogates; they hash as the bytes the phone hashed.
    raw = text.encode("utf-8", "surrogateescape")
    return md5(raw, usedforsecurity=False).hexdigest() if algorithm == "MD5" else sha256(raw).hexdigest()


def _plain_target(text: str) -> str:
    path = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*", "", text, count=1) or "/"
    return re.sub(r"%[0-9A-Fa-f]{2}", lambda code: code[0].upper(), path)
