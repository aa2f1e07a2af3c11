import html
import re

import pytest

from provisioner.web.ui.fields import LARGEST_ID, chosen_id
from tests.ui.conftest import Site
from tests.ui.office import DEVICE_PASSWORD
from tests.ui.test_pages import pages_of

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}&'%s\u202e😀"


async def test_no_page_has_inline_script_or_style(site: Site) -> None:
    for who, pages in pages_of(site.office).items():
        for page in pages:
            text = await site.get(page, who=who)
            assert not re.search(r"<[a-z][^>]*\sstyle\s*=", text), page
            assert not re.search(r"<style\b", text), page
            assert not re.search(r"<[a-z][^>]*\son[a-z]+\s*=", text), page
            assert not re.search(r"<script(?![^>]*\ssrc=)", text), page
            assert "hx-on" not in text, page
            assert "javascript:" not in text, page


async def test_every_answer_has_the_strict_headers(site: Site) -> None:
    for who, path in (
        ("", "/login"),
        ("admin", "/t/acme/devices"),
        ("admin", "/nowhere"),
        ("installer", "/t/acme/audit"),
    ):
        async with site.browser(who).get(path, allow_redirects=False) as response:
            policy = response.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert "Referrer-Policy" in response.headers


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}]
)
async def test_a_form_sent_by_another_site_is_refused(site: Site, headers: dict[str, str]) -> None:
    for path in (
        "/login",
        "/own",
        "/t/acme/users/new",
        f"/t/acme/devices/{site.office.devices['Spare phone']}/remove",
    ):
        async with site.browser("admin").post(
            path, data={"name": "x"}, headers=headers, allow_redirects=False
        ) as response:
            assert response.status == 403, path
    await site.get(f"/t/acme/devices/{site.office.devices['Spare phone']}")


async def test_hostile_text_stays_text_everywhere(site: Site) -> None:
    office = site.office
    device, user = office.devices["Anna's desk"], office.users["Anna de Vries"]
    await site.post(
        f"/t/acme/users/{user}/edit",
        {"name": HOSTILE, "department": HOSTILE, "extension": "201", "kind": "person"},
    )
    edit = {
        "name": HOSTILE,
        "type": "snom/D785",
        "mac": "000413AA0001",
        "user_id": str(user),
        "note": HOSTILE,
    }
    await site.post(f"/t/acme/devices/{device}/edit", edit)
    await site.post(f"/t/acme/sites/{office.site}/edit", {"name": HOSTILE, "address": HOSTILE})
    await site.post("/own", {"display_name": HOSTILE, "language": "en"})
    await site.post(
        f"/t/acme/devices/{device}/settings", {"mode.directory_name": "set", "value.directory_name": HOSTILE}
    )
    marked = 0
    for page in pages_of(office)["admin"]:
        text = await site.get(page)
        assert "<script>alert" not in text, page
        assert "<img src=x" not in text, page
        marked += HOSTILE in html.unescape(text)
    assert marked > 10


async def test_hostile_searches_and_refused_forms_stay_text(site: Site) -> None:
    for path in ("/t/acme/users", "/t/acme/devices", "/t/acme/devices/new", "/t/acme/settings"):
        async with site.browser("admin").get(
            path, params={"q": HOSTILE[:50] + "\0", "state": HOSTILE, "from": HOSTILE}
        ) as response:
            assert response.status == 200, path
            assert "<script>alert" not in await response.text(), path
    page = await site.post("/t/acme/users/new", {"name": HOSTILE, "extension": "x"}, status=422)
    assert "<script>alert" not in page
    assert HOSTILE in html.unescape(page)


async def test_no_secret_of_a_device_is_on_a_page(site: Site) -> None:
    """The sheet is the one page that is made to show them, to those who may change the device."""
    for page in pages_of(site.office)["admin"]:
        if not page.endswith("/sheet"):
            assert DEVICE_PASSWORD not in await site.get(page), page


async def test_the_files_are_shown_without_secrets(site: Site) -> None:
    for name in ("Anna's desk", "Bram's desk", "Carla's softphone"):
        page = html.unescape(await site.get(f"/t/acme/devices/{site.office.devices[name]}/files"))
        assert site.office.accounts[name] in page
        assert "hidden" in page
        assert DEVICE_PASSWORD not in page
        assert not re.search(r"/a/(?!hidden)[A-Za-z0-9_-]{16,}", page)


def test_an_id_that_no_database_holds_is_none() -> None:
    """PostgreSQL refuses to compare with it, which would be an error of ours."""
    assert [chosen_id(text) for text in ("7", str(LARGEST_ID), str(LARGEST_ID + 1), "9" * 15, "-1", "")] == [
        7, LARGEST_ID, None, None, None, None,
    ]  # fmt: skip


async def test_an_address_with_a_number_that_names_nothing_is_not_there(site: Site) -> None:
    for path in ("/t/acme/users/999999999999999", "/t/acme/devices/2147483648/keys"):
        await site.get(path, status=404)


async def test_a_page_that_is_not_there_says_so_in_html(site: Site) -> None:
    assert "There is no such page" in await site.get("/nowhere/at/all", status=404)
    assert "Deze pagina bestaat niet" in await site.get(
        "/nowhere", who="", status=404, language="nl-NL,nl;q=0.9,en;q=0.8"
    )
