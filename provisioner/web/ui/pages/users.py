"""Users: the list with their devices and ticks, one user, and making, changing and removing one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from aiohttp import web

from provisioner.errors import BadInput, Conflict, NotFound
from provisioner.model import User
from provisioner.services.devices.assignment import MAX_DEVICES_PER_USER
from provisioner.services.devices.device_lines import silenced_devices
from provisioner.services.devices.device_list import DeviceRow, list_devices
from provisioner.services.devices.user_devices import devices_of_users
from provisioner.services.people.tenants import list_sites
from provisioner.services.people.users import (
    PAGE,
    create_user,
    delete_user,
    get_user,
    list_users,
    public_numbers,
    update_user,
)
from provisioner.services.people.users import Page as Some
from provisioner.web.ui.fields import Choice, Field, Form, chosen_id, refilled
from provisioner.web.ui.pages.pin import pin_form
from provisioner.web.ui.pages.selects import site_select
from provisioner.web.ui.pages.shapes import ConfirmPage, FormPage, Pager, confirmation, pager
from provisioner.web.ui.visit import Page, Visit
from provisioner.web.ui.words import KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersPage(Page):
    template: ClassVar[str] = "users.html"
    search: str
    users: Some[User]
    devices: Mapping[int, Sequence[DeviceRow]]
    pager: Pager


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPage(Page):
    template: ClassVar[str] = "user.html"
    user: User
    site_name: str
    numbers: Sequence[str]
    devices: Sequence[DeviceRow]
    """The user's own, and the one the user is logged in on."""
    silenced: frozenset[int]
    """Devices with do-not-disturb on."""
    limit: int
    """How many own devices the user may have."""
    pin: Form
    error: str = ""

    @property
    def own(self) -> Sequence[DeviceRow]:
        return [row for row in self.devices if not row.device.is_hotdesk]


async def show_users(visit: Visit) -> web.StreamResponse:
    query, context, actor, tenant_id = visit.query, visit.context, visit.actor, visit.tenant_id
    search = query.get("q", "")[:100]
    offset = chosen_id(query.get("from", "")) or 0
    users = await list_users(context, actor, tenant_id=tenant_id, search=search, offset=offset, limit=PAGE)
    devices = await devices_of_users(
        context, actor, tenant_id=tenant_id, user_ids=[user.id for user in users.items]
    )
    return visit.show(
        UsersPage(
            title=visit.language.translate("Users"),
            search=search,
            users=users,
            devices=devices,
            pager=pager(visit, users, "users", q=search),
        )
    )


async def show_user(visit: Visit) -> web.StreamResponse:
    return await show_user_page(visit, await find_user(visit))


async def show_user_page(
    visit: Visit, user: User, *, error: str = "", pin_error: str = "", status: int = 200
) -> web.StreamResponse:
    """The page of one user; with what was wrong with an action, or with a PIN."""
    context, actor = visit.context, visit.actor
    sites = await list_sites(context, actor, tenant_id=visit.tenant_id)
    devices = (await list_devices(context, actor, tenant_id=visit.tenant_id, user_id=user.id)).items
    pin = pin_form(visit, visit.path("users", user.id, "hotdesk"), is_on=user.is_hotdesk)
    return visit.show(
        UserPage(
            title=user.name,
            user=user,
            site_name=next((site.name for site in sites if site.id == user.site_id), ""),
            numbers=(await public_numbers(context, actor, user_ids=[user.id]))[user.id],
            devices=devices,
            silenced=await silenced_devices(context, actor, device_ids=[row.device.id for row in devices]),
            limit=MAX_DEVICES_PER_USER if visit.tenant and visit.tenant.is_premium else 1,
            pin=refilled(pin, {}, {"pin": pin_error} if pin_error else {}),
            error=error,
        ),
        status=status,
    )


async def new_user(visit: Visit) -> web.StreamResponse:
    return visit.show(FormPage(title=visit.language.translate("New user"), form=await _form(visit)))


async def add_user(visit: Visit) -> web.StreamResponse:
    posted = await visit.posted()
    try:
        user = await create_user(
            visit.context,
            visit.actor,
            tenant_id=visit.tenant_id,
            extension=posted.get("extension", "").strip() or None,
            **_fields(posted),
        )
    except (BadInput, Conflict) as error:
        form = refilled(await _form(visit), posted, visit.faults(error))
        return visit.show(
            FormPage(title=visit.language.translate("New user"), form=form), status=error.status
        )
    return visit.go("users", user.id, done="created")


async def edit_user(visit: Visit) -> web.StreamResponse:
    user = await find_user(visit)
    return visit.show(FormPage(title=user.name, form=await _form(visit, user)))


async def change_user(visit: Visit) -> web.StreamResponse:
    user, posted = await find_user(visit), await visit.posted()
    try:
        await update_user(
            visit.context,
            visit.actor,
            user_id=user.id,
            extension=posted.get("extension", "").strip(),
            numbers=_numbers(posted),
            **_fields(posted),
        )
    except (BadInput, Conflict) as error:
        form = refilled(await _form(visit, user), posted, visit.faults(error))
        return visit.show(FormPage(title=user.name, form=form), status=error.status)
    return visit.go("users", user.id, done="saved")


async def confirm_user_removal(visit: Visit) -> web.StreamResponse:
    return visit.show(_removal(visit, await find_user(visit)))


async def drop_user(visit: Visit) -> web.StreamResponse:
    user = await find_user(visit)
    try:
        await delete_user(visit.context, visit.actor, user_id=user.id)
    except Conflict as error:
        return visit.show(_removal(visit, user, error=visit.say(error)), status=error.status)
    return visit.go("users", done="removed")


async def find_user(visit: Visit) -> User:
    """The user of this address, in this tenant; NotFound."""
    user = await get_user(visit.context, visit.actor, user_id=visit.number("user"))
    if user.tenant_id != visit.tenant_id:
        raise NotFound("There is no such user.")
    return user


def _removal(visit: Visit, user: User, *, error: str = "") -> ConfirmPage:
    _ = visit.language.translate
    sentence = _("%(name)s, with extension, numbers and settings, is removed for good.")
    return confirmation(
        visit,
        sentence % {"name": user.name},
        title=_("Remove user"),
        submit=_("Remove"),
        action=("users", user.id, "remove"),
        cancel=("users", user.id),
        error=error,
    )


async def _form(visit: Visit, user: User | None = None) -> Form:
    _ = visit.language.translate
    numbers = (await public_numbers(visit.context, visit.actor, user_ids=[user.id]))[user.id] if user else []
    extension = user.extension.digits if user and user.extension else ""
    public = Field(
        name="numbers",
        label=_("Public numbers"),
        value=", ".join(numbers),
        help=_("Separated by commas, such as +31201234567."),
    )
    return Form(
        action=visit.path("users", user.id, "edit") if user else visit.path("users", "new"),
        submit=_("Save") if user else _("Create user"),
        cancel=visit.path("users", user.id) if user else visit.path("users"),
        fields=(
            Field(
                name="name", label=_("Name"), value=user.name if user else "", required=True, maxlength=120
            ),
            Field(
                name="extension",
                label=_("Extension"),
                value=extension,
                inputmode="numeric",
                maxlength=4,
                help=_("The internal number: 2, 3 or 4 digits."),
            ),
            *([public] if user else []),
            Field(
                name="kind",
                label=_("Kind"),
                control="select",
                value=user.kind if user else "person",
                choices=[Choice(code, _(word)) for code, word in KINDS.items()],
            ),
            Field(
                name="email",
                label=_("E-mail"),
                control="email",
                value=user.email if user else "",
                maxlength=254,
            ),
            Field(
                name="department", label=_("Department"), value=user.department if user else "", maxlength=120
            ),
            await site_select(visit, user.site_id if user else None),
        ),
    )


def _fields(posted: Mapping[str, str]) -> dict[str, Any]:
    texts = {name: posted.get(name, "") for name in ("name", "email", "department")}
    return {**texts, "kind": posted.get("kind", "person"), "site_id": chosen_id(posted.get("site_id", ""))}


def _numbers(posted: Mapping[str, str]) -> list[str]:
    return [number.strip() for number in posted.get("numbers", "").split(",") if number.strip()]
