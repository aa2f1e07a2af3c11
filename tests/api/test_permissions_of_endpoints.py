"""Every endpoint × every role, and nobody: the answer agrees with the permission matrix."""

import pytest

from provisioner.access.permissions import MATRIX, Role
from provisioner.web.api.endpoint import BASE, Endpoint
from provisioner.web.api.table import ENDPOINTS
from tests.api.world import ApiClient, make_app

ASKERS = {
    "operator": Role.OPERATOR,
    "admin": Role.ADMIN,
    "installer": Role.INSTALLER,
    "user": Role.USER,
    "pbx": Role.PBX,
}


def path_of(endpoint: Endpoint, ids: dict[str, str]) -> str:
    return endpoint.path.format_map(ids)


@pytest.mark.parametrize("by", [*ASKERS, None])
async def test_every_endpoint_answers_each_role_as_the_matrix_says(api: ApiClient, by: str | None) -> None:
    ids = {**api.world.own.ids(), "token_id": "2000000000", "login_id": "2000000000"}
    wrong = []
    for endpoint in sorted(ENDPOINTS, key=lambda endpoint: endpoint.method == "DELETE"):
        status, document = await api.ask(
            endpoint.method,
            path_of(endpoint, ids),
            by=by,
            json={"no such field": 1} if endpoint.request else None,
        )
        if by is None:
            is_right = status == 401
        elif endpoint.permission in MATRIX[ASKERS[by]]:
            is_right = status not in {401, 403} and status < 500
        else:
            is_right = status == 403 and document["permission"] == endpoint.permission.value
        if not is_right:
            wrong.append((endpoint.method, endpoint.path, status, document))
    assert wrong == []


async def test_a_wrong_token_is_nobody(api: ApiClient) -> None:
    response = await api.http.get(
        f"{BASE}/me", headers={"Authorization": "Bearer prov_abcdefghijkl_" + "x" * 40}
    )
    assert response.status == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


async def test_everything_under_the_base_is_in_the_table_or_public(api: ApiClient) -> None:
    known = {(endpoint.method, BASE + endpoint.path) for endpoint in ENDPOINTS}
    public = {("GET", f"{BASE}/openapi.json"), ("GET", "/problems")}
    routes = {
        (route.method, route.resource.canonical)
        for route in make_app(api.world.context).router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert routes == known | public


async def test_a_session_may_not_be_used_by_another_web_site(api: ApiClient) -> None:
    body = {"display_name": "Mallory", "language": "en"}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        status, document = await api.ask("PATCH", "/me", by="admin-person", json=body, headers=headers)
        assert (status, document["type"]) == (403, "/problems#forbidden")
    assert (
        await api.ask("PATCH", "/me", by="admin-person", json=body, headers={"Sec-Fetch-Site": "same-origin"})
    )[0] == 200
