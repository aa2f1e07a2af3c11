"""The places of a tenant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from provisioner.errors import BadInput, Conflict, NotFound
from provisioner.model import Site
from provisioner.services.people.tenants import create_site, delete_site, get_site, list_sites, update_site
from provisioner.web.ui.fields import Field, Form, refilled
from provisioner.web.ui.pages.selects import networks_field, policy_faults, policy_select
from provisioner.web.ui.pages.shapes import FormPage, confirmation
from provisioner.web.ui.visit import Page, Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class SitesPage(Page):
    template: ClassVar[str] = "sites.html"
    sites: Sequence[Site]


async def show_sites(visit: Visit) -> web.StreamResponse:
    sites = await list_sites(visit.context, visit.actor, tenant_id=visit.tenant_id)
    return visit.show(SitesPage(title=visit.language.translate("Sites"), sites=sites))


async def new_site(visit: Visit) -> web.StreamResponse:
    return visit.show(FormPage(title=visit.language.translate("New site"), form=_form(visit)))


async def add_site(visit: Visit) -> web.StreamResponse:
    posted = await visit.posted()
    try:
        await create_site(visit.context, visit.actor, tenant_id=visit.tenant_id, **_fields(posted))
    except (BadInput, Conflict) as error:
        form = refilled(_form(visit), posted, policy_faults(visit, error))
        return visit.show(
            FormPage(title=visit.language.translate("New site"), form=form), status=error.status
        )
    return visit.go("sites", done="created")


async def edit_site(visit: Visit) -> web.StreamResponse:
    site = await find_site(visit)
    return visit.show(FormPage(title=site.name, form=_form(visit, site)))


async def change_site(visit: Visit) -> web.StreamResponse:
    site, posted = await find_site(visit), await visit.posted()
    try:
        await update_site(visit.context, visit.actor, site_id=site.id, **_fields(posted))
    except (BadInput, Conflict) as error:
        form = refilled(_form(visit, site), posted, policy_faults(visit, error))
        return visit.show(FormPage(title=site.name, form=form), status=error.status)
    return visit.go("sites", done="saved")


async def confirm_site_removal(visit: Visit) -> web.StreamResponse:
    site, _ = await find_site(visit), visit.language.translate
    sentence = _("%(name)s and its settings are removed; its devices and users stay, without a site.")
    page = confirmation(
        visit,
        sentence % {"name": site.name},
        title=_("Remove site"),
        submit=_("Remove"),
        action=("sites", site.id, "remove"),
        cancel=("sites",),
    )
    return visit.show(page)


async def drop_site(visit: Visit) -> web.StreamResponse:
    site = await find_site(visit)
    await delete_site(visit.context, visit.actor, site_id=site.id)
    return visit.go("sites", done="removed")


async def find_site(visit: Visit) -> Site:
    """The site of this address, in this tenant; NotFound."""
    site = await get_site(visit.context, visit.actor, site_id=visit.number("site"))
    if site.tenant_id != visit.tenant_id:
        raise NotFound("There is no such site.")
    return site


def _fields(posted: Mapping[str, str]) -> dict[str, str]:
    return {
        name: posted.get(name, "")
        for name in ("name", "address", "emergency_caller_id", "policy", "networks")
    }


def _form(visit: Visit, site: Site | None = None) -> Form:
    _ = visit.language.translate
    return Form(
        action=visit.path("sites", site.id, "edit") if site else visit.path("sites", "new"),
        submit=_("Save") if site else _("Create site"),
        cancel=visit.path("sites"),
        fields=(
            Field(
                name="name", label=_("Name"), value=site.name if site else "", required=True, maxlength=120
            ),
            Field(name="address", label=_("Address"), value=site.address if site else "", maxlength=250),
            Field(
                name="emergency_caller_id",
                label=_("Number shown on emergency calls"),
                value=site.emergency_caller_id if site else "",
                inputmode="tel",
                maxlength=32,
            ),
            policy_select(
                visit,
                site.policy if site else "",
                label=_("How phones prove themselves"),
                none=_("As the tenant has it"),
            ),
            networks_field(visit, site.networks if site else ()),
        ),
    )
