"""Shared lines over REST (R6)."""

from typing import Any

import pytest

from tests.api.world import ApiClient


async def phones(api: ApiClient, *macs: str) -> list[int]:
    """Snom phones of the own tenant."""
    path = f"/tenants/{api.world.own.tenant}/devices"
    made = [
        await api.post(path, {"profile": "snom", "model": "D785", "mac": mac}, expect=201) for mac in macs
    ]
    return [item["device"]["id"] if "device" in item else item["id"] for item in made]


async def test_a_shared_line_from_making_to_removing(api: ApiClient) -> None:
    one, two = await phones(api, "000413000001", "000413000002")
    lines = f"/tenants/{api.world.own.tenant}/shared-lines"
    body = {
        "name": "Sales",
        "number": "1210",
        "members": [{"device_id": one}, {"device_id": two, "line": 4}],
        "is_barge_in": True,
        "barge_tone_repeat": 20,
    }
    made = await api.post(lines, body, expect=201)
    assert [(member["device_id"], member["line"]) for member in made["members"]] == [(one, 2), (two, 4)]
    assert (made["mode"], made["appearances"], made["barge_tone_repeat"]) == ("sca", 2, 20)
    path = f"/shared-lines/{made['id']}"
    assert await api.get(path, by="installer") == made
    changed = await api.patch(path, {"appearances": 3, "members": [{"device_id": two}]})
    assert (changed["appearances"], len(changed["members"]), changed["is_barge_in"]) == (3, 1, True)
    assert "Sales" in [item["name"] for item in (await api.get(lines))["items"]]
    await api.delete(path)
    await api.get(path, expect=404)


async def test_the_boss_and_assistants_are_one_request(api: ApiClient) -> None:
    boss, helper = await phones(api, "000413000001", "000413000002")
    made = await api.post(
        f"/tenants/{api.world.own.tenant}/boss-lines",
        {"number": "1210", "boss_device_id": boss, "assistant_device_ids": [helper]},
        expect=201,
    )
    assert [member["role"] for member in made["members"]] == ["boss", "assistant"]


async def test_a_member_that_cannot_is_named_with_the_way_out(api: ApiClient) -> None:
    body = {"name": "Sales", "number": "1210", "members": [{"device_id": api.world.own.device}]}
    problem = await api.post(f"/tenants/{api.world.own.tenant}/shared-lines", body, expect=409)
    assert problem["type"] == "/problems#cannot-share-line"
    assert problem["device"] == "bakery phone"
    assert "blf" in problem["detail"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"appearances": 11}, "appearances"),
        ({"mode": "sla"}, "mode"),
        ({"number": "1"}, "number"),
        ({"members": []}, "members"),
        ({"barge_tone_repeat": -1}, "barge_tone_repeat"),
        ({"account": "mine"}, "account"),
    ],
)
async def test_a_bad_value_changes_nothing(api: ApiClient, change: dict[str, Any], field: str) -> None:
    path = f"/shared-lines/{api.world.own.shared_line}"
    before = await api.get(path)
    problem = await api.patch(path, change, expect=422)
    assert problem["errors"][0]["field"].startswith(field)
    assert await api.get(path) == before


async def test_a_device_of_another_tenant_is_no_member(api: ApiClient) -> None:
    path = f"/shared-lines/{api.world.own.shared_line}"
    await api.patch(path, {"members": [{"device_id": api.world.foreign.device}]}, expect=422)
