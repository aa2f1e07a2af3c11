"""Defence against requests that another web site makes a browser send (THREATS T15).

No hidden form fields: every browser says by Sec-Fetch-Site or Origin where a request was made, and scripts cannot
change either header. A request that carries neither was not made by a browser on behalf of another site: browsers
send Origin with every unsafe request.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Crossing(StrEnum):
    """What a request is; only FOREIGN is refused."""

    SAFE = "safe"
    """The method changes nothing."""
    BY_TOKEN = "by-token"  # noqa: S105  # a word, no secret
    """It proves itself by an Authorization header, which no foreign site can make a browser add."""
    OWN = "own"
    FOREIGN = "foreign"


def is_same_site(headers: Mapping[str, str], host: str) -> bool:
    """Tell whether a request was made by our own pages (or by hand, or not by a browser at all).

    `headers` must be case-insensitive or hold the canonical spellings; `host` is the Host header as the browser sent it.
    """
    made_by = headers.get("Sec-Fetch-Site")
    if made_by is not None:
        return made_by.strip().lower() in {"same-origin", "none"}
    origin = headers.get("Origin")
    if origin is None:
        return True
    return bool(host) and _authority(origin) == host.strip().lower()


def crossing(method: str, headers: Mapping[str, str], *, host: str, has_session: bool) -> Crossing:
    """Decide about one request; `has_session`: it is the session cookie that proves who is asking."""
    if method.upper() in SAFE_METHODS:
        return Crossing.SAFE
    if not has_session and "Authorization" in headers:
        return Crossing.BY_TOKEN
    return Crossing.OWN if is_same_site(headers, host) else Crossing.FOREIGN


def _authority(origin: str) -> str:
    try:
        return urlsplit(origin.strip()).netloc.lower()
    except ValueError:
        return ""
