"""Fields that stand on several forms: whose phone it is, where it stands, and how it proves itself."""

from collections.abc import Sequence

from provisioner.errors import BadInput, Conflict, InvalidPolicy
from provisioner.model import User
from provisioner.services.tenants import list_sites
from provisioner.services.users import MAX_PAGE, list_users
from provisioner.web.ui.fields import Field, options
from provisioner.web.ui.visit import Visit
from provisioner.web.ui.words import POLICIES


async def user_select(visit: Visit, chosen: User | None, *, none: str) -> Field:
    """The tenant's users with their extensions; `none` is the label of the empty choice."""
    users = (await list_users(visit.context, visit.actor, tenant_id=visit.tenant_id, limit=MAX_PAGE)).items
    named = [
        (user.id, f"{user.name} ({user.extension.digits})" if user.extension else user.name) for user in users
    ]
    if chosen is not None and chosen.id not in {user_id for user_id, _name in named}:
        named.insert(0, (chosen.id, chosen.name))  # beyond the first page of users
    return Field(
        name="user_id",
        label=visit.language.translate("User"),
        control="select",
        value=str(chosen.id) if chosen else "",
        choices=options(named, none=none),
    )


async def site_select(visit: Visit, chosen: int | None) -> Field:
    """The tenant's sites; a tenant without sites has the empty choice alone."""
    _ = visit.language.translate
    sites = await list_sites(visit.context, visit.actor, tenant_id=visit.tenant_id)
    return Field(
        name="site_id",
        label=_("Site"),
        control="select",
        value=str(chosen or ""),
        choices=options(((site.id, site.name) for site in sites), none=_("No site")),
    )


def policy_select(visit: Visit, chosen: str, *, label: str, none: str) -> Field:
    """The policies by name, and the one in use when somebody wrote it out; `none` is the label of the empty choice."""
    _ = visit.language.translate
    policies = [(name, _(word)) for name, word in POLICIES.items()]
    if chosen and chosen not in POLICIES:
        policies.append((chosen, chosen))
    return Field(
        name="policy", label=label, control="select", value=chosen, choices=options(policies, none=none)
    )


def networks_field(visit: Visit, networks: Sequence[str]) -> Field:
    """The office networks of a tenant or site."""
    _ = visit.language.translate
    return Field(
        name="networks",
        label=_("Office networks"),
        value=", ".join(networks),
        help=_("Such as 192.0.2.0/24, separated by commas; for the policy “office network”."),
        is_code=True,
    )


def policy_faults(visit: Visit, error: BadInput | Conflict) -> dict[str, str]:
    """The error as field → sentence; a policy that cannot be understood names no field of its own."""
    faults = visit.faults(error)
    return {"policy": " ".join(faults.values())} if isinstance(error, InvalidPolicy) else faults
