"""One number on several devices: the list, the form, and the boss and assistants in one step."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from aiohttp import web

from provisioner.errors import BadInput, Conflict, NotFound
from provisioner.services.devices.device_names import find_by_name, list_names, name_of
from provisioner.services.shared_lines.members import MOST_MEMBERS, Wish
from provisioner.services.shared_lines.shared_lines import (
    create_shared_line,
    delete_shared_line,
    get_shared_line,
    list_shared_lines,
    preset_boss_assistant,
    update_shared_line,
)
from provisioner.services.shared_lines.views import Shared
from provisioner.web.ui.fields import Field, Form, options, refilled
from provisioner.web.ui.pages.shapes import FormPage, confirmation
from provisioner.web.ui.visit import Page, Visit

SPARE_ROWS = 3
"""Empty places for further members on the form."""
ASSISTANTS = 4
FLAGS = ("is_barge_in", "is_barge_tone", "is_private_hold")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedLinesPage(Page):
    template: ClassVar[str] = "shared_lines.html"
    lines: Sequence[Shared]


async def show_shared_lines(visit: Visit) -> web.StreamResponse:
    lines = await list_shared_lines(visit.context, visit.actor, tenant_id=visit.tenant_id)
    return visit.show(SharedLinesPage(title=visit.language.translate("Shared lines"), lines=lines))


async def new_shared_line(visit: Visit) -> web.StreamResponse:
    return visit.show(_page(visit, await _form(visit)))


async def add_shared_line(visit: Visit) -> web.StreamResponse:
    posted = await visit.posted()
    try:
        wishes = await _wishes(visit, posted)
        await create_shared_line(
            visit.context, visit.actor, tenant_id=visit.tenant_id, members=wishes, **_fields(posted)
        )
    except (BadInput, Conflict) as error:
        form = refilled(await _form(visit, rows=_rows(posted)), posted, visit.faults(error))
        return visit.show(_page(visit, form), status=error.status)
    return visit.go("shared-lines", done="created")


async def edit_shared_line(visit: Visit) -> web.StreamResponse:
    line = await find_line(visit)
    return visit.show(_page(visit, await _form(visit, line), line))


async def change_shared_line(visit: Visit) -> web.StreamResponse:
    line, posted = await find_line(visit), await visit.posted()
    try:
        wishes = await _wishes(visit, posted, line)
        await update_shared_line(
            visit.context, visit.actor, shared_line_id=line.id, members=wishes, **_fields(posted)
        )
    except (BadInput, Conflict) as error:
        form = refilled(await _form(visit, line, rows=_rows(posted)), posted, visit.faults(error))
        return visit.show(_page(visit, form, line), status=error.status)
    return visit.go("shared-lines", done="saved")


async def new_boss_line(visit: Visit) -> web.StreamResponse:
    return visit.show(_boss_page(visit, await _boss_form(visit)))


async def add_boss_line(visit: Visit) -> web.StreamResponse:
    posted = await visit.posted()
    try:
        boss, *helpers = [await _device(visit, posted, name) for name in ("boss", *_assistants())]
        await preset_boss_assistant(
            visit.context,
            visit.actor,
            tenant_id=visit.tenant_id,
            boss_device_id=_chosen(boss),
            assistant_device_ids=[device_id for device_id in helpers if device_id is not None],
            number=posted.get("number", ""),
            name=posted.get("name", ""),
        )
    except (BadInput, Conflict) as error:
        form = refilled(await _boss_form(visit), posted, visit.faults(error))
        return visit.show(_boss_page(visit, form), status=error.status)
    return visit.go("shared-lines", done="created")


async def confirm_line_removal(visit: Visit) -> web.StreamResponse:
    line, _ = await find_line(visit), visit.language.translate
    sentence = _(
        "%(name)s is removed: its number is free again, and its line on every device is switched off."
    )
    page = confirmation(
        visit,
        sentence % {"name": line.name},
        title=_("Remove shared line"),
        submit=_("Remove"),
        action=("shared-lines", line.id, "remove"),
        cancel=("shared-lines",),
    )
    return visit.show(page)


async def drop_line(visit: Visit) -> web.StreamResponse:
    line = await find_line(visit)
    await delete_shared_line(visit.context, visit.actor, shared_line_id=line.id)
    return visit.go("shared-lines", done="removed")


async def find_line(visit: Visit) -> Shared:
    """The shared line of this address, in this tenant; NotFound."""
    line = await get_shared_line(visit.context, visit.actor, shared_line_id=visit.number("shared_line"))
    if line.tenant_id != visit.tenant_id:
        raise NotFound("There is no such shared line.")
    return line


def _page(visit: Visit, form: Form, line: Shared | None = None) -> FormPage:
    return FormPage(title=line.name if line else visit.language.translate("New shared line"), form=form)


def _boss_page(visit: Visit, form: Form) -> FormPage:
    return FormPage(title=visit.language.translate("Boss and assistants"), form=form)


def _fields(posted: Mapping[str, str]) -> dict[str, Any]:
    """What the form says of the line itself; BadInput for what is no number."""
    fields: dict[str, Any] = {name: posted.get(name, "") for name in ("name", "number", "mode")}
    for name in ("appearances", "barge_tone_repeat"):
        fields[name] = _whole(posted.get(name, ""), name)
    return fields | {name: bool(posted.get(name)) for name in FLAGS}


def _whole(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise BadInput("A whole number is wanted.", field=name)
    return int(text)


def _rows(posted: Mapping[str, str]) -> int:
    """How many member rows a form came with."""
    numbers = [
        int(name[7:])
        for name in posted
        if name.startswith("member_") and name[7:].isdecimal() and len(name) < 12
    ]
    return min(max(numbers, default=0), MOST_MEMBERS)


async def _wishes(visit: Visit, posted: Mapping[str, str], line: Shared | None = None) -> list[Wish]:
    """The members of a form in order; who was one before keeps the role."""
    roles = {member.device_id: member.role for member in line.members} if line else {}
    wishes = []
    for number in range(1, _rows(posted) + 1):
        device_id = await _device(visit, posted, f"member_{number}")
        if device_id is not None:
            place = posted.get(f"line_{number}", "").strip()
            position = _whole(place, f"line_{number}") if place else None
            wishes.append(Wish(device_id, position, roles.get(device_id, "member")))
    return wishes


async def _device(visit: Visit, posted: Mapping[str, str], name: str) -> int | None:
    return await find_by_name(
        visit.context, visit.actor, tenant_id=visit.tenant_id, typed=posted.get(name, ""), field=name
    )


def _chosen(boss: int | None) -> int:
    if boss is None:
        raise BadInput("Choose the boss's device.", field="boss")
    return boss


def _assistants() -> list[str]:
    return [f"assistant_{number}" for number in range(1, ASSISTANTS + 1)]


async def _form(visit: Visit, line: Shared | None = None, *, rows: int = 0) -> Form:
    _ = visit.language.translate
    devices = await list_names(visit.context, visit.actor, tenant_id=visit.tenant_id)
    count = max(rows, min((len(line.members) if line else 1) + SPARE_ROWS, MOST_MEMBERS))
    return Form(
        action=visit.path("shared-lines", line.id, "edit") if line else visit.path("shared-lines", "new"),
        submit=_("Save") if line else _("Create shared line"),
        cancel=visit.path("shared-lines"),
        fields=(
            *_name_and_number(visit, line.name if line else "", line.number if line else ""),
            *_members(visit, line, devices, count),
            *_conduct(visit, line),
        ),
    )


def _name_and_number(visit: Visit, name: str, number: str, *, help_text: str = "") -> tuple[Field, ...]:
    _ = visit.language.translate
    return (
        Field(
            name="name", label=_("Name"), value=name, required=not help_text, maxlength=120, help=help_text
        ),
        Field(
            name="number", label=_("Number"), value=number, required=True, maxlength=4, inputmode="numeric",
            help=_("Two to four digits that colleagues dial."),
        ),
    )  # fmt: skip


def _members(visit: Visit, line: Shared | None, devices: Sequence[str], count: int) -> Iterator[Field]:
    _ = visit.language.translate
    members = list(line.members) if line else []
    for number in range(1, count + 1):
        member = members[number - 1] if number <= len(members) else None
        yield Field(
            name=f"member_{number}",
            label=_("Device %(number)s") % {"number": number},
            value=name_of(member.device_name, member.mac) if member else "",
            suggestions=devices,
            maxlength=200,
            help=_("Type part of a name and choose. Empty takes the device out.") if number == 1 else "",
        )
        yield Field(
            name=f"line_{number}",
            label=_("Line on device %(number)s") % {"number": number},
            value=str(member.line) if member else "",
            inputmode="numeric",
            maxlength=2,
            help=_("Empty takes the first free line.") if number == 1 else "",
        )


def _conduct(visit: Visit, line: Shared | None) -> tuple[Field, ...]:
    _ = visit.language.translate
    modes = (("sca", _("Shared call appearances")), ("blf", _("Lamps, pick-up and parking")))
    return (
        Field(
            name="mode", label=_("How phones share"), control="select", value=line.mode if line else "sca", choices=options(modes),
            help=_("Shared call appearances need a registrar that knows them, such as Kamailio; Asterisk does not."),
        ),
        Field(
            name="appearances", label=_("Calls at once"), control="number", value=str(line.appearances if line else 2), required=True,
            help=_("1 to 10; each has a key on every phone."),
        ),
        Field(
            name="is_barge_in", label=_("Members can join each other's calls"), control="checkbox",
            value="on" if line and line.is_barge_in else "",
        ),
        Field(
            name="is_barge_tone", label=_("Warning tone when somebody joins"), control="checkbox",
            value="on" if line is None or line.is_barge_tone else "",
        ),
        Field(
            name="barge_tone_repeat", label=_("Repeat the tone every … seconds"), control="number",
            value=str(line.barge_tone_repeat if line else 0), required=True, help=_("0 plays it once."),
        ),
        Field(
            name="is_private_hold", label=_("Members can hold a call in private"), control="checkbox",
            value="on" if line and line.is_private_hold else "",
            help=_("Then nobody else can take it."),
        ),
    )  # fmt: skip


async def _boss_form(visit: Visit) -> Form:
    _ = visit.language.translate
    devices = await list_names(visit.context, visit.actor, tenant_id=visit.tenant_id)
    boss = Field(name="boss", label=_("The boss's device"), required=True, suggestions=devices, maxlength=200)
    helpers = (
        Field(
            name=name,
            label=_("Assistant %(number)s") % {"number": number},
            suggestions=devices,
            maxlength=200,
            required=number == 1,
        )
        for number, name in enumerate(_assistants(), start=1)
    )
    return Form(
        action=visit.path("shared-lines", "boss"),
        submit=_("Share the boss's line"),
        cancel=visit.path("shared-lines"),
        fields=(
            *reversed(
                _name_and_number(visit, "", "", help_text=_("Empty takes the name of the boss's device."))
            ),
            boss,
            *helpers,
        ),
    )
