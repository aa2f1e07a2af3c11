"""Fields for new passwords: a person's, and a device's with the rules it has to meet."""

from collections.abc import Mapping, Sequence

from provisioner.access.device_password import missing_from
from provisioner.profiles.manifest import Profile
from provisioner.services.device_secrets import password_rule
from provisioner.services.people.tenants import get_tenant
from provisioner.web.ui.fields import Field
from provisioner.web.ui.visit import Visit


def login_password(visit: Visit, *, label: str) -> Field:
    """A person's new password."""
    return Field(
        name="password",
        label=label,
        control="password",
        required=True,
        autocomplete="new-password",
        help=visit.language.translate(
            "At least 12 characters. A few words in a row are easy to remember and hard to guess."
        ),
    )


def login_password_twice(visit: Visit) -> tuple[Field, Field]:
    """A person's new password, typed blindly and therefore twice."""
    _ = visit.language.translate
    again = Field(
        name="again",
        label=_("The same again"),
        control="password",
        required=True,
        autocomplete="new-password",
    )
    return login_password(visit, label=_("New password")), again


def differing(visit: Visit, posted: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with a password that was typed twice, as field → sentence; empty when both are the same."""
    if posted.get("password", "") == posted.get("again", ""):
        return {}
    return {"again": visit.language.translate("The two passwords differ.")}


def device_password(visit: Visit, *, label: str, help_text: str) -> Field:
    """A device's configuration password; its rules are checked while it is typed."""
    return Field(
        name="password",
        label=label,
        control="password",
        autocomplete="new-password",
        help=help_text,
        check=visit.path("devices", "check-password"),
        check_with="[name=type],[name=mac],[name=username]",
    )


async def device_password_rules(
    visit: Visit, profile: Profile, password: str, *, username: str = "", mac: str = ""
) -> Sequence[tuple[bool, str]]:
    """Every rule for device passwords with whether this one meets it, in words."""
    tenant = await get_tenant(visit.context, visit.actor, tenant_id=visit.tenant_id)
    rule = password_rule(tenant, profile)
    always = missing_from("", rule)
    missing = missing_from(password, rule, username=username, mac=mac)
    extra = [sentence for sentence in missing if sentence not in always]
    return [(sentence not in missing, visit.language.error(sentence)) for sentence in (*always, *extra)]
