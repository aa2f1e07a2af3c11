from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from provisioner.profiles.catalogue_file import CatalogueEntry
from provisioner.profiles.loader import load_profiles
from provisioner.profiles.samples import smallest

Catalogue = Mapping[str, CatalogueEntry]


def test_a_folder_that_is_dropped_in_is_loaded_matched_and_rendered(
    vendor: Callable[..., Path], catalogue: Catalogue
) -> None:
    profiles = load_profiles(vendor("newcomer").parent, settings=catalogue)
    assert dict(profiles.broken) == {}
    match = profiles.match("newcomer-00:04:13:0a:0b:0c.cfg", {})
    assert match is not None
    phone = smallest(match.profile, match.profile.models["T1"], catalogue.values())
    assert profiles.render("newcomer", match.file, phone).body == b"dnd = 0\n"


def test_a_broken_folder_is_reported_and_the_others_still_work(
    vendor: Callable[..., Path], catalogue: Catalogue
) -> None:
    vendor("broken", settings_toml="[[rows]\n")
    profiles = load_profiles(vendor("good").parent, settings=catalogue)
    assert list(profiles.all) == ["good"]
    assert profiles.broken["broken"].startswith("settings.toml: ")
    assert profiles.match("good-0004130A0B0C.cfg", {}) is not None
    assert profiles.match("broken-0004130A0B0C.cfg", {}) is None


def test_a_folder_that_is_not_there_holds_no_vendor(tmp_path: Path, catalogue: Catalogue) -> None:
    profiles = load_profiles(tmp_path / "nowhere", settings=catalogue)
    assert (dict(profiles.all), dict(profiles.broken)) == ({}, {})


HEAD = 'id = "tiny"\nlabel = "T"\nprovisioning_url = "{base}"\n'
DEVICE = '[[files]]\nid = "device"\nrole = "device"\npath = "^{mac}$"\ntemplate = "device.cfg.j2"\n'


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("profile.toml", HEAD.replace("tiny", "other") + DEVICE, "is not the name of the folder"),
        ("profile.toml", HEAD + DEVICE + 'colour = "red"\n', "profile.toml files 0 colour"),
        ("profile.toml", HEAD + DEVICE + DEVICE, "id used twice"),
        ("profile.toml", HEAD + DEVICE.replace("^{mac}$", "^("), "file device: path"),
        ("profile.toml", HEAD + DEVICE.replace("device.cfg.j2", "none.j2"), "there is no templates/none.j2"),
        ("profile.toml", HEAD.replace("{base}", "{host}") + DEVICE, "provisioning_url"),
        ("profile.toml", HEAD + 'ouis = ["0a1b2c"]\n' + DEVICE, "ouis"),
        ("profile.toml", HEAD + 'agent = "("\n' + DEVICE, "agent"),
        ("profile.toml", HEAD + 'default_model = "X"\n' + DEVICE, "default_model"),
        ("models.toml", '[[models]]\nid = "A"\nlabel = "A"\nlines = 1\n' * 2, "model A occurs twice"),
        ("models.toml", '[[models]]\nid = "A"\nlabel = "A"\n', "models.toml A lines"),
        (
            "settings.toml",
            '[[rows]]\nkey = "a"\nsetting = "no_such"\n',
            'row 1: there is no setting "no_such"',
        ),
        ("settings.toml", '[[rows]]\nkey = "a"\n', "settings.toml: rows 1"),
        ("settings.toml", '[[rows]]\nkey = "a"\nvalue = "vaule"\n', "row 1 (a)"),
        ("settings.toml", '[[rows]]\nkey = "a"\nvalue = "1 +"\n', "row 1 (a)"),
        ("settings.toml", '[[rows]]\nkey = "a"\nvalue = "model.id | nope"\n', 'unknown filter "nope"'),
        ("settings.toml", '[[rows]]\nkey = "a"\nvalue = "model.id is nope"\n', 'unknown test "nope"'),
        ("settings.toml", '[[rows]]\nkey = "a"\nvalue = "1 2"\n', "goes on after the end"),
        ("settings.toml", '[[rows]]\nkey = "a"\nvalue = "line.port"\n', 'unknown name "line"'),
        (
            "settings.toml",
            '[[rows]]\nkey = "a"\nconstant = "1"\nfirmware = "new"\n',
            "settings.toml: row 1: firmware",
        ),
        ("settings.toml", '[[rows]]\nkey = "a{line}"\nconstant = "1"\n', "scope"),
        ("settings.toml", "[[row]]\n", "unknown section row"),
        (
            "keys.toml",
            '[[types]]\ntype = "none"\nvalue = "keys"\n',
            'type none: value: "keys" uses the unknown name',
        ),
        ("templates/device.cfg.j2", "{{ secrets }}", "unknown names: secrets"),
        ("templates/device.cfg.j2", "{% if %}", "line 1"),
        ("templates/device.cfg.j2", '{% include "../../other" %}', "there is no template ../../other"),
        ("templates/device.cfg.j2", "{% include config.name %}", "must be a literal"),
        ("templates/device.cfg.j2", "{{ rows | elements }}", "elements"),
    ],
)
def test_a_mistake_is_reported_with_its_file_and_entry(
    vendor: Callable[..., Path], catalogue: Catalogue, file: str, content: str, complaint: str
) -> None:
    folder = vendor()
    (folder / file).write_text(content, encoding="utf-8")
    broken = load_profiles(folder.parent, settings=catalogue).broken
    assert complaint in broken["tiny"]


def test_a_mark_that_an_editor_put_before_a_file_is_not_part_of_it(
    vendor: Callable[..., Path], catalogue: Catalogue
) -> None:
    folder = vendor()
    for path in (folder / "profile.toml", folder / "templates" / "device.cfg.j2"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    profiles = load_profiles(folder.parent, settings=catalogue)
    assert not profiles.broken
    assert not profiles.all["tiny"].templates["device.cfg.j2"].startswith("\ufeff")


@pytest.mark.parametrize(
    "name", ["config", "settings", "lines", "keys", "rows", "line_rows", "time", "tables"]
)
def test_a_public_template_cannot_even_name_what_belongs_to_a_device(
    vendor: Callable[..., Path], catalogue: Catalogue, name: str
) -> None:
    folder = vendor()
    public = '[[files]]\nid = "start"\nrole = "bootstrap"\npath = "^start$"\ntemplate = "start.j2"\nformat = "text"\n'
    (folder / "profile.toml").write_text(HEAD + DEVICE + public, encoding="utf-8")
    (folder / "templates" / "start.j2").write_text("{{ " + name + " }}", encoding="utf-8")
    assert f"unknown names: {name}" in load_profiles(folder.parent, settings=catalogue).broken["tiny"]


def test_what_is_typed_into_the_phone_keeps_the_vendors_own_placeholders(
    acme: object, vendor: Callable[..., Path], catalogue: Catalogue
) -> None:
    folder = vendor()
    (folder / "profile.toml").write_text(
        HEAD.replace("{base}", "{base}/{{mac}}.xml?own={mac}") + DEVICE, encoding="utf-8"
    )
    profile = load_profiles(folder.parent, settings=catalogue).all["tiny"]
    assert profile.url("https://h:8443/p", "0A1B2C000001") == "https://h:8443/p/{mac}.xml?own=0a1b2c000001"


def test_a_step_is_told_in_the_readers_language_or_in_english(
    vendor: Callable[..., Path], catalogue: Catalogue
) -> None:
    folder = vendor()
    (folder / "profile.toml").write_text(
        HEAD + DEVICE + '[[steps]]\nen = "Open"\nnl = "Open het"\n', encoding="utf-8"
    )
    (step,) = load_profiles(folder.parent, settings=catalogue).all["tiny"].steps
    assert (step.text("nl"), step.text("pl")) == ("Open het", "Open")
