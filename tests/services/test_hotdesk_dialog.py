"""Dialogues with a PBX about hotdesk codes (R3.5–R3.7)."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from provisioner.access.permissions import Role
from provisioner.clock import SteppedClock
from provisioner.errors import BadInput, Conflict, NotFound, TooManyAttempts
from provisioner.model import Device, HotdeskDialog, Tenant
from provisioner.services.context import SYSTEM, Actor
from provisioner.services.devices.device_settings import put_settings
from provisioner.services.hotdesk import dialog as hotdesk_dialog
from provisioner.services.hotdesk import pins as hotdesk_pins
from provisioner.services.hotdesk.dialog import Answer, begin, go_on, single
from provisioner.services.hotdesk.prompts import load_prompts
from provisioner.services.hotdesk.sessions import Result
from tests.services.hotdesks import ANNA_PIN, BEN_PIN, WRONG_PIN, Office, line_of, office, quick_answers

__all__ = ["office", "quick_answers"]

TEXTS = frozenset(load_prompts())


class Pbx:
    """A PBX that asks about one device."""

    def __init__(self, office: Office, device: Device) -> None:
        self.office, self.context, self.device = office, office.context, device
        self.actor = Actor(name="pbx", role=Role.PBX, tenant_id=office.tenant.id)

    async def account(self) -> str:
        return (await line_of(self.context, self.device)).account

    async def dial(self, dialled: str, *, call_id: str = "call-1", lang: str = "nl") -> Answer:
        return await begin(
            self.context,
            self.actor,
            call_id=call_id,
            account=await self.account(),
            dialled=dialled,
            lang=lang,
        )

    async def type(
        self, answer: Answer, digits: str, *, step: int, outcome: str = "ok", name: str = ""
    ) -> Answer:
        asked = name or (answer.collect.name if answer.collect else "")
        return await go_on(
            self.context,
            self.actor,
            session=answer.session,
            step=step,
            name=asked,
            digits=digits,
            outcome=outcome,
        )

    async def shoot(self, dialled: str, **fields: Any) -> Result:
        done = await single(self.context, self.actor, account=await self.account(), dialled=dialled, **fields)
        return done.result


@pytest.fixture
def pbx(office: Office) -> Pbx:
    return Pbx(office, office.left)


async def test_the_bare_code_asks_for_extension_and_pin_and_logs_in(pbx: Pbx, office: Office) -> None:
    """R3.5."""
    first = await pbx.dial("*35")
    assert (first.state, first.play, first.lang) == ("collect", ("hotdesk-enter-extension",), "nl")
    assert first.collect is not None
    assert (first.collect.name, first.collect.secret, first.collect.max) == ("extension", False, 6)
    second = await pbx.type(first, "101", step=1)
    assert second.collect is not None
    assert (second.play, second.collect.name, second.collect.secret) == (("hotdesk-enter-pin",), "pin", True)
    done = await pbx.type(second, ANNA_PIN, step=2)
    assert (done.state, done.result, done.play, done.hangup) == (
        "done",
        "logged_in",
        ("hotdesk-logged-in",),
        True,
    )
    assert done.effects is not None
    assert (done.effects.device, done.effects.user) == (f"d_{office.left.id}", f"u_{office.anna.id}")
    assert done.effects.resync == (f"d_{office.left.id}",)
    assert await office.sitting(office.left) == office.anna.id


async def test_the_bare_code_logs_out_who_is_logged_in(pbx: Pbx, office: Office) -> None:
    await office.anna_enters(office.left)
    done = await pbx.dial("*35")
    assert (done.result, done.play) == ("logged_out", ("hotdesk-logged-out",))
    assert await office.sitting(office.left) is None
    assert await office.endings() == ["logout"]


async def test_the_code_with_another_extension_switches_after_the_pin(pbx: Pbx, office: Office) -> None:
    """R3.6."""
    await office.anna_enters(office.left)
    asked = await pbx.dial("*35*102")
    assert asked.play == ("hotdesk-enter-pin",)
    done = await pbx.type(asked, BEN_PIN, step=1)
    assert (done.result, done.play) == ("switched", ("hotdesk-switched",))
    assert await office.sitting(office.left) == office.ben.id


@pytest.mark.parametrize("dialled", ["*35*101", f"*35*101*{ANNA_PIN}", f"*35*101*{WRONG_PIN}#"])
async def test_the_code_of_who_sits_there_logs_out(pbx: Pbx, office: Office, dialled: str) -> None:
    await office.anna_enters(office.left)
    assert (await pbx.dial(dialled)).result == "logged_out"


async def test_a_full_code_needs_no_question(pbx: Pbx, office: Office) -> None:
    assert (await pbx.dial(f"*35*101*{ANNA_PIN}")).result == "logged_in"
    assert (await pbx.dial(f"*35*102*{BEN_PIN}", call_id="call-2")).result == "switched"
    assert await office.sitting(office.left) == office.ben.id


async def test_a_repeated_step_gets_the_same_answer_and_changes_nothing(pbx: Pbx, office: Office) -> None:
    first = await pbx.dial("*35")
    assert await pbx.dial("*35") == first
    second = await pbx.type(first, "101", step=1)
    assert await pbx.type(first, "101", step=1) == second
    wrong = await pbx.type(second, WRONG_PIN, step=2)
    assert wrong.result == "denied_pin"
    for _ in range(3):
        assert await pbx.type(second, WRONG_PIN, step=2) == wrong
    assert await office.failures() == 1
    assert await pbx.dial("*35") == first  # the oldest step too


async def test_a_repeated_login_does_not_log_out_again(pbx: Pbx, office: Office) -> None:
    code = f"*35*101*{ANNA_PIN}"
    done = await pbx.dial(code)
    await office.remember()
    assert await pbx.dial(code) == done
    assert await office.changed() == set()
    assert await pbx.shoot(f"*35*102*{BEN_PIN}", call_id="call-9") is Result.SWITCHED
    assert await pbx.shoot(f"*35*102*{BEN_PIN}", call_id="call-9") is Result.SWITCHED
    assert await office.sitting(office.left) == office.ben.id


async def test_the_same_step_twice_at_once_is_done_once(pbx: Pbx, office: Office) -> None:
    asked = await pbx.dial("*35*101")
    answers = await asyncio.gather(*(pbx.type(asked, ANNA_PIN, step=1) for _ in range(4)))
    assert len(set(answers)) == 1
    assert len(await office.events("hotdesk_login")) == 1


async def test_wrong_extension_and_wrong_pin_sound_alike(pbx: Pbx) -> None:
    answers = []
    for number, extension in enumerate(("101", "999")):
        asked = await pbx.dial(f"*35*{extension}", call_id=f"call-{number}")
        answers.append(replace(await pbx.type(asked, WRONG_PIN, step=1), session=""))
    assert answers[0] == answers[1]
    assert (answers[0].result, answers[0].play) == ("denied_pin", ("hotdesk-denied",))


async def test_after_five_wrong_pins_the_prompt_says_locked(pbx: Pbx, office: Office) -> None:
    """R3.8."""
    for number in range(5):
        await pbx.dial(f"*35*101*{WRONG_PIN}", call_id=f"wrong-{number}")
    for number, dialled in enumerate(("*35", "*35*101", f"*35*101*{ANNA_PIN}", "*35*102")):
        locked = await pbx.dial(dialled, call_id=f"locked-{number}")
        assert (locked.result, locked.play) == ("locked", ("hotdesk-locked",))
        assert 0 < locked.retry_after <= 900
    assert await office.failures() == 5


async def test_logging_out_is_possible_while_pins_are_locked(pbx: Pbx, office: Office) -> None:
    await office.anna_enters(office.left)
    for _ in range(5):
        await office.enter(office.left, "102", WRONG_PIN)
    assert (await pbx.dial("*35*102")).result == "locked"
    assert (await pbx.dial("*35", call_id="call-2")).result == "logged_out"


async def test_silence_and_nonsense_are_asked_again_twice(pbx: Pbx) -> None:
    answer = await pbx.dial("*35")
    for step, (digits, outcome) in enumerate([("", "timeout"), ("1", "ok")], start=1):
        answer = await pbx.type(answer, digits, step=step, outcome=outcome)
        assert answer.play == ("hotdesk-enter-extension",)
    answer = await pbx.type(answer, "", step=3, outcome="invalid")
    assert (answer.state, answer.play, answer.hangup) == ("error", ("hotdesk-try-later",), True)


async def test_a_try_for_the_pin_keeps_the_extension(pbx: Pbx) -> None:
    asked = await pbx.dial("*35*101")
    again = await pbx.type(asked, "12", step=1)
    assert again.play == ("hotdesk-enter-pin",)
    assert (await pbx.type(again, ANNA_PIN, step=2)).result == "logged_in"


async def test_hanging_up_ends_the_dialogue_without_a_result(pbx: Pbx, office: Office) -> None:
    asked = await pbx.dial("*35*101")
    done = await pbx.type(asked, "", step=1, outcome="hangup")
    assert (done.state, done.result, done.play) == ("done", "", ())
    with pytest.raises(Conflict):
        await pbx.type(asked, ANNA_PIN, step=2)
    assert await office.sitting(office.left) is None


async def test_steps_come_in_order_and_answer_what_was_asked(pbx: Pbx) -> None:
    asked = await pbx.dial("*35")
    with pytest.raises(Conflict, match="last step of this dialogue was 0"):
        await pbx.type(asked, "101", step=2)
    with pytest.raises(BadInput, match="waits for “extension”"):
        await pbx.type(asked, ANNA_PIN, step=1, name="pin")


async def test_a_dialogue_dies_after_a_minute(pbx: Pbx, clock: SteppedClock) -> None:
    asked = await pbx.dial("*35*101")
    clock.advance(timedelta(seconds=61))
    with pytest.raises(NotFound):
        await pbx.type(asked, ANNA_PIN, step=1)
    anew = await pbx.dial("*35*101")  # a PBX may use a call id again after a restart
    assert anew.session != asked.session


async def test_dialogues_are_bounded(pbx: Pbx, monkeypatch: pytest.MonkeyPatch, clock: SteppedClock) -> None:
    monkeypatch.setattr(hotdesk_dialog, "MOST_DIALOGS", 3)
    for number in range(3):
        await pbx.dial("*35", call_id=f"call-{number}")
    with pytest.raises(TooManyAttempts):
        await pbx.dial("*35", call_id="call-3")
    assert (await pbx.dial("*35", call_id="call-2")).state == "collect"  # a repetition is no new one
    clock.advance(timedelta(seconds=61))
    await pbx.dial("*35", call_id="call-4")
    assert len(await pbx.office.rows(HotdeskDialog)) == 1


@pytest.mark.parametrize("dialled", ["", "112", "*36", "*35*1", "*35*101*12"])
async def test_what_is_no_hotdesk_code_is_refused(pbx: Pbx, dialled: str) -> None:
    with pytest.raises(BadInput, match=r"begin with \*35"):
        await pbx.dial(dialled)
    with pytest.raises(BadInput):
        await pbx.shoot(dialled)


async def test_the_code_is_the_tenants(pbx: Pbx, office: Office) -> None:
    await put_settings(
        office.context, SYSTEM, tenant_id=office.tenant.id, scope="tenant", values={"hotdesk_code": "*77"}
    )
    assert (await pbx.dial(f"*77*101*{ANNA_PIN}")).result == "logged_in"
    with pytest.raises(BadInput):
        await pbx.dial("*35", call_id="call-2")


async def test_an_unknown_account_and_another_tenants_say_the_same(pbx: Pbx, other_tenant: Tenant) -> None:
    stranger = Actor(name="pbx", role=Role.PBX, tenant_id=other_tenant.id)
    for actor, account in (
        (pbx.actor, "nobody"),
        (pbx.actor, "\x00"),
        (stranger, await pbx.account()),
    ):
        done = await begin(pbx.context, actor, call_id="c", account=account, dialled="*35")
        assert (done.result, done.play, done.session) == ("unknown_device", ("hotdesk-not-allowed",), "")
        outcome = await single(pbx.context, actor, account=account, dialled="*35")
        assert outcome.result is Result.UNKNOWN_DEVICE
    asked = await pbx.dial("*35")
    with pytest.raises(NotFound):
        await go_on(
            pbx.context, stranger, session=asked.session, step=1, name="extension", digits="101", outcome="ok"
        )


@pytest.mark.parametrize("session", ["", "h_none", "h_\x00", "h_\udcff", "x" * 5_000])
async def test_a_dialogue_that_never_was_is_not_there(pbx: Pbx, session: str) -> None:
    with pytest.raises(NotFound):
        await go_on(
            pbx.context, pbx.actor, session=session, step=1, name="extension", digits="101", outcome="ok"
        )


async def test_a_device_without_the_right_says_so(office: Office) -> None:
    done = await Pbx(office, office.ordinary).dial("*35")
    assert (done.result, done.play) == ("denied_device", ("hotdesk-not-allowed",))


async def test_a_single_shot_does_what_needs_no_question(pbx: Pbx, office: Office) -> None:
    assert await pbx.shoot("*35") is Result.DENIED
    assert await pbx.shoot("*35*101") is Result.DENIED
    assert await office.failures() == 0
    assert await pbx.shoot(f"*35*101*{ANNA_PIN}") is Result.LOGGED_IN
    assert await pbx.shoot(f"*35*102*{BEN_PIN}") is Result.SWITCHED
    assert await pbx.shoot("*35") is Result.LOGGED_OUT


async def test_what_was_typed_lies_nowhere_in_clear(pbx: Pbx, office: Office) -> None:
    """The PIN typed where the extension was asked for, while the dialogue is under way."""
    asked = await pbx.dial("*35")
    await pbx.type(asked, "739105", step=1)
    async with office.context.store.read() as session:
        rows = (await session.execute(text("SELECT * FROM hotdesk_dialogs"))).all()
    assert rows
    assert "739105" not in str(rows)


async def test_every_prompt_has_a_text(pbx: Pbx) -> None:
    asked = await pbx.dial("*35")
    names = {*asked.play, *hotdesk_dialog.PROMPTS.values(), "hotdesk-enter-pin", "hotdesk-try-later"}
    assert names <= TEXTS
    assert set(hotdesk_dialog.PROMPTS) == set(Result)


async def test_wrong_pins_are_answered_later_and_later(
    pbx: Pbx, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R3.8: slowed down, whether the extension exists or not."""
    monkeypatch.setattr(hotdesk_pins, "SLOWER", 0.25)
    pauses: list[float] = []

    async def note(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", note)
    for number, extension in enumerate(("101", "999", "101")):
        await pbx.dial(f"*35*{extension}*{WRONG_PIN}", call_id=f"call-{number}")
    monkeypatch.undo()
    assert pauses == [0.25, 0.5, 0.75]
