"""Whether a phone is up to date, on its page, in word and colour; and the connection to the PBX."""

import html

import pytest
from sqlalchemy import insert, update

from provisioner.model import Resync, Sighting
from provisioner.services.context import SYSTEM
from provisioner.services.files.phone_files import preview_files
from provisioner.services.pbx.connections import get_connection, put_connection
from provisioner.services.pbx.resync_rows import NOT_REGISTERED
from tests.ui.conftest import Site

BUTTON = "Send the new configuration now"
FORM = {"kind": "kamailio", "address": "http://127.0.0.1:1/RPC", "username": "", "secret": ""}


def device_of(site: Site) -> int:
    return site.office.devices["Bram's desk"]


async def connect(site: Site) -> None:
    await put_connection(site.context, SYSTEM, tenant_id=site.office.tenant_id, kind="direct")


async def page(site: Site, *, who: str = "admin", language: str = "") -> str:
    return html.unescape(await site.get(f"/t/acme/devices/{device_of(site)}", who=who, language=language))


async def test_without_a_connection_there_is_no_button_and_operators_are_led_to_it(site: Site) -> None:
    assert BUTTON not in await page(site)
    assert "the PBX is not connected" in (await page(site)).casefold().replace("pbx", "PBX")
    assert 'href="/t/acme/pbx"' not in await page(site)
    assert 'href="/t/acme/pbx"' in await page(site, who="operator")


async def test_the_button_has_the_phone_told(site: Site) -> None:
    await connect(site)
    assert BUTTON in await page(site, who="installer")
    where = await site.post(f"/t/acme/devices/{device_of(site)}/resync", who="installer")
    assert where.endswith("?done=told")
    shown = await page(site)
    assert "told to fetch; waiting for the phone" in shown
    assert "text-orange" in shown


async def test_a_phone_with_the_file_it_would_get_now_is_up_to_date(site: Site) -> None:
    files = await preview_files(site.context, SYSTEM, device_id=device_of(site))
    async with site.context.store.write() as session:
        await session.execute(
            insert(Sighting).values(
                device_id=device_of(site),
                seen_at=site.context.clock(),
                served_hash=files[0][1].hash,
                served_at=site.context.clock(),
                served_revision=1,
            )
        )
    assert "up to date" in await page(site)
    async with site.context.store.write() as session:
        await session.execute(update(Sighting).values(served_hash="0" * 64))
    assert "older than the settings" in await page(site)


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        ("The phone did not answer.", "the phone was told and did not come"),
        (NOT_REGISTERED, "the phone is not registered"),
    ],
)
async def test_a_phone_that_did_not_come_is_red_and_says_why(site: Site, detail: str, words: str) -> None:
    async with site.context.store.write() as session:
        session.add(
            Resync(
                device_id=device_of(site),
                tenant_id=site.office.tenant_id,
                why="test",
                asked_at=site.context.clock(),
                revision=1_000,
                attempts=5,
                next_at=None,
                result="gave-up",
                detail=detail,
            )
        )
    shown = await page(site)
    assert words in shown
    assert detail in shown
    assert "5 attempts" in shown
    assert 'class="state text-red"' in shown


async def test_without_a_connection_telling_is_refused_on_the_page(site: Site) -> None:
    shown = html.unescape(await site.post(f"/t/acme/devices/{device_of(site)}/resync", status=409))
    assert "connect it first" in shown


async def test_an_operator_connects_the_pbx(site: Site) -> None:
    await site.get("/t/acme/pbx", status=403)
    assert "Test the connection" not in await site.get("/t/acme/pbx", who="operator")
    assert (await site.post("/t/acme/pbx", FORM, who="operator")).endswith("/pbx?done=saved")
    assert "Test the connection" in await site.get("/t/acme/pbx", who="operator")
    tested = await site.post("/t/acme/pbx/test", who="operator", status=200)
    assert "There is no connection to the PBX" in tested
    await site.post("/t/acme/pbx/remove", who="operator")
    assert "Test the connection" not in await site.get("/t/acme/pbx", who="operator")


async def test_a_wrong_address_stays_on_the_form_and_the_password_never_does(site: Site) -> None:
    form = {**FORM, "address": "gopher://x", "username": "prov", "secret": "Blue-kettle-77"}
    shown = await site.post("/t/acme/pbx", form, who="operator", status=422)
    assert "gopher://x" in shown
    assert "is a URL such as" in shown
    assert "kettle" not in shown


async def test_an_empty_password_keeps_the_stored_one(site: Site) -> None:
    first = {**FORM, "username": "prov", "secret": "Blue-kettle-77"}
    await site.post("/t/acme/pbx", first, who="operator")
    stored = (await get_connection(site.context, SYSTEM, tenant_id=site.office.tenant_id)).secret
    await site.post("/t/acme/pbx", {**first, "secret": ""}, who="operator")
    again = await get_connection(site.context, SYSTEM, tenant_id=site.office.tenant_id)
    assert again.secret == stored != ""
    assert "kettle" not in await site.get("/t/acme/pbx", who="operator")
