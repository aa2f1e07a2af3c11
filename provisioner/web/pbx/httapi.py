"""FreeSWITCH's mod_httapi: the hotdesk dialogue as XML documents. A thin face on `services/hotdesk/dialog.py`.

Each answer names the address of the next request, in which stand the dialogue and the step; a step that is repeated gets the
same answer. FreeSWITCH has no Bearer header: its `gateway-credentials` are the token's, see `machine` of web/identity.py.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode, urlsplit

import structlog
from aiohttp import web
from lxml import etree
from lxml.builder import E

from provisioner.errors import BadInput, Conflict, NotFound, TooManyAttempts, Unavailable
from provisioner.services.context import Actor
from provisioner.services.hotdesk.dialog import Answer, Collect, begin, go_on
from provisioner.services.hotdesk.prompts import prompt_language
from provisioner.web.identity import CONTEXT
from provisioner.web.problems import problem

log = structlog.get_logger()

Form = Mapping[str, str]
APOLOGY: Final = "hotdesk-try-later"
MAX_FORM: Final = 64 * 1024
"""A request carries some sixty fields of the call."""
FORM: Final = "application/x-www-form-urlencoded"
_XML_DATA: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd]")


async def post_httapi_hotdesk(request: web.Request, actor: Actor) -> web.StreamResponse:
    """The next document of the dialogue; an empty text when the call is over (`exiting`)."""
    form = await _form(request)
    if form.get("exiting", "") == "true":
        return web.Response(text="")
    is_first = "dialog" not in request.query
    step = 0 if is_first else _step(request.query.get("step", ""))
    try:
        answer = await (_begin(request, actor, form) if is_first else _go_on(request, actor, form, step=step))
    except (Conflict, NotFound, TooManyAttempts, Unavailable) as error:
        log.warning("httapi: a hotdesk call was refused", why=error.type)
        answer = Answer("", "error", play=(APOLOGY,), lang=prompt_language(request.query.get("lang", "")))
    return _document(answer, _own_url(request, form), step=step + 1, is_first=is_first)


async def get_httapi_hotdesk(request: web.Request, actor: Actor) -> web.StreamResponse:  # noqa: ARG001 - refuses everybody
    """Refused: what callers type would stand in the address, and so in logs."""
    answer = problem(
        405,
        slug="method-not-allowed",
        title="This address does not take this method",
        detail="With GET the caller's PIN would stand in the address and in logs. Set the method of mod_httapi to POST: "
        "{url=…,method=post} in the dialplan, or the parameter `method` of its profile.",
    )
    answer.headers["Allow"] = "POST"
    return answer


async def _begin(request: web.Request, actor: Actor, form: Form) -> Answer:
    return await begin(
        request.config_dict[CONTEXT],
        actor,
        call_id=f"httapi {_field(form, 'session_id')}",
        account=_field(form, "Caller-Username"),
        dialled=_field(form, "Caller-Destination-Number"),
        lang=request.query.get("lang", ""),
    )


async def _go_on(request: web.Request, actor: Actor, form: Form, *, step: int) -> Answer:
    """What was collected stands in the field that the question named; nothing there: nothing was typed."""
    name = request.query.get("ask", "")
    is_invalid = form.get("input_type", "") == "invalid"
    digits = "" if is_invalid else form.get(name, "")
    return await go_on(
        request.config_dict[CONTEXT],
        actor,
        session=request.query["dialog"],
        step=step,
        name=name,
        digits=digits,
        outcome="invalid" if is_invalid else "ok" if digits else "timeout",
    )


async def _form(request: web.Request) -> Form:
    if request.content_type != FORM:
        raise web.HTTPUnsupportedMediaType
    if (request.content_length or 0) > MAX_FORM:
        raise web.HTTPRequestEntityTooLarge(MAX_FORM, request.content_length or 0)
    fields = await request.clone(client_max_size=MAX_FORM).post()
    return {name: value for name, value in fields.items() if isinstance(value, str)}


def _field(form: Form, name: str) -> str:
    value = form.get(name, "")
    if not value:
        raise BadInput(
            f"The field {name} is missing; this address is for FreeSWITCH's mod_httapi.", field=name
        )
    return value


def _step(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 3):
        raise BadInput("The step is a small number.", field="step")
    return int(text)


def _own_url(request: web.Request, form: Form) -> str:
    """This address as FreeSWITCH knows it, perhaps through a proxy, without a query."""
    known = form.get("url", "")
    try:
        parts = urlsplit(known)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme in {"http", "https"} and parts.path == request.path and not _XML_DATA.search(known):
        return f"{parts.scheme}://{parts.netloc}{parts.path}"
    try:
        return str(request.url.with_query(None))
    except ValueError:
        raise BadInput("The request's Host is no address of this server.", field="url") from None


def _document(answer: Answer, url: str, *, step: int, is_first: bool) -> web.Response:
    work = E.work()
    if is_first:
        work.append(E.answer())
        work.append(E.pause(milliseconds="300"))
    plain = answer.play if answer.collect is None else answer.play[:-1]
    work.extend(E.playback(file=_recording(answer, prompt)) for prompt in plain)
    if answer.collect is not None:
        work.append(_question(answer, answer.collect, url, step=step))
    else:
        work.append(E.hangup(cause="NORMAL_CLEARING"))
    body = etree.tostring(E.document(E.params(), work, type="xml/freeswitch-httapi"), encoding="utf-8")
    return web.Response(
        body=body, content_type="text/xml", charset="utf-8", headers={"Cache-Control": "no-store"}
    )


def _question(answer: Answer, collect: Collect, url: str, *, step: int) -> etree._Element:
    following = urlencode({"dialog": answer.session, "step": step, "ask": collect.name})
    # asking again is the server's decision, so one loop
    return E.playback(
        E.bind(f"~\\d{{{collect.min},{collect.max}}}{collect.terminators}", strip=collect.terminators),
        {
            "name": collect.name,
            "file": _recording(answer, answer.play[-1]),
            "digit-timeout": str(collect.inter_timeout_ms),
            "input-timeout": str(collect.first_timeout_ms),
            "loops": "1",
            "action": f"{url}?{following}",
        },
    )


def _recording(answer: Answer, prompt: str) -> str:
    """Relative to the channel's sound_prefix: `nl/hotdesk-enter-pin.wav`."""
    return f"{answer.lang}/{prompt}.wav"
