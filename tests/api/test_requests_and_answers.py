"""What holds for every endpoint: bodies, queries, pages, problems."""

import io
import re

import pytest

from provisioner.web.api.endpoint import MAX_BODY
from tests.api.world import ApiClient

JSON = {"Content-Type": "application/json"}


async def test_a_body_of_another_kind_is_refused(api: ApiClient) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/octet-stream"):
        status, problem = await api.ask(
            "PATCH", f"/tenants/{api.world.own.tenant}", data=b'{"name": "x"}', headers={"Content-Type": kind}
        )
        assert (status, problem["type"]) == (415, "/problems#unsupported-media-type")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"name": }',
        b"[1]",
        b'"x"',
        b"null",
        b'{"name": "\\ud800"}',
        b'{"name": "\xff"}',
        b'{"password_minimum": 1e400}',
        b"[" * 100_000,
    ],
)
async def test_a_body_that_is_no_json_object_is_refused(api: ApiClient, body: bytes) -> None:
    status, problem = await api.ask("PATCH", f"/tenants/{api.world.own.tenant}", data=body, headers=JSON)
    assert (status, problem["type"]) == (422, "/problems#bad-input")
    assert problem["errors"]


async def test_a_body_that_is_too_large_is_refused(api: ApiClient) -> None:
    async def without_length() -> object:
        for _ in range(MAX_BODY // 1000 + 1):
            yield b" " * 1000

    path = f"/tenants/{api.world.own.tenant}"
    status, problem = await api.ask("PATCH", path, data=io.BytesIO(b" " * (MAX_BODY + 1)), headers=JSON)
    assert (status, problem["type"], problem["limit"]) == (413, "/problems#too-large", MAX_BODY)
    status, problem = await api.ask("PATCH", path, data=without_length(), headers=JSON)
    assert (status, problem["type"]) == (413, "/problems#too-large")


async def test_every_wrong_member_is_named(api: ApiClient) -> None:
    problem = await api.post(
        f"/tenants/{api.world.own.tenant}/devices", {"profile": 5, "modell": "x", "user_id": "7"}, expect=422
    )
    assert problem["type"] == "/problems#bad-input"
    assert problem["status"] == 422
    assert {error["field"] for error in problem["errors"]} == {"profile", "model", "mac", "modell", "user_id"}
    assert all(error["message"] for error in problem["errors"])


async def test_a_refused_secret_is_not_repeated(api: ApiClient) -> None:
    canary = "Canary-\x001-secret"
    problem = await api.post(f"/devices/{api.world.own.device}/password", {"password": canary}, expect=422)
    assert "Canary" not in str(problem)


@pytest.mark.parametrize(
    "query",
    [
        "colour=red",
        "limit=0",
        "limit=501",
        "limit=1_0",
        "limit=+5",
        "limit=x",
        "offset=-1",
        "limit=5&limit=6",
        "limit=99999999999999999999",
    ],
)
async def test_a_wrong_query_is_refused(api: ApiClient, query: str) -> None:
    problem = await api.get(f"/devices?{query.replace('+', '%2B')}", expect=422)
    assert problem["type"] == "/problems#bad-input"
    assert problem["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize(
    "number", ["0", "-1", "x", "01", "1.0", "2147483648", "99999999999999999999", "%00", "١"]
)
async def test_a_number_that_names_nothing_is_not_found(api: ApiClient, number: str) -> None:
    assert (await api.get(f"/devices/{number}", expect=404))["type"] == "/problems#not-found"


async def test_pages_and_their_links(api: ApiClient) -> None:
    users = f"/tenants/{api.world.own.tenant}/users"
    for number in range(1, 5):
        await api.post(users, {"name": f"User {number}"}, expect=201)
    seen, path = [], f"{users}?limit=2"
    while path:
        response = await api.response("GET", path)
        page = await response.json()
        assert (page["total"], page["limit"]) == (5, 2)
        seen += [user["name"] for user in page["items"]]
        links = {
            relation: target
            for target, relation in re.findall(r'<([^>]*)>; rel="(\w+)"', response.headers.get("Link", ""))
        }
        assert ("prev" in links) == (page["offset"] > 0)
        path = links.get("next", "").removeprefix("/api/v1")
    assert seen == ["Anna bakery", "User 1", "User 2", "User 3", "User 4"]


async def test_links_keep_the_search(api: ApiClient) -> None:
    await api.post(f"/tenants/{api.world.own.tenant}/users", {"name": "Ann & b%=é"}, expect=201)
    await api.post(f"/tenants/{api.world.own.tenant}/users", {"name": "Ann & b%=é"}, expect=201)
    response = await api.response(
        "GET", f"/tenants/{api.world.own.tenant}/users?limit=1&search=%26%20b%25%3D%C3%A9"
    )
    following = re.findall("<([^>]*)>", response.headers["Link"])[0]
    assert (await api.get(following.removeprefix("/api/v1")))["total"] == 2


async def test_unknown_addresses_and_methods_are_problems(api: ApiClient) -> None:
    response = await api.response("GET", "/nothing")
    assert response.status == 404
    assert response.content_type == "application/problem+json"
    response = await api.response("PUT", "/devices")
    assert response.status == 405
    assert "GET" in response.headers["Allow"]


async def test_head_has_the_answer_of_get_without_its_body(api: ApiClient) -> None:
    response = await api.response("HEAD", "/devices")
    assert response.status == 200
    assert await response.read() == b""


async def test_a_rotated_session_reaches_the_browser(api: ApiClient) -> None:
    from datetime import timedelta

    from sqlalchemy import update

    from provisioner.model import LoginSession

    context = api.world.context
    async with context.store.write() as session:
        await session.execute(update(LoginSession).values(rotated_at=context.clock() - timedelta(hours=2)))
    response = await api.response("GET", "/devices/2000000000", by="admin-person")
    assert response.status == 404
    assert response.cookies["session"].value not in {"", api.world.cookies["admin-person"]}
    assert response.cookies["session"]["httponly"]
