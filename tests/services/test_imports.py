"""Importing devices from a table: all or nothing, every broken row named."""

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from provisioner.errors import ImportRefused
from provisioner.model import Tenant
from provisioner.services.context import SYSTEM, Context
from provisioner.services.devices.device_list import list_devices
from provisioner.services.devices.enrolment import enrol, find_by_mac, reveal
from provisioner.services.devices.import_table import MAX_CHARACTERS, MAX_ROWS, read_text
from provisioner.services.devices.imports import export_devices, import_devices, preview
from provisioner.services.people.audit_log import list_audit
from provisioner.services.people.tenants import create_site, create_tenant
from provisioner.services.people.users import create_user, list_users
from tests.support.server import opened_context

GOOD = "Ab1!defghij"


@pytest.fixture
async def context(tmp_path: Path) -> AsyncIterator[Context]:
    async with opened_context(tmp_path / "data") as context:
        yield context


@pytest.fixture
async def tenant(context: Context) -> Tenant:
    tenant = await create_tenant(context, SYSTEM, key="acme", name="Acme", sip_domain="acme.test")
    await create_user(context, SYSTEM, tenant_id=tenant.id, name="Ann", extension="201")
    await create_site(context, SYSTEM, tenant_id=tenant.id, name="Utrecht")
    return tenant


async def count(context: Context, tenant: Tenant) -> int:
    return (await list_devices(context, SYSTEM, tenant_id=tenant.id)).total


async def refused(
    context: Context, tenant: Tenant, text: str, *, create_users: bool = False
) -> list[tuple[int, str, str]]:
    with pytest.raises(ImportRefused) as raised:
        await import_devices(context, SYSTEM, tenant_id=tenant.id, text=text, create_users=create_users)
    return [(row["line"], row["column"], row["reason"]) for row in raised.value.data["rows"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
async def test_a_table_is_read_with_any_delimiter_order_case_and_byte_order_mark(
    context: Context, tenant: Tenant, delimiter: str, end: str
) -> None:
    rows = [
        ["Model", "MAC", "extension", "NAME", "Site", "password", "note"],
        ["snom/D785", "00:04:13:aa:bb:01", "201", "Front desk", "utrecht", GOOD, "left door"],
        ["Yealink T46U", "805ec0aabb02", "", "", "", "", ""],
    ]
    text = "\N{BOM}" + end.join(delimiter.join(row) for row in rows) + end
    told: list[tuple[int, int]] = []
    result = await import_devices(
        context,
        SYSTEM,
        tenant_id=tenant.id,
        text=text,
        on_progress=lambda done, total: told.append((done, total)),
    )
    assert [(device.line, device.mac, device.user) for device in result.devices] == [
        (2, "00:04:13:AA:BB:01", "Ann"),
        (3, "80:5E:C0:AA:BB:02", ""),
    ]
    device = await find_by_mac(context, SYSTEM, mac="000413AABB01")
    assert (device.name, device.note, device.site_id) == ("Front desk", "left door", 1)
    assert reveal(context, device, "password") == GOOD
    assert not result.devices[0].was_generated
    assert result.devices[1].was_generated
    other = await find_by_mac(context, SYSTEM, mac="805EC0AABB02")
    assert reveal(context, other, "password") == result.devices[1].password
    assert told[-1] == (2, 2)


async def test_a_spreadsheets_own_first_line_and_quoted_cells_are_understood(
    context: Context, tenant: Tenant
) -> None:
    text = 'sep=;\r\nmac;model;note\r\n000413AABB01;snom/D785;"hall; first ""door"""\r\n'
    result = await import_devices(context, SYSTEM, tenant_id=tenant.id, text=text)
    assert result.devices[0].line == 3
    assert (await find_by_mac(context, SYSTEM, mac="000413AABB01")).note == 'hall; first "door"'


async def test_every_broken_row_is_named_and_nothing_is_imported(context: Context, tenant: Tenant) -> None:
    await enrol(
        context, SYSTEM, tenant_id=tenant.id, profile="snom", model="D785", mac="000413000001", name="old one"
    )
    lines = [
        "mac,model,extension,user,site,password",
        "000413AABB01,snom/D785,201,,,",  # good
        "000413AABB0,snom/D785,,,,",
        "000413AABB02,D999,,,,",
        "000413000001,snom/D785,,,,",
        "000413AABB03,snom/D785,,,,short",
        "000413AABB04,snom/D785,777,,,",
        "000413AABB05,snom/D785,,Nobody,,",
        "000413AABB06,snom/D785,,,Atlantis,",
        "000413AABB07,snom/D785,201,,,",  # Ann has one by now, and the tenant is not premium
        "00:04:13:aa:bb:01,snom/D785,,,,",
        "000413AABB08,snom/D785,201,Bob,,",
    ]
    broken = await refused(context, tenant, "\n".join(lines))
    assert [(line, column) for line, column, _ in broken if line != 6] == [
        (3, "mac"),
        (4, "model"),
        (5, "mac"),
        (7, "extension"),
        (8, "user"),
        (9, "site"),
        (10, "extension"),
        (11, "mac"),
        (12, "extension"),
    ]
    weak = [reason for line, column, reason in broken if line == 6 and column == "password"]
    assert len(weak) > 2  # one sentence for each missing class
    reasons = {line: reason for line, _, reason in broken}
    assert "11" in reasons[3]
    assert "“old one” of Acme" in reasons[5]
    assert "already has" in reasons[10]
    assert "line 2" in reasons[11]
    assert "belongs to Ann" in reasons[12]
    assert await count(context, tenant) == 1


async def test_a_model_is_named_by_profile_id_or_label_when_that_is_one_model_only(
    context: Context, tenant: Tenant
) -> None:
    ids = [(profile.id, model) for profile in context.profiles.all.values() for model in profile.models]
    twice = next(
        (model for _, model in ids if sum(other.lower() == model.lower() for _, other in ids) > 1), None
    )
    result = await import_devices(
        context, SYSTEM, tenant_id=tenant.id, text="mac,model\n000413AABB01,d785\n000413AABB02,Snom D785\n"
    )
    assert {device.model for device in result.devices} == {"Snom D785"}
    broken = await refused(context, tenant, "mac,model\n000413AABB03,Snom D78\n")
    assert "Near it: " in broken[0][2]
    assert "Snom D785" in broken[0][2]
    if twice is not None:
        broken = await refused(context, tenant, f"mac,model\n000413AABB03,{twice}\n")
        assert "more than one model" in broken[0][2]


async def test_users_are_made_only_when_asked_for(context: Context, tenant: Tenant) -> None:
    text = "mac,model,user,extension\n000413AABB01,snom/D785,Bob,202\n000413AABB02,snom/D785,Cleo,\n"
    assert [row[:2] for row in await refused(context, tenant, text)] == [(2, "extension"), (3, "user")]
    result = await import_devices(context, SYSTEM, tenant_id=tenant.id, text=text, create_users=True)
    assert result.users_made == 2
    page = await list_users(context, SYSTEM, tenant_id=tenant.id)
    assert {user.name: user.extension.digits if user.extension else "" for user in page.items} == {
        "Ann": "201",
        "Bob": "202",
        "Cleo": "",
    }


async def test_a_user_made_by_one_row_serves_the_next_within_the_premium_rule(
    context: Context, tenant: Tenant
) -> None:
    text = "mac,model,user\n000413AABB01,snom/D785,Bob\n000413AABB02,snom/D785,bob\n"
    broken = await refused(context, tenant, text, create_users=True)
    assert [(row[0], row[1]) for row in broken] == [(3, "user")]
    assert (await list_users(context, SYSTEM, tenant_id=tenant.id)).total == 1  # Bob went with the rest


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "no devices"),
        ("mac,model\n", 1, "no devices"),
        ("mac,model,colour\n000413AABB01,D785,red\n", 1, "no column “colour”"),
        ("mac,mac,model\nx,y,z\n", 1, "twice"),
        ("model,name\nD785,x\n", 1, "mac is missing"),
        ("mac,model\n000413AABB01,D785,extra\n", 2, "3 cells"),
        ('mac,model\n\n000413AABB01,"D785\n', 3, "cannot be read"),
        ("mac,model\n" + "x" * MAX_CHARACTERS, 1, "5 MiB"),
        ("mac,model\n" + "x,y\n" * (MAX_ROWS + 1), MAX_ROWS + 2, "At most 5000"),
    ],
)
async def test_a_table_of_the_wrong_form_is_refused_as_a_whole(
    context: Context, tenant: Tenant, text: str, line: int, said: str
) -> None:
    broken = await refused(context, tenant, text)
    assert broken[0][0] == line
    assert said in broken[0][2]


async def test_a_preview_follows_the_same_rules_and_stores_nothing(context: Context, tenant: Tenant) -> None:
    text = "mac,model,user\n000413AABB01,snom/D785,Bob\n805EC0AABB02,snom/D785,\nzz,snom/D785,\n"
    before = await context.store.counter("configuration")
    plan = await preview(context, SYSTEM, tenant_id=tenant.id, text=text, create_users=True)
    assert [(device.line, device.user, device.makes_user) for device in plan.devices] == [
        (2, "Bob", True),
        (3, "", False),
    ]
    assert "Yealink" in plan.devices[1].warnings[0]
    assert [(row.line, row.column) for row in plan.broken] == [(4, "mac")]
    assert not plan.is_importable
    assert await count(context, tenant) == 0
    assert (await list_users(context, SYSTEM, tenant_id=tenant.id)).total == 1
    assert await context.store.counter("configuration") == before


async def test_an_export_can_be_imported_again_and_is_harmless_in_a_spreadsheet(
    context: Context, tenant: Tenant
) -> None:
    formula = '=HYPERLINK("http://evil.test")'
    text = f'mac,model,name,extension,site,note\n000413AABB01,snom/D785,"{formula.replace(chr(34), chr(34) * 2)}",201,Utrecht,+31 20\n'
    result = await import_devices(context, SYSTEM, tenant_id=tenant.id, text=text)
    exported = await export_devices(context, SYSTEM, tenant_id=tenant.id)
    assert result.devices[0].password not in exported
    cells = list(csv.reader(io.StringIO(exported)))[1]
    assert all(cell[:1] not in {"=", "+", "-", "@"} for cell in cells)
    other = await create_tenant(context, SYSTEM, key="other", name="Other", sip_domain="other.test")
    await create_site(context, SYSTEM, tenant_id=other.id, name="Utrecht")
    again = exported.replace("00:04:13:AA:BB:01", "00:04:13:AA:BB:99")
    await import_devices(context, SYSTEM, tenant_id=other.id, text=again, create_users=True)
    copy = await find_by_mac(context, SYSTEM, mac="000413AABB99")
    assert (copy.name, copy.note) == (formula, "+31 20")


async def test_the_audit_log_says_how_many_and_holds_no_password(context: Context, tenant: Tenant) -> None:
    text = f"mac,model,password\n000413AABB01,snom/D785,{GOOD}\n"
    await import_devices(context, SYSTEM, tenant_id=tenant.id, text=text)
    entries = (await list_audit(context, SYSTEM, tenant_id=tenant.id)).items
    assert {"devices": 1, "users": 0} in [
        entry.detail for entry in entries if entry.action == "device.import"
    ]
    assert GOOD not in repr([(entry.object, entry.detail) for entry in entries])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_are_read_in_the_encodings_of_spreadsheets(encoding: str) -> None:
    assert read_text("mac;name\nx;Zoë\n".encode(encoding)) == "mac;name\nx;Zoë\n"


def test_a_file_in_another_encoding_is_refused_with_its_line() -> None:
    with pytest.raises(ImportRefused) as raised:
        read_text("mac;name\nx;Zoë\n".encode("latin-1"))
    assert raised.value.data["rows"][0]["line"] == 2
