"""Call groups, menus and schedules over REST."""

from typing import Any

import pytest

from tests.api.world import ApiClient

HOURS = [{"days": [1, 2, 3, 4, 5], "from": "09:00", "to": "17:30"}]
HOLIDAYS = [{"from": "2026-12-25", "to": "2026-12-26", "is_yearly": True, "name": "Christmas"}]


async def test_a_call_group_is_made_changed_and_removed(api: ApiClient) -> None:
    own = api.world.own
    body = {"name": "Sales", "policy": "fixed", "members": [own.user], "wait": 30, "overflow": "+31201234567"}
    made = await api.post(f"/tenants/{own.tenant}/call-groups", body, expect=201)
    assert {**made, **body} == made
    path = f"/call-groups/{made['id']}"
    changed = await api.patch(path, {"is_queue": True, "members": []})
    assert (changed["is_queue"], changed["members"], changed["policy"]) == (True, [], "fixed")
    assert await api.get(path, by="installer") == changed
    listed = (await api.get(f"/tenants/{own.tenant}/call-groups"))["items"]
    assert [item["name"] for item in listed] == ["Sales", "bakery group"]
    await api.delete(path)
    await api.get(path, expect=404)


async def test_a_menu_is_made_changed_and_removed(api: ApiClient) -> None:
    own = api.world.own
    body = {"name": "Main", "greeting": "welcome", "options": {"1": "1001"}, "fallback": "1001"}
    made = await api.post(f"/tenants/{own.tenant}/menus", body, expect=201)
    assert {**made, **body, "timeout": 10, "tries": 3} == made
    path = f"/menus/{made['id']}"
    assert (await api.patch(path, {"options": {"#": "+31201234567"}}))["options"] == {"#": "+31201234567"}
    await api.delete(path)
    await api.get(path, expect=404)


async def test_a_schedule_is_made_changed_and_not_removed_while_it_is_used(api: ApiClient) -> None:
    own = api.world.own
    made = await api.post(
        f"/tenants/{own.tenant}/schedules", {"name": "Open", "weekly": HOURS, "dates": HOLIDAYS}, expect=201
    )
    assert (made["weekly"], made["dates"]) == (HOURS, HOLIDAYS)
    path = f"/schedules/{made['id']}"
    await api.put(f"/tenants/{own.tenant}/settings", {"values": {"working_hours": "Open"}})
    problem = (await api.ask("DELETE", path, expect=409))[1]
    assert problem["type"] == "/problems#in-use"
    assert (await api.patch(path, {"name": "Office", "dates": []}))["dates"] == []
    values = await api.get(f"/tenants/{own.tenant}/settings")
    assert values["values"]["working_hours"] == "Office"


@pytest.mark.parametrize(
    ("noun", "body", "field"),
    [
        ("call-groups", {"name": "x", "policy": "random"}, "policy"), ("call-groups", {"name": "x", "members": [2_000_000_000]}, "members"),
        ("call-groups", {"name": "x", "wait": 9}, "overflow"), ("call-groups", {"name": "x", "overflow": "999"}, "overflow"),
        ("menus", {"name": "x", "options": {"12": "1001"}}, "options.12.[key]"), ("menus", {"name": "x", "options": {"1": "999"}}, "options"),
        ("schedules", {"name": "x", "weekly": [{"days": [1], "from": "09:00"}]}, "weekly.0.to"),
        ("schedules", {"name": "x", "weekly": [{"days": [9], "from": "09:00", "to": "10:00"}]}, "weekly.0.days.0"),
        ("schedules", {"name": "x", "weekly": [{"days": [1, 2, 3, 4, 5, 6, 7], "from": "00:00", "to": "24:00"}]}, "weekly"),
        ("schedules", {"name": "x", "dates": [{"from": "2026-02-30", "to": "2026-03-01"}]}, "dates"),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_names_its_field(
    api: ApiClient, noun: str, body: dict[str, Any], field: str
) -> None:
    problem = await api.post(f"/tenants/{api.world.own.tenant}/{noun}", body, expect=422)
    assert problem["errors"][0]["field"] == field


async def test_a_forwarding_loop_is_a_problem_of_its_own(api: ApiClient) -> None:
    own = api.world.own
    path = f"/users/{own.user}/settings"
    problem = await api.put(path, {"values": {"forward_always": "1001"}}, expect=409)
    assert problem["type"] == "/problems#forwarding-loop"
    assert problem["loop"] == ["Anna bakery (1001)", "Anna bakery (1001)"]
