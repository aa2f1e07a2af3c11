import asyncio

import pytest
from aiohttp import CookieJar

from provisioner.services.context import SYSTEM
from provisioner.services.people.logins import make_reset
from tests.ui.conftest import Site
from tests.ui.office import PASSWORD


async def test_the_right_password_opens_a_session_and_leads_on(site: Site) -> None:
    browser = site.browser()
    async with browser.post(
        "/login",
        data={"name": "Admin", "password": PASSWORD, "next": "/t/acme/devices"},
        allow_redirects=False,
    ) as response:
        assert (response.status, response.headers["Location"]) == (303, "/t/acme/devices")
        cookie = response.cookies["session"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert not cookie["max-age"]
    jar = browser.cookie_jar
    assert isinstance(jar, CookieJar)
    assert "Log out" in await site.get("/t/acme/devices", who="")


async def test_remember_me_makes_the_cookie_outlive_the_browser(site: Site) -> None:
    form = {"name": "admin", "password": PASSWORD, "remember": "on"}
    async with site.browser().post("/login", data=form, allow_redirects=False) as response:
        assert int(response.cookies["session"]["max-age"]) > 29 * 24 * 3600


async def test_a_wrong_password_and_an_unknown_name_get_the_same_page(site: Site) -> None:
    pages = []
    for name in ("admin", "nobody"):
        page = await site.post("/login", {"name": name, "password": "wrong password 1"}, who="", status=401)
        assert "The name or the password is wrong." in page
        assert "wrong password 1" not in page
        pages.append(page.replace(name, "NAME"))
    assert pages[0] == pages[1]


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", ""]
)
async def test_the_login_leads_to_no_foreign_site(site: Site, target: str) -> None:
    assert await site.post("/login", {"name": "admin", "password": PASSWORD, "next": target}, who="") == "/"


async def test_a_stranger_is_led_to_the_login_and_back(site: Site) -> None:
    async with site.browser().get("/t/acme/devices?state=failed", allow_redirects=False) as response:
        assert response.status == 303
        assert response.headers["Location"] == "/login?next=%2Ft%2Facme%2Fdevices%3Fstate%3Dfailed"


async def test_logging_out_ends_the_session_on_the_server(site: Site) -> None:
    assert await site.post("/logout", who="installer") == "/login"
    fresh = site.office.tokens["installer"]
    async with site.browser("").get(
        "/t/acme", headers={"Cookie": f"session={fresh}"}, allow_redirects=False
    ) as response:
        assert response.headers["Location"].startswith("/login")


async def test_people_change_their_own_name_and_language(site: Site) -> None:
    assert await site.post("/own", {"display_name": "Ada Admin", "language": "nl"}) == "/own?done=saved"
    page = await site.get("/own")
    assert 'lang="nl"' in page
    assert "Ada Admin" in page
    assert "Eigen gegevens" in page


async def test_the_own_password_needs_the_present_one(site: Site) -> None:
    new = "another horse battery"
    form = {"old": "wrong password 1", "password": new, "again": new}
    assert "The present password is wrong." in await site.post("/own/password", form, status=422)
    assert "The two passwords differ." in await site.post(
        "/own/password", {**form, "again": "other"}, status=422
    )
    short = {"old": PASSWORD, "password": "short", "again": "short"}
    assert "It needs at least 12 characters." in await site.post("/own/password", short, status=422)
    assert await site.post("/own/password", {**form, "old": PASSWORD}) == "/login?done=password"
    assert await site.post("/login", {"name": "admin", "password": new}, who="") == "/"


async def test_a_reset_link_sets_a_password_once(site: Site) -> None:
    token = await make_reset(site.context, SYSTEM, login_id=site.office.logins["installer"])
    form = {"password": "a brand new phrase", "again": "a brand new phrase"}
    assert "The two passwords differ." in await site.post(
        f"/reset/{token}", {**form, "again": "x"}, who="", status=422
    )
    assert await site.post(f"/reset/{token}", form, who="") == "/login?done=password"
    assert "used up or too old" in await site.post(f"/reset/{token}", form, who="", status=404)
    assert await site.post("/login", {"name": "installer", "password": form["password"]}, who="") == "/"


async def test_guessing_is_slowed_down(site: Site) -> None:
    for _ in range(30):
        form = {"name": "admin", "password": "wrong password 1"}
        async with site.browser().post("/login", data=form, allow_redirects=False) as response:
            if response.status == 429:
                assert int(response.headers["Retry-After"]) > 0
                assert "Too many wrong passwords" in await response.text()
                return
        await asyncio.sleep(0)
    raise AssertionError("thirty wrong passwords in a row were not slowed down")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded; charset=foo", b"name=a&password=b"),
        ("application/x-www-form-urlencoded", b"name=\xff&password=b"),
        ("application/x-www-form-urlencoded; charset=utf-7", b"name=a&password=+2AA-"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=a", b"--b\r\n\r\nx"),
        (
            "multipart/form-data; boundary=a",
            b"--a\r\nContent-Disposition: form-data; name=x\r\nContent-Transfer-Encoding: foo\r\n\r\nx\r\n--a--\r\n",
        ),
    ],
)
async def test_a_form_that_is_none_is_bad_input(site: Site, kind: str, body: bytes) -> None:
    async with site.browser().post("/login", data=body, headers={"Content-Type": kind}) as response:
        assert response.status == 422
