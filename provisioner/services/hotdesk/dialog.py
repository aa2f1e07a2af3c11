"""Hotdesk codes dialled at a PBX: a dialogue with prompts, or one shot for registrars without media (R3.5–R3.7).

Every step is answered once: the same step of the same call gets the same answer again and changes nothing, for a PBX
repeats what it did not hear. What is being asked lies in the database, so any node can go on; never a PIN.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.access.pins import subject_of
from provisioner.access.tokens import new_url_token
from provisioner.calling.dial_machine import Dialled, Place, Step, next_step, parse
from provisioner.errors import BadInput, Conflict, NotFound, TooManyAttempts
from provisioner.model import Device, HotdeskDialog, InternalNumber, Line
from provisioner.model.text import is_plain
from provisioner.services.context import Actor, Context
from provisioner.services.hotdesk.pins import Attempt, attempt, lock_of, pin_key
from provisioner.services.hotdesk.prompts import prompt_language
from provisioner.services.hotdesk.running_calls import check_call_id, line_of_account
from provisioner.services.hotdesk.sessions import hotdesk_code
from provisioner.services.seats.seating import Outcome, Result, stand

LIFE = timedelta(seconds=60)
"""Without input a dialogue is over after so long."""
MOST_DIALOGS = 1_000
"""Of one tenant at a time."""
RETRIES = 2
"""So often is asked again after silence or nonsense."""

PROMPTS: Mapping[Result, str] = {
    Result.LOGGED_IN: "hotdesk-logged-in",
    Result.LOGGED_OUT: "hotdesk-logged-out",
    Result.SWITCHED: "hotdesk-switched",
    Result.DENIED: "hotdesk-denied",
    Result.DENIED_DEVICE: "hotdesk-not-allowed",
    Result.LOCKED: "hotdesk-locked",
    Result.UNKNOWN_DEVICE: "hotdesk-not-allowed",
    Result.BUSY: "hotdesk-try-later",
}


@dataclass(frozen=True, slots=True)
class Collect:
    """What the PBX should collect: digits ended by one of `terminators`, of which there are `min` to `max`."""

    name: str
    max: int
    min: int
    secret: bool
    terminators: str = "#"
    first_timeout_ms: int = 8_000
    inter_timeout_ms: int = 3_000
    retries: int = RETRIES


@dataclass(frozen=True, slots=True)
class Effects:
    """What a login or logout did, as ids with a letter in front; empty where nothing."""

    device: str = ""
    user: str = ""
    logged_out_device: str = ""
    resync: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the PBX does next. `state`: collect, done or error; `result` is empty until something was decided; `play` names prompts."""

    session: str
    state: str
    play: tuple[str, ...] = ()
    collect: Collect | None = None
    result: str = ""
    lang: str = "en"
    hangup: bool = False
    effects: Effects | None = None
    retry_after: int = 0


EXTENSION = Collect(name="extension", max=6, min=2, secret=False)
PIN = Collect(name="pin", max=10, min=4, secret=True)


async def single(
    context: Context,
    actor: Actor,
    *,
    account: str,
    dialled: str,
    origin: str = "code",
    call_id: str = "",
) -> Outcome:
    """What dialling this at once does; what would have to be asked for is denied. With `call_id` a repetition changes nothing.

    BadInput when it is no hotdesk code of the tenant.
    """
    async with context.store.change() as session:
        line = await line_of_account(session, actor, account)
        if line is None:
            return Outcome(Result.UNKNOWN_DEVICE)
        known = await _known(session, context, line, f"1 {call_id}") if call_id else None
        if known is not None:
            return _outcome(known.answer["0"])
        step, code = await _first_step(session, context, line=line, dialled=dialled)
        done = await _decide(session, context, actor, line=line, step=step, code=code, origin=origin)
        done = done or Attempt(Outcome(Result.DENIED, line.device_id))
        if call_id:
            row = _new_row(context, line, f"1 {call_id}")
            row.answer = {"0": asdict(done.outcome)}
            session.add(row)
    await asyncio.sleep(done.pause)
    return done.outcome


async def begin(
    context: Context, actor: Actor, *, call_id: str, account: str, dialled: str, lang: str = ""
) -> Answer:
    """Step 0: a device account dialled a hotdesk code. BadInput when it is none of the tenant's."""
    check_call_id(call_id)
    language = prompt_language(lang)
    async with context.store.change() as session:
        line = await line_of_account(session, actor, account)
        if line is None:
            return _done("", Outcome(Result.UNKNOWN_DEVICE), language)
        known = await _known(session, context, line, f"0 {call_id}")
        if known is not None:
            return _answer(known.answer["0"])
        step, code = await _first_step(session, context, line=line, dialled=dialled)
        done = await _decide(session, context, actor, line=line, step=step, code=code, origin="code")
        row = _new_row(context, line, f"0 {call_id}")
        row.state = {"lang": language}
        answer = (
            _done(row.session, done.outcome, language)
            if done
            else _ask(context, row, code=code, prompts=(), tries=0)
        )
        row.answer = {"0": asdict(answer)}
        session.add(row)
    await asyncio.sleep(done.pause if done else 0)
    return answer


async def go_on(
    context: Context, actor: Actor, *, session: str, step: int, name: str, digits: str, outcome: str
) -> Answer:
    """A further step: what was collected for `name`, or how that failed (`outcome`: ok, timeout, hangup, invalid).

    NotFound for a dialogue that is over; Conflict for a step that is not the next; BadInput for another name than was asked.
    """
    async with context.store.change() as database:
        row = await _find_dialog(database, context, actor, session)
        known = row.answer.get(str(step))
        if known is not None:
            return _answer(known)
        if row.state.get("asked") is None or step != row.step + 1:
            raise Conflict(f"The last step of this dialogue was {row.step}.", field="step")
        if name != row.state["asked"]:
            raise BadInput(f"This dialogue waits for “{row.state['asked']}”.", field="input.name")
        answer, pause = await _take(database, context, actor, row=row, digits=digits, outcome=outcome)
        row.step, row.expires_at = step, context.clock() + LIFE
        row.answer = {**row.answer, str(step): asdict(answer)}
    await asyncio.sleep(pause)
    return answer


async def _take(
    session: AsyncSession,
    context: Context,
    actor: Actor,
    *,
    row: HotdeskDialog,
    digits: str,
    outcome: str,
) -> tuple[Answer, float]:
    """Use the input; gives back the answer and how long to wait with it."""
    state = dict(row.state)
    asked = EXTENSION if state["asked"] == EXTENSION.name else PIN
    is_fit = re.fullmatch(rf"[0-9]{{{asked.min},{asked.max}}}", digits, re.ASCII) is not None
    if outcome == "hangup":
        row.state = {}
        return Answer(row.session, "done", lang=state["lang"], hangup=True), 0.0
    extension = _opened(context, row)
    if outcome != "ok" or not is_fit:
        return _again(context, row, code=Dialled(extension)), 0.0
    code = Dialled(digits) if asked is EXTENSION else Dialled(extension, digits)
    line = await _line_of_dialog(session, row)
    step = await _step_for(session, context, line=line, code=code)
    if step is Step.LOG_OUT and code.pin:
        step = Step.LOG_IN  # somebody logged this user in meanwhile; nobody who gives a PIN wants out
    done = await _decide(session, context, actor, line=line, step=step, code=code, origin="code")
    if done is None:
        return _ask(context, row, code=code, prompts=(), tries=0), 0.0
    row.state = {}
    return _done(row.session, done.outcome, state["lang"]), done.pause


async def _first_step(
    session: AsyncSession, context: Context, *, line: Line, dialled: str
) -> tuple[Step, Dialled]:
    star = await hotdesk_code(session, context, line.tenant_id)
    code = parse(dialled, code=star)
    if code is None:
        raise BadInput(f"This is no hotdesk code; they begin with {star}.", field="dialled")
    return await _step_for(session, context, line=line, code=code), code


async def _step_for(session: AsyncSession, context: Context, *, line: Line, code: Dialled) -> Step:
    device = await session.get(Device, line.device_id)
    statement = (
        select(Line.user_id, InternalNumber.digits)
        .outerjoin(InternalNumber, InternalNumber.user_id == Line.user_id)
        .where(Line.device_id == line.device_id, Line.position == 1)
    )
    user_id, digits = (await session.execute(statement)).one()
    key = pin_key(context)
    subject = subject_of(key, tenant_id=line.tenant_id, extension=code.extension) if code.extension else ""
    lock = await lock_of(session, context, device_id=line.device_id, subject=subject)
    place = Place(
        is_known=device is not None,
        is_hotdesk=device is not None and device.is_hotdesk,
        extension=None if user_id is None else digits or "",
    )
    return next_step(place, code, is_locked=lock.until is not None)


async def _decide(
    session: AsyncSession,
    context: Context,
    actor: Actor,
    *,
    line: Line,
    step: Step,
    code: Dialled,
    origin: str,
) -> Attempt | None:
    """Carry the step out; None when something must be asked first."""
    if step in {Step.ASK_EXTENSION, Step.ASK_PIN}:
        return None
    if step is Step.DENY_DEVICE:
        return Attempt(Outcome(Result.DENIED_DEVICE, line.device_id))
    if step is Step.LOG_OUT:
        device = await session.get_one(Device, line.device_id)
        return Attempt(await stand(session, context, actor, device=device, ending="logout"))
    if step is Step.LOCKED and not code.extension:
        now = context.clock()
        lock = await lock_of(session, context, device_id=line.device_id, subject="")
        return Attempt(Outcome(Result.LOCKED, line.device_id, retry_after=lock.seconds(now)))
    return await attempt(
        session,
        context,
        actor,
        device_id=line.device_id,
        extension=code.extension,
        pin=code.pin,
        origin=origin,
    )


def _ask(
    context: Context, row: HotdeskDialog, *, code: Dialled, prompts: tuple[str, ...], tries: int
) -> Answer:
    """Ask for what is missing: the extension, else the PIN."""
    collect = PIN if code.extension else EXTENSION
    state: dict[str, Any] = {"lang": row.state["lang"], "asked": collect.name, "tries": tries}
    if code.extension:
        # what is typed as an extension by mistake may be a PIN: it is not kept in clear
        state["extension"] = context.keyring.seal(code.extension, purpose=_purpose(row))
    row.state = state
    return Answer(
        row.session,
        "collect",
        play=(*prompts, f"hotdesk-enter-{collect.name}"),
        collect=collect,
        lang=state["lang"],
    )


def _again(context: Context, row: HotdeskDialog, *, code: Dialled) -> Answer:
    tries = int(row.state["tries"]) + 1
    if tries > RETRIES:
        language, row.state = row.state["lang"], {}
        return Answer(row.session, "error", play=("hotdesk-try-later",), lang=language, hangup=True)
    return _ask(context, row, code=code, prompts=(), tries=tries)


def _done(session: str, outcome: Outcome, language: str) -> Answer:
    is_effective = outcome.result in {Result.LOGGED_IN, Result.LOGGED_OUT, Result.SWITCHED}
    return Answer(
        session,
        "done",
        play=(PROMPTS[outcome.result],),
        result=outcome.result.value,
        lang=language,
        hangup=True,
        effects=effects_of(outcome) if is_effective else None,
        retry_after=outcome.retry_after,
    )


def effects_of(outcome: Outcome) -> Effects:
    """The ids of an outcome as a PBX gets them."""
    device = f"d_{outcome.device_id}" if outcome.device_id else ""
    left = f"d_{outcome.logged_out_device_id}" if outcome.logged_out_device_id else ""
    return Effects(
        device=device,
        user=f"u_{outcome.user_id}" if outcome.user_id else "",
        logged_out_device=left,
        resync=tuple(dict.fromkeys(one for one in (device, left) if one and outcome.user_id)),
    )


async def _known(session: AsyncSession, context: Context, line: Line, call_id: str) -> HotdeskDialog | None:
    """What this call was answered already; forgets dialogues that are over, and refuses more than there may be."""
    mine = HotdeskDialog.tenant_id == line.tenant_id
    await session.execute(delete(HotdeskDialog).where(mine, HotdeskDialog.expires_at <= context.clock()))
    statement = select(HotdeskDialog).where(mine, HotdeskDialog.call_id == call_id)
    known = (await session.execute(statement)).scalar_one_or_none()
    count = select(func.count()).select_from(HotdeskDialog).where(mine)
    if known is None and (await session.execute(count)).scalar_one() >= MOST_DIALOGS:
        raise TooManyAttempts(
            f"{MOST_DIALOGS} hotdesk dialogues are under way already; try again in a moment.", retry_after=60
        )
    return known


def _new_row(context: Context, line: Line, call_id: str) -> HotdeskDialog:
    return HotdeskDialog(
        tenant_id=line.tenant_id,
        device_id=line.device_id,
        call_id=call_id,
        session=f"h_{new_url_token()}",
        step=0,
        state={},
        answer={},
        expires_at=context.clock() + LIFE,
    )


async def _find_dialog(session: AsyncSession, context: Context, actor: Actor, name: str) -> HotdeskDialog:
    statement = select(HotdeskDialog).where(HotdeskDialog.session == name[:48])
    if actor.tenant_id is not None:
        statement = statement.where(HotdeskDialog.tenant_id == actor.tenant_id)
    is_sane = is_plain(name)  # PostgreSQL takes no NUL in a text
    row = (await session.execute(statement)).scalar_one_or_none() if is_sane else None
    if row is None or row.expires_at <= context.clock():
        raise NotFound("There is no such dialogue, or it is over.")
    return row


async def _line_of_dialog(session: AsyncSession, row: HotdeskDialog) -> Line:
    statement = select(Line).where(Line.device_id == row.device_id, Line.position == 1)
    return (await session.execute(statement)).scalar_one()


def _opened(context: Context, row: HotdeskDialog) -> str:
    sealed = row.state.get("extension", "")
    return context.keyring.open(sealed, purpose=_purpose(row)) if sealed else ""


def _purpose(row: HotdeskDialog) -> str:
    return f"hotdesk.dialog:{row.session}"


def _answer(stored: dict[str, Any]) -> Answer:
    """An answer as it was given before, in the same order of members whatever the database made of it."""
    collect, effects = stored["collect"], stored["effects"]
    fields = {
        **stored,
        "play": tuple(stored["play"]),
        "collect": Collect(**collect) if collect else None,
        "effects": Effects(**{**effects, "resync": tuple(effects["resync"])}) if effects else None,
    }
    return Answer(**fields)


def _outcome(stored: dict[str, Any]) -> Outcome:
    return Outcome(**{**stored, "result": Result(stored["result"])})
