"""A table of devices over REST: preview, all or nothing, and back."""

from tests.api.world import ApiClient

GOOD = "mac,model,name\r\n02:00:00:00:40:01,generic/Generic,Till 1\r\n02:00:00:00:40:02,generic/Generic,Till 2\r\n"
BROKEN = (
    "mac,model,name\r\n02:00:00:00:40:01,generic/Generic,Till 1\r\n02:00:00:00:40,generic/Generic,Till 2\r\n"
)


async def test_a_preview_stores_nothing(api: ApiClient) -> None:
    plan = await api.post(f"/tenants/{api.world.own.tenant}/imports/preview", {"text": GOOD}, by="installer")
    assert (plan["is_importable"], len(plan["devices"]), plan["broken"]) == (True, 2, [])
    assert (await api.get("/devices"))["total"] == 1


async def test_an_import_answers_the_passwords_once(api: ApiClient) -> None:
    done = await api.post(
        f"/tenants/{api.world.own.tenant}/imports", {"text": GOOD}, by="installer", expect=201
    )
    assert [row["name"] for row in done["devices"]] == ["Till 1", "Till 2"]
    assert all(len(row["password"]) >= 12 for row in done["devices"])
    exported = (await api.get(f"/tenants/{api.world.own.tenant}/exports/devices"))["text"]
    assert "Till 2" in exported
    assert done["devices"][0]["password"] not in exported


async def test_a_broken_row_is_named_and_nothing_is_imported(api: ApiClient) -> None:
    problem = await api.post(f"/tenants/{api.world.own.tenant}/imports", {"text": BROKEN}, expect=422)
    assert problem["type"] == "/problems#import-refused"
    assert [(row["line"], row["column"]) for row in problem["rows"]] == [(3, "mac")]
    assert "12 digits" in problem["rows"][0]["reason"]
    assert (await api.get("/devices"))["total"] == 1


async def test_an_installer_makes_no_users_by_import(api: ApiClient) -> None:
    body = {"text": "mac,model,user\r\n02:00:00:00:40:01,generic/Generic,Zoe\r\n", "create_users": True}
    problem = await api.post(f"/tenants/{api.world.own.tenant}/imports", body, by="installer", expect=403)
    assert problem["permission"] == "users-write"
    assert (await api.post(f"/tenants/{api.world.own.tenant}/imports", body, expect=201))["users_made"] == 1
