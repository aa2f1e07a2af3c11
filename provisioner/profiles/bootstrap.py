"""Public files: rendered from an allow-list by a path of their own, which never sees a phone's configuration."""

from typing import Final

from provisioner.errors import RenderingFailed
from provisioner.profiles.manifest import FileRule, Profile
from provisioner.profiles.protocols import BootstrapFacts
from provisioner.profiles.rendering import Rendered
from provisioner.profiles.templates import FileTemplate

BOOTSTRAP_NAMES: Final = frozenset({"base", "mac", "model", "profile", "server"})


class Bootstrap:
    """One profile's public files, compiled. ProfileBroken when a template names anything that is not public."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._templates = {
            file.id: FileTemplate(profile, file, names=BOOTSTRAP_NAMES)
            for file in profile.files
            if file.role == "bootstrap"
        }

    def render(self, file: FileRule, facts: BootstrapFacts) -> Rendered:
        """The file for whoever asks; RenderingFailed when it is none of this profile's public files."""
        template = self._templates.get(file.id)
        if template is None:
            raise RenderingFailed(f"{self._profile.id}: {file.id} is not a public file")
        body = template.run(
            {
                "base": facts.base,
                "mac": facts.mac,
                "model": self._profile.models.get(facts.model),
                "profile": self._profile,
                "server": facts.server,
            }
        )
        return Rendered(body, file.content_type)
