"""The small typed layer under every endpoint: who may, what comes in, what goes out; the OpenAPI document is made from the same table."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from aiohttp import web
from pydantic import BaseModel, ValidationError

from provisioner.access.permissions import Permission
from provisioner.errors import BadInput, NotFound, ProvisionerError, TooLarge
from provisioner.services.context import Actor, Context
from provisioner.services.people.logins import Doorkeeper
from provisioner.web.api.documents import LARGEST_ID, Page, Query, Request
from provisioner.web.identity import CONTEXT, DOORKEEPER, authenticate

BASE = "/api/v1"
MAX_BODY = 1024 * 1024
"""Bytes; the largest honest request, all keys of a phone with its modules, has a tenth of it."""
ACTOR = web.RequestKey("api.actor", Actor)

Q = TypeVar("Q", bound=Query)
B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Call(Generic[Q, B]):
    """One request, checked: `query` and `body` are what the endpoint declared."""

    context: Context
    actor: Actor
    query: Q
    body: B
    path: Mapping[str, str]
    request: web.Request = field(repr=False)

    def id(self, name: str) -> int:
        """A number of the path; NotFound when it is none that could ever name something."""
        text = self.path[name]
        if not (
            text.isascii()
            and text.isdecimal()
            and len(text) <= 10
            and text[0] != "0"
            and int(text) <= LARGEST_ID
        ):
            raise NotFound("There is no such thing here.")
        return int(text)

    @property
    def doorkeeper(self) -> Doorkeeper:
        return self.request.config_dict[DOORKEEPER]


ReadCall = Call[Query, None]
"""A request without query and body."""
Handler = Callable[[Call[Any, Any]], Awaitable[BaseModel | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One operation. `path` follows /api/v1; parameters ending in _id are numbers. The handler's docstring is its description.

    `response` None: 204 without a body. `errors` are those of the use case; what every endpoint can answer is added
    by the OpenAPI document. `location` is filled from the answer: where the new thing is.
    """

    method: str
    path: str
    permission: Permission
    handler: Handler
    summary: str
    tag: str
    query: type[Query] = Query
    request: type[Request] | None = None
    max_body: int = MAX_BODY
    response: type[BaseModel] | None = None
    status: int = 200
    location: str = ""
    errors: tuple[type[ProvisionerError], ...] = ()

    @property
    def name(self) -> str:
        """The operation id."""
        return str(getattr(self.handler, "__name__", ""))


def aiohttp_handler(endpoint: Endpoint) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The endpoint as aiohttp calls it: who asks comes first, then what they sent."""

    async def handle(request: web.Request) -> web.StreamResponse:
        actor = await authenticate(request, endpoint.permission)
        request[ACTOR] = actor
        call = Call(
            context=request.config_dict[CONTEXT],
            actor=actor,
            query=read_query(endpoint.query, request),
            body=await read_body(endpoint.request, request, limit=endpoint.max_body)
            if endpoint.request
            else None,
            path=request.match_info,
            request=request,
        )
        return _answer(endpoint, request, await endpoint.handler(call))

    return handle


def read_query(model: type[Q], request: web.Request) -> Q:
    """The query parameters; BadInput names every one that is unknown, wrong or given twice."""
    names = [name for name, _ in request.query.items()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(
            f"{twice[0][:40]} is given more than once.",
            errors=[{"field": name[:40], "message": "Give it once."} for name in twice],
        )
    try:
        return model.model_validate_strings(dict(request.query), extra="forbid")
    except ValidationError as error:
        raise bad_input(error) from None


async def read_body(model: type[Request], request: web.Request, *, limit: int) -> Request:
    """The JSON body; 415 for another kind, TooLarge, and BadInput that names every wrong member."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    try:
        return model.model_validate_json(await _bytes(request, limit))
    except ValidationError as error:
        raise bad_input(error) from None


async def _bytes(request: web.Request, limit: int) -> bytes:
    body = bytearray()
    if (request.content_length or 0) <= limit:
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > limit:
                break
        else:
            return bytes(body)
    raise TooLarge(f"A request has at most {limit} bytes.", limit=limit)


def bad_input(error: ValidationError) -> BadInput:
    """What pydantic found, in our shape; never a value, which may be a secret."""
    found = [
        {
            "field": ".".join(str(part) for part in entry["loc"]),
            "message": _sentence(entry["type"], entry["msg"]),
        }
        for entry in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    first = found[0]
    detail = f"{first['field']}: {first['message']}" if first["field"] else first["message"]
    more = f" ({len(found) - 1} more in errors)" if len(found) > 1 else ""
    return BadInput(detail + more, errors=found[:50])


def _sentence(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "There is no such field here."
    if kind == "missing":
        return "This is needed."
    return message.removeprefix("Value error, ")


def _answer(endpoint: Endpoint, request: web.Request, answer: BaseModel | None) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    if answer is None:
        return web.Response(status=204, headers=headers)
    if endpoint.location:
        headers["Location"] = BASE + endpoint.location.format(answer=answer)
    if isinstance(answer, Page) and (link := _link(request, answer)):
        headers["Link"] = link
    return web.Response(
        status=endpoint.status,
        body=answer.model_dump_json().encode(),
        content_type="application/json",
        headers=headers,
    )


def _link(request: web.Request, page: Page[Any]) -> str:
    """RFC 8288: where the next and the previous page are."""
    places = {}
    if page.offset + page.limit < page.total:
        places["next"] = page.offset + page.limit
    if page.offset > 0:
        places["prev"] = max(0, page.offset - page.limit)
    query = dict(request.query)
    return ", ".join(
        f'<{request.rel_url.raw_path}?{urlencode({**query, "offset": offset, "limit": page.limit})}>; rel="{relation}"'
        for relation, offset in places.items()
    )
