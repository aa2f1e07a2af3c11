"""The dialogue of a PBX about a hotdesk code, and the single shot for registrars without media."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from provisioner.services.context import Actor
from provisioner.services.hotdesk.dialog import PROMPTS, Answer, begin, effects_of, go_on, single
from provisioner.services.seats.seating import Outcome, Result
from provisioner.web.identity import CONTEXT
from provisioner.web.pbx.bodies import read_document

PATH = "/pbx/v1/hotdesk/dialog"

Word = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f]*$")]
"""A name of the PBX's own."""
Digits = Annotated[str, Field(max_length=64, pattern=r"^[0-9*#+]*$", repr=False)]
"""May hold a PIN."""
CallId = Annotated[str, Field(min_length=1, max_length=190, pattern=r"^[^\x00-\x1f]*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class _Dialled(_Strict):
    """Who dialled what. The account that proved itself (`auth_user`) counts; `device` is good enough where they are the same."""

    dialled: Digits
    device: Word = ""
    auth_user: Word = ""
    pbx: Word = ""
    source: Word = ""

    @property
    def account(self) -> str:
        return (self.auth_user or self.device).removeprefix("sip:").partition("@")[0]


class NewDialog(_Dialled):
    """Step 0."""

    call_id: CallId
    step: Literal[0] = 0
    lang: Annotated[str, Field(max_length=20, pattern=r"^[A-Za-z0-9_-]*$")] = ""


class Collected(_Strict):
    """What was typed for the name that was asked for, or how that failed."""

    name: Literal["extension", "pin"]
    digits: Digits = ""
    outcome: Literal["ok", "timeout", "hangup", "invalid"] = "ok"


class NextStep(_Strict):
    """A further step; a repeated one gets the answer it got before."""

    step: Annotated[int, Field(ge=1, le=100)]
    input: Collected


class SingleShot(_Dialled):
    """One request, one result. With `call_id` a repetition changes nothing."""

    call_id: Annotated[str, Field(max_length=190, pattern=r"^[^\x00-\x1f]*$")] = ""


async def post_dialog(request: web.Request, actor: Actor) -> web.StreamResponse:
    """Begin a dialogue."""
    asked = await read_document(request, NewDialog)
    answer = await begin(
        request.config_dict[CONTEXT],
        actor,
        call_id=asked.call_id,
        account=asked.account,
        dialled=asked.dialled,
        lang=asked.lang,
    )
    return _json(dialog_document(answer))


async def post_step(request: web.Request, actor: Actor) -> web.StreamResponse:
    """Go on with a dialogue."""
    asked = await read_document(request, NextStep)
    answer = await go_on(
        request.config_dict[CONTEXT],
        actor,
        session=request.match_info["session"],
        step=asked.step,
        name=asked.input.name,
        digits=asked.input.digits,
        outcome=asked.input.outcome,
    )
    return _json(dialog_document(answer))


async def post_single(request: web.Request, actor: Actor) -> web.StreamResponse:
    """Do at once what was dialled."""
    asked = await read_document(request, SingleShot)
    outcome = await single(
        request.config_dict[CONTEXT],
        actor,
        account=asked.account,
        dialled=asked.dialled,
        call_id=asked.call_id,
    )
    return _json(outcome_document(outcome))


def dialog_document(answer: Answer) -> dict[str, Any]:
    """An answer as a PBX reads it: members that say nothing are left out, the order is always the same."""
    document: dict[str, Any] = {"session": answer.session, "state": answer.state}
    if answer.result:
        document["result"] = answer.result
    document |= {"play": list(answer.play), "lang": answer.lang}
    if answer.collect is not None:
        document["collect"] = asdict(answer.collect)
        document["next"] = f"{PATH}/{answer.session}"
    if answer.retry_after:
        document["retry_after"] = answer.retry_after
    if answer.effects is not None:
        document["effects"] = asdict(answer.effects)
    document["hangup"] = answer.hangup
    return document


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """The result of a single shot."""
    document: dict[str, Any] = {
        "state": "done",
        "result": outcome.result.value,
        "play": [PROMPTS[outcome.result]],
    }
    if outcome.retry_after:
        document["retry_after"] = outcome.retry_after
    if outcome.result in {Result.LOGGED_IN, Result.LOGGED_OUT, Result.SWITCHED}:
        document["effects"] = asdict(effects_of(outcome))
    return document


def _json(document: dict[str, Any]) -> web.Response:
    return web.json_response(document, headers={"Cache-Control": "no-store"})
