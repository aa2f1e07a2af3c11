"""The page of internal numbers, by plain form posts."""

import html
import re

from tests.ui.conftest import Site

NEW = "/t/acme/numbers/new"


def id_of(page: str, digits: str) -> str:
    found = re.search(rf"<strong>{digits}</strong>.*?/numbers/(\d+)/edit", page, re.DOTALL)
    assert found, digits
    return found[1]


async def test_the_list_shows_what_each_number_stands_for(site: Site) -> None:
    page = await site.get("/t/acme/numbers", who="installer")
    assert all(part in page for part in ("<strong>201</strong>", "Anna de Vries", "Bram Jansen"))
    assert "Rita Rival" not in page
    assert NEW not in page  # an installer gives out no numbers
    found = await site.get("/t/acme/numbers?q=anna")
    assert "Anna de Vries" in found and "Bram Jansen" not in found  # noqa: PT018 - one page
    assert "Anna de Vries" not in await site.get("/t/acme/numbers?kind=outside")
    assert "Anna de Vries" in await site.get("/t/acme/numbers?kind=nonsense")


async def test_a_number_is_given_out_changed_and_freed(site: Site) -> None:
    form = {"digits": "250", "target": "outside", "number": "+49 30 1234567", "label": "Berlin"}
    assert await site.post(NEW, form) == "/t/acme/numbers?done=created"
    page = await site.get("/t/acme/numbers")
    assert "+49301234567" in page
    here = f"/t/acme/numbers/{id_of(page, '250')}"
    assert await site.post(f"{here}/edit", {"digits": "251", "label": "Bonn"}) == "/t/acme/numbers?done=saved"
    assert "Bonn" in await site.get("/t/acme/numbers?q=251")
    assert "no longer reaches +49301234567" in html.unescape(await site.get(f"{here}/remove"))
    assert await site.post(f"{here}/remove") == "/t/acme/numbers?done=removed"
    await site.get(f"{here}/edit", status=404)


async def test_a_number_can_stand_for_a_device(site: Site) -> None:
    device = site.office.devices["Spare phone"]
    assert f'value="device:{device}"' in await site.get(NEW)
    await site.post(NEW, {"digits": "260", "target": f"device:{device}", "number": "ignored", "label": ""})
    assert f"/t/acme/devices/{device}" in await site.get("/t/acme/numbers?q=260")


async def test_what_is_wrong_stands_next_to_its_field(site: Site) -> None:
    good = {"digits": "250", "target": "outside", "number": "+49301234567", "label": ""}
    for field, value, words in (
        ("digits", "201", "Extension 201 belongs to Anna de Vries (user)"),
        ("digits", "112", "emergency number 112"),
        ("digits", "2", "2, 3 or 4 digits"),
        ("target", "", "Choose what the number stands for"),
        ("target", "group:999", "no such call group"),
        ("target", "robot", "The kind is one of"),
        ("number", "12", "not a public number"),
    ):
        wrong = good | {field: value}
        status = 409 if value in {"201", "112"} else 422
        page = html.unescape(await site.post(NEW, wrong, status=status))
        error = re.search(rf'id="f-{field}-error">(.*?)</div>', page, re.DOTALL)
        assert error, (field, value)
        assert words in error[1]
    page = html.unescape(await site.post(NEW, good | {"digits": "201"}, status=409))
    assert 'value="+49301234567"' in page


async def test_numbers_of_another_tenant_are_not_there(site: Site) -> None:
    rival = id_of(await site.get("/t/rival/numbers", who="operator"), "201")
    for page in ("edit", "remove"):
        await site.get(f"/t/acme/numbers/{rival}/{page}", status=404)
    await site.post(f"/t/acme/numbers/{rival}/remove", status=404)
