"""Settings at every scope: one form, made from the catalogue; who is reached differs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from aiohttp import web

from provisioner.composition.compose import Layer, compose
from provisioner.composition.phone_config import Composed
from provisioner.errors import InvalidSetting, NotFound
from provisioner.services.devices.device_list import list_devices
from provisioner.services.devices.device_settings import get_settings, put_settings
from provisioner.services.files.phone_files import compose_device
from provisioner.services.people.tenants import get_site
from provisioner.services.people.users import get_user
from provisioner.web.ui.pages.device import find_device
from provisioner.web.ui.pages.sites import find_site
from provisioner.web.ui.pages.users import find_user
from provisioner.web.ui.settings_form import SettingGroup, groups_of, wanted_from
from provisioner.web.ui.visit import Page, Visit, redirect

OWN_GROUPS = ("forwarding", "calls")
"""What the role user may set for oneself (R8): forwarding and how calls are shown."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where settings are set. `names` are those the form offers, None for all of the scope; `back` is where the page belongs."""

    scope: str
    ref: str
    title: str
    back: str
    action: str
    tenant_id: int
    names: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsPage(Page):
    template: ClassVar[str] = "settings.html"
    place: Place
    groups: Sequence[SettingGroup]
    may_change: bool
    search: str
    error: str = ""


async def tenant_place(visit: Visit) -> Place:
    title = visit.tenant.name if visit.tenant else ""
    return Place("tenant", "", title, visit.path(), visit.path("settings"), visit.tenant_id)


async def site_place(visit: Visit) -> Place:
    site = await find_site(visit)
    return Place(
        "site",
        str(site.id),
        site.name,
        visit.path("sites"),
        visit.path("sites", site.id, "settings"),
        visit.tenant_id,
    )


async def user_place(visit: Visit) -> Place:
    user = await find_user(visit)
    here = visit.path("users", user.id)
    return Place("user", str(user.id), user.name, here, f"{here}/settings", visit.tenant_id)


async def device_place(visit: Visit) -> Place:
    device = await find_device(visit)
    here = visit.path("devices", device.id)
    return Place("device", str(device.id), device.name, here, f"{here}/settings", visit.tenant_id)


async def own_place(visit: Visit) -> Place:
    """The user that the login stands for."""
    if not visit.actor.user_id:
        raise NotFound("There is no such user.")
    user = await get_user(visit.context, visit.actor, user_id=visit.actor.user_id)
    names = [
        setting.name for setting in visit.context.catalogue.settings.values() if setting.group in OWN_GROUPS
    ]
    return Place("user", str(user.id), user.name, "/me", "/me/settings", user.tenant_id, names)


async def show_settings(visit: Visit, place: Place, *, may_change: bool) -> web.StreamResponse:
    return visit.show(await _page(visit, place, may_change=may_change))


async def change_settings(visit: Visit, place: Place) -> web.StreamResponse:
    """Store what changed; everything or nothing."""
    posted = await visit.posted()
    catalogue, tenant_id = visit.context.catalogue, place.tenant_id
    here = await get_settings(
        visit.context, visit.actor, tenant_id=tenant_id, scope=place.scope, ref=place.ref
    )
    if place.names is not None:
        allowed = {f"{kind}.{name}" for name in place.names for kind in ("mode", "value")}
        posted = {name: value for name, value in posted.items() if name in allowed}
    try:
        wanted = wanted_from(catalogue, posted, scope=place.scope, here=here)
        if wanted.values or wanted.inherit:
            await put_settings(
                visit.context,
                visit.actor,
                tenant_id=tenant_id,
                scope=place.scope,
                ref=place.ref,
                values=wanted.values,
                inherit=wanted.inherit,
            )
    except InvalidSetting as error:
        faults = {str(error.data.get("setting") or ""): visit.say(error)}
        page = await _page(visit, place, may_change=True, posted=posted, faults=faults)
        return visit.show(page, status=error.status)
    return redirect(f"{place.action}?done=saved")


async def _page(
    visit: Visit,
    place: Place,
    *,
    may_change: bool,
    posted: Mapping[str, str] | None = None,
    faults: Mapping[str, str] | None = None,
) -> SettingsPage:
    context = visit.context
    here = await get_settings(
        context, visit.actor, tenant_id=place.tenant_id, scope=place.scope, ref=place.ref
    )
    groups = groups_of(
        context.catalogue,
        visit.language,
        scope=place.scope,
        here=here,
        effective=await _effective(visit, place, here),
        names=place.names,
        posted=posted,
        faults=faults,
    )
    search = visit.query.get("q", "")[:60]
    _ = visit.language.translate
    error = _("Nothing was saved: one value is not acceptable; see below.") if faults else ""
    return SettingsPage(
        title=_("Settings"),
        place=place,
        groups=_found(groups, search),
        may_change=may_change,
        search=search,
        error=error,
    )


def _found(groups: Sequence[SettingGroup], search: str) -> list[SettingGroup]:
    words = search.casefold().split()
    found = []
    for group in groups:
        fields = [
            field
            for field in group.fields
            if all(
                word in f"{group.label} {field.label} {field.name} {field.help}".casefold() for word in words
            )
        ]
        if fields:
            found.append(SettingGroup(label=group.label, fields=fields))
    return found


async def _effective(visit: Visit, place: Place, here: Mapping[str, Any]) -> Mapping[str, Composed]:
    """What counts: composed for the device itself; elsewhere from the scopes that are the same for all devices here."""
    if place.scope == "device":
        return (await compose_device(visit.context, visit.actor, device_id=int(place.ref))).settings
    context, actor = visit.context, visit.actor
    if actor.user_id is not None:
        return await _effective_for_oneself(visit, place, here)
    layers = []
    if place.scope != "tenant":
        tenant = await get_settings(context, actor, tenant_id=place.tenant_id, scope="tenant")
        layers.append(Layer("tenant", visit.tenant.name if visit.tenant else "", tenant))
    if place.scope == "user":
        user = await get_user(context, actor, user_id=int(place.ref))
        if user.site_id is not None:
            site = await get_site(context, actor, site_id=user.site_id)
            values = await get_settings(
                context, actor, tenant_id=place.tenant_id, scope="site", ref=str(site.id)
            )
            layers.append(Layer("site", site.name, values))
    layers.append(Layer(place.scope, place.title, here))
    return compose(context.catalogue, layers)


async def _effective_for_oneself(
    visit: Visit, place: Place, here: Mapping[str, Any]
) -> Mapping[str, Composed]:
    """The role user sees no scope but the own one; what counts is told by the own phone."""
    context, actor = visit.context, visit.actor
    devices = (await list_devices(context, actor, user_id=int(place.ref), limit=1)).items
    if devices:
        return (await compose_device(context, actor, device_id=devices[0].device.id)).settings
    return compose(context.catalogue, [Layer(place.scope, place.title, here)])
