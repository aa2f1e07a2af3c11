"""The page with a device's or user's function keys, without scripts; and labels on paper."""

import html
import re

from provisioner.composition.key_types import KEY_KINDS
from provisioner.services.context import SYSTEM
from provisioner.services.devices.enrolment import update_device
from provisioner.services.keys.function_keys import get_keys, get_ranges
from provisioner.services.people.users import delete_user, update_user
from provisioner.web.ui.key_words import IN_ERRORS, TYPES
from tests.ui.conftest import Site

NO_SET = {"people.0": "", "set-type.0": "blf", "set-module.0": "0", "set-slot.0": "1", "set-count.0": "0", "set-line.0": "1"}  # fmt: skip


def form(*rows: tuple[str, str, str, str, str], **more: str) -> dict[str, str]:
    """What a browser posts: module, slot, type, target and label of each row."""
    names = ("module", "slot", "type", "target", "label")
    fields = {f"{name}.{number}": value for number, row in enumerate(rows) for name, value in zip(names, row, strict=True)}  # fmt: skip
    lines = {f"line.{number}": "1" for number in range(len(rows))}
    return {**NO_SET, **fields, **lines, **more}


async def test_a_colleague_chosen_from_the_list_is_followed(site: Site) -> None:
    office, device = site.office, site.office.devices["Anna's desk"]
    page = f"/t/acme/devices/{device}/keys"
    assert 'value="Bram Jansen (202)"' in await site.get(page)
    location = await site.post(
        page, form(("0", "2", "blf", "Bram Jansen (202)", ""), ("0", "3", "speed_dial", "112", "Help"), ("0", "", "", "", ""))
    )  # fmt: skip
    assert location == f"{page}?done=saved"
    stored = await get_keys(site.context, SYSTEM, tenant_id=office.tenant_id, scope="device", ref=str(device))
    assert [(key.slot, key.type, key.user_id, key.target, key.label) for key in stored] == [
        (2, "blf", office.users["Bram Jansen"], "", ""),
        (3, "speed_dial", None, "112", "Help"),
    ]
    await update_user(site.context, SYSTEM, user_id=office.users["Bram Jansen"], name="Bram <b>Bos</b>")
    text = await site.get(page)
    assert 'value="Bram &lt;b&gt;Bos&lt;/b&gt; (202)"' in text
    assert "<b>Bos" not in text
    assert "works" in text


async def test_a_row_left_out_is_cleared_and_more_rows_store_nothing(site: Site) -> None:
    page = f"/t/acme/users/{site.office.users['Anna de Vries']}/keys"
    await site.post(page, form(("0", "5", "dnd", "", "Quiet")))
    text = await site.post(page, form(("0", "7", "hold", "", "Wait"), more="1"), status=200)
    assert 'value="Wait"' in text
    assert text.count('name="slot.') == 9
    assert 'value="Quiet"' in await site.get(page)
    await site.post(page, form(("0", "5", "", "", "Quiet")))
    assert 'value="Quiet"' not in await site.get(page)


async def test_what_was_typed_beside_no_type_is_not_thrown_away(site: Site) -> None:
    page = f"/t/acme/devices/{site.office.devices['Front desk']}/keys"
    text = await site.post(page, form(("0", "7", "", "0201234567", "")), status=422)
    assert "Key 7 has no type" in text
    assert 'value="0201234567"' in text


async def test_a_number_is_dialled_as_it_is_meant_and_a_name_must_be_somebodys(site: Site) -> None:
    office, device = site.office, site.office.devices["Front desk"]
    page = f"/t/acme/devices/{device}/keys"
    await site.post(
        page, form(("0", "1", "speed_dial", "020-123 45 67", ""), ("0", "2", "speed_dial", "+31 (0)20.1", ""))
    )
    await site.post(
        page, form(("0", "1", "speed_dial", "020-123 45 67", ""), ("0", "2", "blf", "desk-7@pbx.test", ""))
    )
    stored = await get_keys(site.context, SYSTEM, tenant_id=office.tenant_id, scope="device", ref=str(device))
    assert [key.target for key in stored] == ["0201234567", "desk-7@pbx.test"]
    for name in ("Grace", "Tom Verhoeven", "Zoë d’Arc"):
        text = html.unescape(await site.post(page, form(("0", "3", "blf", name, "")), status=422))
        assert f"Key 3: nobody here is called “{name}”" in text


async def test_a_key_for_a_line_that_the_phone_does_not_have_is_refused(site: Site) -> None:
    page = f"/t/acme/devices/{site.office.devices['Front desk']}/keys"
    posted = {**form(("0", "3", "line", "", "")), "line.0": "16"}
    assert "is for line 16" in await site.post(page, posted, status=422)


async def test_enter_saves(site: Site) -> None:
    """A browser presses the first button of the form."""
    text = await site.get(f"/t/acme/devices/{site.office.devices['Front desk']}/keys")
    form_text = text[text.index('action="/t/acme/devices/') :]
    first = re.search(r"<button[^>]*>", form_text)
    assert first is not None
    assert "name=" not in first[0]


async def test_what_the_phone_cannot_show_is_told_before_and_refused(site: Site) -> None:
    softphone = site.office.devices["Carla's softphone"]
    page = f"/t/acme/devices/{softphone}/keys"
    assert "Busy lamp (not on this phone)" in await site.get(page)
    text = html.unescape(await site.post(page, form(("0", "1", "dnd", "", "")), status=422))
    assert "Key 1 of the phone is beyond this phone" in text
    desk = f"/t/acme/devices/{site.office.devices['Front desk']}/keys"
    text = html.unescape(await site.post(desk, form(("0", "1", "forward_busy", "201", "")), status=422))
    assert "cannot show it" in text
    for wrong in (("x", "1", "dnd", "", ""), ("0", "٣", "dnd", "", ""), ("0", "1", "blf", "", "")):
        assert "alert-danger" in await site.post(desk, form(wrong), status=422)
    assert "alert-danger" in await site.post(desk, {**form(), "people.0": "friends"}, status=422)


async def test_an_automatic_set_is_made_and_shown(site: Site) -> None:
    office, device = site.office, site.office.devices["Front desk"]
    page = f"/t/acme/devices/{device}/keys"
    await site.post(page, {**form(), "people.0": "everyone", "set-slot.0": "4"})
    (entry,) = await get_ranges(
        site.context, SYSTEM, tenant_id=office.tenant_id, scope="device", ref=str(device)
    )
    assert (entry.people, entry.type, entry.slot) == ("everyone", "blf", 4)
    text = await site.get(page)
    assert all(name in text for name in ("Anna de Vries", "Bram Jansen", "Carla Smit"))


async def test_a_key_whose_colleague_left_says_so_and_must_be_mended(site: Site) -> None:
    office, device = site.office, site.office.devices["Front desk"]
    page = f"/t/acme/devices/{device}/keys"
    await site.post(page, form(("0", "2", "blf", "Reception (200)", "")))
    await update_device(site.context, SYSTEM, device_id=device, user_id=None)
    await delete_user(site.context, SYSTEM, user_id=office.users["Reception"])
    text = await site.get(page)
    assert "what it pointed at is gone" in text
    assert "there is nothing to dial" in text
    assert 'value="?"' in text
    await site.post(page, form(("0", "2", "blf", "?", "")), status=422)


async def test_labels_are_printed_without_scripts_and_escaped(site: Site) -> None:
    device = site.office.devices["Anna's desk"]
    await site.post(
        f"/t/acme/devices/{device}/keys", form(("1", "2", "dnd", "", "<Quiet>"), ("0", "2", "dnd", "", ""))
    )
    text = await site.get(f"/t/acme/devices/{device}/strip", who="installer", language="en")
    assert "&lt;Quiet&gt;" in text
    assert "<Quiet>" not in text
    assert "Do not disturb" in text
    assert text.count("<li><span") == 24 + 18


async def test_who_may_not_change_sees_the_keys_and_other_tenants_do_not_exist(site: Site) -> None:
    user = site.office.users["Anna de Vries"]
    text = await site.get(f"/t/acme/users/{user}/keys", who="installer")
    assert "disabled" in text
    assert ">Save<" not in text
    await site.post(f"/t/acme/users/{user}/keys", form(), who="installer", status=403)
    await site.get(f"/t/acme/devices/{site.office.other_device}/keys", status=404)
    await site.get(f"/t/acme/devices/{site.office.other_device}/strip", status=404)
    await site.get(f"/t/acme/users/{site.office.other_user}/keys", status=404)


def test_every_type_and_rule_has_its_word() -> None:
    assert {name: kind.label for name, kind in KEY_KINDS.items()} == dict(TYPES)
    assert {kind.wanted for kind in KEY_KINDS.values() if kind.wanted} <= set(IN_ERRORS)
