from typing import Any

import pytest

from tests.api.world import ApiClient


def numbers_of(api: ApiClient) -> str:
    return f"/tenants/{api.world.own.tenant}/internal-numbers"


async def test_an_internal_number_is_given_out_changed_and_freed(api: ApiClient) -> None:
    body = {"digits": "300", "kind": "outside", "number": "+49 30 765 43 21", "label": "Berlin"}
    response = await api.response("POST", numbers_of(api), json=body)
    assert response.status == 201
    made: dict[str, Any] = await response.json()
    assert made == {
        "id": made["id"], "tenant_id": api.world.own.tenant, "digits": "300", "kind": "outside", "target_id": None,
        "target": "+49307654321", "label": "Berlin",
    }  # fmt: skip
    here = f"/internal-numbers/{made['id']}"
    assert response.headers["Location"].endswith(here)
    device = {"kind": "device", "target_id": api.world.own.device, "digits": "301"}
    changed = await api.patch(here, device)
    assert (changed["digits"], changed["kind"], changed["target"]) == ("301", "device", "bakery phone")
    assert await api.get(here, by="installer") == changed
    page = await api.get(f"{numbers_of(api)}?search=30&kind=device")
    assert page["items"] == [changed]
    await api.delete(here)
    await api.get(here, expect=404)


async def test_taken_digits_and_codes_say_who_is_in_the_way(api: ApiClient) -> None:
    body = {"digits": "1001", "kind": "outside", "number": "+49307654321"}
    problem = await api.post(numbers_of(api), body, expect=409)
    assert (problem["type"], problem["owner"], problem["kind"]) == (
        "/problems#extension-taken", "Anna bakery", "user"
    )  # fmt: skip
    problem = await api.post(numbers_of(api), body | {"digits": "112"}, expect=409)
    assert (problem["type"], problem["code"], problem["with"]) == ("/problems#code-collision", "112", "112")
    values = {"values": {"hotdesk_code": "*8"}}
    problem = await api.patch(f"/tenants/{api.world.own.tenant}/settings", values, expect=409)
    assert problem["type"] == "/problems#code-collision"


@pytest.mark.parametrize(
    "wrong",
    [{"digits": "3"}, {"kind": "robot"}, {"kind": "menu", "target_id": 999}, {"number": "1"}, {"colour": "red"}, {"digits": 300}],
)  # fmt: skip
async def test_a_wrong_field_is_named(api: ApiClient, wrong: dict[str, Any]) -> None:
    body = {"digits": "300", "kind": "outside", "number": "+49307654321"} | wrong
    problem = await api.post(numbers_of(api), body, expect=422)
    named = {str(error["field"]) for error in problem.get("errors", [])} | {str(problem.get("field"))}
    assert named & {*wrong, "target_id"}


async def test_a_public_number_is_added_assigned_and_removed(api: ApiClient) -> None:
    place = f"/tenants/{api.world.own.tenant}/public-numbers"
    made = await api.post(place, {"number": "+31 20 765 43 21"}, expect=201)
    assert (made["number"], made["kind"]) == ("+31207654321", "")
    here = f"/public-numbers/{made['id']}"
    assigned = await api.put(here, {"kind": "user", "target_id": api.world.own.user})
    assert assigned["target"] == "Anna bakery"
    assert "+31207654321" in (await api.get(f"/users/{api.world.own.user}"))["numbers"]
    assert (await api.get(f"{place}?search=7654"))["items"] == [assigned]
    await api.post(place, {"number": "+31207654321"}, expect=409)
    await api.delete(here)
