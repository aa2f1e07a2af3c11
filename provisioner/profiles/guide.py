"""A profile's steps as Markdown, for the installer's guides: what a person does at the phone, never typed twice.

`python -m provisioner.profiles.guide docs` writes the section of every docs/install-<profile>.md anew.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from provisioner.errors import BadInput
from provisioner.profiles.catalogue_file import read_catalogue
from provisioner.profiles.loader import load_profile
from provisioner.profiles.manifest import Profile, Step

BEGIN: Final = "<!-- steps: written by provisioner.profiles.guide from the vendor profile, not by hand -->"
END: Final = "<!-- end of the steps -->"
EXAMPLE_BASE: Final = "https://prov.example.net:8443/p"
EXAMPLE_CA: Final = "http://prov.example.net:8080/ca.pem"
EXAMPLE_MAC: Final = "00005E005301"
"""From the block that is set aside for documentation (RFC 7042)."""

_WHAT: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "provisioning_url": "the provisioning URL, such as",
        "username": "the device configuration user name",
        "password_hint": "the device configuration password",
        "mac": "the MAC address, such as",
        "ca_url": "the certificate of the own authority, such as",
    },
    "nl": {
        "provisioning_url": "de provisioning-URL, zoals",
        "username": "de gebruikersnaam voor de toestelconfiguratie",
        "password_hint": "het wachtwoord voor de toestelconfiguratie",
        "mac": "het MAC-adres, zoals",
        "ca_url": "het certificaat van de eigen autoriteit, zoals",
    },
}


def installer_steps(profile: Profile, language: str) -> str:
    """The steps as a numbered Markdown list in the vendor's menu order; below a step what is typed in there.

    `language` is a two-letter code; steps without that language are English. Without steps the text is empty.
    """
    examples = {
        "provisioning_url": profile.url(EXAMPLE_BASE, EXAMPLE_MAC),
        "mac": ":".join(EXAMPLE_MAC[at : at + 2] for at in range(0, 12, 2)),
        "ca_url": EXAMPLE_CA,
    }
    return "".join(
        f"{number}. {step.text(language)}\n{_shown(step, examples, language)}"
        for number, step in enumerate(profile.steps, 1)
    )


def with_steps(page: str, profile: Profile, language: str) -> str:
    """The page with the section between the two marks written anew; BadInput when it has no such section."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BadInput(f"The guide for {profile.label} has no section between {BEGIN} and {END}.")
    return f"{before}{BEGIN}\n{installer_steps(profile, language)}{END}{after}"


def _shown(step: Step, examples: Mapping[str, str], language: str) -> str:
    if not step.show:
        return ""
    example = f" `{examples[step.show]}`" if step.show in examples else ""
    return f"   - {_WHAT.get(language, _WHAT['en'])[step.show]}{example}\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="guide", description="Write the steps in the installer's guides anew."
    )
    parser.add_argument("docs", type=Path, help="folder with install-<profile>.md")
    parser.add_argument("--profiles", type=Path, default=Path("vendor_profiles"))
    parser.add_argument("--settings", type=Path, default=Path("provisioner/composition/catalogue.toml"))
    given = parser.parse_args(arguments)
    settings = read_catalogue(given.settings)
    for page in sorted(given.docs.glob("install-*.md")):
        profile = load_profile(
            (given.profiles / page.stem.removeprefix("install-")).resolve(), settings=settings
        )
        page.write_text(with_steps(page.read_text(encoding="utf-8"), profile, "en"), encoding="utf-8")
        sys.stdout.write(f"wrote {page}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
