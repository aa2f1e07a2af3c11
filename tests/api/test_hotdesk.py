"""Hotdesking, lines and primary devices over REST."""

from typing import Any

import pytest

from provisioner.services.context import SYSTEM
from provisioner.services.devices.enrolment import enrol
from provisioner.services.hotdesk import pins as hotdesk_pins
from provisioner.services.hotdesk.sessions import log_in_with_pin
from provisioner.services.people.users import create_user
from tests.api.world import ApiClient


class Floor:
    """A hotdesk device of the own tenant and a user who may log in on it."""

    def __init__(self, api: ApiClient) -> None:
        self.api, self.own = api, api.world.own
        self.device = self.ben = 0

    async def furnish(self) -> "Floor":
        context = self.api.world.context
        done = await enrol(
            context, SYSTEM, tenant_id=self.own.tenant, profile="generic", model="Generic", mac="020000001002", name="Desk"
        )  # fmt: skip
        ben = await create_user(context, SYSTEM, tenant_id=self.own.tenant, name="Ben", extension="3131")
        self.device, self.ben = done.device.id, ben.id
        await self.api.put(f"/devices/{self.device}/hotdesk", {"enabled": True})
        return self

    async def pin(self, **fields: Any) -> Any:
        return await self.api.put(f"/users/{self.ben}/hotdesk", {"enabled": True, **fields})

    async def seats(self) -> Any:
        return await self.api.get(f"/tenants/{self.own.tenant}/seats")


@pytest.fixture
async def floor(api: ApiClient) -> Floor:
    return await Floor(api).furnish()


async def test_a_pin_is_shown_once_with_its_code(floor: Floor) -> None:
    made = await floor.pin()
    assert made == {
        "user_id": floor.ben, "is_hotdesk": True, "pin": made["pin"], "code": f"*35*3131*{made['pin']}",
    }  # fmt: skip
    user = await floor.api.get(f"/users/{floor.ben}")
    assert user["is_hotdesk"] is True
    assert made["pin"] not in str(user)
    chosen = await floor.pin(pin="739105")
    assert chosen["code"] == "*35*3131*739105"


async def test_a_weak_pin_is_a_problem_that_says_why(floor: Floor) -> None:
    status, problem = await floor.api.ask(
        "PUT", f"/users/{floor.ben}/hotdesk", json={"enabled": True, "pin": "1111"}
    )
    assert (status, problem["type"].rpartition("#")[2]) == (422, "weak-pin")
    assert "1111" not in str(problem)


async def test_somebody_is_logged_in_and_out_and_the_board_shows_it(floor: Floor) -> None:
    await floor.pin()
    done = await floor.api.put(f"/devices/{floor.device}/seat", {"user_id": floor.ben})
    assert (done["result"], done["user_id"]) == ("logged_in", floor.ben)
    board = await floor.seats()
    assert board["is_hidden"] is False
    assert [(seat["device_name"], seat["user_name"]) for seat in board["items"]] == [("Desk", "Ben")]
    device = await floor.api.get(f"/devices/{floor.device}")
    assert (device["is_hotdesk"], device["user"]["id"]) == (True, floor.ben)
    out = await floor.api.delete(f"/devices/{floor.device}/seat", expect=200)
    assert (out["result"], out["logged_out_device_id"]) == ("logged_out", floor.device)
    assert (await floor.seats())["items"][0]["user_id"] is None


async def test_a_tenant_hides_who_sits_where_everywhere(floor: Floor) -> None:
    """standards §11.3."""
    await floor.pin()
    await floor.api.put(f"/devices/{floor.device}/seat", {"user_id": floor.ben})
    changed = await floor.api.patch(
        f"/tenants/{floor.own.tenant}", {"is_seating_hidden": True, "primary_grace": 30}
    )
    assert (changed["is_seating_hidden"], changed["primary_grace"]) == (True, 30)
    board = await floor.seats()
    assert (board["is_hidden"], board["items"]) == (True, [])
    device = await floor.api.get(f"/devices/{floor.device}")
    assert device["user"] is None
    assert [line["user_id"] for line in device["lines"]] == [None]
    for query in (f"user_id={floor.ben}", "search=Ben", "search=3131"):
        assert (await floor.api.get(f"/devices?{query}"))["total"] == 0, query
    other = await floor.api.get(f"/devices/{floor.own.device}")
    assert other["user"]["id"] == floor.own.user


async def test_the_missing_right_is_named(floor: Floor) -> None:
    status, problem = await floor.api.ask("PUT", f"/devices/{floor.device}/seat", json={"user_id": floor.ben})
    assert (status, problem["type"].rpartition("#")[2]) == (409, "no-hotdesk-right")
    assert "Ben" in problem["detail"]
    status, problem = await floor.api.ask(
        "PUT", f"/devices/{floor.own.device}/hotdesk", json={"enabled": True}
    )
    assert status == 409
    assert "Anna bakery's for good" in problem["detail"]


async def test_wrong_pins_are_unlocked_for_user_and_device(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hotdesk_pins, "SLOWER", 0.0)
    made = await floor.pin()
    context = floor.api.world.context

    async def enter(pin: str) -> str:
        done = await log_in_with_pin(
            context, SYSTEM, device_id=floor.device, extension="3131", pin=pin, origin="screen"
        )
        return done.result.value

    assert [await enter("5077") for _ in range(5)] == ["denied_pin"] * 5
    assert await enter(made["pin"]) == "locked"
    assert (await floor.api.ask("POST", f"/devices/{floor.device}/unlock-pin"))[0] == 204
    assert (await floor.api.ask("POST", f"/users/{floor.ben}/unlock-pin"))[0] == 204
    assert await enter(made["pin"]) == "logged_in"


async def test_a_person_renews_the_own_pin(floor: Floor) -> None:
    status, problem = await floor.api.ask("POST", "/me/pin", by="user", json={})
    assert (status, problem["type"].rpartition("#")[2]) == (409, "no-hotdesk-right")
    await floor.api.put(f"/users/{floor.own.user}/hotdesk", {"enabled": True})
    made = await floor.api.post("/me/pin", {"pin": "8642"}, by="user")
    assert (made["user_id"], made["code"]) == (floor.own.user, "*35*1001*8642")
    assert (await floor.api.ask("POST", "/me/pin", by="admin", json={}))[0] == 403


async def test_lines_are_given_and_emptied(floor: Floor) -> None:
    path = f"/devices/{floor.own.device}/lines"
    status, problem = await floor.api.ask("PATCH", path, json={"position": 99, "user_id": None})
    assert status == 422, problem
    lines = (await floor.api.patch(path, {"position": 1, "user_id": None}))["items"]
    assert [(line["kind"], line["user_id"]) for line in lines] == [("empty", None)]
    lines = (await floor.api.patch(path, {"position": 1, "user_id": floor.ben}))["items"]
    assert [(line["kind"], line["user_id"]) for line in lines] == [("user", floor.ben)]
    device = await floor.api.get(f"/devices/{floor.own.device}")
    assert device["is_primary"] is True


async def test_the_second_device_and_the_primary_one(floor: Floor) -> None:
    """R4."""
    await floor.api.put(f"/devices/{floor.device}/hotdesk", {"enabled": False})
    path, body = f"/devices/{floor.device}", {"user_id": floor.own.user}
    status, problem = await floor.api.ask("PATCH", path, json=body)
    assert (status, problem["type"].rpartition("#")[2]) == (409, "too-many-devices")
    assert problem["devices"] == ["bakery phone"]
    await floor.api.patch(f"/tenants/{floor.own.tenant}", {"is_premium": True})
    await floor.api.patch(path, body)
    primary = await floor.api.put(f"/users/{floor.own.user}/primary-device", {"device_id": floor.device})
    assert primary == {"user_id": floor.own.user, "primary_device_id": floor.device}
    devices = (await floor.api.get(f"/devices?user_id={floor.own.user}"))["items"]
    assert {device["name"]: device["is_primary"] for device in devices} == {
        "Desk": True,
        "bakery phone": False,
    }
    status, problem = await floor.api.ask("PATCH", f"/tenants/{floor.own.tenant}", json={"is_premium": False})
    assert (status, problem["users"]) == (409, {"Anna bakery": ["Desk", "bakery phone"]})


async def test_the_place_for_emergency_calls_is_the_devices(floor: Floor) -> None:
    changed = await floor.api.patch(
        f"/devices/{floor.device}", {"place": "2nd floor, room 17", "emergency_caller_id": "+31 20 1234567"}
    )
    assert changed["device"]["place"] == "2nd floor, room 17"
    assert changed["device"]["emergency_caller_id"] == "+31201234567"
    for wrong in ({"place": "x" * 121}, {"emergency_caller_id": "reception"}):
        assert (await floor.api.ask("PATCH", f"/devices/{floor.device}", json=wrong))[0] == 422
