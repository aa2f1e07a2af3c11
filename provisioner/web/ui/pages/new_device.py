"""The "New device" dialog (R1.1–1.5): choose the type, then the address and the password; created and given in one step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from provisioner.errors import BadInput, Conflict, InvalidMac, NotFound, UnknownModel
from provisioner.model import Mac, User
from provisioner.profiles.manifest import Model, Profile
from provisioner.services.devices.enrolment import (
    default_name,
    enrol,
    find_by_mac,
    find_model,
    vendor_warning,
)
from provisioner.services.devices.usernames import propose_username
from provisioner.services.people.users import get_user
from provisioner.web.ui.fields import Field, Form, chosen_id, refilled
from provisioner.web.ui.pages.device_created import created_page
from provisioner.web.ui.pages.password_fields import device_password, device_password_rules
from provisioner.web.ui.pages.selects import posted_user, site_select, user_faults, user_field
from provisioner.web.ui.visit import Page, Visit

UNKNOWN_MAC = "<mac>"


@dataclass(frozen=True, slots=True)
class VendorTypes:
    """The device types of one vendor that fit the search."""

    profile: Profile
    models: Sequence[Model]


@dataclass(frozen=True, slots=True, kw_only=True)
class TypesPage(Page):
    template: ClassVar[str] = "new_device_type.html"
    search: str
    vendors: Sequence[VendorTypes]
    user: User | None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDevicePage(Page):
    template: ClassVar[str] = "new_device.html"
    profile: Profile
    model: Model
    user: User | None
    url: str
    username: str
    form: Form
    rules: Sequence[tuple[bool, str]]


async def show_new_device(visit: Visit) -> web.StreamResponse:
    """Step 1, or step 2 when the type is chosen."""
    chosen = visit.query.get("type", "")
    user = await _user(visit, visit.query.get("user", ""))
    if not chosen:
        return visit.show(_types_page(visit, user))
    try:
        profile, model = find_model(visit.context, *split_type(chosen))
    except UnknownModel as error:
        return visit.show(_types_page(visit, user, error=visit.say(error)), status=error.status)
    username = await propose_username(visit.context, profile=profile)
    return visit.show(await _device_page(visit, profile, model, user=user, username=username))


async def add_device(visit: Visit) -> web.StreamResponse:
    """Make the device and give it to the user; its password is on the answer and nowhere else."""
    posted = await visit.posted()
    try:
        profile, model = find_model(visit.context, *split_type(posted.get("type", "")))
    except UnknownModel as error:
        return visit.show(_types_page(visit, None, error=visit.say(error)), status=error.status)
    user = None
    try:
        user = await posted_user(visit, posted)
        made = await enrol(
            visit.context,
            visit.actor,
            tenant_id=visit.tenant_id,
            profile=profile.id,
            model=model.id,
            mac=posted.get("mac", ""),
            name=posted.get("name", ""),
            user_id=user.id if user else None,
            site_id=chosen_id(posted.get("site_id", "")),
            password=posted.get("password") or None,
            username=posted.get("username") or None,
        )
    except (BadInput, Conflict) as error:
        page = await _device_page(
            visit, profile, model, user=user, username=posted.get("username", ""), posted=posted, error=error
        )
        return visit.show(page, status=error.status)
    return visit.show(await created_page(visit, made))


async def check_mac(visit: Visit) -> web.StreamResponse:
    """What there is to say about an address while it is typed: a piece of HTML."""
    typed, _ = visit.query.get("mac", ""), visit.language.translate
    error = warning = fine = ""
    try:
        mac = Mac.parse(typed)
        profile, _model = find_model(visit.context, *split_type(visit.query.get("type", "")))
        warning = visit.language.error(vendor_warning(visit.context, profile, mac) or "")
        fine = mac.pretty
        taken = await find_by_mac(visit.context, visit.actor, mac=typed)
        error = _("This address is registered already: it is “%(name)s”.") % {"name": taken.name}
    except (InvalidMac, UnknownModel) as refused:
        error = visit.say(refused) if typed.strip() else ""
    except NotFound:
        pass
    return visit.piece("pieces/mac_check.html", error=error, warning=warning, fine="" if error else fine)


async def check_password(visit: Visit) -> web.StreamResponse:
    """Which rules a password meets while it is typed: a piece of HTML. It comes by POST, so it stands in no log."""
    posted = await visit.posted()
    profile, _model = find_model(visit.context, *split_type(posted.get("type", "")))
    rules = await device_password_rules(
        visit,
        profile,
        posted.get("password", ""),
        username=posted.get("username", ""),
        mac=posted.get("mac", ""),
    )
    return visit.piece("pieces/password_rules.html", rules=rules, is_empty=not posted.get("password"))


def split_type(chosen: str) -> tuple[str, str]:
    """The profile and the model of a chosen type: "acme/D1"."""
    profile, _, model = chosen.partition("/")
    return profile, model


async def _user(visit: Visit, text: str) -> User | None:
    user_id = chosen_id(text)
    if user_id is None:
        return None
    user = await get_user(visit.context, visit.actor, user_id=user_id)
    if user.tenant_id != visit.tenant_id:
        raise NotFound("There is no such user.")
    return user


def _types_page(visit: Visit, user: User | None, *, error: str = "") -> TypesPage:
    words = visit.query.get("q", "")[:60].casefold().split()
    vendors = []
    for profile in visit.context.profiles.all.values():
        models = [
            model
            for model in profile.models.values()
            if all(word in f"{profile.label} {model.label} {model.id}".casefold() for word in words)
        ]
        if models:
            vendors.append(VendorTypes(profile, models))
    title = visit.language.translate("New device")
    return TypesPage(
        title=title, search=visit.query.get("q", "")[:60], vendors=vendors, user=user, error=error
    )


async def _device_page(
    visit: Visit,
    profile: Profile,
    model: Model,
    *,
    user: User | None,
    username: str,
    posted: Mapping[str, str] | None = None,
    error: BadInput | Conflict | None = None,
) -> NewDevicePage:
    form = await _form(visit, profile, model, user=user, username=username)
    if posted is not None and error is not None:
        form = refilled(form, posted, user_faults(visit, error))
    return NewDevicePage(
        title=visit.language.translate("New device"),
        profile=profile,
        model=model,
        user=user,
        url=profile.url(f"{visit.context.settings.https_base}/p", UNKNOWN_MAC),
        username=username,
        form=form,
        rules=await device_password_rules(visit, profile, ""),
    )


async def _form(visit: Visit, profile: Profile, model: Model, *, user: User | None, username: str) -> Form:
    _ = visit.language.translate
    site = await site_select(visit, user.site_id if user else None)
    has_sites = len(site.choices) > 1
    return Form(
        action=visit.path("devices", "new"),
        submit=_("Create"),
        cancel=visit.path("users", user.id) if user else visit.path("devices"),
        fields=(
            Field(name="type", label="", control="hidden", value=f"{profile.id}/{model.id}"),
            Field(
                name="mac",
                label=_("MAC address"),
                required=True,
                is_code=True,
                maxlength=40,
                placeholder="00:00:5E:00:53:01",
                help=_("Twelve digits from the phone's label; any spelling will do."),
                check=visit.path("devices", "check-mac"),
                check_with="[name=type]",
            ),
            await user_field(visit, user, none=_("Nobody yet")),
            Field(
                name="name",
                label=_("Device name"),
                value=default_name(model, user),
                required=True,
                maxlength=80,
            ),
            Field(
                name="username",
                label=_("Device configuration user name"),
                value=username,
                required=True,
                is_code=True,
                maxlength=40,
            ),
            device_password(
                visit,
                label=_("Device configuration password"),
                help_text=_("Leave it empty to get a random one. It is shown once, after “Create”."),
            ),
            *([site] if has_sites else []),
        ),
    )
