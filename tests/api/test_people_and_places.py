"""Tenants, sites, users, tokens, logins and own details over REST."""

from typing import Any

import pytest

from tests.api.world import PASSWORD, ApiClient, session_of

TENANT = {"key": "garage", "name": "Garage", "sip_domain": "garage.example.net"}


async def test_an_operator_makes_changes_and_removes_a_tenant(api: ApiClient) -> None:
    made = await api.post("/tenants", TENANT, by="operator", expect=201)
    assert (made["key"], made["is_premium"], made["password_minimum"], made["networks"]) == (
        "garage",
        False,
        6,
        [],
    )
    path = f"/tenants/{made['id']}"
    changed = await api.patch(path, {"is_premium": True, "networks": ["192.0.2.7/24"]}, by="operator")
    assert (changed["is_premium"], changed["networks"], changed["name"]) == (True, ["192.0.2.0/24"], "Garage")
    assert await api.get(path, by="operator") == changed
    assert {item["key"]: item["devices"] for item in (await api.get("/tenants", by="operator"))["items"]} == {
        "bakery": 1,
        "florist": 1,
        "garage": 0,
    }
    await api.delete(path, by="operator")
    await api.get(path, by="operator", expect=404)


async def test_a_tenant_with_devices_is_not_removed(api: ApiClient) -> None:
    problem = (await api.ask("DELETE", f"/tenants/{api.world.own.tenant}", by="operator", expect=409))[1]
    assert (problem["type"], problem["devices"]) == ("/problems#in-use", 1)


@pytest.mark.parametrize(
    ("change", "slug"),
    [
        ({"sip_domain": "no blanks here"}, "bad-input"),
        ({"policy": "password and"}, "invalid-policy"),
        ({"networks": ["192.0.2.0/99"]}, "bad-input"),
        ({"password_minimum": 5}, "bad-input"),
        ({"is_premium": "yes"}, "bad-input"),
        ({"key": "other"}, "bad-input"),
        ({"name": ""}, "bad-input"),
    ],
)
async def test_a_tenant_takes_no_bad_value(api: ApiClient, change: dict[str, Any], slug: str) -> None:
    path = f"/tenants/{api.world.own.tenant}"
    before = await api.get(path)
    problem = await api.patch(path, change, expect=422)
    assert problem["type"] == f"/problems#{slug}"
    assert await api.get(path) == before


async def test_a_key_is_taken_once(api: ApiClient) -> None:
    problem = await api.post("/tenants", {**TENANT, "key": "bakery"}, by="operator", expect=409)
    assert problem["errors"][0]["field"] == "key"


async def test_sites_from_making_to_removing(api: ApiClient) -> None:
    sites = f"/tenants/{api.world.own.tenant}/sites"
    made = await api.post(sites, {"name": "Depot", "address": "Dock 4"}, expect=201)
    assert (await api.patch(f"/sites/{made['id']}", {"emergency_caller_id": "+31 20 1234567"}))[
        "emergency_caller_id"
    ] == "+31201234567"
    assert [site["name"] for site in (await api.get(sites, by="installer"))["items"]] == [
        "Depot",
        "bakery office",
    ]
    await api.post(sites, {"name": "Depot"}, expect=409)
    await api.post(sites, {"name": "  "}, expect=422)
    await api.delete(f"/sites/{made['id']}")
    await api.get(f"/sites/{made['id']}", expect=404)


async def test_users_from_making_to_removing(api: ApiClient) -> None:
    users = f"/tenants/{api.world.own.tenant}/users"
    made = await api.post(
        users, {"name": "Bob", "extension": "1002", "email": "bob@bakery.example"}, expect=201
    )
    assert (made["extension"], made["kind"], made["numbers"]) == ("1002", "person", [])
    path = f"/users/{made['id']}"
    changed = await api.patch(path, {"numbers": ["+31 (20) 123-4567"], "extension": ""})
    assert (changed["numbers"], changed["extension"]) == (["+31201234567"], None)
    assert await api.get(path) == changed
    for query in ("search=bob", "search=BAKERY.example"):
        assert [user["name"] for user in (await api.get(f"{users}?{query}"))["items"]] == ["Bob"]
    await api.delete(path)
    await api.get(path, expect=404)


async def test_a_user_takes_no_bad_value(api: ApiClient) -> None:
    users, own = f"/tenants/{api.world.own.tenant}/users", api.world.own
    assert "1001" in (await api.post(users, {"name": "Bob", "extension": "1001"}, expect=409))["detail"]
    assert (
        "2, 3 or 4 digits" in (await api.post(users, {"name": "Bob", "extension": "5"}, expect=422))["detail"]
    )
    await api.post(users, {"name": "Bob", "kind": "robot"}, expect=422)
    await api.post(users, {"extension": "1005"}, expect=422)
    await api.patch(f"/users/{own.user}", {"numbers": ["call me"]}, expect=422)
    other = await api.post(users, {"name": "Eve"}, expect=201)
    await api.patch(f"/users/{other['id']}", {"numbers": ["+31201234567"]})
    assert (await api.patch(f"/users/{own.user}", {"numbers": ["+31201234567"]}, expect=409))[
        "field"
    ] == "numbers"
    assert (await api.get(users))["total"] == 2
    assert "bakery phone" in (await api.ask("DELETE", f"/users/{own.user}", expect=409))[1]["detail"]


async def test_a_user_of_an_unknown_tenant_is_not_made(api: ApiClient) -> None:
    await api.post("/tenants/2000000000/users", {"name": "Bob"}, by="operator", expect=404)
    await api.post("/tenants/2000000000/sites", {"name": "Depot"}, by="operator", expect=404)


async def test_a_token_is_shown_once_works_and_dies(api: ApiClient) -> None:
    made = await api.post("/tokens", {"name": "script", "role": "installer", "days": 30}, expect=201)
    assert made["tenant_id"] == api.world.own.tenant
    listed = next(token for token in (await api.get("/tokens"))["items"] if token["id"] == made["id"])
    assert "token" not in listed
    assert made["token"] not in str(await api.get("/tokens"))
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert (await (await api.http.get("/api/v1/me", headers=headers)).json())["role"] == "installer"
    await api.delete(f"/tokens/{made['id']}")
    await api.delete(f"/tokens/{made['id']}", expect=404)
    assert made["id"] not in [token["id"] for token in (await api.get("/tokens"))["items"]]


async def test_nobody_makes_a_token_above_themselves(api: ApiClient) -> None:
    assert (await api.post("/tokens", {"name": "x", "role": "operator"}, expect=403))[
        "type"
    ] == "/problems#forbidden"
    await api.post("/tokens", {"name": "x", "role": "user"}, expect=422)
    await api.post("/tokens", {"name": "x", "role": "admin", "days": 0}, expect=422)
    await api.post("/tokens", {"name": "x", "role": "admin"}, by="operator", expect=422)
    assert (await api.post("/tokens", {"name": "x", "role": "pbx"}, by="operator", expect=201))[
        "tenant_id"
    ] is None


async def test_logins_from_making_to_removing(api: ApiClient) -> None:
    body = {"name": "Eve@Bakery.example", "role": "installer", "password": PASSWORD, "language": "nl"}
    made = await api.post("/logins", body, expect=201)
    assert (made["name"], made["tenant_id"], made["language"]) == (
        "eve@bakery.example",
        api.world.own.tenant,
        "nl",
    )
    assert PASSWORD not in str(made)
    path = f"/logins/{made['id']}"
    assert (await api.post(f"{path}/block"))["is_blocked"] is True
    assert (await api.post(f"{path}/unblock"))["is_blocked"] is False
    assert len((await api.post(f"{path}/reset"))["token"]) > 30
    await api.post("/logins", body, expect=409)
    await api.delete(path)
    assert made["id"] not in [login["id"] for login in (await api.get("/logins"))["items"]]


async def test_a_login_takes_no_bad_value(api: ApiClient) -> None:
    body = {"name": "eve", "role": "installer", "password": PASSWORD}
    assert (await api.post("/logins", {**body, "password": "short"}, expect=422))[
        "type"
    ] == "/problems#weak-password"
    await api.post("/logins", {**body, "role": "user"}, expect=422)
    await api.post("/logins", {**body, "role": "pbx"}, expect=422)
    await api.post("/logins", {**body, "language": "fr"}, expect=422)
    await api.post("/logins", {**body, "name": "with blank"}, expect=422)
    await api.post("/logins", {**body, "role": "operator"}, expect=403)


async def test_who_am_i(api: ApiClient) -> None:
    token = await api.get("/me", by="installer")
    assert (token["role"], token["tenant_id"], token["login"]) == ("installer", api.world.own.tenant, None)
    assert "devices-write" in token["permissions"]
    person = await api.get("/me", by="user")
    assert (person["login"]["name"], person["user_id"]) == ("user-person", api.world.own.user)


async def test_a_person_changes_the_own_details(api: ApiClient) -> None:
    changed = await api.patch("/me", {"display_name": "Anna", "language": "pl"}, by="user")
    assert (changed["display_name"], changed["language"]) == ("Anna", "pl")
    await api.patch("/me", {"display_name": "Anna", "language": "xx"}, by="user", expect=422)
    await api.patch("/me", {"display_name": "Script", "language": "en"}, by="admin", expect=404)


async def test_a_person_changes_the_own_password(api: ApiClient) -> None:
    made = await api.post("/logins", {"name": "eve", "role": "installer", "password": PASSWORD}, expect=201)
    cookie = {"Cookie": f"session={await session_of(api.world.context, made['id'])}"}
    wrong = await api.ask(
        "POST", "/me/password", by=None, headers=cookie, json={"old": "not it", "new": PASSWORD + "1"}
    )
    assert (wrong[0], wrong[1]["type"]) == (401, "/problems#unauthenticated")
    assert (
        await api.ask(
            "POST", "/me/password", by=None, headers=cookie, json={"old": PASSWORD, "new": PASSWORD + "1"}
        )
    )[0] == 204
    assert (await api.ask("GET", "/me", by=None, headers=cookie))[0] == 401


async def test_a_user_sets_the_own_forwarding_and_nothing_else(api: ApiClient) -> None:
    stored = await api.patch("/me/settings", {"values": {"forward_busy": "1002"}}, by="user")
    assert stored["values"] == {"forward_busy": "1002"}
    assert await api.get("/me/settings", by="user") == await api.get(f"/users/{api.world.own.user}/settings")
    problem = await api.patch(
        "/me/settings", {"values": {"directory_url": "https://x.example/"}}, by="user", expect=403
    )
    assert problem["setting"] == "directory_url"
    await api.get("/me/settings", by="admin", expect=404)


async def test_the_audit_log_tells_who_did_what(api: ApiClient) -> None:
    await api.patch(f"/tenants/{api.world.own.tenant}", {"name": "Bakery & Sons"})
    newest = (await api.get("/audit?limit=1"))["items"][0]
    assert (newest["action"], newest["object"], newest["detail"]) == (
        "tenant.update",
        "bakery",
        {"name": "Bakery & Sons"},
    )
    assert newest["actor"].startswith("token admin (admin, 127.0.0.1")


async def test_profiles_and_their_models(api: ApiClient) -> None:
    page = await api.get("/profiles", by="installer")
    assert [item["id"] for item in page["items"]] == list(api.world.context.profiles.all)
    assert page["broken"] == {}
    vendor = await api.get("/profiles/generic")
    assert "Generic" in [model["id"] for model in vendor["models"]]
    await api.get("/profiles/nokia", expect=404)
