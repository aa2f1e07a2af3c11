"""What every vendor folder must keep, whichever are there: run for each model of each installed profile."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioner.profiles.cases import case_folders, read_case, render_case, write_case
from provisioner.profiles.catalogue_file import CatalogueEntry, read_catalogue
from provisioner.profiles.check import check_overlaps, check_profile
from provisioner.profiles.loader import Profiles, load_profiles
from provisioner.profiles.manifest import FileRule, Profile
from provisioner.profiles.samples import (
    CANARY,
    SampleKey,
    SamplePhone,
    full_line,
    key_types,
    largest,
    public_facts,
    smallest,
    with_setting,
)
from provisioner.profiles.writers import WRITERS

ROOT = Path(__file__).parents[2]
HOSTILE = (
    "\"quoted\" 'single'",
    "a\r\nfeature.x = 1\rb\n[section]\n<x/>",
    "</settings><evil a='1'>&amp;&lt;&#10;]]><!--",
    'x" evil="1',
    "100% %s %n %41 %NULL%",
    "nul\x00and\x0bcontrol\x1b\x7f\x85",
    "\u202eright to left\u200f\u2028line\u2029paragraph",
    "emoji \U0001f600 \ufffe \ud800",
    "{{ 7 * 7 }}{% raw %}${x}$(x)`x`",
    "\\",
    '\\", "evil": "1',
    "; # = : @ , |",
    "x" * 10_000,
)
# What a stranger, a user or a tenant can put into a phone's configuration.
LINE_FIELDS = ("label", "display_name", "extension", "account", "password")


@cache
def catalogue() -> dict[str, CatalogueEntry]:
    return read_catalogue(ROOT / "provisioner" / "composition" / "catalogue.toml")


@cache
def installed() -> Profiles:
    return load_profiles(ROOT / "vendor_profiles", settings=catalogue())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    profiles = installed().all
    if "model_id" in metafunc.fixturenames:
        pairs = [(name, model) for name, profile in profiles.items() for model in profile.models]
        metafunc.parametrize(("profile_id", "model_id"), pairs, ids=[f"{a}-{b}" for a, b in pairs])
    elif "case_name" in metafunc.fixturenames:
        cases = [
            (name, folder.name) for name, profile in profiles.items() for folder in case_folders(profile)
        ]
        metafunc.parametrize(("profile_id", "case_name"), cases, ids=[f"{a}-{b}" for a, b in cases])
    elif "profile_id" in metafunc.fixturenames:
        metafunc.parametrize("profile_id", list(profiles))


def device_files(profile: Profile) -> Iterator[FileRule]:
    return (file for file in profile.files if file.role == "device")


def rendered(profile_id: str, phone: SamplePhone) -> dict[str, bytes]:
    """Every device file, proved well-formed."""
    profiles = installed()
    found = {}
    for file in device_files(profiles.all[profile_id]):
        body = profiles.render(profile_id, file, phone).body
        WRITERS[file.format].check(body)
        found[file.id] = body
    return found


def names(profile_id: str, phone: SamplePhone) -> dict[str, Counter[str]]:
    """How often each name occurs in each file; for plain text, the line numbers."""
    profile = installed().all[profile_id]
    return {
        file: Counter(name for name, _ in WRITERS[profile.file(file).format].parse(body))
        for file, body in rendered(profile_id, phone).items()
    }


def test_every_vendor_folder_loads() -> None:
    folders = {path.parent.name for path in (ROOT / "vendor_profiles").glob("*/profile.toml")}
    assert folders
    assert dict(installed().broken) == {}
    assert set(installed().all) == folders


def test_no_two_vendors_claim_the_same_public_file() -> None:
    assert [str(item) for item in check_overlaps(installed().all.values()) if item.level == "error"] == []


@pytest.mark.timeout(300)
def test_the_check_finds_no_error(profile_id: str) -> None:
    found = check_profile(installed().all[profile_id], settings=catalogue())
    assert [str(item) for item in found if item.level == "error"] == []


def test_the_emptiest_and_the_fullest_phone_get_well_formed_files_twice_alike(
    profile_id: str, model_id: str
) -> None:
    profile = installed().all[profile_id]
    model = profile.models[model_id]
    for phone in (
        smallest(profile, model, catalogue().values()),
        largest(profile, model, catalogue().values()),
    ):
        first = rendered(profile_id, phone)
        assert first
        assert first == rendered(profile_id, phone)


def test_every_line_in_use_appears_and_an_unused_one_leaves_no_trace(profile_id: str, model_id: str) -> None:
    profile = installed().all[profile_id]
    model = profile.models[model_id]
    full = largest(profile, model, catalogue().values())
    everything = b"".join(rendered(profile_id, full).values())
    nobody = replace(full, lines=[replace(line, is_active=False) for line in full.lines])
    emptied = b"".join(rendered(profile_id, nobody).values())
    for line in full.lines:
        for secret in (line.account, line.password):
            assert secret.encode() in everything
            assert secret.encode() not in emptied


def test_every_key_appears_wherever_it_sits(profile_id: str, model_id: str) -> None:
    profile = installed().all[profile_id]
    model = profile.models[model_id]
    if "speed_dial" not in key_types(profile, model):
        return
    places = [(0, slot) for slot in range(1, model.keys + 1)]
    places += [(m, slot) for m in range(1, model.modules + 1) for slot in range(1, model.module_keys + 1)]
    keys = [
        SampleKey(module=module, slot=slot, type="speed_dial", target=f"88{module}{slot:03}7")
        for module, slot in places
    ]
    phone = replace(smallest(profile, model, catalogue().values()), keys=keys)
    everything = b"".join(rendered(profile_id, phone).values())
    assert [key for key in keys if key.target.encode() not in everything] == []


def test_a_cleared_key_is_written_too_not_left_out(profile_id: str) -> None:
    """Phones keep what a file does not mention: without keys a file must not have fewer names for them."""
    profile = installed().all[profile_id]
    for model in list(profile.models.values())[:3]:
        if "speed_dial" not in key_types(profile, model):
            continue
        empty = smallest(profile, model, catalogue().values())
        one = replace(empty, keys=[SampleKey(slot=1, type="speed_dial", target="201", label="x")])
        assert names(profile_id, empty) == names(profile_id, one)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize(
    "field", [*LINE_FIELDS, "key label", "key target", "name", "directory_name", "voicemail_number"]
)
def test_a_hostile_text_never_leaves_its_value(profile_id: str, field: str, text: str) -> None:
    assert_stays_inside(profile_id, field, text)


@given(text=st.text(alphabet=st.characters(), min_size=1, max_size=80).map(lambda text: f"x{text}x"))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_at_all_leaves_its_value(profile_id: str, text: str) -> None:
    for field in ("label", "display_name", "password", "key label", "name"):
        assert_stays_inside(profile_id, field, text)


def assert_stays_inside(profile_id: str, field: str, text: str) -> None:
    """The files have the same names as often with this text as with a harmless one."""
    assert names(profile_id, hostile_phone(profile_id, field, text)) == names(
        profile_id, hostile_phone(profile_id, field, "harmless")
    )


def hostile_phone(profile_id: str, field: str, text: str) -> SamplePhone:
    profile = installed().all[profile_id]
    model = next(iter(profile.models.values()))
    phone = smallest(profile, model, catalogue().values())
    line = full_line(1)
    keys = key_types(profile, model)
    key = SampleKey(slot=1, type="blf" if "blf" in keys else "none", target="201", label="key")
    if field in LINE_FIELDS:
        changed: dict[str, Any] = {field: text}
        line = replace(line, **changed)
    elif field == "name":
        phone = replace(phone, name=text)
    elif field.startswith("key "):
        worded: dict[str, Any] = {field.removeprefix("key "): text}
        key = replace(key, **worded)
    else:
        phone = with_setting(phone, field, text)
    return replace(phone, lines=[line], keys=[key] if model.keys else [])


def test_no_secret_reaches_a_public_file(profile_id: str) -> None:
    profiles = installed()
    profile = profiles.all[profile_id]
    for file in profile.files:
        if file.role != "bootstrap":
            continue
        for model in ("", *profile.models):
            facts = public_facts(profile, mac="0004130A0B0C", model=model)
            rendering = profiles.render_bootstrap(profile_id, file, facts)
            WRITERS[file.format].check(rendering.body)
            assert CANARY.encode() not in rendering.body
            assert rendering == profiles.render_bootstrap(profile_id, file, facts)


def test_a_case_is_rendered_exactly_as_expected(
    profile_id: str, case_name: str, request: pytest.FixtureRequest
) -> None:
    """After a wanted change: `python -m pytest tests/profiles --regenerate-cases`, then read the diff."""
    profile = installed().all[profile_id]
    folder = profile.folder / "cases" / case_name
    if request.config.getoption("--regenerate-cases", default=False):
        write_case(profile, folder, catalogue().values())
    case = read_case(profile, folder, catalogue().values())
    bodies = render_case(profile, case)
    compared = 0
    for file_id, body in bodies.items():
        path = case.path(profile.file(file_id))
        if path.is_file():
            compared += 1
            assert body.decode() == path.read_text(encoding="utf-8"), path.name
        for text in case.forbidden:
            assert not text or text.encode() not in body
    assert compared
