"""Bearer secrets: API tokens of programs, and the unguessable paths of phones.

Both are long and random, so one fast hash is enough to keep them (`hash_secret`); the secret itself is shown once.
"""

import re
import secrets
import string
from dataclasses import dataclass, field
from hashlib import sha256

from provisioner.access.authorization import BasicCredentials, parse_authorization

PREFIX = "prov_"
"""Starts every API token, so that people and secret scanners recognise a leaked one."""

_LETTERS = string.ascii_letters + string.digits
_API_TOKEN = re.compile(r"prov_([a-z0-9]{12})_([A-Za-z0-9]{40})", re.ASCII)
_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token's public id (stored, shown in lists and logs) and its secret."""

    id: str
    secret: str = field(repr=False)

    def reveal(self) -> str:
        """Answer the text to show once: `prov_<id>_<secret>`."""
        return f"{PREFIX}{self.id}_{self.secret}"


def new_api_token() -> ApiToken:
    """Make a token with 238 bits of secret."""
    public = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(12))
    return ApiToken(public, "".join(secrets.choice(_LETTERS) for _ in range(40)))


def parse_api_token(text: str) -> ApiToken | None:
    """Read `prov_<id>_<secret>`; None when it is not one."""
    found = _API_TOKEN.fullmatch(text)
    return ApiToken(found[1], found[2]) if found else None


def bearer_token(header: str | None) -> str | None:
    """Answer the token of an `Authorization: Bearer …` header; None when there is none."""
    found = _BEARER.fullmatch(header or "")
    return found[1] if found else None


def basic_token(header: str | None) -> str | None:
    """Answer the API token that is the password of an `Authorization: Basic …` header; None when it is no token.

    For programs that can send a user name and a password and nothing else; the name is theirs to choose.
    """
    credentials = parse_authorization(header)
    if not isinstance(credentials, BasicCredentials):
        return None
    password = credentials.pair.partition(b":")[2].decode("ascii", "replace")
    return password if parse_api_token(password) else None


def new_url_token() -> str:
    """Make a phone's path token: 32 letters and digits, 190 bits, safe in any URL field of any phone."""
    return "".join(secrets.choice(_LETTERS) for _ in range(32))


def hash_secret(secret: str) -> bytes:
    """Answer what is stored of a random secret (32 bytes)."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


def secret_matches(secret: str, stored: bytes | None) -> bool:
    """Compare in constant time; with nothing stored the same work is done and the answer is no."""
    nothing = bytes(32)  # no text is known that hashes to zeros
    return secrets.compare_digest(hash_secret(secret), stored or nothing)
