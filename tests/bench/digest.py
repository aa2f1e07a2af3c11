"""Digest answers computed before the load begins, so that the load generator only sends them."""

import http.client
import re
from hashlib import md5
from pathlib import Path

from tests.bench.fleet import Member
from tests.bench.rounds import BenchError

_CNONCE = "6265 6e63 68".replace(" ", "")


def write_digest_walk(path: Path, member: Member, *, port: int, count: int) -> Path:
    """`count` requests under one fresh nonce with rising nc; BenchError when the server does not offer Digest."""
    realm, nonce = _challenge(port, member)
    ha1 = _md5(f"{member.username}:{realm}:{member.password}")
    ha2 = _md5(f"GET:{member.target}")
    head = f'Digest username="{member.username}", realm="{realm}", nonce="{nonce}", uri="{member.target}", algorithm=MD5, qop=auth, cnonce="{_CNONCE}"'
    with path.open("w") as file:
        for number in range(1, count + 1):
            nc = f"{number:08x}"
            response = _md5(f"{ha1}:{nonce}:{nc}:{_CNONCE}:auth:{ha2}")
            file.write(f'{member.target}\t{head}, nc={nc}, response="{response}"\n')
    return path


def _challenge(port: int, member: Member) -> tuple[str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", member.target, headers={"User-Agent": member.kind.agent})
        offers = connection.getresponse().headers.get_all("WWW-Authenticate") or []
    finally:
        connection.close()
    for offer in offers:
        values = dict(re.findall(r'(\w+)="?([^",]+)"?', offer))
        if offer.startswith("Digest ") and values.get("algorithm", "MD5") == "MD5":
            return values["realm"], values["nonce"]
    raise BenchError(f"no Digest challenge with MD5 among {offers}")


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()
