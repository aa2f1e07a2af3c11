"""Files for browsers, held in memory: each address has the hash of its content, so that it may be kept for good."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from aiohttp import web

_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_SERVED: Final = (
    "vendor/tabler/tabler.min.css",
    "vendor/htmx/htmx.min.js",
    "provisioner.css",
    "provisioner.js",
    "favicon.svg",
)
SPRITE: Final = "vendor/tabler-icons/sprite.svg"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, also compressed; `url` never serves anything else."""

    url: str
    content_type: str
    body: bytes
    compressed: bytes


@cache
def assets() -> dict[str, Asset]:
    """All files that browsers may ask for, by name."""
    found = {}
    for name in _SERVED:
        body = _read(name)
        digest = hashlib.sha256(body).hexdigest()[:16]
        ending = name.rpartition(".")[2]
        found[name] = Asset(f"/static/{digest}/{name}", _TYPES[ending], body, gzip.compress(body, 9, mtime=0))
    return found


@cache
def sprite() -> str:
    """The icons as one SVG element, to stand once in every page."""
    return _read(SPRITE).decode()


async def serve_asset(request: web.Request) -> web.Response:
    """One file by its hashed address; an old hash is not found, so a page never mixes versions."""
    asset = assets().get(request.match_info["name"])
    if asset is None or asset.url != request.path:
        raise web.HTTPNotFound
    response = web.Response(content_type=asset.content_type, charset="utf-8")
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    response.headers["Vary"] = "Accept-Encoding"
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        response.body, response.headers["Content-Encoding"] = asset.compressed, "gzip"
    else:
        response.body = asset.body
    return response


def _read(name: str) -> bytes:
    return files("provisioner.web.ui").joinpath("static", *name.split("/")).read_bytes()
