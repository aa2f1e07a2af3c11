"""Every endpoint with another tenant's ids: not found, nothing shown, nothing changed."""

import json
from typing import Any

import pytest

from provisioner.access.permissions import Permission
from provisioner.web.api.endpoint import Endpoint
from provisioner.web.api.table import ENDPOINTS
from tests.api.world import DEVICE_PASSWORD, PASSWORD, ApiClient

BODIES: dict[str, Any] = {
    "update_tenant": {"name": "Taken over"},
    "create_site": {"name": "Taken over"},
    "update_site": {"name": "Another name"},
    "create_user": {"name": "Taken over"},
    "update_user": {"name": "Taken over"},
    "create_number": {"digits": "1950", "kind": "outside", "number": "+49301234568"},
    "update_number": {"label": "Taken over"},
    "create_public_number": {"number": "+31207654321"},
    "assign_public_number": {"kind": ""},
    "enrol_device": {
        "profile": "generic",
        "model": "Generic",
        "mac": "020000009999",
        "password": DEVICE_PASSWORD,
    },
    "update_device": {"name": "Taken over"},
    # in this order: a phone given to a user is no hotdesk device; the own user and phone are the first ones made
    "set_user_hotdesk": {"enabled": True},
    "set_primary_device": {"device_id": 1},
    "put_line": {"position": 1, "user_id": None},
    "set_device_hotdesk": {"enabled": True},
    "log_in": {"user_id": 1},
    "create_shared_line": {"name": "Taken over", "number": "1960", "members": [{"device_id": 1}]},
    "create_boss_line": {
        "name": "Taken over",
        "number": "1970",
        "boss_device_id": 1,
        "assistant_device_ids": [1],
    },
    "update_shared_line": {"is_private_hold": True},
    "create_call_group": {"name": "Taken over"},
    "update_call_group": {"name": "Another name"},
    "create_menu": {"name": "Taken over"},
    "update_menu": {"name": "Another name"},
    "create_schedule": {"name": "Taken over"},
    "update_schedule": {"name": "Another name"},
    "replace_password": {"password": DEVICE_PASSWORD},
    "open_claim_window": {"minutes": 5},
    "preview_import": {"text": "mac,model\r\n020000009991,generic/Generic\r\n"},
    "import_devices": {"text": "mac,model\r\n020000009992,generic/Generic\r\n"},
}
UNFIT = {"delete_user", "create_shared_line", "create_boss_line"}
"""What the owner cannot do with the one phone of this world, which has a user and a single line."""
OWNED = [endpoint for endpoint in ENDPOINTS if "_id}" in endpoint.path]


def body_of(endpoint: Endpoint) -> Any:
    if endpoint.name.endswith("_settings"):
        return {"values": {"ring_tone": 3}}
    if endpoint.name.endswith("_keys"):
        return {"keys": [{"slot": 1, "type": "none"}]}  # the phones of this world have no other keys
    return BODIES[endpoint.name]


@pytest.mark.parametrize("by", ["admin", "admin-person"])
async def test_foreign_ids_are_not_found_and_nothing_changes(api: ApiClient, by: str) -> None:
    before = await everything(api)
    wrong = []
    for endpoint in OWNED:
        if endpoint.permission is Permission.TENANTS_WRITE:
            continue  # for operators only: the matrix test
        path = endpoint.path.format_map(api.world.foreign.ids())
        status, document = await api.ask(
            endpoint.method, path, by=by, json=body_of(endpoint) if endpoint.request else None
        )
        if status != 404 or document["type"] != "/problems#not-found":
            wrong.append((endpoint.method, path, status, document))
    assert wrong == []
    assert await everything(api) == before


async def test_the_same_requests_succeed_for_the_owner(api: ApiClient) -> None:
    refused = []
    for endpoint in sorted(OWNED, key=lambda endpoint: endpoint.method == "DELETE"):
        if endpoint.permission is Permission.TENANTS_WRITE or endpoint.name in UNFIT:
            continue
        path = endpoint.path.format_map(api.world.own.ids())
        status, document = await api.ask(
            endpoint.method, path, by="admin", json=body_of(endpoint) if endpoint.request else None
        )
        if status >= 300:
            refused.append((endpoint.method, path, status, document))
    assert refused == []


async def test_lists_show_no_foreign_row(api: ApiClient) -> None:
    shown = []
    for endpoint in ENDPOINTS:
        if endpoint.method == "GET" and "{" not in endpoint.path:
            status, document = await api.ask("GET", endpoint.path, by="admin")
            text = json.dumps(document)
            if status == 200 and ("florist" in text or "02:00:00:00:20:01" in text):
                shown.append(endpoint.path)
    assert shown == []


@pytest.mark.parametrize("path", ["/devices", "/registrations", "/registrations/counts", "/audit"])
async def test_a_filter_for_a_foreign_tenant_is_not_found(api: ApiClient, path: str) -> None:
    assert (await api.ask("GET", f"{path}?tenant_id={api.world.foreign.tenant}"))[0] == 404
    assert (await api.ask("GET", f"{path}?tenant_id={api.world.foreign.tenant}", by="operator"))[0] == 200


async def test_filters_for_foreign_users_and_sites_find_nothing(api: ApiClient) -> None:
    foreign = api.world.foreign
    for query in (f"user_id={foreign.user}", f"site_id={foreign.site}"):
        assert (await api.get(f"/devices?{query}"))["total"] == 0


async def test_nothing_can_be_given_to_foreign_users_or_sites(api: ApiClient) -> None:
    own, foreign = api.world.own, api.world.foreign
    body = {"profile": "generic", "model": "Generic", "mac": "020000009998"}
    await api.post(f"/tenants/{own.tenant}/devices", {**body, "user_id": foreign.user}, expect=422)
    await api.post(f"/tenants/{own.tenant}/devices", {**body, "site_id": foreign.site}, expect=422)
    await api.patch(f"/devices/{own.device}", {"user_id": foreign.user}, expect=422)
    await api.patch(f"/users/{own.user}", {"site_id": foreign.site}, expect=422)
    await api.post("/tokens", {"name": "x", "role": "admin", "tenant_id": foreign.tenant}, expect=404)
    login = {"name": "x@y.example", "role": "admin", "password": PASSWORD, "tenant_id": foreign.tenant}
    await api.post("/logins", login, expect=404)
    await api.post(
        "/logins", {**login, "tenant_id": own.tenant, "role": "user", "user_id": foreign.user}, expect=422
    )


async def everything(api: ApiClient) -> Any:
    """All of the foreign tenant that its own admin can see, without the times of last use."""
    found = {}
    for endpoint in ENDPOINTS:
        if endpoint.method == "GET" and endpoint.name not in {
            "list_tokens",
            "list_strangers",
            "get_me",
            "get_own_settings",
        }:
            found[endpoint.path] = await api.ask(
                "GET", endpoint.path.format_map(api.world.foreign.ids()), by="foreign"
            )
    assert [path for path, (status, _) in found.items() if status != 200] == []
    return found
