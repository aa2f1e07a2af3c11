"""Fields that stand on several forms: whose phone it is, where it stands, and how it proves itself."""

from collections.abc import Mapping, Sequence

from provisioner.errors import BadInput, Conflict, InvalidPolicy, NotFound
from provisioner.model import User
from provisioner.services.people.tenants import list_sites
from provisioner.services.people.user_names import find_by_name, list_names, name_of
from provisioner.services.people.users import get_user
from provisioner.web.ui.fields import Field, chosen_id, options
from provisioner.web.ui.visit import Visit
from provisioner.web.ui.words import POLICIES


async def user_field(
    visit: Visit, chosen: User | None, *, none: str, help_text: str = "", hotdesk_only: bool = False
) -> Field:
    """A user by name and extension: typed, or taken from what is offered. `none` stands there while nobody is chosen."""
    names = await list_names(visit.context, visit.actor, tenant_id=visit.tenant_id, hotdesk_only=hotdesk_only)
    return Field(
        name="user",
        label=visit.language.translate("User"),
        value=name_of(chosen) if chosen else "",
        suggestions=names,
        placeholder=none,
        maxlength=200,
        help=help_text or visit.language.translate("Type part of a name, or an extension, and choose."),
    )


async def posted_user(visit: Visit, posted: Mapping[str, str], *, now: User | None = None) -> User | None:
    """The user of a form: `user` as a person wrote it, or `user_id` as a program did; None for nobody. BadInput, NotFound.

    `now` is who stood there: a name that was left as it was means the same person, though others have it too.
    """
    if "user" in posted:
        if now is not None and posted["user"].strip() == name_of(now):
            return now
        return await find_by_name(visit.context, visit.actor, tenant_id=visit.tenant_id, typed=posted["user"])
    user_id = chosen_id(posted.get("user_id", ""))
    if user_id is None:
        return None
    user = await get_user(visit.context, visit.actor, user_id=user_id)
    if user.tenant_id != visit.tenant_id:
        raise NotFound("There is no such user.")
    return user


def user_faults(visit: Visit, error: BadInput | Conflict) -> dict[str, str]:
    """The error as field → sentence, with what services call user_id at the field for the user."""
    return {{"user_id": "user"}.get(name, name): sentence for name, sentence in visit.faults(error).items()}


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
