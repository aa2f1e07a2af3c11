"""What is kept in memory to check one device's configuration credentials fast: no password, no slow hash.

A Verifier is made once per device and revision from the decrypted password; checking costs one keyed hash (Basic)
or two plain ones (Digest). It is as secret as the password: never stored, logged or shown.
"""

import secrets
from collections.abc import Collection
from hashlib import blake2b, md5, sha256
from typing import Final

from provisioner.access.authorization import Algorithm

MD5_ONLY: Final[tuple[Algorithm, ...]] = ("MD5",)
"""What phones can be counted on to understand."""


class Verifier:
    """One device's user name and password, prepared.

    `username` and `realm` are kept for Digest; `previous` is the verifier of a replaced password that still works
    until `previous_until` (seconds since the epoch).
    """

    __slots__ = (
        "_basic",
        "_ha1_md5",
        "_ha1_sha256",
        "_key",
        "previous",
        "previous_until",
        "realm",
        "username",
    )

    def __init__(
        self,
        username: str,
        password: str,
        *,
        realm: str,
        key: bytes,
        algorithms: Collection[Algorithm] = MD5_ONLY,
        previous: "Verifier | None" = None,
        previous_until: float = 0.0,
    ) -> None:
        self.username: Final = username
        self.realm: Final = realm
        self.previous: Final = previous
        self.previous_until: Final = previous_until
        self._key = key
        self._basic = blake2b(f"{username}:{password}".encode(), key=key, digest_size=16).digest()
        secret = f"{username}:{realm}:{password}".encode()
        self._ha1_md5 = md5(secret, usedforsecurity=False).hexdigest() if "MD5" in algorithms else None
        self._ha1_sha256 = sha256(secret).hexdigest() if "SHA-256" in algorithms else None

    def __repr__(self) -> str:
        return "Verifier(…)"

    def accepts_pair(self, pair: bytes, *, now: float) -> bool:
        """Tell whether `pair` (user name, colon, password) is right; `now` in seconds since the epoch."""
        shown = blake2b(pair, key=self._key, digest_size=16).digest()
        if secrets.compare_digest(shown, self._basic):
            return True
        old = self.previous
        return old is not None and now < self.previous_until and old.accepts_pair(pair, now=now)

    def ha1(self, algorithm: Algorithm) -> str | None:
        """Answer HA1 of RFC 7616 §3.4.2 in lower-case hexadecimal; None when the algorithm was not prepared."""
        return self._ha1_md5 if algorithm == "MD5" else self._ha1_sha256


def dummy_verifier(*, realm: str, key: bytes, algorithms: Collection[Algorithm] = MD5_ONLY) -> Verifier:
    """A verifier that nothing satisfies: checked for MACs nobody knows, so that they cost what known ones cost (T1)."""
    return Verifier(secrets.token_hex(12), secrets.token_hex(16), realm=realm, key=key, algorithms=algorithms)
