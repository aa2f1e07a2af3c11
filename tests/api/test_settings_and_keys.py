"""Settings and function keys over REST, at every scope."""

from typing import Any

import pytest
from sqlalchemy import select

from provisioner.model import Device, SettingValue
from provisioner.web.api.scopes import SCOPES
from tests.api.world import ApiClient

PATHS = [scope.path for scope in SCOPES]


@pytest.mark.parametrize("path", PATHS)
async def test_settings_are_put_changed_and_inherited_again(api: ApiClient, path: str) -> None:
    place = path.format_map(api.world.own.ids()) + "/settings"
    other: dict[str, Any] = {"language": "nl"} if "users" in path else {"codecs": ["pcma", "g722"]}
    assert (await api.get(place))["values"] == {}
    assert (await api.put(place, {"values": {"ring_tone": 3, **other}}))["values"] == {
        "ring_tone": 3,
        **other,
    }
    assert (await api.patch(place, {"values": {"ring_tone": None}, "inherit": list(other)}))["values"] == {
        "ring_tone": None
    }
    assert (await api.put(place, {"values": {}}))["values"] == {}


@pytest.mark.parametrize("path", [path for path in PATHS if "devices" not in path])
async def test_keys_are_replaced_as_a_whole(api: ApiClient, path: str) -> None:
    place = path.format_map(api.world.own.ids()) + "/keys"
    blf = {"slot": 2, "module": 0, "type": "blf", "target": "1002", "label": "Bob", "line": 1}
    rest = {"user_id": None, "internal_number_id": None, "is_gone": False}
    assert (await api.put(place, {"keys": [blf, {"slot": 1, "type": "dnd"}]}))["keys"] == [
        {"slot": 1, "module": 0, "type": "dnd", "target": "", "label": "", "line": 1, **rest},
        {**blf, **rest},
    ]
    assert (await api.get(place))["keys"][1] == {**blf, **rest}
    assert (await api.put(place, {"keys": []}))["keys"] == []


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"language": "fr"}, "en, nl, de, pl"),
        ({"langage": "nl"}, "Near it: language"),
        ({"time_format_24h": "on"}, "true or false"),
        ({"ring_tone": 9}, "from 1 to 8"),
        ({"ring_tone": "3"}, "a JSON number"),
        ({"ring_tone": True}, "a JSON number"),
        ({"codecs": "pcma"}, "a JSON array"),
        ({"codecs": ["pcma", "pcma"]}, "twice"),
        ({"registrar_host": "sip:host"}, "host name"),
        ({"timezone": "Europe/Atlantis"}, "IANA"),
        ({"directory_url": "ftp://x"}, "https://"),
        ({"sip_domain": "x.example"}, "property of the tenant"),
    ],
)
async def test_a_setting_takes_no_bad_value(api: ApiClient, values: dict[str, Any], word: str) -> None:
    place = f"/devices/{api.world.own.device}/settings"
    problem = await api.patch(place, {"values": {"ring_tone": 2, **values}}, expect=422)
    assert problem["type"] == "/problems#invalid-setting"
    assert word in problem["detail"]
    assert (await api.get(place))["values"] == {}


async def test_a_setting_is_not_both_set_and_inherited(api: ApiClient) -> None:
    await api.patch(
        f"/tenants/{api.world.own.tenant}/settings",
        {"values": {"language": "nl"}, "inherit": ["language"]},
        expect=422,
    )


async def test_secrets_come_back_as_dots_and_dots_leave_them_alone(api: ApiClient) -> None:
    place, explain = (
        f"/devices/{api.world.own.device}/settings",
        f"/devices/{api.world.own.device}/explain?setting=phone_admin_password",
    )
    canary = "Canary-1-secret"
    stored = await api.put(place, {"values": {"phone_admin_password": canary, "language": "nl"}})
    assert canary not in str(stored)
    before = await _sealed(api)
    again = await api.put(place, stored_values(stored))
    assert again == stored
    assert await _sealed(api) == before
    explained = await api.get(explain)
    assert canary not in str(explained)
    assert explained["items"][0]["value"]
    assert explained["items"][0]["origin"]["scope"] == "device"


async def test_an_installer_sets_devices_only(api: ApiClient) -> None:
    body = {"values": {"ring_tone": 2}}
    await api.patch(f"/devices/{api.world.own.device}/settings", body, by="installer")
    for path in PATHS[:-1]:
        await api.patch(path.format_map(api.world.own.ids()) + "/settings", body, by="installer", expect=403)


async def test_explain_shows_value_origin_and_what_was_shadowed(api: ApiClient) -> None:
    own = api.world.own
    await api.patch(f"/tenants/{own.tenant}/settings", {"values": {"language": "nl"}})
    await api.patch(f"/users/{own.user}/settings", {"values": {"language": "de"}})
    page = await api.get(f"/devices/{own.device}/explain?setting=language", by="installer")
    (item,) = page["items"]
    assert (item["value"], item["origin"]["scope"], item["origin"]["label"]) == ("de", "user", "Anna bakery")
    assert [(origin["scope"], origin["value"]) for origin in item["shadowed"]] == [
        ("tenant", "nl"),
        ("default", "en"),
    ]
    assert (await api.get(f"/devices/{own.device}/explain?limit=500"))["total"] == len(
        api.world.context.catalogue.settings
    )
    await api.get(f"/devices/{own.device}/explain?setting=colour", expect=422)


async def test_explain_warns_of_what_the_model_cannot_do(api: ApiClient) -> None:
    own = api.world.own
    keys = [{"slot": slot, "type": "speed_dial", "target": "1002"} for slot in (1, 300)]
    await api.put(f"/users/{own.user}/keys", {"keys": keys})
    warnings = (await api.get(f"/devices/{own.device}/explain"))["warnings"]
    assert any("Key 300" in warning for warning in warnings)
    assert warnings == (await api.get(f"/devices/{own.device}"))["warnings"]


@pytest.mark.parametrize(
    "key",
    [
        {"slot": 0, "type": "dnd"},
        {"slot": 1, "type": "teleport"},
        {"slot": 1, "type": "blf", "target": "1\n2"},
        {"slot": 1, "module": 7, "type": "dnd"},
        {"slot": 1},
        {"slot": 1, "type": "dnd", "colour": "red"},
    ],
)
async def test_a_key_takes_no_bad_value(api: ApiClient, key: dict[str, Any]) -> None:
    place = f"/users/{api.world.own.user}/keys"
    problem = await api.put(place, {"keys": [{"slot": 9, "type": "dnd"}, key]}, expect=422)
    assert problem["errors"][0]["field"].startswith("keys")
    assert (await api.get(place))["keys"] == []


async def test_the_same_key_twice_is_named(api: ApiClient) -> None:
    key = {"slot": 4, "type": "dnd"}
    assert (
        "Key 4 of the phone is defined twice"
        in (await api.put(f"/users/{api.world.own.user}/keys", {"keys": [key, key]}, expect=422))["detail"]
    )


async def test_an_unknown_model_has_no_settings(api: ApiClient) -> None:
    problem = await api.get(f"/tenants/{api.world.own.tenant}/models/generic/D999/settings", expect=422)
    assert problem["type"] == "/problems#unknown-model"


async def test_the_catalogue_is_listed_in_its_order(api: ApiClient) -> None:
    catalogue = api.world.context.catalogue
    page = await api.get("/settings?limit=500", by="installer")
    assert [item["name"] for item in page["items"]] == list(catalogue.settings)
    language = page["items"][0]
    assert (language["name"], language["choices"], language["group_label"]) == (
        "language",
        ["en", "nl", "de", "pl"],
        "Language and time",
    )


async def test_a_settings_change_reaches_exactly_its_devices(api: ApiClient) -> None:
    async def revisions() -> dict[int, int]:
        async with api.world.context.store.read() as session:
            return {row.id: row.revision for row in (await session.execute(select(Device))).scalars()}

    before = await revisions()
    await api.patch(f"/tenants/{api.world.own.tenant}/settings", {"values": {"language": "nl"}})
    after = await revisions()
    assert [device for device in after if after[device] != before[device]] == [api.world.own.device]


def stored_values(document: Any) -> dict[str, Any]:
    return {"values": document["values"]}


async def _sealed(api: ApiClient) -> Any:
    async with api.world.context.store.read() as session:
        return (
            await session.execute(
                select(SettingValue.value).where(SettingValue.name == "phone_admin_password")
            )
        ).scalar_one()
