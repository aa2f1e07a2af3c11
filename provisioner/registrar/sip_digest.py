"""Digest authentication as the asking side sees it: RFC 7616 for HTTP, RFC 3261 §22 and RFC 8760 for SIP.

Pure functions; the same arithmetic serves the simulator's registrar, which checks what phones answer.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from provisioner.registrar.sip import unquoted

_PAIR = re.compile(r'([A-Za-z0-9_-]{1,32})\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]+)', re.ASCII)

HASHES: Mapping[str, Callable[[str], str]] = {
    "MD5": lambda text: hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
    "SHA-256": lambda text: hashlib.sha256(text.encode()).hexdigest(),
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a password; the password never shows in a repr."""

    username: str
    password: str = field(repr=False)


def parse_digest(value: str) -> dict[str, str] | None:
    """The fields of a `Digest …` header with names in lower case and quotes removed; None for another scheme."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        return None
    return {name.lower(): unquoted(text) for name, text in _PAIR.findall(rest)}


def ha1(username: str, realm: str, password: str, *, algorithm: str = "MD5") -> str:
    """What stands for the password in one realm. As good as the password there: treat it as a secret."""
    return HASHES[algorithm](f"{username}:{realm}:{password}")


def response(secret: str, method: str, fields: Mapping[str, str]) -> str:
    """The expected `response` for the HA1 `secret` and the fields of an Authorization header; "" if unsupported."""
    digest = HASHES.get(fields.get("algorithm", "MD5").upper())
    qop = fields.get("qop", "")
    if digest is None or qop not in ("", "auth"):
        return ""
    ha2 = digest(f"{method}:{fields.get('uri', '')}")
    middle = [fields.get("nonce", "")]
    if qop:
        middle += [fields.get("nc", ""), fields.get("cnonce", ""), qop]
    return digest(":".join([secret, *middle, ha2]))


def answer(
    challenges: Iterable[str], credentials: Credentials, *, method: str, uri: str, cnonce: str = ""
) -> str | None:
    """The Authorization value for the topmost challenge that we support (RFC 8760 §2.4); None when there is none."""
    for challenge in challenges:
        fields = parse_digest(challenge)
        if fields is None or not fields.get("nonce"):
            continue
        algorithm = fields.get("algorithm", "MD5").upper()
        offered = [item.strip().lower() for item in fields.get("qop", "").split(",") if item.strip()]
        if algorithm in HASHES and (not offered or "auth" in offered):
            return _answer(
                fields, credentials, algorithm, method=method, uri=uri, cnonce=cnonce, qop=bool(offered)
            )
    return None


def is_stale(challenges: Iterable[str]) -> bool:
    """Whether the other side says that only the nonce was too old, not the password wrong."""
    return any((parse_digest(item) or {}).get("stale", "").lower() == "true" for item in challenges)


def _answer(
    challenge: Mapping[str, str],
    credentials: Credentials,
    algorithm: str,
    *,
    method: str,
    uri: str,
    cnonce: str,
    qop: bool,
) -> str:
    realm = challenge.get("realm", "")
    fields = {"nonce": challenge["nonce"], "uri": uri, "algorithm": algorithm}
    if qop:
        fields |= {"qop": "auth", "nc": "00000001", "cnonce": cnonce or secrets.token_hex(8)}
    secret = ha1(credentials.username, realm, credentials.password, algorithm=algorithm)
    parts = [
        f"username={_quoted(credentials.username)}",
        f"realm={_quoted(realm)}",
        f"nonce={_quoted(fields['nonce'])}",
        f"uri={_quoted(uri)}",
        f'response="{response(secret, method, fields)}"',
        f"algorithm={algorithm}",
    ]
    if qop:
        parts += ["qop=auth", "nc=00000001", f"cnonce={_quoted(fields['cnonce'])}"]
    if "opaque" in challenge:
        parts.append(f"opaque={_quoted(challenge['opaque'])}")
    return "Digest " + ", ".join(parts)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
