"""Shared lines: one object, and what it does to the devices, the numbers and the PBX (R6)."""

from typing import Any

import pytest
from sqlalchemy import func, select

from provisioner.access.permissions import Role
from provisioner.composition.phone_config import KeyConfig
from provisioner.errors import BadInput, CannotShareLine, Conflict, ExtensionTaken, NotFound
from provisioner.model import (
    AuditEntry,
    Device,
    DirectoryEvent,
    InternalNumber,
    Line,
    Resync,
    SharedLine,
    SharedLineMember,
    Tenant,
)
from provisioner.services.context import SYSTEM, Actor, Context
from provisioner.services.devices.enrolment import get_device, remove_device, update_device
from provisioner.services.files.phone_files import compose_device
from provisioner.services.keys.function_keys import put_keys
from provisioner.services.people.users import create_user
from provisioner.services.shared_lines.members import Wish
from provisioner.services.shared_lines.shared_lines import (
    create_shared_line,
    delete_shared_line,
    get_shared_line,
    list_shared_lines,
    preset_boss_assistant,
    update_shared_line,
)
from provisioner.services.shared_lines.views import Shared
from tests.services.places import device_of, revision_of

SOFTPHONE: dict[str, Any] = {"profile": "generic", "model": "Linphone"}


async def shared(context: Context, tenant: Tenant, *devices: Device, **fields: Any) -> Shared:
    """A shared line “Sales” with the number 210 on these devices."""
    values: dict[str, Any] = {"name": "Sales", "number": "210", **fields}
    return await create_shared_line(
        context, SYSTEM, tenant_id=tenant.id, members=[Wish(device.id) for device in devices], **values
    )


async def line_of(context: Context, device: Device, position: int) -> Line:
    stored = await get_device(context, SYSTEM, device_id=device.id)
    return next(line for line in stored.lines if line.position == position)


async def plan_with_200s(context: Context, tenant: Tenant) -> None:
    """A user whose number begins and is as long as the line's: the phones' dial plan stays as it is."""
    await create_user(context, SYSTEM, tenant_id=tenant.id, name="Zoe", extension="299")


async def count(context: Context, table: Any) -> int:
    async with context.store.read() as session:
        return (await session.execute(select(func.count()).select_from(table))).scalar_one()


async def test_one_call_puts_the_line_on_every_member_and_tells_everybody(
    context: Context, tenant: Tenant
) -> None:
    """R6.5: number, members, files, PBX feed, resync and audit in one transaction."""
    await plan_with_200s(context, tenant)
    anna = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Anna", extension="101")
    first = await device_of(context, tenant, 1, user_id=anna.id)
    second, outsider = await device_of(context, tenant, 2), await device_of(context, tenant, 3)
    before = [await revision_of(context, device) for device in (first, second, outsider)]
    made = await shared(context, tenant, first, second, appearances=3)
    assert [(member.device_id, member.line, member.role) for member in made.members] == [
        (first.id, 2, "member"),
        (second.id, 2, "member"),
    ]
    assert (made.number, made.appearances, made.mode) == ("210", 3, "sca")
    after = [await revision_of(context, device) for device in (first, second, outsider)]
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 1, 0]
    async with context.store.read() as session:
        asked = set((await session.execute(select(Resync.device_id))).scalars())
        events = (await session.execute(select(DirectoryEvent.kind, DirectoryEvent.object))).all()
        audited = (await session.execute(select(AuditEntry.action))).scalars().all()
    assert asked == {first.id, second.id}
    assert ("changed", "number 210") in [tuple(event) for event in events]
    assert "shared-line.create" in audited


async def test_a_member_registers_the_shared_address_with_its_own_account(
    context: Context, tenant: Tenant
) -> None:
    first, second = await device_of(context, tenant, 1), await device_of(context, tenant, 2)
    made = await shared(context, tenant, first, second, is_barge_in=True, is_private_hold=True)
    lines = [
        (await compose_device(context, SYSTEM, device_id=device.id)).lines[1] for device in (first, second)
    ]
    assert {line.account for line in lines} == {made.account}
    assert [line.auth_user for line in lines] == [member.account for member in made.members]
    assert len({line.password for line in lines}) == 2
    assert all(line.is_barge_in and line.is_private_hold and line.appearances == 2 for line in lines)


async def test_every_appearance_has_a_key_behind_the_line_keys(context: Context, tenant: Tenant) -> None:
    anna = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Anna", extension="101")
    device = await device_of(context, tenant, 1, user_id=anna.id)
    await shared(context, tenant, device, appearances=3, is_private_hold=True)
    keys = (await compose_device(context, SYSTEM, device_id=device.id)).keys
    assert [(key.slot, key.type, key.line, key.label) for key in keys[:6]] == [
        (1, "line", 1, "101"),
        (2, "shared_line", 2, "Sales a"),
        (3, "shared_line", 2, "Sales b"),
        (4, "shared_line", 2, "Sales c"),
        (5, "hold", 2, "Private hold"),
        (6, "none", 1, ""),
    ]


async def test_without_shared_appearances_the_members_watch_and_pick_up(
    context: Context, tenant: Tenant
) -> None:
    """R6: the fall-back for registrars without SCA: own accounts, lamps, pick-up."""
    anna = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Anna", extension="101")
    ben = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Ben", extension="102")
    first = await device_of(context, tenant, 1, user_id=anna.id)
    second = await device_of(context, tenant, 2, user_id=ben.id)
    made = await shared(context, tenant, first, second, mode="blf")
    config = await compose_device(context, SYSTEM, device_id=first.id)
    line = config.lines[1]
    assert (line.account, line.auth_user, line.appearances) == (
        made.members[0].account,
        made.members[0].account,
        0,
    )
    found = [(key.type, key.target, key.label) for key in config.keys if key.type not in {"none", "line"}]
    assert ("blf", "210", "Sales") in found
    assert ("blf", made.members[1].account, "D785 Ben") in found
    assert ("pickup", "210", "*8 Sales") in found
    assert made.members[0].account not in {target for _, target, _ in found}


async def test_a_softphone_may_only_join_with_lamps(context: Context, tenant: Tenant) -> None:
    """Issue 10: a member that cannot gets the rule, its own name and the way out; nothing is stored."""
    desk, soft = (
        await device_of(context, tenant, 1),
        await device_of(context, tenant, 2, **SOFTPHONE, name="Laptop"),
    )
    with pytest.raises(CannotShareLine, match=r"“Laptop”.*call appearances.*mode blf") as caught:
        await shared(context, tenant, desk, soft)
    assert (caught.value.field, caught.value.data["device"]) == ("members", "Laptop")
    for table in (SharedLine, SharedLineMember, InternalNumber):
        assert await count(context, table) == 0
    made = await shared(context, tenant, desk, soft, mode="blf")
    with pytest.raises(CannotShareLine, match="Laptop"):
        await update_shared_line(context, SYSTEM, shared_line_id=made.id, mode="sca")
    assert (await get_shared_line(context, SYSTEM, shared_line_id=made.id)).mode == "blf"


async def test_a_model_without_a_free_line_is_named(context: Context, tenant: Tenant) -> None:
    anna = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Anna", extension="101")
    phone = await device_of(
        context,
        tenant,
        1,
        mac="805EC0000001",
        profile="yealink",
        model="CP920",
        user_id=anna.id,
        name="Board room",
    )
    with pytest.raises(CannotShareLine, match=r"“Board room” \(Yealink CP920\) has no free line.*it has 1"):
        await shared(context, tenant, phone)


async def test_a_phone_with_one_line_and_nobody_on_it_shares_that_line(
    context: Context, tenant: Tenant
) -> None:
    phone = await device_of(context, tenant, 1, mac="805EC0000001", profile="yealink", model="CP920")
    made = await shared(context, tenant, phone)
    assert made.members[0].line == 1


async def test_a_line_that_stands_for_a_user_is_not_taken(context: Context, tenant: Tenant) -> None:
    anna = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Anna", extension="101")
    device = await device_of(context, tenant, 1, user_id=anna.id)
    for line, sentence in (
        (1, "stands for something else"),
        (99, "has the lines 1 to"),
        (0, "has the lines 1 to"),
    ):
        with pytest.raises(CannotShareLine, match=sentence):
            await create_shared_line(
                context,
                SYSTEM,
                tenant_id=tenant.id,
                name="Sales",
                number="210",
                members=[Wish(device.id, line=line)],
            )


async def test_a_former_member_s_line_is_off_and_every_phone_concerned_fetches(
    context: Context, tenant: Tenant
) -> None:
    first, second, third = [await device_of(context, tenant, number) for number in (1, 2, 3)]
    made = await shared(context, tenant, first, second)
    before = [await revision_of(context, device) for device in (first, second, third)]
    wishes = [Wish(third.id), Wish(first.id)]
    changed = await update_shared_line(context, SYSTEM, shared_line_id=made.id, members=wishes)
    assert [member.device_id for member in changed.members] == [third.id, first.id]
    after = [await revision_of(context, device) for device in (first, second, third)]
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 1, 1]
    line = await line_of(context, second, 2)
    assert (line.kind, line.shared_line_id) == ("empty", None)
    composed = (await compose_device(context, SYSTEM, device_id=second.id)).lines[1]
    assert (composed.is_active, composed.account, composed.password) == (False, "", "")


async def test_a_member_that_stays_keeps_its_line_or_moves_where_it_is_told(
    context: Context, tenant: Tenant
) -> None:
    first, second = await device_of(context, tenant, 1), await device_of(context, tenant, 2)
    made = await shared(context, tenant, first, second)
    await update_shared_line(
        context, SYSTEM, shared_line_id=made.id, members=[Wish(first.id, line=4), Wish(second.id)]
    )
    found = await get_shared_line(context, SYSTEM, shared_line_id=made.id)
    assert [member.line for member in found.members] == [4, 2]
    assert (await line_of(context, first, 2)).kind == "empty"
    assert found.members[1].account == made.members[1].account


async def test_two_shared_lines_take_two_lines_of_a_device(context: Context, tenant: Tenant) -> None:
    device = await device_of(context, tenant, 1)
    one = await shared(context, tenant, device)
    two = await shared(context, tenant, device, name="Service", number="211")
    assert (one.members[0].line, two.members[0].line) == (2, 3)
    assert [found.name for found in await list_shared_lines(context, SYSTEM, tenant_id=tenant.id)] == [
        "Sales",
        "Service",
    ]


async def test_deleting_frees_number_and_lines(context: Context, tenant: Tenant) -> None:
    await plan_with_200s(context, tenant)
    device = await device_of(context, tenant, 1)
    made = await shared(context, tenant, device)
    before = await revision_of(context, device)
    await delete_shared_line(context, SYSTEM, shared_line_id=made.id)
    assert await revision_of(context, device) == before + 1
    assert (await line_of(context, device, 2)).kind == "empty"
    assert await count(context, InternalNumber) == 1
    assert await count(context, SharedLineMember) == 0
    with pytest.raises(NotFound):
        await get_shared_line(context, SYSTEM, shared_line_id=made.id)


async def test_boss_and_assistants_are_one_call(context: Context, tenant: Tenant) -> None:
    boss = await device_of(context, tenant, 1, name="Boss")
    helpers = [await device_of(context, tenant, number) for number in (2, 3)]
    made = await preset_boss_assistant(
        context,
        SYSTEM,
        tenant_id=tenant.id,
        boss_device_id=boss.id,
        assistant_device_ids=[device.id for device in helpers],
        number="210",
    )
    assert [member.role for member in made.members] == ["boss", "assistant", "assistant"]
    assert (made.name, made.appearances, made.is_barge_in, made.is_private_hold) == ("Boss", 2, False, True)
    with pytest.raises(BadInput, match="at least one assistant"):
        await preset_boss_assistant(
            context,
            SYSTEM,
            tenant_id=tenant.id,
            boss_device_id=boss.id,
            assistant_device_ids=[],
            number="211",
        )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"appearances": 0}, "appearances"),
        ({"appearances": 11}, "appearances"),
        ({"mode": "sla"}, "mode"),
        ({"barge_tone_repeat": -1}, "barge_tone_repeat"),
        ({"barge_tone_repeat": 601}, "barge_tone_repeat"),
        ({"number": "1"}, "number"),
        ({"number": "12345"}, "number"),
        ({"name": " "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"account": "d1"}, "account"),
    ],
)
async def test_a_bad_value_is_named(
    context: Context, tenant: Tenant, fields: dict[str, Any], field: str
) -> None:
    device = await device_of(context, tenant, 1)
    with pytest.raises(BadInput) as caught:
        await shared(context, tenant, device, **fields)
    assert caught.value.field == field
    assert await count(context, SharedLine) == 0


async def test_members_are_few_different_and_the_tenant_s_own(
    context: Context, tenant: Tenant, other_tenant: Tenant
) -> None:
    mine, theirs = await device_of(context, tenant, 1), await device_of(context, other_tenant, 2)
    for members, sentence in (
        ([], "1 to 50 members"),
        ([mine, mine], "once at most"),
        ([mine, theirs], "no device"),
    ):
        with pytest.raises(BadInput, match=sentence):
            await shared(context, tenant, *members)
    with pytest.raises(BadInput, match="is no role"):
        await create_shared_line(
            context, SYSTEM, tenant_id=tenant.id, name="X", number="210", members=[Wish(mine.id, role="king")]
        )


async def test_number_and_name_are_unique_in_the_tenant(
    context: Context, tenant: Tenant, other_tenant: Tenant
) -> None:
    await create_user(context, SYSTEM, tenant_id=tenant.id, name="Anna", extension="101")
    device = await device_of(context, tenant, 1)
    with pytest.raises(ExtensionTaken, match="101 belongs to Anna"):
        await shared(context, tenant, device, number="101")
    made = await shared(context, tenant, device)
    with pytest.raises(ExtensionTaken, match="210 belongs to Sales"):
        await shared(context, tenant, device, name="Other")
    with pytest.raises(Conflict, match="“Sales” already"):
        await shared(context, tenant, device, number="211")
    same = await update_shared_line(context, SYSTEM, shared_line_id=made.id, name="Sales", number="210")
    assert (same.name, same.number) == ("Sales", "210")
    moved = await update_shared_line(context, SYSTEM, shared_line_id=made.id, number="212")
    assert moved.number == "212"
    elsewhere = await device_of(context, other_tenant, 2)
    assert (await shared(context, other_tenant, elsewhere)).number == "210"


async def test_shared_lines_of_others_do_not_exist(
    context: Context, tenant: Tenant, other_tenant: Tenant
) -> None:
    made = await shared(context, tenant, await device_of(context, tenant, 1))
    stranger = Actor(name="eve", role=Role.ADMIN, tenant_id=other_tenant.id)
    somebody = Actor(name="anna", role=Role.USER, tenant_id=tenant.id, user_id=1)
    for actor in (stranger, somebody):
        with pytest.raises(NotFound):
            await get_shared_line(context, actor, shared_line_id=made.id)
        with pytest.raises(NotFound):
            await update_shared_line(context, actor, shared_line_id=made.id, name="Mine")
        with pytest.raises(NotFound):
            await delete_shared_line(context, actor, shared_line_id=made.id)
        with pytest.raises(NotFound):
            await list_shared_lines(context, actor, tenant_id=tenant.id)


async def test_phones_with_a_lamp_of_a_device_follow_its_name_and_its_end(
    context: Context, tenant: Tenant
) -> None:
    first, second = await device_of(context, tenant, 1), await device_of(context, tenant, 2, name="Desk")
    made = await shared(context, tenant, first, second, mode="blf")
    before = await revision_of(context, first)
    await update_device(context, SYSTEM, device_id=second.id, note="by the window")
    assert await revision_of(context, first) == before
    await update_device(context, SYSTEM, device_id=second.id, name="Window")
    assert await revision_of(context, first) == before + 1
    labels = [key.label for key in (await compose_device(context, SYSTEM, device_id=first.id)).keys]
    assert "Window" in labels
    await remove_device(context, SYSTEM, device_id=second.id)
    assert await revision_of(context, first) == before + 2
    labels = [key.label for key in (await compose_device(context, SYSTEM, device_id=first.id)).keys]
    assert "Window" not in labels
    left = await get_shared_line(context, SYSTEM, shared_line_id=made.id)
    assert [member.device_id for member in left.members] == [first.id]


async def test_keys_that_follow_the_number_reach_their_phones_when_it_changes(
    context: Context, tenant: Tenant
) -> None:
    await plan_with_200s(context, tenant)
    member, watcher = await device_of(context, tenant, 1), await device_of(context, tenant, 2)
    made = await shared(context, tenant, member)
    async with context.store.read() as session:
        number_id = (
            await session.execute(select(InternalNumber.id).where(InternalNumber.digits == "210"))
        ).scalar_one()
    key = KeyConfig(slot=5, type="blf", number_id=number_id)
    await put_keys(context, SYSTEM, tenant_id=tenant.id, scope="device", ref=str(watcher.id), keys=[key])
    before = await revision_of(context, watcher)
    await update_shared_line(context, SYSTEM, shared_line_id=made.id, number="212")
    assert await revision_of(context, watcher) == before + 1
    shown = (await compose_device(context, SYSTEM, device_id=watcher.id)).keys[4]
    assert (shown.target, shown.label) == ("212", "Sales")


async def test_a_line_with_more_appearances_than_keys_says_so(context: Context, tenant: Tenant) -> None:
    phone = await device_of(context, tenant, 1, mac="805EC0000001", profile="yealink", model="T31P")
    await shared(context, tenant, phone, appearances=4)
    config = await compose_device(context, SYSTEM, device_id=phone.id)
    assert "The shared line Sales has 4 appearances; this model has keys for 1." in config.warnings
