"""What a PBX asks of the directory: who an account is, whom a number rings, what has changed."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from provisioner.errors import BadInput
from provisioner.services.context import Actor
from provisioner.services.directory.answers import Answer, make_answer
from provisioner.services.directory.changes import changes_after
from provisioner.services.directory.identities import identity_of
from provisioner.services.directory.ring_plans import RingPlan, ring_plan
from provisioner.web.identity import CONTEXT, DIRECTORY
from provisioner.web.ready import ready

_JSON: Final = "application/json; charset=utf-8"
_CACHE: Final = "private, no-cache"

LONGEST_WAIT: Final = 30
"""Seconds; proxies cut what is silent for a minute."""


class Waiting(set[asyncio.Task[Any]]):
    """The questions kept open, so that they can be ended when the server stops."""


WAITING: Final = web.AppKey("waiting", Waiting)
LATEST: Final = 4_102_444_800
"""Seconds since 1970: the end of this century is far enough for asking ahead."""


async def get_account(request: web.Request, actor: Actor) -> web.StreamResponse:
    """The identity of a device account now."""

    async def make() -> Answer:
        account = request.match_info["account"]
        found = await identity_of(request.config_dict[CONTEXT], actor, account=account.partition("@")[0])
        return make_answer(found.document, tenant_id=found.tenant_id, device_ids=[found.device_id])

    return await _kept(request, actor, make)


async def get_ring(request: web.Request, actor: Actor) -> web.StreamResponse:
    """Whom a number rings now, or `at` another moment; `from` is the caller's number."""
    if "at" in request.query:
        return respond(request, _rendered(await _plan(request, actor, at=_moment(request.query["at"]))))

    async def make() -> Answer:
        return _rendered(await _plan(request, actor, at=None))

    return await _kept(request, actor, make)


def respond(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    """The answer, or 304 when the PBX has it already."""
    asked = request.headers.get("If-None-Match")
    if asked is not None and answer.etag in asked:
        headers = {"Content-Type": _JSON, "Cache-Control": _CACHE, "ETag": answer.etag}
        return web.Response(status=304, headers=headers)
    return ready(request, answer.body, content_type=_JSON, etag=answer.etag, cache_control=_CACHE)


async def _kept(
    request: web.Request, actor: Actor, make: Callable[[], Awaitable[Answer]]
) -> web.StreamResponse:
    directory = request.config_dict[DIRECTORY]
    answer = await directory.answer((actor.tenant_id, request.raw_path), make)
    return respond(request, answer)


async def _plan(request: web.Request, actor: Actor, *, at: datetime | None) -> RingPlan:
    query = request.query
    return await ring_plan(
        request.config_dict[CONTEXT],
        actor,
        number=request.match_info["number"],
        domain=query.get("domain", ""),
        caller=query.get("from"),
        at=at,
    )


def _rendered(plan: RingPlan) -> Answer:
    return make_answer(
        plan.document, tenant_id=plan.tenant_id, device_ids=plan.device_ids, valid_until=plan.valid_until
    )


def _moment(text: str) -> datetime:
    """A moment given in seconds since 1970."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) <= LATEST):
        raise BadInput("`at` is a moment in whole seconds since 1970.", field="at")
    return datetime.fromtimestamp(int(text), UTC)


async def get_changes(request: web.Request, actor: Actor) -> web.StreamResponse:
    """What has changed since an event; `wait` keeps the question open until something does."""
    query = request.query
    after = _number(query["after"], "after") if "after" in query else None
    wait = _number(query.get("wait", "0"), "wait")
    if wait > LONGEST_WAIT:
        raise BadInput(f"`wait` is at most {LONGEST_WAIT} seconds.", field="wait")
    with _waiting(request):
        found = await changes_after(request.config_dict[CONTEXT], actor, after=after, wait=wait)
    return web.json_response({"events": list(found.events), "last": found.last})


async def end_waiting(app: web.Application) -> None:
    """Let PBXs that wait for changes go when the server stops."""
    waiting = app[WAITING]
    for task in tuple(waiting):
        task.cancel()


@contextmanager
def _waiting(request: web.Request) -> Iterator[None]:
    task: asyncio.Task[Any] | None = asyncio.current_task()
    assert task is not None  # a handler always runs in a task
    waiting = request.config_dict[WAITING]
    waiting.add(task)
    try:
        yield
    finally:
        waiting.discard(task)


def _number(text: str, field: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise BadInput(f"`{field}` is a whole number.", field=field)
    return int(text)
