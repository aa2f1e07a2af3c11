"""The main job, with parts nobody here wrote: an installer in Chromium, Linphone as the phone, Kamailio as the PBX.

The installer's page stays open from the registration of the device to the end; it is never loaded again.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import ConsoleMessage, Page, expect

from provisioner.services.context import SYSTEM
from provisioner.services.devices.enrolment import find_by_mac
from tests.support.browser import CHROMIUM, PATIENCE, browser
from tests.support.lab import Lab, lab
from tests.support.linphone import Linphone, provisioned
from tests.support.ports import loopback
from tests.support.program import is_installed

PASSWORD = "an-installers-own-7"  # of the person, not of a phone
MAC = "02:A4:C3:00:10:01"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not is_installed("kamailio", "linphone-daemon"), reason="Kamailio or Linphone is not installed"
    ),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed"),
]


@pytest.fixture
async def place(tmp_path: Path, database_url: str) -> AsyncIterator[Lab]:
    async with lab(tmp_path, database=database_url) as place:
        yield place


async def log_in(place: Lab, page: Page) -> None:
    """As an installer of the tenant."""
    await place.running.server.doorkeeper.create_login(
        SYSTEM, name="ivo", role="installer", password=PASSWORD, tenant_id=place.tenant_id
    )
    await page.goto(place.running.admin_url)
    await page.get_by_label("Name", exact=True).fill("ivo")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("link", name="Users")).to_be_visible()


async def register_device(page: Page, user: str, *, mac: str) -> tuple[str, str, str]:
    """Through the "New device" pages; the provisioning URL, user name and password as they stand on the page."""
    await page.get_by_role("link", name="Users").click()
    await page.get_by_role("link", name=user).click()
    await page.get_by_role("link", name="New device").click()
    await page.get_by_role("searchbox").fill("linphone")
    await page.get_by_role("link", name="Linphone", exact=True).click()
    await page.get_by_label("MAC address").fill(mac)
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_text("This random password is shown now and never again.")).to_be_visible()
    password = await page.locator(".password code").inner_text()
    shown = await page.locator("main ol code").all_inner_texts()
    url = next(value for value in shown if value.startswith("https://"))
    username = shown[shown.index(url) + 1]
    return url, username, password


async def test_the_tick_turns_green_and_goes_on_the_open_page(place: Lab, tmp_path: Path) -> None:
    await place.user("Anna Desk", "1001")
    async with browser(tmp_path / "chromium") as page:
        complaints: list[str] = []

        def heard(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"}:
                complaints.append(message.text)

        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await log_in(place, page)
        url, username, password = await register_device(page, "Anna Desk", mac=MAC)
        await page.get_by_role("link", name="To the device").click()
        tick = page.locator("[data-tick]")
        await expect(tick).to_have_text("Never registered")
        await expect(page.locator("body.is-live")).to_be_visible()

        loads: list[str] = []
        page.on("framenavigated", lambda frame: loads.append(frame.url))
        await page.evaluate("window.untouched = true")
        address = loopback()
        login = f"{quote(username, safe='')}:{quote(password, safe='')}"
        start_file = provisioned(
            url.replace("https://", f"https://{login}@"), address=address, root_ca=place.running.ca_path
        )
        async with Linphone(tmp_path / "linphone", start_file, address=address):
            await expect(tick).to_have_attribute("data-state", "registered", timeout=PATIENCE)
            await expect(tick.locator(".text-green")).to_have_text("Registered")
            await expect(tick).to_contain_text("since")
            await expect(page.locator("#log")).to_contain_text("got its configuration", timeout=PATIENCE)
            await check_kamailio(place, address)
        await expect(tick).to_have_attribute("data-state", "unregistered", timeout=PATIENCE)
        await expect(tick).to_contain_text("Signed off")
        await expect(tick).to_have_text(re.compile(r"at .*\d\d:\d\d.* – the phone signed off"))
        assert await page.evaluate("window.untouched") is True
        assert loads == [], "the page was loaded again"
        assert complaints == []


async def check_kamailio(place: Lab, address: str) -> None:
    """The registrar holds exactly this phone, under the device's own account: no extension, no person."""
    device = await find_by_mac(place.running.context, SYSTEM, mac=MAC)
    aor = f"{device.lines[0].account}@acme.test"
    listed = await asyncio.to_thread(place.kamailio.rpc, "ul.dump", "brief")
    assert len(listed["Domains"][0]["Domain"]["AoRs"]) == 1
    assert not await asyncio.to_thread(place.kamailio.contacts, "1001@acme.test")
    [contact] = await asyncio.to_thread(place.kamailio.contacts, aor)
    assert address in contact["Address"]
