"""The Authorization header of a phone, read into typed credentials.

Written by hand because it runs for every request of a boot storm: one pass, no intermediate objects.
Nothing here raises; what cannot be read becomes `Malformed` with a sentence for the installer.
"""

import re
from binascii import Error as BrokenBase64
from binascii import a2b_base64
from dataclasses import dataclass
from typing import Literal, NamedTuple

Algorithm = Literal["MD5", "SHA-256"]

LONGEST_HEADER = 2048
MOST_PARAMETERS = 24

_ALGORITHMS: dict[str, Algorithm] = {"MD5": "MD5", "SHA-256": "SHA-256"}
# name = token or quoted string; the last group catches whatever is neither, so that nothing is skipped.
_PARAMETER = re.compile(
    r"""([A-Za-z0-9*_-]+)\s*=\s*(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|([^\s,"\\]+))\s*(?:,\s*|\Z)|(\S)""",
    re.DOTALL,
)
_RESPONSE_LENGTH = {"MD5": 32, "SHA-256": 64}


@dataclass(frozen=True, slots=True)
class Malformed:
    """An Authorization header that cannot be used; `problem` says why, without quoting it."""

    problem: str


class BasicCredentials(NamedTuple):
    """RFC 7617. `pair` is what was base64-encoded: user name, colon, password, in the phone's own charset."""

    pair: bytes

    def __repr__(self) -> str:
        return "BasicCredentials(…)"

    @property
    def username(self) -> str:
        """The user name, for the record; bytes that are not UTF-8 are replaced."""
        return self.pair.partition(b":")[0].decode("utf-8", "replace")


class DigestCredentials(NamedTuple):
    """RFC 7616 §3.4. `nc` and `cnonce` are as sent, and empty when the phone left them out; `qop` is "auth" or ""."""

    username: str
    realm: str
    nonce: str
    uri: str
    algorithm: Algorithm
    qop: str
    nc: str
    cnonce: str
    response: str

    def __repr__(self) -> str:
        return f"DigestCredentials(username={self.username!r}, realm={self.realm!r}, uri={self.uri!r})"


Credentials = BasicCredentials | DigestCredentials | Malformed


def parse_authorization(header: str | None) -> Credentials | None:
    """Read an Authorization header; None when there is none."""
    if not header:
        return None
    if len(header) > LONGEST_HEADER:
        return Malformed("the Authorization header is too long")
    if not header.isascii() and not _is_from_the_wire(header):
        return Malformed("the Authorization header is not text")
    scheme, _, rest = header.strip().partition(" ")
    name = scheme.lower()
    if name == "digest":
        return _parse_digest(rest)
    if name == "basic":
        return _parse_basic(rest)
    return Malformed("only Basic and Digest are understood")


def _parse_basic(token: str) -> BasicCredentials | Malformed:
    try:
        pair = a2b_base64(token, strict_mode=False)
    except (BrokenBase64, ValueError):
        return Malformed("the Basic credentials are not base64")
    if b":" not in pair:
        return Malformed("the Basic credentials lack the colon between user name and password")
    return BasicCredentials(pair)


def _parse_digest(text: str) -> DigestCredentials | Malformed:
    found = _PARAMETER.findall(text)
    values = {name.lower(): quoted or token for name, quoted, token, _ in found}
    if "" in values:  # what is neither a token nor a quoted string has no name
        return Malformed("the Digest credentials are not a list of name=value")
    if len(values) != len(found) or len(values) > MOST_PARAMETERS:
        return Malformed("the Digest credentials name a parameter twice, or too many of them")
    try:
        username, realm, nonce = values["username"], values["realm"], values["nonce"]
        uri, response = values["uri"], values["response"]
    except KeyError as missing:
        return Malformed(f"the Digest credentials lack {missing.args[0]}")
    if "\\" in username or "\\" in realm:
        username, realm = _unquote(username), _unquote(realm)
    # Some clients quote algorithm and qop although the RFC has them as tokens.
    algorithm = _ALGORITHMS.get(values.get("algorithm", "MD5").upper())
    if algorithm is None:
        return Malformed("the Digest algorithm is none of those offered")
    qop, nc = values.get("qop", ""), values.get("nc", "")
    problem = _form_problem(algorithm, qop=qop, nc=nc, cnonce="cnonce" in values, response=response)
    if problem:
        return Malformed(problem)
    return DigestCredentials(
        username, realm, nonce, uri, algorithm, qop, nc, values.get("cnonce", ""), response
    )


def _form_problem(algorithm: Algorithm, *, qop: str, nc: str, cnonce: bool, response: str) -> str:
    if qop and qop != "auth":
        return "the Digest qop is none of those offered"
    if qop and not (cnonce and nc):
        return "the Digest credentials lack nc or cnonce"
    if nc and not _is_count(nc):
        return "the Digest nonce count is not hexadecimal"
    if len(response) != _RESPONSE_LENGTH[algorithm] or not response.isascii():
        return "the Digest response has the wrong form"
    return ""


def _is_count(nc: str) -> bool:
    try:
        return len(nc) <= 8 and nc.isalnum() and int(nc, 16) >= 0
    except ValueError:
        return False


def _is_from_the_wire(header: str) -> bool:
    try:
        header.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
