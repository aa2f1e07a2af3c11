"""The one place where errors become RFC 9457 problems."""

import json
from typing import Any

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from provisioner.errors import ProvisionerError, StorageFull

log = structlog.get_logger()

CONTENT_TYPE = "application/problem+json"
DOCS = "/problems#"
"""Start of every problem type, a relative reference (RFC 9457, 3.1.1): the server itself explains the slug there, as docs/problems.md does."""

TITLES = {
    400: ("bad-request", "The request cannot be read"),
    404: ("not-found", "There is no such thing here"),
    405: ("method-not-allowed", "This address does not take this method"),
    413: ("too-large", "The request is too large"),
    415: ("unsupported-media-type", "Send JSON (application/json)"),
    431: ("headers-too-large", "The request's headers are too large"),
}


def problem(status: int, *, slug: str, title: str, detail: str = "", **data: Any) -> web.Response:
    """A problem document; `data` are its extension members."""
    body = {
        "type": DOCS + slug,
        "title": title,
        "status": status,
        **({"detail": detail} if detail else {}),
        **data,
    }
    return web.Response(status=status, body=json.dumps(body, default=str).encode(), content_type=CONTENT_TYPE)


def problem_of(error: ProvisionerError) -> web.Response:
    """The problem of one of our own errors."""
    detail = error.detail if error.status < 500 or error.status in {503, 507} else ""
    answer = problem(error.status, slug=error.type, title=error.title, detail=detail, **_members(error))
    if "retry_after" in error.data:
        answer.headers["Retry-After"] = str(error.data["retry_after"])
    if error.status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="provisioner"'
    return answer


def _members(error: ProvisionerError) -> dict[str, Any]:
    """The error's data, with `errors` naming every field that is wrong, one sentence each."""
    field = error.data.get("field")
    if not field or "errors" in error.data:
        return error.data
    sentences = error.data.get("missing") or [error.detail]
    return {**error.data, "errors": [{"field": field, "message": sentence} for sentence in sentences]}


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Middleware: whatever a handler raises leaves as a problem; nothing internal is shown."""
    try:
        return await handler(request)
    except ProvisionerError as error:
        if error.status >= 500:
            log.error("request failed", path=request.path, error=type(error).__name__)  # noqa: TRY400 - our own errors name their cause; a trace adds nothing
        return problem_of(error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        slug, title = TITLES.get(error.status, ("http-error", error.reason))
        answer = problem(error.status, slug=slug, title=title)
        if "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
        return answer
    except OSError as error:
        return _problem_of_system(request, error)
    except Exception:  # the request boundary: logged with its trace, answered without it
        log.exception("request failed", path=request.path)
        return problem(500, slug="internal", title=ProvisionerError.title)


def _problem_of_system(request: web.Request, error: OSError) -> web.Response:
    if error.errno == 28:  # ENOSPC: the disk is full
        return problem_of(
            StorageFull("The disk is full: free some space and try again. Nothing was changed.")
        )
    if isinstance(error, ConnectionResetError) and request.transport is None:
        # the client left in the middle of its request: nobody reads this, and it is no fault worth a trace
        return problem(400, slug=TITLES[400][0], title=TITLES[400][1])
    log.error("request failed", path=request.path, exc_info=error)
    return problem(500, slug="internal", title=ProvisionerError.title)
