"""An open page in Chromium: what is not live must not look like it."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import expect

from provisioner.app import Server
from provisioner.services.context import SYSTEM
from provisioner.services.devices.enrolment import enrol
from tests.support.browser import CHROMIUM, PATIENCE, browser
from tests.support.server import running_server, server_settings

PASSWORD = "an-admins-own-77"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed"),
]


async def test_a_page_says_when_its_server_is_gone_and_is_live_again_when_it_is_back(tmp_path: Path) -> None:
    async with browser(tmp_path / "chromium") as page, AsyncExitStack() as stack:
        async with running_server(tmp_path / "data") as running:
            ports = {f"{name}_port": running.server.ports[name] for name in ("https", "http", "admin")}
            await enrol(
                running.context,
                SYSTEM,
                tenant_id=running.tenant.id,
                profile="snom",
                model="D785",
                mac="00:04:13:AA:00:01",
            )
            await running.server.doorkeeper.create_login(
                SYSTEM, name="ada", role="admin", password=PASSWORD, tenant_id=running.tenant.id
            )
            await page.goto(running.admin_url)
            await page.get_by_label("Name", exact=True).fill("ada")
            await page.get_by_label("Password", exact=True).fill(PASSWORD)
            await page.get_by_role("button", name="Log in").click()
            await page.get_by_role("link", name="Devices", exact=True).click()
            await expect(page.locator("[data-tick]")).to_have_text("Never registered")
            notice = page.get_by_role("alert").filter(has_text="Not live")
            await expect(notice).to_be_hidden(timeout=PATIENCE)
        await expect(notice).to_be_visible(timeout=PATIENCE)
        await expect(page.locator("body")).to_have_class("is-stale", timeout=PATIENCE)
        again = await stack.enter_async_context(Server(server_settings(tmp_path / "data", **ports)))
        await expect(notice).to_be_hidden(timeout=PATIENCE)
        await expect(page.locator("body")).not_to_have_class("is-stale", timeout=PATIENCE)
        assert again.ports["admin"] == ports["admin_port"]
