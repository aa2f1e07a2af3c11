"""The first page: an operator's tenants, a tenant's overview."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from provisioner.access.permissions import Permission, Role
from provisioner.model import RegistrationState
from provisioner.services.devices.device_list import DeviceRow, count_states, list_devices
from provisioner.services.files.fetch_log import list_strangers
from provisioner.services.operation.health import Finding
from provisioner.services.people.tenants import TenantSummary, get_tenant, list_tenants
from provisioner.services.refusals import Refusal, list_refusals
from provisioner.web.health import HEALTH
from provisioner.web.ui.visit import Page, Visit, redirect

PROBLEMS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantsPage(Page):
    template: ClassVar[str] = "tenants.html"
    tenants: Sequence[TenantSummary]
    health: Sequence[Finding]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewPage(Page):
    template: ClassVar[str] = "overview.html"
    counts: Mapping[str, int]
    problems: Sequence[DeviceRow]
    refusals: Sequence[Refusal]
    health: Sequence[Finding]


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangersPage(Page):
    template: ClassVar[str] = "strangers.html"
    entries: Sequence[tuple[str, str, str, str]]
    """Time, MAC address, where from, what was asked for."""


async def show_start(visit: Visit) -> web.StreamResponse:
    """Operators choose a tenant; everybody else goes to the own one; the role user to the own page."""
    actor = visit.actor
    if actor.role is Role.USER:
        return redirect("/me")
    if actor.tenant_id is not None:
        tenant = await get_tenant(visit.context, actor, tenant_id=actor.tenant_id)
        return redirect(f"/t/{tenant.key}")
    tenants = await list_tenants(visit.context, actor)
    return visit.show(
        TenantsPage(title=visit.language.translate("Tenants"), tenants=tenants, health=_health(visit))
    )


async def show_overview(visit: Visit) -> web.StreamResponse:
    """How many phones are in which state, and what needs somebody's attention."""
    context, actor, tenant_id = visit.context, visit.actor, visit.tenant_id
    problems: list[DeviceRow] = []
    for state in (RegistrationState.FAILED, RegistrationState.EXPIRED):
        page = await list_devices(context, actor, tenant_id=tenant_id, state=state, limit=PROBLEMS)
        problems += page.items
    return visit.show(
        OverviewPage(
            title=visit.tenant.name if visit.tenant else "",
            counts=await count_states(context, actor, tenant_id=tenant_id),
            problems=problems[:PROBLEMS],
            refusals=await list_refusals(context, actor, tenant_id=tenant_id, limit=PROBLEMS),
            health=_health(visit),
        )
    )


async def show_strangers(visit: Visit) -> web.StreamResponse:
    """Phones that asked and that nobody registered."""
    fetches = await list_strangers(visit.context, visit.actor, limit=200)
    entries = [(visit.time(fetch.at), fetch.mac, fetch.source, fetch.path) for fetch in fetches]
    return visit.show(StrangersPage(title=visit.language.translate("Unknown phones"), entries=entries))


def _health(visit: Visit) -> Sequence[Finding]:
    health = visit.request.config_dict.get(HEALTH)
    return health() if health is not None and visit.may(Permission.HEALTH_READ) else ()
