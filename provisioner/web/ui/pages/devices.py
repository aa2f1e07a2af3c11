"""The devices of a tenant, with search, filters and live ticks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from provisioner.services.devices.device_list import DeviceRow, list_devices
from provisioner.services.people.tenants import list_sites
from provisioner.services.people.users import PAGE
from provisioner.services.people.users import Page as Some
from provisioner.web.ui.fields import Field, chosen_id, options
from provisioner.web.ui.pages.shapes import Pager, pager
from provisioner.web.ui.visit import Page, Visit
from provisioner.web.ui.words import STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicesPage(Page):
    template: ClassVar[str] = "devices.html"
    search: str
    filters: Sequence[Field]
    devices: Some[DeviceRow]
    pager: Pager


async def show_devices(visit: Visit) -> web.StreamResponse:
    """Some of the devices; unknown filters find what an empty one finds."""
    query, _ = visit.query, visit.language.translate
    search, offset = query.get("q", "")[:100], chosen_id(query.get("from", "")) or 0
    state = query.get("state", "") if query.get("state", "") in STATES else ""
    profile = query.get("vendor", "") if query.get("vendor", "") in visit.context.profiles.all else ""
    site = chosen_id(query.get("site", ""))
    devices = await list_devices(
        visit.context,
        visit.actor,
        tenant_id=visit.tenant_id,
        search=search,
        state=state,
        profile=profile,
        site_id=site,
        offset=offset,
        limit=PAGE,
    )
    sites = await list_sites(visit.context, visit.actor, tenant_id=visit.tenant_id)
    vendors = [(profile.id, profile.label) for profile in visit.context.profiles.all.values()]
    filters = [
        Field(
            name="state",
            label=_("State"),
            control="select",
            value=state,
            choices=options(((code, _(word.word)) for code, word in STATES.items()), none=_("Every state")),
        ),
        Field(
            name="vendor",
            label=_("Vendor"),
            control="select",
            value=profile,
            choices=options(vendors, none=_("Every vendor")),
        ),
    ]
    if sites:
        every = options(((site.id, site.name) for site in sites), none=_("Every site"))
        filters.append(
            Field(name="site", label=_("Site"), control="select", value=str(site or ""), choices=every)
        )
    return visit.show(
        DevicesPage(
            title=_("Devices"),
            search=search,
            filters=filters,
            devices=devices,
            pager=pager(visit, devices, "devices", q=search, state=state, vendor=profile, site=site),
        )
    )
