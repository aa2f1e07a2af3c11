"""Chromium, as an installer or admin has it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Page, async_playwright, expect

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE = 30_000.0  # ms: a busy machine takes its time

expect.set_options(timeout=PATIENCE)


@asynccontextmanager
async def browser(profile: Path) -> AsyncIterator[Page]:
    """A page of a Chromium that has never been used."""
    arguments = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            profile, executable_path=CHROMIUM, headless=True, args=arguments, locale="en-GB"
        )
        try:
            context.set_default_timeout(PATIENCE)
            yield context.pages[0] if context.pages else await context.new_page()
        finally:
            await context.close()
