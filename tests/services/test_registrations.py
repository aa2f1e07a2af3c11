import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from provisioner.access.permissions import Role
from provisioner.errors import Unavailable
from provisioner.model import Binding, Tenant
from provisioner.services.context import SYSTEM, Actor
from provisioner.services.devices.enrolment import remove_device, reveal
from provisioner.services.operation.installation import open_context
from provisioner.services.registrations import ticks as registrations
from provisioner.services.registrations.hints import take_hint
from provisioner.services.registrations.ticks import (
    Contact,
    ExpiryTimer,
    RegistrationQueue,
    apply_events,
    expire_due,
    reconcile,
    states_of,
)
from tests.services.lines import PHONE, Line, line
from tests.services.places import device_of

__all__ = ["line"]


async def test_a_phone_registers_refreshes_and_signs_off(line: Line) -> None:
    assert await line.state() == "never"
    await line.hear(line.event("register", 0, cseq=1, user_agent="snomD785/10.1"))
    row = await line.row()
    assert row is not None
    assert (row.state, row.since, row.until, row.reason) == (
        "registered",
        line.start,
        line.start + timedelta(seconds=300),
        "snomD785/10.1",
    )
    await line.hear(line.event("refresh", 150, cseq=2))
    row = await line.row()
    assert row is not None
    assert (row.since, row.until) == (line.start, line.start + timedelta(seconds=450))
    line.clock.advance(timedelta(seconds=200))
    await line.hear(line.event("unregister", 200, cseq=3))
    row = await line.row()
    assert row is not None
    assert (row.state, row.since, row.until) == ("unregistered", line.start + timedelta(seconds=200), None)
    assert "signed off" in row.reason


async def test_a_late_refresh_does_not_bring_a_phone_back(line: Line) -> None:
    await line.hear(line.event("register", 0, cseq=1), line.event("unregister", 20, cseq=3))
    await line.hear(line.event("refresh", 10, cseq=2))
    assert await line.state() == "unregistered"


async def test_within_a_second_the_count_of_the_call_says_what_is_newer(line: Line) -> None:
    await line.hear(line.event("unregister", 5, cseq=9), line.event("register", 5, cseq=8))
    assert await line.state() == "unregistered"


async def test_a_phone_that_signs_off_and_on_within_a_second_is_registered(line: Line) -> None:
    off, on = line.event("unregister", 5, cseq=9), line.event("register", 5, cseq=1, call_id="call-b")
    await line.hear(on, off)
    assert await line.state() == "registered"


async def test_a_call_that_counts_anew_after_a_restart_is_believed(line: Line) -> None:
    await line.hear(line.event("register", 0, cseq=500))
    await line.hear(line.event("register", 120, cseq=1, contact="sip:d1@192.0.2.9"))
    await line.hear(line.event("unregister", 130, cseq=2, contact=PHONE))
    await line.hear(line.event("unregister", 130, cseq=2, contact="sip:d1@192.0.2.9"))
    assert await line.state() == "unregistered"


async def test_a_refused_password_shows_but_never_clears_a_tick(line: Line) -> None:
    await line.hear(line.event("auth-failed", 0, source="203.0.113.9:5060"))
    row = await line.row()
    assert row is not None
    assert (row.state, "refused the SIP password" in row.reason, "203.0.113.9" in row.reason) == (
        "failed",
        True,
        True,
    )
    await line.hear(line.event("register", 1), line.event("auth-failed", 2))
    assert await line.state() == "registered"
    await line.hear(line.event("unregister", 3, cseq=4), line.event("auth-failed", 4))
    assert await line.state() == "failed"


async def test_the_whole_list_of_contacts_replaces_what_was_known(line: Line) -> None:
    end = line.start + timedelta(seconds=300)
    await line.hear(
        line.event("register", 0, contacts=(Contact(PHONE, end), Contact("sip:d1@192.0.2.8", end)))
    )
    await line.hear(line.event("unregister", 5, cseq=2, contacts=(Contact("sip:d1@192.0.2.8", end),)))
    assert await line.state() == "registered"
    await line.hear(line.event("unregister", 6, call_id="call-b", contact="sip:d1@192.0.2.8", contacts=()))
    assert await line.state() == "unregistered"


async def test_a_star_signs_all_contacts_off(line: Line) -> None:
    await line.hear(
        line.event("register", 0, cseq=1), line.event("register", 1, contact="sip:other@x", call_id="call-b")
    )
    await line.hear(line.event("unregister", 5, cseq=2, contact="*"))
    assert await line.state() == "unregistered"


async def test_spellings_of_a_contact_are_one_contact(line: Line) -> None:
    await line.hear(line.event("register", 0, cseq=1, contact=f'"Ann" <{PHONE}>;expires=300'))
    await line.hear(line.event("unregister", 5, cseq=2, contact=PHONE))
    assert await line.state() == "unregistered"


async def test_unknown_accounts_and_foreign_tenants_are_ignored(line: Line, other_tenant: Tenant) -> None:
    """T27: a token of one tenant cannot turn another tenant's tick."""
    assert await apply_events(line.context, [replace(line.event("register", 0), account="nobody")]) == 0
    assert (
        await apply_events(line.context, [replace(line.event("register", 0), tenant_id=other_tenant.id)]) == 0
    )
    assert await line.state() == "never"


async def test_a_registration_ends_to_the_second_after_its_grace(line: Line) -> None:
    await line.hear(line.event("register", 0))
    grace = line.context.settings.registration_grace
    line.clock.advance(timedelta(seconds=300 + grace - 1))
    assert await expire_due(line.context) == 0
    line.clock.advance(timedelta(seconds=1))
    assert await expire_due(line.context) == 1
    row = await line.row()
    assert row is not None
    assert (row.state, row.since, row.until) == ("expired", line.start + timedelta(seconds=300), None)


async def test_an_event_after_the_end_agrees_with_the_timer(line: Line) -> None:
    await line.hear(line.event("register", 0))
    line.clock.advance(timedelta(seconds=400))
    await expire_due(line.context)
    before = await line.row()
    await line.hear(line.event("register", 0))
    after = await line.row()
    assert before is not None
    assert after is not None
    assert (after.state, after.since, after.reason) == (before.state, before.since, before.reason)


async def test_after_a_restart_the_stored_end_still_counts(line: Line) -> None:
    await line.hear(line.event("register", 0))
    line.clock.advance(timedelta(hours=3))
    restarted = await open_context(line.context.settings, store=line.context.store, clock=line.clock)
    timer = asyncio.create_task(ExpiryTimer(restarted).run())
    try:
        async with asyncio.timeout(5):
            while await line.state() != "expired":  # noqa: ASYNC110 - what is waited for is a stored fact
                await asyncio.sleep(0.005)
    finally:
        timer.cancel()
        await asyncio.gather(timer, return_exceptions=True)


async def test_the_timer_waits_for_the_next_end_and_is_woken_for_a_nearer_one(line: Line) -> None:
    timer = ExpiryTimer(line.context)
    assert await timer._seconds_to_next() == 60.0
    await line.hear(line.event("register", 0, expires_at=line.start + timedelta(seconds=5)))
    assert await timer._seconds_to_next() == 5.0 + line.context.settings.registration_grace


async def test_a_full_state_takes_ticks_away_and_gives_them(line: Line, tenant: Tenant) -> None:
    lost = line.account
    await line.hear(line.event("register", 0))
    second = await device_of(line.context, tenant, 2)
    new = second.lines[0].account
    end = line.start + timedelta(seconds=600)
    changed = await reconcile(
        line.context,
        SYSTEM,
        at=line.start + timedelta(seconds=60),
        contacts={new: [Contact("sip:x@192.0.2.3", end)]},
    )
    assert changed == 2
    assert await line.state() == "unregistered"
    row = await line.row()
    assert row is not None
    assert "no longer lists" in row.reason
    assert (await states_of(line.context, SYSTEM, device_ids=[second.id]))[second.id].state == "registered"
    assert lost != new


async def test_what_happened_after_the_full_state_was_taken_wins(line: Line) -> None:
    await line.hear(line.event("register", 10, call_id="call-b"))
    await reconcile(line.context, SYSTEM, at=line.start + timedelta(seconds=5), contacts={})
    assert await line.state() == "registered"


async def test_a_full_state_of_one_tenant_leaves_the_others_alone(line: Line, other_tenant: Tenant) -> None:
    """T27."""
    await line.hear(line.event("register", 0))
    foreign = Actor(name="pbx", role=Role.PBX, tenant_id=other_tenant.id)
    assert (
        await reconcile(
            line.context, foreign, at=line.start + timedelta(seconds=60), contacts={line.account: []}
        )
        == 0
    )
    assert await line.state() == "registered"
    assert await states_of(line.context, foreign, device_ids=[line.device_id]) == {}


async def test_words_that_cannot_matter_any_more_are_forgotten(line: Line) -> None:
    for second in range(20):
        await line.hear(
            line.event(
                "register",
                second,
                call_id=f"call-{second}",
                contacts=(Contact(PHONE, line.start + timedelta(days=2)),),
            )
        )
    line.clock.advance(timedelta(hours=2))
    await line.hear(
        line.event(
            "refresh",
            7200,
            call_id="call-19",
            cseq=1,
            contacts=(Contact(PHONE, line.start + timedelta(days=2)),),
        )
    )
    async with line.context.store.read() as session:
        words = (await session.execute(select(Binding))).scalars().all()
    assert {word.call_id for word in words} == {"call-19"}
    assert await line.state() == "registered"


async def test_a_hint_fills_in_and_never_overrules_the_registrar(line: Line) -> None:
    async def hint(event: str) -> None:
        from provisioner.services.devices.enrolment import get_device

        device = await get_device(line.context, SYSTEM, device_id=line.device_id)
        assert (
            await take_hint(line.context, token=reveal(line.context, device, "action_token"), event=event)
            is not None
        )

    await hint("registered")
    row = await line.row()
    assert row is not None
    assert (row.state, row.source) == ("registered", "phone")
    await hint("unregistered")
    assert await line.state() == "unregistered"
    await line.hear(line.event("register", 0))
    await hint("unregistered")
    await hint("failed")
    row = await line.row()
    assert row is not None
    assert (row.state, row.source) == ("registered", "registrar")


async def test_a_hint_with_a_wrong_token_or_word_is_nothing(line: Line) -> None:
    assert await take_hint(line.context, token="guess", event="registered") is None
    assert await take_hint(line.context, token="\udcff", event="registered") is None
    assert await line.state() == "never"


async def test_a_phones_own_word_ends_by_itself(line: Line) -> None:
    from provisioner.services.devices.enrolment import get_device

    device = await get_device(line.context, SYSTEM, device_id=line.device_id)
    await take_hint(line.context, token=reveal(line.context, device, "action_token"), event="registered")
    line.clock.advance(timedelta(hours=2, minutes=1))
    assert await expire_due(line.context) == 1


async def test_the_queue_applies_in_order_and_says_when_it_is_done(line: Line) -> None:
    woken: list[int] = []
    queue = RegistrationQueue(line.context, lambda: woken.append(1))
    queue.put([line.event("register", 0, cseq=1), line.event("unregister", 1, cseq=2)])
    running = asyncio.create_task(queue.run())
    await asyncio.wait_for(queue.drained(), 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await line.state() == "unregistered"
    assert (queue.applied, woken) == (2, [1])


async def test_a_full_queue_sends_the_registrar_away(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """T26: memory is bounded, and nothing is lost silently."""
    monkeypatch.setattr(registrations, "CAPACITY", 1)
    queue = RegistrationQueue(line.context, lambda: None)
    with pytest.raises(Unavailable):
        queue.put([line.event("register", 0), line.event("refresh", 1)])
    queue.put([line.event("register", 0)])
    await queue.flush()
    assert await line.state() == "registered"


async def test_an_event_no_database_can_take_does_not_hold_up_the_others(line: Line) -> None:
    queue = RegistrationQueue(line.context, lambda: None)
    queue.put(
        [
            line.event("register", 0, user_agent="half \ud800 of a character"),
            line.event("register", 1, cseq=2, call_id="call-b"),
        ]
    )
    await queue.flush()
    assert await line.state() == "registered"
    assert queue.left_out == 1


async def test_a_device_that_was_removed_takes_its_words_along(line: Line) -> None:
    await line.hear(line.event("register", 0))
    await remove_device(line.context, SYSTEM, device_id=line.device_id)
    async with line.context.store.read() as session:
        assert (await session.execute(select(Binding))).scalars().all() == []
    assert await apply_events(line.context, [line.event("refresh", 5)]) == 0


async def test_a_listed_contact_without_a_uri_is_no_contact(line: Line) -> None:
    await line.hear(line.event("register", 0, cseq=1))
    empty = tuple(
        Contact(uri, line.start + timedelta(seconds=300)) for uri in ("", "<>", ";expires=300", "!")
    )
    await line.hear(line.event("unregister", 5, cseq=2, contacts=empty))
    assert await line.state() == "unregistered"
