"""What people may do for themselves: own name, language and password; and the role user's own page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from provisioner.errors import BadInput, Conflict, NotFound, Unauthenticated
from provisioner.model import Login, User
from provisioner.services.devices.assignment import set_primary
from provisioner.services.devices.device_list import DeviceRow, list_devices
from provisioner.services.hotdesk.sessions import set_hotdesk
from provisioner.services.people.logins import update_own
from provisioner.services.people.users import get_user
from provisioner.web.identity import DOORKEEPER, clear_session
from provisioner.web.ui.fields import Field, Form, chosen_id, options, refilled
from provisioner.web.ui.pages.password_fields import differing, login_password_twice
from provisioner.web.ui.pages.pin import PinPage, pin_form
from provisioner.web.ui.translations import LANGUAGES
from provisioner.web.ui.visit import Page, Visit, redirect


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPage(Page):
    template: ClassVar[str] = "own.html"
    details: Form
    password: Form


@dataclass(frozen=True, slots=True, kw_only=True)
class MyPhonesPage(Page):
    template: ClassVar[str] = "me.html"
    user: User
    devices: Sequence[DeviceRow]
    pin: Form
    error: str = ""


async def show_own(visit: Visit) -> web.StreamResponse:
    return visit.show(_page(visit))


async def change_own(visit: Visit) -> web.StreamResponse:
    posted = await visit.posted()
    try:
        await update_own(
            visit.context,
            visit.actor,
            display_name=posted.get("display_name", ""),
            language=posted.get("language", ""),
        )
    except BadInput as error:
        return visit.show(_page(visit, posted, faults=visit.faults(error)), status=error.status)
    return redirect("/own?done=saved")


async def change_own_password(visit: Visit) -> web.StreamResponse:
    """Set a new password; every session ends, this one too."""
    posted = await visit.posted()
    if faults := differing(visit, posted):
        return visit.show(_page(visit, secret_faults=faults), status=422)
    doorkeeper = visit.request.config_dict[DOORKEEPER]
    try:
        await doorkeeper.change_own_password(
            visit.actor, old=posted.get("old", ""), new=posted.get("password", "")
        )
    except Unauthenticated as error:
        return visit.show(_page(visit, secret_faults={"old": visit.say(error)}), status=422)
    except BadInput as error:
        return visit.show(_page(visit, secret_faults=visit.faults(error)), status=error.status)
    response = redirect("/login?done=password")
    clear_session(visit.request, response)
    return response


async def show_me(visit: Visit) -> web.StreamResponse:
    """The role user's own phones with their ticks; NotFound for a login that stands for no user."""
    return await _my_page(visit, await _own_user(visit))


async def renew_own_pin(visit: Visit) -> web.StreamResponse:
    """A new hotdesk PIN of the person's own; it is on the answer and nowhere else."""
    user, posted = await _own_user(visit), await visit.posted()
    try:
        made = await set_hotdesk(
            visit.context,
            visit.actor,
            user_id=user.id,
            enabled=True,
            pin=posted.get("pin", "").strip() or None,
        )
    except (BadInput, Conflict) as error:
        return await _my_page(visit, user, pin_error=visit.say(error), status=error.status)
    return visit.show(PinPage(title=user.name, made=made, back="/me"))


async def choose_own_primary(visit: Visit) -> web.StreamResponse:
    user, posted = await _own_user(visit), await visit.posted()
    device_id = chosen_id(posted.get("device_id", "")) or 0
    try:
        await set_primary(visit.context, visit.actor, user_id=user.id, device_id=device_id)
    except Conflict as error:
        return await _my_page(visit, user, error=visit.say(error), status=error.status)
    return redirect("/me?done=primary")


async def _own_user(visit: Visit) -> User:
    if not visit.actor.user_id:
        raise NotFound("There is no such user.")
    return await get_user(visit.context, visit.actor, user_id=visit.actor.user_id)


async def _my_page(
    visit: Visit, user: User, *, error: str = "", pin_error: str = "", status: int = 200
) -> web.StreamResponse:
    devices = (await list_devices(visit.context, visit.actor, user_id=user.id)).items
    pin = pin_form(visit, "/me/pin", is_on=True)
    return visit.show(
        MyPhonesPage(
            title=visit.language.translate("My phones"),
            user=user,
            devices=devices,
            pin=refilled(pin, {}, {"pin": pin_error} if pin_error else {}),
            error=error,
        ),
        status=status,
    )


def _page(
    visit: Visit,
    posted: Mapping[str, str] | None = None,
    *,
    faults: Mapping[str, str] | None = None,
    secret_faults: Mapping[str, str] | None = None,
) -> OwnPage:
    if visit.logged_in is None:
        raise Unauthenticated("Log in first.")
    return OwnPage(
        title=visit.language.translate("Own details"),
        details=refilled(_details_form(visit, visit.logged_in.login), posted or {}, faults or {}),
        password=refilled(_password_form(visit), {}, secret_faults or {}),
    )


def _details_form(visit: Visit, login: Login) -> Form:
    _ = visit.language.translate
    return Form(
        action="/own",
        submit=_("Save"),
        fields=(
            Field(
                name="display_name",
                label=_("Name"),
                value=login.display_name,
                autocomplete="name",
                maxlength=120,
            ),
            Field(
                name="language",
                label=_("Language"),
                control="select",
                value=visit.language.code,
                choices=options(LANGUAGES.items()),
            ),
        ),
    )


def _password_form(visit: Visit) -> Form:
    _ = visit.language.translate
    present = Field(
        name="old",
        label=_("Present password"),
        control="password",
        required=True,
        autocomplete="current-password",
    )
    return Form(
        action="/own/password",
        submit=_("Change password"),
        fields=(present, *login_password_twice(visit)),
    )
