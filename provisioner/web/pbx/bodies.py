"""Small JSON bodies of the PBX door: read within bounds, checked strictly, never quoted in an error."""

import asyncio
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from provisioner.errors import BadInput, TooLarge

MAX_BODY = 16 * 1024
"""Bytes; an honest one has a tenth of it."""
BODY_SECONDS = 10.0

Document = TypeVar("Document", bound=BaseModel)


async def read_document(request: web.Request, model: type[Document]) -> Document:
    """The body as a document; TooLarge, BadInput that names the first member that is wrong, never its value."""
    try:
        return model.model_validate_json(await _bytes(request))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{where or 'body'}: {first['msg']}", field=where or "body") from None


async def _bytes(request: web.Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > MAX_BODY:
                    raise TooLarge(f"A request has at most {MAX_BODY} bytes.", limit=MAX_BODY)
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    return bytes(body)
