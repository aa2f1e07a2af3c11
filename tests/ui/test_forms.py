import html
import re

from provisioner.services.context import SYSTEM
from provisioner.services.devices.device_list import list_devices
from provisioner.services.devices.device_settings import get_settings
from provisioner.services.devices.enrolment import get_device, reveal
from provisioner.services.people.users import get_user
from tests.ui.conftest import Site
from tests.ui.office import DEVICE_PASSWORD


async def test_a_user_is_made_changed_and_removed(site: Site) -> None:
    where = await site.post(
        "/t/acme/users/new", {"name": "Dirk Bakker", "extension": "204", "kind": "person"}
    )
    found = re.fullmatch(r"/t/acme/users/(\d+)\?done=created", where)
    assert found
    here = f"/t/acme/users/{found[1]}"
    edit = {
        "name": "Dirk de Bakker",
        "extension": "205",
        "numbers": "+31 20 123 45 67",
        "kind": "person",
        "site_id": str(site.office.site),
    }
    assert await site.post(f"{here}/edit", edit) == f"{here}?done=saved"
    page = await site.get(here)
    for part in ("Dirk de Bakker", "205", "+31201234567", "Utrecht"):
        assert part in page
    assert await site.post(f"{here}/remove") == "/t/acme/users?done=removed"
    await site.get(here, status=404)


async def test_a_taken_extension_is_told_next_to_its_field(site: Site) -> None:
    page = await site.post(
        "/t/acme/users/new", {"name": "Dirk", "extension": "201", "kind": "person"}, status=409
    )
    error = re.search(r'id="f-extension-error">(.*?)</div>', page, re.DOTALL)
    assert error
    assert "Extension 201 belongs to Anna de Vries" in error[1]
    assert 'value="Dirk"' in page


async def test_a_user_with_a_device_is_not_removed(site: Site) -> None:
    user = site.office.users["Anna de Vries"]
    page = html.unescape(await site.post(f"/t/acme/users/{user}/remove", status=409))
    assert "still has 1 device(s): Anna's desk" in page
    assert (await get_user(site.context, SYSTEM, user_id=user)).name == "Anna de Vries"


async def test_a_device_is_changed_and_given_to_somebody_else(site: Site) -> None:
    device, user = site.office.devices["Spare phone"], site.office.users["Bram Jansen"]
    edit = {
        "name": "Workshop", "type": "yealink/T46U", "mac": "0015.65aa.0099", "user_id": str(user), "site_id": "", "policy": "token", "note": "by the door",
    }  # fmt: skip
    assert (
        await site.post(f"/t/acme/devices/{device}/edit", edit, who="installer")
        == f"/t/acme/devices/{device}?done=saved"
    )
    page = html.unescape(await site.get(f"/t/acme/devices/{device}"))
    for part in ("Workshop", "00:15:65:AA:00:99", "Bram Jansen", "by the door", "Secret address (token)"):
        assert part in page
    token = reveal(site.context, await get_device(site.context, SYSTEM, device_id=device), "token")
    assert f"https://prov.example.net:8443/p/t/{token}/" in page
    assert token not in await site.get(f"/t/acme/devices/{device}/files")


async def test_a_refused_change_keeps_what_was_typed(site: Site) -> None:
    device = site.office.devices["Spare phone"]
    edit = {
        "name": "Workshop",
        "type": "yealink/T46U",
        "mac": "00:04:13:AA:00:01",
        "user_id": "",
        "site_id": "",
        "policy": "",
        "note": "",
    }
    page = html.unescape(await site.post(f"/t/acme/devices/{device}/edit", edit, status=409))
    assert "it is “Anna's desk” of Acme BV" in page
    assert 'value="Workshop"' in page
    assert (await get_device(site.context, SYSTEM, device_id=device)).name == "Spare phone"


async def test_another_vendors_address_is_saved_with_a_warning(site: Site) -> None:
    device = site.office.devices["Spare phone"]
    edit = {
        "name": "Spare",
        "type": "snom/D785",
        "mac": "001565AA0005",
        "user_id": "",
        "site_id": "",
        "policy": "",
        "note": "",
    }
    page = await site.post(f"/t/acme/devices/{device}/edit", edit, status=200)
    assert "Saved. 00:15:65:AA:00:05 is an address of Yealink" in page
    assert (await get_device(site.context, SYSTEM, device_id=device)).model == "D785"


async def test_a_replaced_password_is_shown_once(site: Site) -> None:
    device = site.office.devices["Anna's desk"]
    page = html.unescape(
        await site.post(f"/t/acme/devices/{device}/password", {"at_once": "on"}, who="installer", status=200)
    )
    row = await get_device(site.context, SYSTEM, device_id=device)
    fresh = reveal(site.context, row, "password")
    assert fresh != DEVICE_PASSWORD
    assert fresh in page
    assert row.previous_password == ""
    assert fresh not in html.unescape(await site.get(f"/t/acme/devices/{device}"))
    weak = await site.post(f"/t/acme/devices/{device}/password", {"password": "weak"}, status=422)
    assert "It needs a digit." in weak


async def test_the_claim_window_opens_and_a_device_is_removed_after_a_question(site: Site) -> None:
    device = site.office.devices["Spare phone"]
    here = f"/t/acme/devices/{device}"
    assert await site.post(f"{here}/window", {"minutes": "60"}, who="installer") == f"{here}?done=window"
    assert "open until" in await site.get(here)
    await site.post(f"{here}/window", {"minutes": "999999"}, status=422)
    assert await site.post(f"{here}/unlock", who="installer") == f"{here}?done=unlocked"
    assert "is removed for good" in await site.get(f"{here}/remove")
    assert (await list_devices(site.context, SYSTEM, device_ids=[device])).total == 1
    assert await site.post(f"{here}/remove", {"reason": "broken"}) == "/t/acme/devices?done=removed"
    assert (await list_devices(site.context, SYSTEM, device_ids=[device])).total == 0
    assert "reason: broken" in await site.get("/t/acme/audit")


async def test_settings_are_set_unset_and_inherited_again(site: Site) -> None:
    here = "/t/acme/settings"
    tenant = {"tenant_id": site.office.tenant_id, "scope": "tenant"}
    sent = {
        "mode.language": "=nl",
        "mode.timezone": "set",
        "value.timezone": "Europe/Warsaw",
        "mode.sip_expires": "inherit",
        "value.sip_expires": "600",
    }
    assert await site.post(here, sent) == f"{here}?done=saved"
    stored = await get_settings(site.context, SYSTEM, tenant_id=site.office.tenant_id, scope="tenant")
    assert stored == {"language": "nl", "timezone": "Europe/Warsaw", "sip_expires": 600}
    device = site.office.devices["Anna's desk"]
    page = html.unescape(await site.get(f"/t/acme/devices/{device}/settings?q=language"))
    assert "Now: Dutch (tenant Acme BV)" in page
    assert "In place of default: English" in page
    await site.post(f"/t/acme/devices/{device}/settings", {"mode.language": "unset"}, who="installer")
    page = html.unescape(await site.get(f"/t/acme/devices/{device}/settings?q=language"))
    assert "In place of tenant Acme BV: Dutch; default: English" in page
    await site.post(here, {"mode.language": "inherit", "mode.timezone": "unset"})
    stored = await get_settings(site.context, SYSTEM, **tenant)  # type: ignore[arg-type]
    assert stored == {"timezone": None, "sip_expires": 600}


async def test_a_wrong_setting_is_told_next_to_it_and_nothing_is_saved(site: Site) -> None:
    sent = {"mode.language": "=nl", "mode.timezone": "set", "value.timezone": "Mars/Olympus"}
    page = await site.post("/t/acme/settings", sent, status=422)
    assert "Time zone (timezone): is an IANA name" in page
    assert 'value="Mars/Olympus"' in page
    assert await get_settings(site.context, SYSTEM, tenant_id=site.office.tenant_id, scope="tenant") == {}


async def test_a_secret_setting_is_never_sent_back(site: Site) -> None:
    here = f"/t/acme/devices/{site.office.devices['Spare phone']}/settings"
    await site.post(here, {"mode.phone_admin_password": "set", "value.phone_admin_password": "Canary-9menu"})
    page = await site.get(here)
    assert "Canary-9menu" not in page
    assert '<option value="set" selected>' in page
    again = {"mode.phone_admin_password": "set", "value.phone_admin_password": "", "mode.dnd": "=true"}
    await site.post(here, again)
    stored = await get_settings(
        site.context,
        SYSTEM,
        tenant_id=site.office.tenant_id,
        scope="device",
        ref=str(site.office.devices["Spare phone"]),
    )
    assert stored == {"phone_admin_password": "•••", "dnd": True}


async def test_a_login_is_made_blocked_and_let_in_again(site: Site) -> None:
    made = {
        "name": "piet@acme.example",
        "role": "installer",
        "password": "a long enough phrase",
        "language": "nl",
        "display_name": "Piet",
    }
    assert await site.post("/t/acme/logins/new", made) == "/t/acme/logins?done=created"
    assert "a long enough phrase" not in await site.get("/t/acme/logins")
    login = site.office.logins["installer"]
    assert await site.post(f"/t/acme/logins/{login}/block") == "/t/acme/logins?done=blocked"
    async with site.browser("installer").get("/t/acme", allow_redirects=False) as response:
        assert response.status == 303
    assert await site.post(f"/t/acme/logins/{login}/unblock") == "/t/acme/logins?done=unblocked"
    page = await site.post(f"/t/acme/logins/{login}/reset", status=200)
    link = re.search(r"http://127\.0\.0\.1:\d+(/reset/[A-Za-z0-9_-]+)", page)
    assert link
    await site.get(link[1], who="")
    assert await site.post(f"/t/acme/logins/{login}/remove") == "/t/acme/logins?done=removed"
    await site.post(f"/t/acme/logins/{site.office.logins['admin']}/block", status=409)
    await site.post("/t/acme/logins/new", {**made, "role": "operator"}, status=403)


async def test_a_token_is_shown_once_and_revoked(site: Site) -> None:
    page = await site.post(
        "/t/acme/tokens/new", {"name": "kamailio-1", "role": "pbx", "days": "30"}, status=200
    )
    text = re.search(r"<code class=\"value\">(prov_[^<]+)</code>", page)
    assert text
    listed = await site.get("/t/acme/tokens")
    assert "kamailio-1" in listed
    assert text[1] not in listed
    token = re.search(r"/t/acme/tokens/(\d+)/revoke", listed)
    assert token
    assert await site.post(token[0]) == "/t/acme/tokens?done=revoked"
    assert "kamailio-1" not in await site.get("/t/acme/tokens")
    assert "1 to 3650 days" in await site.post(
        "/t/acme/tokens/new", {"name": "x", "role": "pbx", "days": "never"}, status=422
    )


async def test_a_site_and_a_tenant_are_made_and_changed(site: Site) -> None:
    assert (
        await site.post("/t/acme/sites/new", {"name": "Zwolle", "networks": "192.0.2.0/24"})
        == "/t/acme/sites?done=created"
    )
    assert "192.0.2.0/24" in await site.get("/t/acme/sites")
    assert "is written like" in html.unescape(
        await site.post("/t/acme/sites/new", {"name": "X", "networks": "here"}, status=422)
    )
    tenant = {"key": "nieuw", "name": "Nieuw BV", "sip_domain": "nieuw.example.net"}
    assert await site.post("/tenants/new", tenant, who="operator") == "/t/nieuw?done=created"
    assert "already" in await site.post("/tenants/new", tenant, who="operator", status=409)
    fields = {
        "name": "Nieuw NV",
        "sip_domain": "nieuw.example.net",
        "password_minimum": "12",
        "is_premium": "on",
        "policy": "",
        "networks": "",
    }
    assert await site.post("/t/nieuw/edit", fields, who="operator") == "/t/nieuw/settings?done=saved"
    assert "Nieuw NV" in await site.get("/", who="operator")
    weaker = await site.post("/t/nieuw/edit", {**fields, "password_minimum": "3"}, who="operator", status=422)
    assert "never weaker" in weaker


async def test_an_operator_reads_what_is_wrong_with_the_server_and_nobody_else(site: Site) -> None:
    sentence = "The certificate ends in 9 days."
    assert sentence in await site.get("/", who="operator")
    assert sentence in await site.get("/t/acme", who="operator")
    assert sentence not in await site.get("/t/acme", who="admin")


async def test_the_list_is_searched_filtered_and_turned_over(site: Site) -> None:
    def names(page: str) -> list[str]:
        table = html.unescape(page).partition("<tbody>")[2].partition("</tbody>")[0]
        return re.findall(r'/devices/\d+">([^<]+)</a>', table)

    assert names(await site.get("/t/acme/devices?state=registered")) == ["Anna's desk"]
    assert names(await site.get("/t/acme/devices?state=failed")) == ["Carla's softphone"]
    assert names(await site.get("/t/acme/devices?vendor=yealink&q=202")) == ["Bram's desk"]
    assert names(await site.get("/t/acme/devices?q=00-04-13-aa-00-04")) == ["Front desk"]
    assert len(names(await site.get("/t/acme/devices"))) == len(site.office.devices)
    assert names(await site.get("/t/acme/devices?from=4")) == ["Spare phone"]
