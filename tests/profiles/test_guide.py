from pathlib import Path

import pytest

from provisioner.errors import BadInput
from provisioner.profiles.catalogue_file import read_catalogue
from provisioner.profiles.guide import BEGIN, END, installer_steps, main, with_steps
from provisioner.profiles.loader import Profiles, load_profiles
from provisioner.profiles.manifest import Profile
from tests.profiles.conftest import CATALOGUE

REPOSITORY = CATALOGUE.parents[2]
VENDOR_PROFILES = REPOSITORY / "vendor_profiles"
VENDORS = sorted(path.parent.name for path in VENDOR_PROFILES.glob("*/profile.toml"))


@pytest.fixture(scope="module")
def profiles() -> Profiles:
    return load_profiles(VENDOR_PROFILES, settings=read_catalogue(CATALOGUE))


@pytest.fixture(params=VENDORS)
def profile(request: pytest.FixtureRequest, profiles: Profiles) -> Profile:
    return profiles.all[request.param]


def test_every_vendor_has_a_guide_whose_steps_are_those_of_its_profile(profile: Profile) -> None:
    page = (REPOSITORY / "docs" / f"install-{profile.id}.md").read_text(encoding="utf-8")
    assert with_steps(page, profile, "en") == page, "run: python -m provisioner.profiles.guide docs"


@pytest.mark.parametrize("language", ["en", "nl"])
def test_steps_keep_the_vendors_order_and_words(profile: Profile, language: str) -> None:
    numbered = [
        line.partition(". ") for line in installer_steps(profile, language).splitlines() if line[0].isdigit()
    ]
    assert [(int(number), text) for number, _, text in numbered] == [
        (number, step.text(language)) for number, step in enumerate(profile.steps, 1)
    ]


def test_what_is_typed_in_stands_below_its_step(profiles: Profiles) -> None:
    steps = installer_steps(profiles.all["snom"], "en")
    assert (
        "Setting URL\n   - the provisioning URL, such as `https://prov.example.net:8443/p/{mac}.xml`\n"
        in steps
    )
    assert "HTTP client user\n   - the device configuration user name\n" in steps
    assert "HTTP client password\n   - the device configuration password\n" in steps


def test_the_own_certificate_is_shown_where_a_phone_needs_it(profiles: Profiles) -> None:
    assert (
        "   - the certificate of the own authority, such as `http://prov.example.net:8080/ca.pem`\n"
        in installer_steps(profiles.all["yealink"], "en")
    )


def test_a_language_without_steps_falls_back_to_english(profile: Profile) -> None:
    assert installer_steps(profile, "xx") == installer_steps(profile, "en")


def test_dutch_steps_are_dutch_to_the_last_word(profiles: Profiles) -> None:
    assert "   - de gebruikersnaam voor de toestelconfiguratie\n" in installer_steps(
        profiles.all["snom"], "nl"
    )


def test_only_the_section_between_the_marks_changes(profiles: Profiles) -> None:
    profile = profiles.all["yealink"]
    page = with_steps(f"# Before\n\n{BEGIN}\nold\n{END}\n\nafter\n", profile, "en")
    assert page == f"# Before\n\n{BEGIN}\n{installer_steps(profile, 'en')}{END}\n\nafter\n"


@pytest.mark.parametrize("page", ["no marks", f"{BEGIN} without an end", f"{END}{BEGIN}"])
def test_a_page_without_the_marks_is_refused(page: str, profiles: Profiles) -> None:
    with pytest.raises(BadInput, match="no section"):
        with_steps(page, profiles.all["snom"], "en")


def test_the_command_writes_every_guide(tmp_path: Path) -> None:
    for vendor in VENDORS:
        (tmp_path / f"install-{vendor}.md").write_text(f"{BEGIN}\n{END}\n", encoding="utf-8")
    given = ["--profiles", str(VENDOR_PROFILES), "--settings", str(CATALOGUE)]
    assert main([str(tmp_path), *given]) == 0
    written = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert all("\n1. " in text for text in written.values())
    assert "Auto Provision Now" in written["install-yealink.md"]
