"""What people may do for themselves: own name, language and password; and the role user's own page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from provisioner.errors import BadInput, NotFound, Unauthenticated
from provisioner.model import Login, User
from provisioner.services.device_list import DeviceRow, list_devices
from provisioner.services.logins import update_own
from provisioner.services.users import get_user
from provisioner.web.identity import DOORKEEPER, clear_session
from provisioner.web.ui.fields import Field, Form, options, refilled
from provisioner.web.ui.pages.password_fields import differing, login_password_twice
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
    actor = visit.actor
    if not actor.user_id:
        raise NotFound("There is no such user.")
    user = await get_user(visit.context, actor, user_id=actor.user_id)
    devices = (await list_devices(visit.context, actor, user_id=user.id)).items
    return visit.show(MyPhonesPage(title=visit.language.translate("My phones"), user=user, devices=devices))


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
