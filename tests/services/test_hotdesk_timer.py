"""Automatic logout (R3), running calls, and what is forgotten."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from provisioner.access.permissions import Role
from provisioner.clock import SteppedClock
from provisioner.errors import BadInput, TooManyAttempts
from provisioner.model import HotdeskDialog, HotdeskSession, PinFailure, RunningCall, Tenant
from provisioner.services.context import SYSTEM, Actor
from provisioner.services.devices.device_settings import put_settings
from provisioner.services.hotdesk import running_calls
from provisioner.services.hotdesk import timer as hotdesk_timer
from provisioner.services.hotdesk.dialog import begin
from provisioner.services.hotdesk.running_calls import note_call
from provisioner.services.hotdesk.sessions import log_out, seat_of
from provisioner.services.hotdesk.timer import HotdeskTimer, log_out_due, prune_hotdesk
from tests.services.hotdesks import WRONG_PIN, Office, line_of, office, quick_answers

__all__ = ["office", "quick_answers"]


async def choose(office: Office, *, scope: str = "tenant", ref: str = "", **values: Any) -> None:
    await put_settings(
        office.context, SYSTEM, tenant_id=office.tenant.id, scope=scope, ref=ref, values=values
    )


async def end_of(office: Office) -> datetime | None:
    return (await seat_of(office.context, device_id=office.left.id)).ends_at


async def call(office: Office, state: str, *, call_id: str = "call-1") -> bool:
    account = (await line_of(office.context, office.left)).account
    return await note_call(office.context, SYSTEM, account=account, call_id=call_id, state=state)


async def test_without_a_rule_nobody_is_logged_out(office: Office, clock: SteppedClock) -> None:
    await office.anna_enters(office.left)
    clock.advance(timedelta(days=30))
    assert await end_of(office) is None
    assert await log_out_due(office.context) == 0


async def test_after_the_hours_chosen_a_user_is_logged_out(office: Office, clock: SteppedClock) -> None:
    await choose(office, hotdesk_logout_after=8)
    await office.anna_enters(office.left)
    assert await end_of(office) == clock() + timedelta(hours=8)
    clock.advance(timedelta(hours=7, minutes=59))
    assert await log_out_due(office.context) == 0
    await office.remember()
    clock.advance(timedelta(minutes=1))
    assert await log_out_due(office.context) == 1
    assert await office.sitting(office.left) is None
    assert await office.endings() == ["time"]
    assert await office.changed() == {office.left.id}
    assert office.left.id in await office.asked()
    assert [detail["ending"] for _, detail in await office.events("hotdesk_logout")] == ["time"]


async def test_at_the_local_time_of_the_device(office: Office, clock: SteppedClock) -> None:
    await choose(office, hotdesk_logout_at="20:00", timezone="America/New_York")
    await choose(office, scope="device", ref=str(office.right.id), timezone="Asia/Tokyo")
    await office.anna_enters(office.left)
    await office.ben_enters(office.right)
    left = await end_of(office)
    right = (await seat_of(office.context, device_id=office.right.id)).ends_at
    assert left is not None
    assert right is not None
    assert left.astimezone(UTC).hour in {0, 1}  # with and without summer time
    assert right.astimezone(UTC).hour == 11
    assert clock() < min(left, right) <= max(left, right) <= clock() + timedelta(days=1, hours=1)


async def test_a_device_can_be_excepted(office: Office) -> None:
    await choose(office, hotdesk_logout_after=8)
    await choose(office, scope="device", ref=str(office.left.id), hotdesk_logout_after=None)
    await office.anna_enters(office.left)
    assert await end_of(office) is None


async def test_a_running_call_is_never_cut(office: Office, clock: SteppedClock) -> None:
    await choose(office, hotdesk_logout_after=1)
    await office.anna_enters(office.left)
    clock.advance(timedelta(minutes=59))
    assert await call(office, "started")
    clock.advance(timedelta(minutes=1))
    assert await log_out_due(office.context) == 0
    assert await call(office, "ended")
    assert await log_out_due(office.context) == 1


async def test_an_admins_logout_during_a_call_is_done_at_its_end(office: Office) -> None:
    await office.anna_enters(office.left)
    await call(office, "started")
    await log_out(office.context, SYSTEM, device_id=office.left.id, origin="admin", ending="admin")
    assert await log_out_due(office.context) == 0
    await call(office, "ended")
    assert await log_out_due(office.context) == 1
    assert await office.endings() == ["admin"]


async def test_a_pbx_that_never_says_that_a_call_ended_is_not_believed_for_ever(
    office: Office, clock: SteppedClock
) -> None:
    await choose(office, hotdesk_logout_after=1)
    await office.anna_enters(office.left)
    await call(office, "started")
    clock.advance(running_calls.FORGOTTEN_AFTER + timedelta(seconds=1))
    assert await log_out_due(office.context) == 1


async def test_calls_are_noted_in_any_order_and_any_number_of_times(office: Office) -> None:
    for state in ("ended", "started", "started", "ended", "ended"):
        assert await call(office, state)
    assert await office.rows(RunningCall) == []
    assert not await note_call(office.context, SYSTEM, account="nobody", call_id="c", state="started")


async def test_reports_of_one_call_that_cross_leave_one_call(office: Office) -> None:
    assert await asyncio.gather(*(call(office, "started") for _ in range(8))) == [True] * 8
    assert len(await office.rows(RunningCall)) == 1


async def test_what_a_pbx_says_of_calls_is_bounded_and_checked(
    office: Office, other_tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_calls, "MOST_PER_DEVICE", 2)
    for number in range(2):
        await call(office, "started", call_id=f"call-{number}")
    with pytest.raises(TooManyAttempts):
        await call(office, "started", call_id="call-2")
    for wrong in ("", "x" * 191, "a\x00b"):
        with pytest.raises(BadInput):
            await call(office, "started", call_id=wrong)
    with pytest.raises(BadInput):
        await call(office, "ringing")
    account = (await line_of(office.context, office.left)).account
    stranger = Actor(name="pbx", role=Role.PBX, tenant_id=other_tenant.id)
    assert not await note_call(office.context, stranger, account=account, call_id="call-0", state="ended")
    assert len(await office.rows(RunningCall)) == 2


async def test_more_than_one_batch_is_logged_out(
    office: Office, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hotdesk_timer, "BATCH", 1)
    await choose(office, hotdesk_logout_after=1)
    await office.anna_enters(office.left)
    await office.ben_enters(office.right)
    clock.advance(timedelta(hours=1))
    assert await log_out_due(office.context) == 2
    assert await office.open_sessions() == []


async def test_the_timer_logs_out_what_is_due_when_it_is_woken(office: Office, clock: SteppedClock) -> None:
    await choose(office, hotdesk_logout_after=1)
    await office.anna_enters(office.left)
    timer, committed = HotdeskTimer(office.context), asyncio.Event()
    office.context.store.on_commit = committed.set
    running = asyncio.create_task(timer.run())
    try:
        clock.advance(timedelta(hours=1))
        timer.wake()
        async with asyncio.timeout(60):
            await committed.wait()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert await office.sitting(office.left) is None


async def test_history_and_leftovers_are_forgotten_in_time(office: Office, clock: SteppedClock) -> None:
    """standards §11.3: who sat where is kept for 30 days."""
    await office.anna_enters(office.left)
    await office.anna_enters(office.right)
    await office.enter(office.left, "101", WRONG_PIN)
    account = (await line_of(office.context, office.left)).account
    await begin(office.context, SYSTEM, call_id="c", account=account, dialled="*35")
    await call(office, "started")
    assert await prune_hotdesk(office.context) == 0
    clock.advance(timedelta(days=2))
    assert await prune_hotdesk(office.context) == 3
    for table in (HotdeskDialog, PinFailure, RunningCall):
        assert await office.rows(table) == []
    clock.advance(timedelta(days=office.context.settings.keep_hotdesk_days))
    assert await prune_hotdesk(office.context) == 1
    assert [row.ended_at for row in await office.rows(HotdeskSession)] == [None]  # who still sits stays
