"""What an installer enters in a phone so that it finds this server, in its vendor's own words (R1.6)."""

from collections.abc import Sequence
from dataclasses import dataclass

from provisioner.composition.phone_config import PhoneConfig
from provisioner.model import Mac
from provisioner.profiles.manifest import Profile
from provisioner.services.context import Context


@dataclass(frozen=True, slots=True)
class TypedStep:
    """One thing to do at the phone. `shows` says what `value` is; "password_hint" has no value, for nobody can read it again."""

    text: str
    shows: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Onboarding:
    """The provisioning URL (with the device's token when its policy needs one), the user name, and where to enter them."""

    url: str
    username: str
    steps: Sequence[TypedStep]


def onboarding(context: Context, config: PhoneConfig, *, language: str = "en") -> Onboarding:
    """The sheet for one composed device; its vendor profile must be in use (`compose_device` has checked)."""
    profile: Profile = context.profiles.all[config.profile]
    url = profile.url(config.server.https_url + config.path, config.mac)
    steps = typed_steps(
        profile,
        url=url,
        username=config.username,
        mac=Mac(config.mac),
        ca_url=config.server.ca_url,
        language=language,
    )
    return Onboarding(url, config.username, steps)


def typed_steps(
    profile: Profile, *, url: str, username: str, mac: Mac, ca_url: str, language: str
) -> list[TypedStep]:
    """The profile's steps with the values of one device; English where the vendor's words in `language` are not known."""
    values = {"provisioning_url": url, "username": username, "mac": mac.pretty, "ca_url": ca_url}
    return [TypedStep(step.text(language), step.show, values.get(step.show, "")) for step in profile.steps]
