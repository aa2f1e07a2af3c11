import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from provisioner.profiles.cases import case_folders, write_case
from provisioner.profiles.catalogue_file import CatalogueEntry
from provisioner.profiles.check import Finding, check_overlaps, check_profile, example, main
from provisioner.profiles.loader import Profiles, load_profile, load_profiles

Catalogue = Mapping[str, CatalogueEntry]
KNOWN = ("language", "dnd", "poll_interval", "vlan_priority", "timezone", "sip_domain")


@pytest.fixture
def few(catalogue: Catalogue) -> Catalogue:
    return {name: entry for name, entry in catalogue.items() if name in KNOWN}


def findings(folder: Path, catalogue: Catalogue, **options: tuple[str, ...]) -> list[str]:
    return [
        str(item)
        for item in check_profile(load_profile(folder, settings=catalogue), settings=catalogue, **options)
    ]


def has(found: list[str], *words: str) -> bool:
    return any(all(word in text for word in words) for text in found)


def test_a_setting_must_be_mapped_refused_covered_or_read_somewhere(
    vendor: Callable[..., Path], few: Catalogue
) -> None:
    folder = vendor(
        settings_toml='[[rows]]\nkey = "dnd"\nsetting = "dnd"\n'
        '[[rows]]\nkey = "zone"\nvalue = "time.zone"\n'
        '[[rows]]\nkey = "poll"\nvalue = "settings.poll_interval * 60"\n'
        '[[unsupported]]\nsetting = "vlan_priority"\nreason = "no"\nmodels = ["X*"]\n'
        '[[covered]]\nsetting = "sip_domain"\nreason = "in the lines"\n'
    )
    found = findings(folder, few)
    assert has(found, "error", "setting language", "T1")
    assert has(found, "error", "setting vlan_priority", "T1")
    assert not any(
        has(found, f"setting {name}") for name in ("dnd", "timezone", "poll_interval", "sip_domain")
    )


def test_a_map_must_know_every_choice_and_no_others(vendor: Callable[..., Path], few: Catalogue) -> None:
    folder = vendor(
        settings_toml='[[rows]]\nkey = "a"\nsetting = "language"\nmap = { en = "E", nl = "N", de = "D", fr = "F" }\n'
        '[[rows]]\nkey = "b"\nsetting = "dnd"\nmap = { true = "on" }\nmissing = "off"\n'
    )
    found = findings(folder, few)
    assert has(found, "error", "row 1 (a)", '"pl"')
    assert has(found, "error", "row 1 (a)", '"fr"')
    assert has(found, "warning", "row 2 (b)", '"false"')


def test_every_key_type_is_mapped_or_refused_on_phones_with_keys(
    vendor: Callable[..., Path], few: Catalogue
) -> None:
    folder = vendor(
        models_toml='[[models]]\nid = "T1"\nlabel = "T"\nlines = 1\nkeys = 2\n',
        keys_toml='[[types]]\ntype = "blf"\n[[types]]\ntype = "blff"\n[[unsupported]]\ntype = "record"\nreason = "no"\n',
    )
    found = findings(folder, few, key_kinds=("none", "blf", "record", "park"))
    assert has(found, 'no type "none"')
    assert has(found, "key type park is neither")
    assert has(found, "type blff", "no such neutral key type")
    assert not has(found, "record")


def test_a_token_that_means_two_models_is_found(vendor: Callable[..., Path], few: Catalogue) -> None:
    folder = vendor(
        models_toml="".join(
            f'[[models]]\nid = "T{n}"\nlabel = "T"\nlines = 1\nagent = ["x"]\n' for n in (1, 2)
        )
    )
    assert has(findings(folder, few), "model T2", '"x" already means T1')


def test_a_file_no_request_can_reach_is_found(vendor: Callable[..., Path], few: Catalogue) -> None:
    folder = vendor()
    second = '[[files]]\nid = "second"\nrole = "absent"\npath = "^tiny-{mac}.cfg$"\n'
    strange = '[[files]]\nid = "strange"\nrole = "absent"\npath = "^a{3,}(?=x)x$"\n'
    (folder / "profile.toml").write_text(
        (folder / "profile.toml").read_text(encoding="utf-8") + second + strange, encoding="utf-8"
    )
    found = findings(folder, few)
    assert has(found, "file second", "caught by the file device")
    assert has(found, "file strange", "give an `example`")


def test_output_that_is_not_well_formed_is_found_for_the_model_it_happens_on(
    vendor: Callable[..., Path], few: Catalogue
) -> None:
    folder = vendor(
        models_toml="".join(f'[[models]]\nid = "T{n}"\nlabel = "T"\nlines = {n}\n' for n in (1, 2))
    )
    (folder / "templates" / "device.cfg.j2").write_text(
        "{% if model.lines == 2 %}\nnonsense\n{% endif %}\na = 1\n", encoding="utf-8"
    )
    found = findings(folder, few)
    assert has(found, "error", "file device", "model T2")
    assert not has(found, "file device", "model T1")


def test_an_old_firmware_is_tried_too(vendor: Callable[..., Path], few: Catalogue) -> None:
    folder = vendor(settings_toml='[[rows]]\nkey = "a"\nvalue = "config.nothing"\nfirmware = "<3"\n')
    assert has(findings(folder, few), "error", "nothing")


def test_a_case_must_hold_for_every_file(vendor: Callable[..., Path], few: Catalogue) -> None:
    folder = vendor()
    assert has(findings(folder, few), "file device: no case holds")
    case = folder / "cases" / "one"
    case.mkdir(parents=True)
    (case / "input.toml").write_text('[device]\nmodel = "T1"\n[settings]\ndnd = true\n', encoding="utf-8")
    profile = load_profile(folder, settings=few)
    (path,) = write_case(profile, case, few.values())
    assert path.read_bytes() == b"dnd = 1\n"
    assert write_case(profile, case, few.values()) == []
    assert not has(findings(folder, few), "case")
    path.write_bytes(b"dnd = 0\n")
    assert has(findings(folder, few), "cases/one", "device.cfg is not what is rendered")
    (case / "must_not.txt").write_text("dnd = 1\n", encoding="utf-8")
    assert has(findings(folder, few), "cases/one", "must_not.txt forbids")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[device\n", "input.toml"),
        ('[device]\nmodel = "T9"\n', "there is no model T9"),
        ('[device]\nmodel = "T1"\n[settings]\nnope = 1\n', "there is no setting nope"),
        ('[device]\nmodel = "T1"\ncolour = 1\n', "device colour"),
    ],
)
def test_a_case_that_cannot_be_understood_is_an_error(
    vendor: Callable[..., Path], few: Catalogue, text: str, complaint: str
) -> None:
    case = vendor() / "cases" / "one"
    case.mkdir(parents=True)
    (case / "input.toml").write_text(text, encoding="utf-8")
    assert has(findings(case.parent.parent, few), "cases/one", complaint)


def test_paths_that_two_vendors_share_are_found(vendor: Callable[..., Path], few: Catalogue) -> None:
    for name in ("one", "two"):
        vendor(
            name,
            profile_toml=f'id = "{name}"\nlabel = "X"\nprovisioning_url = "{{base}}"\n[[files]]\nid = "device"\n'
            'role = "device"\npath = "^{mac}.cfg$"\ntemplate = "device.cfg.j2"\n[[files]]\nid = "start"\n'
            'role = "bootstrap"\npath = "^start.cfg$"\ntemplate = "start.j2"\n',
        )
    folder = vendor("third").parent
    for name in ("one", "two"):
        (folder / name / "templates" / "start.j2").write_text("x", encoding="utf-8")
    profiles = load_profiles(folder, settings=few)
    assert not profiles.broken
    found = check_overlaps(profiles.all.values())
    assert Finding("warning", "one: file device", "0004130a0b0c.cfg is also file device of two") in found
    assert Finding("error", "one: file start", "start.cfg is also file start of two") in found
    assert not any("third" in item.where for item in found)


def test_an_example_is_told_from_usual_patterns(acme: Profiles) -> None:
    paths = {file.id: example(file) for file in acme.all["acme"].files}
    assert paths["device"] == ("acme0004130a0b0c.xml", {})
    assert paths["lines"] == ("acme-lines.cfg", {"mac": "0004130a0b0c"})
    assert paths["old"] == ("acme-old/x", {})
    for file in acme.all["acme"].files:
        match = acme.match(*example(file))
        assert match is not None
        assert match.file == file


def test_the_command_says_what_is_wrong_and_fails_for_errors_only(
    tmp_path: Path, acme: Profiles, catalogue: Catalogue
) -> None:
    folder = tmp_path / "acme"
    shutil.copytree(acme.all["acme"].folder, folder)
    said: list[str] = []
    path = Path(__file__).parents[2] / "provisioner" / "composition" / "catalogue.toml"
    assert main([str(folder), "--settings", str(path)], write=said.append) == 1
    assert any("setting srtp: neither mapped" in line for line in said)
    (folder / "cases" / "nobody" / "device.xml").unlink()
    said.clear()
    main([str(folder), "--settings", str(path), "--write"], write=said.append)
    assert "wrote cases/nobody/device.xml\n" in said
    (folder / "profile.toml").write_text("[", encoding="utf-8")
    said.clear()
    assert main([str(folder), "--settings", str(path)], write=said.append) == 1
    assert said[0].startswith("error: acme: loading: profile.toml")


def test_the_cases_of_the_made_up_vendor_hold(acme: Profiles, catalogue: Catalogue) -> None:
    profile = acme.all["acme"]
    assert [folder.name for folder in case_folders(profile)] == ["nobody", "two-lines"]
    wrong = [item for item in check_profile(profile, settings=catalogue) if "setting " not in item.where]
    assert [item for item in wrong if item.level == "error"] == []
