"""Internal numbers: the list with what each stands for, and giving out, changing and freeing one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from aiohttp import web

from provisioner.errors import BadInput, Conflict, NotFound
from provisioner.services.calls.call_groups import list_groups
from provisioner.services.calls.internal_numbers import (
    Number,
    create_number,
    delete_number,
    get_number,
    list_numbers,
    update_number,
)
from provisioner.services.calls.menus import list_menus
from provisioner.services.calls.public_numbers import list_public_numbers
from provisioner.services.devices.device_list import list_devices
from provisioner.services.people.users import MAX_PAGE, PAGE, list_users
from provisioner.services.people.users import Page as Some
from provisioner.web.ui.fields import Choice, Field, Form, chosen_id, options, refilled
from provisioner.web.ui.pages.shapes import ConfirmPage, FormPage, Pager, confirmation, pager
from provisioner.web.ui.translations import message
from provisioner.web.ui.visit import Page, Visit

NUMBER_KINDS: Final[Mapping[str, str]] = {
    "user": message("User"),
    "device": message("Device"),
    "public": message("Public number"),
    "outside": message("Outside number"),
    "shared_line": message("Shared line"),
    "group": message("Call group"),
    "menu": message("Menu"),
}
_INSIDE_ERRORS: Final = (
    message("user"),
    message("device"),
    message("public number"),
    message("outside number"),
    message("shared line"),
    message("call group"),
    message("menu"),
)
"""The kinds as errors call them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumbersPage(Page):
    template: ClassVar[str] = "internal_numbers.html"
    search: str
    kind: str
    kinds: Mapping[str, str]
    numbers: Some[Number]
    pager: Pager


async def show_numbers(visit: Visit) -> web.StreamResponse:
    query = visit.query
    search, kind = query.get("q", "")[:100], query.get("kind", "")
    numbers = await list_numbers(
        visit.context,
        visit.actor,
        tenant_id=visit.tenant_id,
        search=search,
        kind=kind if kind in NUMBER_KINDS else "",
        offset=chosen_id(query.get("from", "")) or 0,
        limit=PAGE,
    )
    return visit.show(
        NumbersPage(
            title=visit.language.translate("Internal numbers"),
            search=search,
            kind=kind,
            kinds=NUMBER_KINDS,
            numbers=numbers,
            pager=pager(visit, numbers, "numbers", q=search, kind=kind),
        )
    )


async def new_number(visit: Visit) -> web.StreamResponse:
    return visit.show(_page(visit, await _new_form(visit)))


async def add_number(visit: Visit) -> web.StreamResponse:
    posted = await visit.posted()
    try:
        await create_number(
            visit.context,
            visit.actor,
            tenant_id=visit.tenant_id,
            digits=posted.get("digits", ""),
            label=posted.get("label", ""),
            **_aim(posted),
        )
    except (BadInput, Conflict) as error:
        form = refilled(await _new_form(visit), posted, _faults(visit, error))
        return visit.show(_page(visit, form), status=error.status)
    return visit.go("numbers", done="created")


async def edit_number(visit: Visit) -> web.StreamResponse:
    number = await find_number(visit)
    return visit.show(FormPage(title=number.digits, form=_edit_form(visit, number)))


async def change_number(visit: Visit) -> web.StreamResponse:
    number, posted = await find_number(visit), await visit.posted()
    try:
        await update_number(
            visit.context,
            visit.actor,
            number_id=number.id,
            digits=posted.get("digits", ""),
            label=posted.get("label", ""),
        )
    except (BadInput, Conflict) as error:
        form = refilled(_edit_form(visit, number), posted, visit.faults(error))
        return visit.show(FormPage(title=number.digits, form=form), status=error.status)
    return visit.go("numbers", done="saved")


async def confirm_number_removal(visit: Visit) -> web.StreamResponse:
    return visit.show(_removal(visit, await find_number(visit)))


async def drop_number(visit: Visit) -> web.StreamResponse:
    number = await find_number(visit)
    try:
        await delete_number(visit.context, visit.actor, number_id=number.id)
    except Conflict as error:
        page = _removal(visit, number, error=visit.language.error(error.detail))
        return visit.show(page, status=error.status)
    return visit.go("numbers", done="removed")


async def find_number(visit: Visit) -> Number:
    """The internal number of this address, in this tenant; NotFound."""
    number = await get_number(visit.context, visit.actor, number_id=visit.number("number"))
    if number.tenant_id != visit.tenant_id:
        raise NotFound("There is no such internal number.")
    return number


def _aim(posted: Mapping[str, str]) -> dict[str, Any]:
    """What the select (`group:3`, `outside`) and the field beside it say; BadInput when nothing was chosen."""
    kind, _, target = posted.get("target", "").partition(":")
    if not kind:
        raise BadInput("Choose what the number stands for.", field="target")
    if kind == "outside":
        return {"kind": kind, "number": posted.get("number", "")}
    return {"kind": kind, "target_id": chosen_id(target)}


def _page(visit: Visit, form: Form) -> FormPage:
    return FormPage(title=visit.language.translate("New internal number"), form=form)


def _removal(visit: Visit, number: Number, *, error: str = "") -> ConfirmPage:
    _ = visit.language.translate
    sentence = _("%(digits)s no longer reaches %(name)s, and keys that point at the number are emptied.")
    return confirmation(
        visit,
        sentence % {"digits": number.digits, "name": number.target},
        title=_("Free internal number"),
        submit=_("Remove"),
        action=("numbers", number.id, "remove"),
        cancel=("numbers",),
        error=error,
    )


def _faults(visit: Visit, error: BadInput | Conflict) -> dict[str, str]:
    """The error as field → sentence; what it stands for is one field here."""
    faults = visit.faults(error)
    return {"target" if name in {"target_id", "kind"} else name: text for name, text in faults.items()}


async def _new_form(visit: Visit) -> Form:
    _ = visit.language.translate
    chosen = visit.query.get("target", "")
    return Form(
        action=visit.path("numbers", "new"),
        submit=_("Give out"),
        cancel=visit.path("numbers"),
        fields=(
            _digits(visit),
            Field(
                name="target",
                label=_("Stands for"),
                control="select",
                value=chosen,
                choices=await _targets(visit),
                required=True,
            ),
            Field(
                name="number",
                label=_("Outside number"),
                inputmode="tel",
                maxlength=60,
                help=_("Only for an outside number, such as +49301234567."),
            ),
            _label(visit),
        ),
    )


def _edit_form(visit: Visit, number: Number) -> Form:
    _ = visit.language.translate
    return Form(
        action=visit.path("numbers", number.id, "edit"),
        submit=_("Save"),
        cancel=visit.path("numbers"),
        fields=(_digits(visit, number.digits), _label(visit, number.label)),
    )


def _digits(visit: Visit, value: str = "") -> Field:
    _ = visit.language.translate
    return Field(
        name="digits",
        label=_("Number"),
        value=value,
        required=True,
        inputmode="numeric",
        maxlength=4,
        help=_("The internal number: 2, 3 or 4 digits."),
    )


def _label(visit: Visit, value: str = "") -> Field:
    _ = visit.language.translate
    return Field(
        name="label",
        label=_("Label"),
        value=value,
        maxlength=120,
        help=_("Text for people, where the target has no name of its own."),
    )


async def _targets(visit: Visit) -> list[Choice]:
    """Everything that can have an internal number; a user or shared line that has one is left out."""
    one: dict[str, Any] = {"tenant_id": visit.tenant_id}
    some: dict[str, Any] = {**one, "limit": MAX_PAGE}
    context, actor, _ = visit.context, visit.actor, visit.language.translate
    users = (await list_users(context, actor, **some)).items
    found = [("user", row.id, row.name) for row in users if row.extension is None]
    found += [("group", row.id, row.name) for row in await list_groups(context, actor, **one)]
    found += [("menu", row.id, row.name) for row in await list_menus(context, actor, **one)]
    found += [
        ("public", row.id, row.number) for row in (await list_public_numbers(context, actor, **some)).items
    ]
    found += [
        ("device", row.device.id, row.device.name)
        for row in (await list_devices(context, actor, **some)).items
    ]
    named = [(f"{kind}:{target}", f"{_(NUMBER_KINDS[kind])}: {name}") for kind, target, name in found]
    return options([("outside", _("An outside number, given below")), *named], none=_("Choose …"))
