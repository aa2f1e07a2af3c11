"""Keys that point at somebody, automatic sets, what a phone makes of them, and labels to print, over REST."""

from typing import Any

from provisioner.services.context import SYSTEM
from provisioner.services.devices.enrolment import enrol
from provisioner.services.people.users import create_user
from tests.api.world import DEVICE_PASSWORD, ApiClient


async def desk(api: ApiClient, model: str = "snom/D785") -> int:
    """A phone with keys in the own tenant; gives back its id."""
    profile, _, model = model.partition("/")
    done = await enrol(
        api.world.context,
        SYSTEM,
        tenant_id=api.world.own.tenant,
        profile=profile,
        model=model,
        mac="000413000001",
        name="Desk",
        password=DEVICE_PASSWORD,
    )
    return done.device.id


async def test_a_key_points_at_a_user_and_the_placed_key_has_his_number(api: ApiClient) -> None:
    own, device = api.world.own, await desk(api)
    keys: list[dict[str, Any]] = [{"slot": 2, "type": "blf", "user_id": own.user}]
    stored = (await api.put(f"/devices/{device}/keys", {"keys": keys}))["keys"][0]
    assert (stored["user_id"], stored["target"], stored["label"]) == (own.user, "", "")
    placed = await api.get(f"/devices/{device}/keys/placed")
    assert (placed["profile"], placed["model"], len(placed["keys"])) == ("snom", "D785", 24 + 3 * 18)
    key = placed["keys"][1]
    assert (key["type"], key["target"], key["label"], key["scope"], key["scope_name"]) == (
        "blf", "1001", "Anna bakery", "device", "Desk",
    )  # fmt: skip
    assert (key["capability"], key["is_automatic"], key["user_id"]) == ("ok", False, own.user)
    await api.put(f"/tenants/{own.tenant}/keys", {"keys": [{"slot": 2, "type": "dnd"}]})
    shadowed = (await api.get(f"/devices/{device}/keys/placed"))["keys"][1]["shadowed"]
    assert [(item["scope"], item["type"]) for item in shadowed] == [("tenant", "dnd")]


async def test_a_foreign_user_cannot_be_pointed_at(api: ApiClient) -> None:
    key = {"slot": 2, "type": "blf", "user_id": api.world.foreign.user}
    problem = await api.put(f"/users/{api.world.own.user}/keys", {"keys": [key]}, expect=422)
    assert "not in this tenant" in problem["detail"]


async def test_sets_are_stored_with_the_keys_and_stay_when_they_are_not_sent(api: ApiClient) -> None:
    own, device = api.world.own, await desk(api)
    entry = {"people": "everyone", "type": "blf", "slot": 3, "module": 0, "count": 0, "line": 1}
    place = f"/tenants/{own.tenant}/keys"
    assert (await api.put(place, {"keys": [], "ranges": [entry]}))["ranges"] == [entry]
    assert (await api.put(place, {"keys": [{"slot": 2, "type": "dnd"}]}))["ranges"] == [entry]
    await create_user(api.world.context, SYSTEM, tenant_id=own.tenant, name="Bob", extension="1002")
    placed = (await api.get(f"/devices/{device}/keys/placed"))["keys"]
    assert [(key["label"], key["is_automatic"]) for key in placed[2:5]] == [
        ("Anna bakery", True), ("Bob", True), ("", False),
    ]  # fmt: skip
    await api.put(place, {"keys": [], "ranges": [{**entry, "people": "friends"}]}, expect=422)
    await api.put(place, {"keys": [], "ranges": [{**entry, "type": "dnd"}]}, expect=422)
    assert (await api.put(place, {"keys": [], "ranges": []}))["ranges"] == []


async def test_a_key_beyond_the_phone_and_a_type_it_cannot_show_are_problems_of_their_own(
    api: ApiClient,
) -> None:
    device = await desk(api, "snom/D140")
    place = f"/devices/{device}/keys"
    problem = await api.put(place, {"keys": [{"slot": 7, "type": "dnd"}]}, expect=422)
    assert problem["type"] == "/problems#key-beyond-model"
    assert (problem["model"], problem["module"], problem["slot"]) == ("D140", 0, 7)
    problem = await api.put(place, {"keys": [{"slot": 1, "type": "prefix", "target": "0"}]}, expect=422)
    assert problem["type"] == "/problems#key-not-supported"
    assert problem["key_type"] == "prefix"
    warnings = (
        await api.put(f"/tenants/{api.world.own.tenant}/keys", {"keys": [{"slot": 7, "type": "dnd"}]})
    )["warnings"]
    assert any("key 7" in line for line in warnings)


async def test_what_a_model_can_show_is_listed_with_reasons(api: ApiClient) -> None:
    found = await api.get("/profiles/yealink/T28P/key-types", by="installer")
    types = {entry["type"]: entry for entry in found["types"]}
    assert len(types) == 29
    assert types["blf"]["is_supported"]
    assert types["blf"]["reason"] == ""
    assert not types["multicast"]["is_supported"]
    assert "later than this phone" in types["multicast"]["reason"]
    assert all(entry["is_supported"] == (entry["reason"] == "") for entry in types.values())
    nothing = (await api.get("/profiles/generic/Generic/key-types"))["types"]
    assert [entry["type"] for entry in nothing if entry["is_supported"]] == ["none"]
    await api.get("/profiles/nobody/T28P/key-types", expect=404)
    await api.get("/profiles/yealink/T99/key-types", expect=404)


async def test_labels_come_as_data_and_as_a_page(api: ApiClient) -> None:
    device = await desk(api)
    await api.put(f"/devices/{device}/keys", {"keys": [{"slot": 2, "type": "dnd", "label": "<Quiet>"}]})
    strips = await api.get(f"/devices/{device}/keys/strip", by="installer")
    assert (strips["device"], strips["model"], [strip["module"] for strip in strips["strips"]]) == (
        "Desk", "Snom D785", [0],
    )  # fmt: skip
    assert strips["strips"][0]["labels"][1] == {"slot": 2, "text": "<Quiet>"}
    assert "&lt;Quiet&gt;" in strips["html"]
    assert "<Quiet>" not in strips["html"]
