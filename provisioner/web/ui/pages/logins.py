"""Who may log in: making, blocking, resetting and removing logins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from provisioner.access.permissions import Role
from provisioner.errors import BadInput, Conflict, Forbidden, NotFound
from provisioner.model import Login
from provisioner.services.people.logins import delete_login, list_logins, make_reset, set_blocked
from provisioner.web.identity import DOORKEEPER
from provisioner.web.ui.fields import Field, Form, options, refilled
from provisioner.web.ui.pages.password_fields import login_password
from provisioner.web.ui.pages.selects import posted_user, user_faults, user_field
from provisioner.web.ui.pages.shapes import FormPage, confirmation
from provisioner.web.ui.translations import LANGUAGES
from provisioner.web.ui.visit import Page, Visit
from provisioner.web.ui.words import ROLES


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginsPage(Page):
    template: ClassVar[str] = "logins.html"
    logins: Sequence[Login]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetLinkPage(Page):
    """Shown once: the address that sets a new password."""

    template: ClassVar[str] = "reset_link.html"
    login: Login
    url: str


async def show_logins(visit: Visit) -> web.StreamResponse:
    return visit.show(LoginsPage(title=visit.language.translate("Logins"), logins=await _logins(visit)))


async def new_login(visit: Visit) -> web.StreamResponse:
    return visit.show(FormPage(title=visit.language.translate("New login"), form=await _form(visit)))


async def add_login(visit: Visit) -> web.StreamResponse:
    posted = await visit.posted()
    doorkeeper = visit.request.config_dict[DOORKEEPER]
    try:
        user = await posted_user(visit, posted) if visit.tenant else None
        await doorkeeper.create_login(
            visit.actor,
            name=posted.get("name", ""),
            role=posted.get("role", ""),
            password=posted.get("password", ""),
            tenant_id=visit.tenant.id if visit.tenant else None,
            user_id=user.id if user else None,
            display_name=posted.get("display_name", ""),
            language=posted.get("language", "en"),
        )
    except (BadInput, Conflict, Forbidden) as error:
        faults = {"": visit.say(error)} if isinstance(error, Forbidden) else user_faults(visit, error)
        form = refilled(await _form(visit), posted, faults)
        return visit.show(
            FormPage(title=visit.language.translate("New login"), form=form), status=error.status
        )
    return visit.go("logins", done="created")


async def block(visit: Visit) -> web.StreamResponse:
    login = await _find(visit)
    await set_blocked(visit.context, visit.actor, login_id=login.id, is_blocked=True)
    return visit.go("logins", done="blocked")


async def unblock(visit: Visit) -> web.StreamResponse:
    login = await _find(visit)
    await set_blocked(visit.context, visit.actor, login_id=login.id, is_blocked=False)
    return visit.go("logins", done="unblocked")


async def reset_link(visit: Visit) -> web.StreamResponse:
    """Make a link that sets a new password, once and within a day; it is on the answer and nowhere else."""
    login = await _find(visit)
    token = await make_reset(visit.context, visit.actor, login_id=login.id)
    url = str(visit.request.url.origin().with_path(f"/reset/{token}"))
    return visit.show(ResetLinkPage(title=visit.language.translate("Reset link"), login=login, url=url))


async def confirm_login_removal(visit: Visit) -> web.StreamResponse:
    login, _ = await _find(visit), visit.language.translate
    page = confirmation(
        visit,
        _("%(name)s can no longer log in.") % {"name": login.name},
        title=_("Remove login"),
        submit=_("Remove"),
        action=("logins", login.id, "remove"),
        cancel=("logins",),
    )
    return visit.show(page)


async def drop_login(visit: Visit) -> web.StreamResponse:
    login = await _find(visit)
    await delete_login(visit.context, visit.actor, login_id=login.id)
    return visit.go("logins", done="removed")


async def _logins(visit: Visit) -> Sequence[Login]:
    """The tenant's logins; outside a tenant's pages all."""
    logins = await list_logins(visit.context, visit.actor)
    return [login for login in logins if visit.tenant is None or login.tenant_id == visit.tenant.id]


async def _find(visit: Visit) -> Login:
    for login in await _logins(visit):
        if login.id == visit.number("login"):
            return login
    raise NotFound("There is no such login.")


async def _form(visit: Visit) -> Form:
    _ = visit.language.translate
    roles = [Role.ADMIN, Role.INSTALLER, Role.USER] if visit.tenant else [Role.OPERATOR]
    fields = [
        Field(
            name="name",
            label=_("Name to log in with"),
            required=True,
            maxlength=254,
            help=_("An e-mail address is usual."),
        ),
        Field(name="display_name", label=_("Full name"), maxlength=120),
        Field(
            name="role",
            label=_("Role"),
            control="select",
            value=roles[0],
            choices=options((role, _(ROLES[role])) for role in roles),
        ),
        login_password(visit, label=_("Password")),
        Field(
            name="language",
            label=_("Language"),
            control="select",
            value="en",
            choices=options(LANGUAGES.items()),
        ),
    ]
    if visit.tenant:
        whose = _("Only for the role user: whose own settings this login may change.")
        fields.insert(3, await user_field(visit, None, none=_("None"), help_text=whose))
    return Form(
        action=visit.path("logins", "new"),
        submit=_("Create login"),
        fields=fields,
        cancel=visit.path("logins"),
    )
