"""Changing one device: its fields, its password, its claim window, its lock, and its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from provisioner.errors import BadInput, Conflict
from provisioner.model import Device, Mac
from provisioner.services.devices.device_list import DeviceRow
from provisioner.services.devices.enrolment import (
    find_model,
    open_claim_window,
    remove_device,
    replace_device_password,
    unlock_device,
    update_device,
)
from provisioner.services.pbx.resync_state import resync_now
from provisioner.web.ui.fields import Choice, Field, Form, chosen_id, refilled
from provisioner.web.ui.pages.device import find_device, find_row, show_device_page
from provisioner.web.ui.pages.device_created import created_page
from provisioner.web.ui.pages.new_device import split_type
from provisioner.web.ui.pages.password_fields import device_password, device_password_rules
from provisioner.web.ui.pages.selects import policy_select, posted_user, site_select, user_faults, user_field
from provisioner.web.ui.pages.shapes import FormPage, confirmation
from provisioner.web.ui.visit import Page, Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordPage(Page):
    template: ClassVar[str] = "device_password.html"
    form: Form
    rules: Sequence[tuple[bool, str]]


async def edit_device(visit: Visit) -> web.StreamResponse:
    row = await find_row(visit)
    return visit.show(FormPage(title=row.device.name, form=await _form(visit, row)))


async def change_device(visit: Visit) -> web.StreamResponse:
    """Save the fields; a warning about the address is shown on the form, with everything saved."""
    row, posted = await find_row(visit), await visit.posted()
    device = row.device
    profile, model = split_type(posted.get("type", ""))
    fields = {name: posted.get(name, "") for name in ("name", "mac", "policy", "note")}
    try:
        _changed, warnings = await update_device(
            visit.context,
            visit.actor,
            device_id=device.id,
            **fields,
            profile=profile,
            model=model,
            site_id=chosen_id(posted.get("site_id", "")),
            **await _new_owner(visit, row, posted),
        )
    except (BadInput, Conflict) as error:
        faults = user_faults(visit, error)
        faults = {{"model": "type"}.get(name, name): sentence for name, sentence in faults.items()}
        form = refilled(await _form(visit, row), posted, faults)
        return visit.show(FormPage(title=device.name, form=form), status=error.status)
    if warnings:
        intro = " ".join(visit.language.error(warning) for warning in warnings)
        saved = visit.language.translate("Saved.")
        return visit.show(
            FormPage(
                title=device.name, form=await _form(visit, await find_row(visit)), intro=f"{saved} {intro}"
            )
        )
    return visit.go("devices", device.id, done="saved")


async def show_password(visit: Visit) -> web.StreamResponse:
    return visit.show(await _password_page(visit, await find_device(visit)))


async def replace_password(visit: Visit) -> web.StreamResponse:
    """Replace the configuration password; the new one is on the answer and nowhere else."""
    device, posted = await find_device(visit), await visit.posted()
    try:
        made = await replace_device_password(
            visit.context,
            visit.actor,
            device_id=device.id,
            password=posted.get("password") or None,
            at_once="at_once" in posted,
        )
    except BadInput as error:
        page = await _password_page(visit, device, posted=posted, faults=visit.faults(error))
        return visit.show(page, status=error.status)
    return visit.show(await created_page(visit, made))


async def open_window(visit: Visit) -> web.StreamResponse:
    device, posted = await find_device(visit), await visit.posted()
    await open_claim_window(
        visit.context, visit.actor, device_id=device.id, minutes=chosen_id(posted.get("minutes", "")) or 0
    )
    return visit.go("devices", device.id, done="window")


async def unlock(visit: Visit) -> web.StreamResponse:
    device = await find_device(visit)
    await unlock_device(visit.context, visit.actor, device_id=device.id)
    return visit.go("devices", device.id, done="unlocked")


async def resync(visit: Visit) -> web.StreamResponse:
    """Tell the phone to fetch its configuration now."""
    device = await find_device(visit)
    try:
        await resync_now(visit.context, visit.actor, device_id=device.id)
    except Conflict as error:
        return await show_device_page(visit, error=visit.say(error), status=error.status)
    return visit.go("devices", device.id, done="told")


async def confirm_removal(visit: Visit) -> web.StreamResponse:
    device, _ = await find_device(visit), visit.language.translate
    sentence = _(
        "%(name)s is removed for good: its configuration password and its SIP account never work again. "
        "The phone keeps what it has until it is reset or asks again."
    )
    reason = Field(
        name="reason",
        label=_("Reason"),
        maxlength=200,
        help=_("Stands in the audit log: lost, broken, returned …"),
    )
    page = confirmation(
        visit,
        sentence % {"name": device.name},
        title=_("Remove device"),
        submit=_("Remove"),
        action=("devices", device.id, "remove"),
        cancel=("devices", device.id),
        fields=(reason,),
    )
    return visit.show(page)


async def drop_device(visit: Visit) -> web.StreamResponse:
    device, posted = await find_device(visit), await visit.posted()
    await remove_device(visit.context, visit.actor, device_id=device.id, reason=posted.get("reason", ""))
    return visit.go("devices", done="removed")


async def _password_page(
    visit: Visit,
    device: Device,
    *,
    posted: Mapping[str, str] | None = None,
    faults: Mapping[str, str] | None = None,
) -> PasswordPage:
    _ = visit.language.translate
    profile, _model = find_model(visit.context, device.profile, device.model)
    form = Form(
        action=visit.path("devices", device.id, "password"),
        submit=_("Replace password"),
        cancel=visit.path("devices", device.id),
        fields=(
            Field(name="type", label="", control="hidden", value=f"{device.profile}/{device.model}"),
            Field(name="username", label="", control="hidden", value=device.username),
            Field(name="mac", label="", control="hidden", value=device.mac),
            device_password(
                visit,
                label=_("New device configuration password"),
                help_text=_("Leave it empty to get a random one. It is shown once."),
            ),
            Field(
                name="at_once",
                label=_("Refuse the old password at once"),
                control="checkbox",
                help=_(
                    "For a phone that was stolen. Otherwise the old one is good until the phone has used the new one, or for a week."
                ),
            ),
        ),
    )
    rules = await device_password_rules(visit, profile, "")
    return PasswordPage(title=device.name, form=refilled(form, posted or {}, faults or {}), rules=rules)


async def _form(visit: Visit, row: DeviceRow) -> Form:
    _, device = visit.language.translate, row.device
    return Form(
        action=visit.path("devices", device.id, "edit"),
        submit=_("Save"),
        cancel=visit.path("devices", device.id),
        fields=(
            Field(name="name", label=_("Device name"), value=device.name, required=True, maxlength=80),
            _type_select(visit, device),
            Field(
                name="mac",
                label=_("MAC address"),
                value=Mac(device.mac).pretty,
                required=True,
                is_code=True,
                maxlength=40,
            ),
            *([] if device.is_hotdesk else [await user_field(visit, row.user, none=_("Nobody"))]),
            await site_select(visit, device.site_id),
            policy_select(
                visit,
                device.policy,
                label=_("How the phone proves itself"),
                none=_("As the site or tenant has it"),
            ),
            Field(name="note", label=_("Note"), control="textarea", value=device.note, maxlength=500),
        ),
    )


def _type_select(visit: Visit, device: Device) -> Field:
    types = [
        Choice(
            f"{profile.id}/{model.id}",
            model.label if model.label.startswith(profile.label) else f"{profile.label} {model.label}",
        )
        for profile in visit.context.profiles.all.values()
        for model in profile.models.values()
    ]
    return Field(
        name="type",
        label=visit.language.translate("Type"),
        control="select",
        value=f"{device.profile}/{device.model}",
        choices=types,
    )


async def _new_owner(visit: Visit, row: DeviceRow, posted: Mapping[str, str]) -> dict[str, int | None]:
    """The user, only when it changes: assigning anew would ask the premium rule again. A hotdesk device has none."""
    if row.device.is_hotdesk or not {"user", "user_id"} & set(posted):
        return {}
    owner = await posted_user(visit, posted, now=row.user)
    owner_id = owner.id if owner else None
    return {} if owner_id == (row.user.id if row.user else None) else {"user_id": owner_id}
