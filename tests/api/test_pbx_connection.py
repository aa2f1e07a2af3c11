"""The connection to the PBX and phones told by hand, over REST."""

from typing import Any

from tests.api.world import ApiClient

KAMAILIO: dict[str, Any] = {
    "kind": "kamailio",
    "address": "http://127.0.0.1:1/RPC",
    "username": "prov",
    "secret": "Blue-kettle-77",
}


def path(api: ApiClient) -> str:
    return f"/tenants/{api.world.own.tenant}/pbx"


async def test_an_operator_connects_a_pbx_and_its_password_is_never_shown(api: ApiClient) -> None:
    put = await api.put(path(api), KAMAILIO, by="operator")
    assert put == {
        "tenant_id": api.world.own.tenant,
        "kind": "kamailio",
        "address": "http://127.0.0.1:1/RPC",
        "username": "prov",
        "has_secret": True,
    }
    assert await api.get(path(api), by="installer") == put
    tested = await api.post(path(api) + "/test", by="operator")
    assert tested["is_working"] is False
    assert "no connection" in tested["problem"]
    await api.delete(path(api), by="operator")
    await api.get(path(api), expect=404)


async def test_a_tenants_admin_does_not_choose_where_the_server_speaks_to(api: ApiClient) -> None:
    await api.put(path(api), KAMAILIO, expect=403)
    await api.delete(path(api), expect=403)
    await api.post(path(api) + "/test", expect=403)


async def test_bad_addresses_are_named(api: ApiClient) -> None:
    for address in ("gopher://x/", "http://u:p@x/", "", "http://x:0/"):
        problem = await api.put(path(api), {**KAMAILIO, "address": address}, by="operator", expect=422)
        assert problem["field"] == "address"
    await api.put(path(api), {"kind": "other"}, by="operator", expect=422)


async def test_a_phone_is_told_by_hand_once_the_pbx_is_connected(api: ApiClient) -> None:
    device = f"/devices/{api.world.own.device}/resync"
    await api.delete(path(api), by="operator")
    assert (await api.get(device))["state"] == "never-fetched"
    problem = await api.post(device, by="installer", expect=409)
    assert "connect it first" in problem["detail"]
    await api.put(path(api), KAMAILIO, by="operator")
    told = await api.post(device, by="installer", expect=202)
    assert (told["state"], told["attempts"], told["is_connected"]) == ("asked", 0, True)
    assert told["next_at"] > told["asked_at"]


async def test_another_tenants_phones_and_pbx_do_not_exist(api: ApiClient) -> None:
    await api.put(path(api), KAMAILIO, by="operator")
    await api.get(path(api), by="foreign", expect=404)
    await api.post(f"/devices/{api.world.own.device}/resync", by="foreign", expect=404)
    await api.get(f"/devices/{api.world.own.device}/resync", by="foreign", expect=404)
