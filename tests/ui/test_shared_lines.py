"""Pages of shared lines (R6), without a line of script."""

import html
import re

from provisioner.services.context import SYSTEM
from provisioner.services.shared_lines.shared_lines import list_shared_lines
from provisioner.services.shared_lines.views import Shared
from tests.ui.conftest import Site

ANNA, BRAM = "Anna's desk (00:04:13:AA:00:01)", "Bram's desk (00:15:65:AA:00:02)"
FORM = {
    "name": "Sales",
    "number": "210",
    "mode": "sca",
    "appearances": "3",
    "barge_tone_repeat": "15",
    "is_barge_in": "on",
    "is_barge_tone": "on",
    "member_1": ANNA,
    "line_1": "",
    "member_2": "spare phone",
    "line_2": "4",
    "member_3": "",
    "line_3": "",
}


async def lines(site: Site) -> list[Shared]:
    return list(await list_shared_lines(site.context, SYSTEM, tenant_id=site.office.tenant_id))


async def test_a_shared_line_is_made_changed_and_removed(site: Site) -> None:
    assert await site.post("/t/acme/shared-lines/new", FORM) == "/t/acme/shared-lines?done=created"
    made = (await lines(site))[0]
    assert [(member.device_name, member.line) for member in made.members] == [
        ("Anna's desk", 2),
        ("Spare phone", 4),
    ]
    assert (made.appearances, made.is_barge_in, made.is_barge_tone, made.barge_tone_repeat) == (
        3,
        True,
        True,
        15,
    )
    page = html.unescape(await site.get("/t/acme/shared-lines", who="installer"))
    for part in ("Sales", "210", "Anna's desk", "line 4", "3 calls"):
        assert part in page
    assert "/edit" not in page
    here = f"/t/acme/shared-lines/{made.id}"
    shown = html.unescape(await site.get(f"{here}/edit"))
    assert f'value="{ANNA}"' in shown
    assert 'value="210"' in shown
    changed = {
        **FORM,
        "member_1": "",
        "member_3": "0015.65aa.0002",
        "is_barge_tone": "",
        "is_private_hold": "on",
    }
    assert await site.post(f"{here}/edit", changed) == "/t/acme/shared-lines?done=saved"
    now = (await lines(site))[0]
    assert [member.device_name for member in now.members] == ["Spare phone", "Bram's desk"]
    assert (now.is_barge_tone, now.is_private_hold) == (False, True)
    assert "number is free again" in await site.get(f"{here}/remove")
    assert await site.post(f"{here}/remove") == "/t/acme/shared-lines?done=removed"
    assert not await lines(site)


async def test_boss_and_assistants_take_one_form(site: Site) -> None:
    form = {"number": "210", "name": "", "boss": ANNA, "assistant_1": BRAM, "assistant_2": ""}
    assert await site.post("/t/acme/shared-lines/boss", form) == "/t/acme/shared-lines?done=created"
    made = (await lines(site))[0]
    assert (made.name, [member.role for member in made.members]) == ("Anna's desk", ["boss", "assistant"])
    again = html.unescape(await site.post("/t/acme/shared-lines/boss", {**form, "boss": ""}, status=422))
    assert "Choose the boss's device" in again
    page = html.unescape(await site.get("/t/acme/shared-lines"))
    assert "boss" in page
    assert "assistant" in page


async def test_what_is_wrong_stands_at_its_field_and_nothing_typed_is_lost(site: Site) -> None:
    for field, value, status, sentence in (
        ("number", "201", 409, "201 belongs to Anna de Vries"),
        ("number", "2", 422, "2, 3 or 4 digits"),
        ("appearances", "eleven", 422, "A whole number is wanted"),
        ("appearances", "11", 422, "1 to 10 appearances"),
        ("line_1", "x", 422, "A whole number is wanted"),
        ("member_2", "Nobody's phone", 422, "There is no device"),
        ("member_2", "Elsewhere", 422, "There is no device"),
    ):
        page = html.unescape(
            await site.post("/t/acme/shared-lines/new", {**FORM, field: value}, status=status)
        )
        error = re.search(rf'id="f-{field}-error">(.*?)</div>', page, re.DOTALL)
        assert error, field
        assert sentence in error[1]
        assert f'value="{ANNA}"' in page
    assert not await lines(site)


async def test_a_member_that_cannot_is_named_above_the_form(site: Site) -> None:
    wrong = {**FORM, "member_2": "Carla's softphone", "line_2": ""}
    page = html.unescape(await site.post("/t/acme/shared-lines/new", wrong, status=409))
    assert "“Carla's softphone”" in page
    assert "mode blf" in page


async def test_another_tenants_line_does_not_exist(site: Site) -> None:
    await site.post("/t/acme/shared-lines/new", FORM)
    made = (await lines(site))[0]
    for who in ("admin", "operator"):
        await site.get(f"/t/rival/shared-lines/{made.id}/edit", who=who, status=404)


async def test_a_hostile_form_gets_an_answer(site: Site) -> None:
    for hostile in (
        {"member_99999": ANNA},
        {"member_²": ANNA},
        {**FORM, "appearances": "9" * 50},
        {**FORM, "member_1": "x" * 10_000},
        {**FORM, "member_1": "\x00"},
        {**FORM, "name": "a\x00b"},
        {},
    ):
        await site.post("/t/acme/shared-lines/new", hostile, status=422)
        await site.post("/t/acme/shared-lines/boss", hostile, status=422)
