"""Plans from facts alone."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from provisioner.calling.forwarding import find_loop, leads_back
from provisioner.calling.permissions import Owner, caller_id, internal_caller_id, may_call
from provisioner.calling.ring_plan import (
    Caller,
    Company,
    Person,
    Phone,
    Plan,
    Wishes,
    counts_as_registered,
    is_same_number,
    plan_for_group,
    plan_for_menu,
    plan_for_phones,
    plan_for_user,
    primary_of,
    ringing,
    rings_in,
)
from provisioner.calling.schedules import Days, Hours, Timetable

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CALL = Caller(NOW)
COMPANY = Company(domain="acme.test", zone=ZoneInfo("Europe/Amsterdam"), is_premium=True)
OFFICE = Timetable((Hours(frozenset({1, 2, 3, 4, 5}), time(9), time(17)),))
CHRISTMAS = Timetable(dates=(Days(date(2026, 12, 25), date(2026, 12, 26), is_yearly=True),))


def phone(
    number: int, *, is_hotdesk: bool = False, is_silent: bool = False, is_registered: bool = True
) -> Phone:
    return Phone(number, f"dev{number}", is_hotdesk, is_silent, is_registered)


def person(*phones: Phone, primary: int | None = None, user_id: int = 1) -> Person:
    return Person(user_id, f"User {user_id}", "101", primary, phones)


def devices(plan: Plan) -> list[int]:
    return [target.phone.device_id for target in plan.targets]


def test_the_primary_rings_first_and_do_not_disturb_silences_that_device_alone() -> None:
    anna = person(phone(1), phone(2, is_silent=True), phone(3), primary=3)
    plan = plan_for_user(anna, Wishes(), COMPANY, CALL)
    assert devices(plan) == [3, 1]
    assert [target.is_primary for target in plan.targets] == [True, False]


@pytest.mark.parametrize(("is_premium", "rings", "primary"), [(True, [1, 2, 9], 1), (False, [9], 9)])
def test_a_hotdesk_login_without_premium_rings_only_there(
    is_premium: bool, rings: list[int], primary: int
) -> None:
    anna = person(phone(1), phone(2), phone(9, is_hotdesk=True), primary=1)
    assert [one.device_id for one in ringing(anna, is_premium=is_premium)] == rings
    found = primary_of(anna, is_premium=is_premium)
    assert found is not None
    assert found.device_id == primary


def test_somebody_with_nothing_but_a_hotdesk_login_is_reached_there_by_queues() -> None:
    anna = person(phone(9, is_hotdesk=True))
    plan = plan_for_group([anna], COMPANY, CALL, policy="fixed", is_queue=True)
    assert devices(plan) == [9]
    assert primary_of(person(), is_premium=True) is None


def test_a_phone_that_went_counts_for_the_grace() -> None:
    grace = timedelta(seconds=60)
    gone = Phone(1, "dev1", is_registered=False, since=NOW - timedelta(seconds=59))
    assert counts_as_registered(gone, at=NOW, grace=grace) == (True, NOW + timedelta(seconds=1))
    assert counts_as_registered(gone, at=NOW + timedelta(seconds=1), grace=grace) == (False, None)
    assert counts_as_registered(replace(gone, since=None), at=NOW, grace=grace) == (False, None)
    assert counts_as_registered(None, at=NOW, grace=grace) == (False, None)
    assert counts_as_registered(phone(1), at=NOW, grace=grace) == (True, None)


def test_members_of_a_group_are_steps_without_gaps() -> None:
    people = [
        person(phone(1), phone(2), primary=1, user_id=1),
        person(phone(3, is_silent=True), primary=3, user_id=2),
        person(phone(4), primary=4, user_id=3),
    ]
    plan = plan_for_group(people, COMPANY, CALL, policy="circular", is_queue=False)
    assert [(target.phone.device_id, target.step, target.user_id) for target in plan.targets] == [
        (1, 0, 1), (2, 0, 1), (4, 1, 3),
    ]  # fmt: skip
    together = plan_for_group(people, COMPANY, CALL, policy="simultaneous", is_queue=True)
    assert [(target.phone.device_id, target.step) for target in together.targets] == [(1, 0), (4, 0)]


@pytest.mark.parametrize(
    ("switch", "mode", "at", "is_night"),
    [
        ("follow", "schedule", NOW, False), ("follow", "schedule", NOW + timedelta(hours=8), True), ("follow", "on", NOW, True),
        ("follow", "off", NOW + timedelta(hours=8), False), ("on", "off", NOW, True), ("off", "on", NOW, False),
        ("follow", "schedule", datetime(2026, 12, 25, 12, tzinfo=UTC), True),
    ],
)  # fmt: skip
def test_the_night_switch(switch: str, mode: str, at: datetime, is_night: bool) -> None:
    company = replace(COMPANY, night_mode=mode, night_target="199", working_hours=OFFICE, holidays=CHRISTMAS)
    plan = plan_for_user(person(phone(1)), Wishes(night_switch=switch), company, Caller(at))
    assert (plan.is_night, plan.forward["always"]) == (is_night, "199" if is_night else "")
    if switch == "follow" and mode == "schedule":
        assert plan.valid_until is not None
    else:
        assert plan.valid_until is None


def test_the_night_target_is_for_calls_from_outside_and_the_users_own_comes_first() -> None:
    company = replace(COMPANY, night_mode="on", night_target="199")
    own = Wishes(night_target="+31612345678")
    assert plan_for_user(person(), own, company, CALL).forward["always"] == "+31612345678"
    inside = Caller(NOW, "102", is_internal=True)
    assert plan_for_user(person(), own, company, inside).forward["always"] == ""
    away = Wishes(always="103", night_target="199")
    assert plan_for_user(person(), away, company, CALL).forward["always"] == "103"
    assert plan_for_menu(company, CALL).forward["always"] == "199"
    assert plan_for_menu(company, CALL, comes_back=lambda _: True).forward["always"] == ""
    group = plan_for_group([], company, CALL, policy="fixed", is_queue=False)
    assert group.forward["always"] == "199"


def test_without_hours_it_is_never_night() -> None:
    plan = plan_for_user(person(), Wishes(), replace(COMPANY, night_target="199"), CALL)
    assert (plan.is_night, plan.forward["always"]) == (False, "")


def test_blocking_by_schedule_holds_only_then_and_a_lost_schedule_blocks_nobody() -> None:
    wishes = Wishes(block="all", blocked_schedule=OFFICE)
    plan = plan_for_user(person(), wishes, COMPANY, CALL)
    assert (plan.is_blocked, plan.valid_until) == (True, datetime(2026, 11, 23, 16, tzinfo=UTC))
    assert not plan_for_user(person(), wishes, COMPANY, Caller(NOW + timedelta(hours=6))).is_blocked
    lost = Wishes(block="all", is_schedule_missing=True)
    assert not plan_for_user(person(), lost, COMPANY, CALL).is_blocked


def test_forwards_that_come_back_are_left_out_one_by_one() -> None:
    wishes = Wishes(always="101", busy="102", no_answer="103", not_registered="101")
    plan = plan_for_user(person(), wishes, COMPANY, CALL, comes_back=lambda number: number == "101")
    assert plan.forward == {
        "always": "", "busy": "102", "no_answer": "103", "not_registered": "", "no_answer_after": 20,
    }  # fmt: skip


def test_a_shared_line_rings_every_member_that_may_ring() -> None:
    plan = plan_for_phones([phone(2), phone(1, is_silent=True), phone(3)], CALL, COMPANY)
    assert devices(plan) == [2, 3]


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("+31612345678", "0612345678", True), ("0031612345678", "+31612345678", True), ("101", "101", True), ("101", "1101", False),
        ("+31612345678", "+31612345679", False), ("12345678", "99912345678", True), ("+31 6 12345678", "0612345678", True),
    ],
)  # fmt: skip
def test_spellings_of_one_number(one: str, other: str, is_same: bool) -> None:
    assert is_same_number(one, other) is is_same


def test_rings_of_five_seconds() -> None:
    assert [rings_in(seconds) for seconds in (1, 5, 20, 60)] == [1, 1, 4, 12]


def test_loops_are_found_and_named_by_the_shortest_way() -> None:
    edges = {"a": ("b", "x"), "b": ("c",), "c": ("a", "b"), "x": ("a",), "z": ("z",), "y": ("b",)}
    assert find_loop(edges, "a") == ("a", "x", "a")
    assert find_loop(edges, "z") == ("z", "z")
    chain = {str(number): (str(number + 1),) for number in range(20_000)}
    assert len(find_loop({**chain, "20000": ("0",)}, "0")) == 20_002
    assert find_loop(edges, "y") == ()
    assert leads_back(edges, start="c", target="a")
    assert not leads_back(edges, start="y", target="b")
    assert leads_back({}, start="q", target="q")


@pytest.mark.parametrize(
    ("owner", "main", "allowed"),
    [
        (None, "+31201230000", "emergency"), (Owner("Anna"), "+31201230000", "emergency"), (Owner("Anna", "101"), "+31201230000", "all"),
        (Owner("Anna", "", ["+31201234567"]), "+31201230000", "all"), (Owner("Anna", "101"), "", "internal"),
    ],
)  # fmt: skip
def test_what_a_line_may_call(owner: Owner | None, main: str, allowed: str) -> None:
    assert may_call(owner, main_number=main) == allowed


def test_what_a_call_shows() -> None:
    anna = Owner("Anna", "101", ["+31201234567"])

    def shown(owner: Owner | None, source: str) -> tuple[str, str]:
        found = caller_id(
            owner, source=source, main_number="+31201230000", company_name="Acme", is_hidden=True
        )
        assert found["is_hidden"] is True
        return found["number"], found["name"]

    assert shown(anna, "personal") == ("+31201234567", "Anna")
    assert shown(anna, "company") == ("+31201230000", "Acme")
    assert shown(Owner("Ben", "102"), "personal") == ("+31201230000", "Acme")
    assert shown(None, "company") == ("", "")
    assert internal_caller_id(anna) == {"number": "101", "name": "Anna"}
    assert internal_caller_id(None) == {"number": "", "name": ""}
