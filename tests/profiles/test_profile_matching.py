from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.profiles.catalogue_file import CatalogueEntry
from provisioner.profiles.loader import Profiles, load_profiles
from provisioner.profiles.matching import plain_mac

MAC = "000413AABBCC"


@pytest.mark.parametrize(
    "mac",
    [
        "000413aabbcc",
        "000413AABBCC",
        "00:04:13:aa:bb:cc",
        "00%3A04%3a13%3Aaa%3Abb%3Acc",
        "00-04-13-AA-BB-CC",
        "00.04.13.aa.bb.cc",
        "0004.13aa.bbcc",
        "0004-13aa-bbcc",
        "%30%30%30413aabbcc",
    ],
)
def test_a_mac_is_read_in_every_usual_writing(acme: Profiles, mac: str) -> None:
    match = acme.match(f"acme{mac}.xml", {})
    assert match is not None
    assert (match.file.id, match.file.role, match.mac) == ("device", "device", MAC)


@pytest.mark.parametrize(
    "path",
    [
        "acme000413aabbc.xml",
        "acme000413aabbccd.xml",
        "acme0004.13:aa.bb:c.xml",
        "acme000413aabbcg.xml",
        "acme000413aabbcc.xml\n",
        "acme000413aabbcc.xml%0A",
        "acme000413aabbcc.xml%00",
        "/acme000413aabbcc.xml",
        "../acme000413aabbcc.xml",
        "acme-old/../acme000413aabbcc.xml",
        "acme-old/%2e%2e/secret",
        "acme-old/..%5csecret",
        "acme-old//x",
        "acme-old/" + "x" * 248,
        "",
        "favicon.ico",
    ],
)
def test_what_no_phone_asks_for_never_matches(acme: Profiles, path: str) -> None:
    assert acme.match(path, {}) is None


def test_a_device_file_without_mac_does_not_match(acme: Profiles) -> None:
    assert acme.match("acme-lines.cfg", {}) is None
    assert acme.match("acme-lines.cfg", {"mac": "nonsense"}) is None
    found = acme.match("acme-lines.cfg", {"mac": "00:04:13:aa:bb:cc"})
    assert found is not None
    assert found.mac == MAC


def test_public_and_absent_files_need_no_mac_and_the_model_comes_from_the_name(acme: Profiles) -> None:
    plain = acme.match("acme.cfg", {})
    named = acme.match("ACME-a2.cfg", {})
    stranger = acme.match("acme-z9.cfg", {})
    absent = acme.match("acme-old/anything.bin", {})
    assert plain
    assert plain.file.role == "bootstrap"
    assert plain.model is None
    assert plain.mac is None
    assert named
    assert named.model == "A2"
    assert stranger
    assert stranger.model is None
    assert absent
    assert absent.file.role == "absent"


def test_double_encoding_is_not_taken_apart(acme: Profiles) -> None:
    assert acme.match("acme-old/%252e%252e/x", {}) is not None  # a name that only looks odd
    assert acme.match("acme%2530%2530%2530413aabbcc.xml", {}) is None


def test_vendors_that_share_a_name_all_answer_in_their_order(
    vendor: Callable[..., Path], catalogue: Mapping[str, CatalogueEntry]
) -> None:
    rules = (
        'label = "X"\nprovisioning_url = "{base}"\n[[files]]\nid = "device"\nrole = "device"\n'
        "path = '^{mac}\\.cfg$'\ntemplate = \"device.cfg.j2\"\n"
    )
    vendor("late", profile_toml='id = "late"\norder = 9\n' + rules)
    folder = vendor("early", profile_toml='id = "early"\norder = 1\n' + rules)
    profiles = load_profiles(folder.parent, settings=catalogue)
    assert [match.profile.id for match in profiles.matches(f"{MAC}.cfg", {})] == ["early", "late"]
    first = profiles.match(f"{MAC}.cfg", {})
    assert first is not None
    assert first.profile.id == "early"


def test_a_letter_of_the_pattern_may_touch_the_mac(
    vendor: Callable[..., Path], catalogue: Mapping[str, CatalogueEntry]
) -> None:
    folder = vendor(
        "spa",
        profile_toml='id = "spa"\nlabel = "X"\nprovisioning_url = "{base}"\n[[files]]\nid = "device"\n'
        'role = "device"\npath = \'^spa{mac}\\.cfg$\'\ntemplate = "device.cfg.j2"\n',
    )
    match = load_profiles(folder.parent, settings=catalogue).match(f"spa{MAC}.cfg", {})
    assert match is not None
    assert match.mac == MAC


@given(path=st.text(max_size=300), value=st.text(max_size=40))
def test_no_path_makes_the_matcher_fail(acme: Profiles, path: str, value: str) -> None:
    match = acme.match(path, {"mac": value})
    assert match is None or match.file.role != "device" or plain_mac(match.mac or "") == match.mac


def test_a_user_agent_says_vendor_model_firmware_and_mac(acme: Profiles) -> None:
    seen = acme.identify_agent("acme ACMEONE 2.4.1 00:04:13:aa:bb:cc")
    assert seen is not None
    assert (seen.profile_id, seen.model_id, seen.firmware, seen.mac) == ("acme", "A1", "2.4.1", MAC)


def test_an_unknown_model_of_a_known_vendor_is_still_that_vendor(acme: Profiles) -> None:
    seen = acme.identify_agent("Acme A99 1.0")
    assert seen is not None
    assert (seen.profile_id, seen.model_id, seen.mac) == ("acme", None, None)


def test_a_loose_pattern_counts_only_with_a_known_model(acme: Profiles) -> None:
    loose = acme.identify_agent("A2/1.0")
    assert loose is not None
    assert loose.model_id == "A2"
    assert acme.identify_agent("curl/8.5.0") is None


@pytest.mark.parametrize("agent", ["", "Mozilla/5.0 (X11; Linux)", "Acme " + "A" * 500 + " 1.0"])
def test_strangers_are_nobody(acme: Profiles, agent: str) -> None:
    assert acme.identify_agent(agent) is None


def test_the_longest_address_block_wins_and_vendors_may_share_one(
    vendor: Callable[..., Path], catalogue: Mapping[str, CatalogueEntry]
) -> None:
    head = 'label = "X"\nprovisioning_url = "{base}"\nfiles = []\n'
    vendor("big", profile_toml=f'id = "big"\nouis = ["0A1B2C", "000413"]\n{head}')
    vendor("small", profile_toml=f'id = "small"\nouis = ["0A1B2C3"]\n{head}')
    folder = vendor("tiny", profile_toml=f'id = "tiny"\nouis = ["0A1B2C345", "000413"]\n{head}')
    profiles = load_profiles(folder.parent, settings=catalogue)
    assert profiles.broken == {}
    assert profiles.vendor_of_oui("0A1B2C345678") == ("tiny",)
    assert profiles.vendor_of_oui("0a:1b:2c:3f:00:00") == ("small",)
    assert profiles.vendor_of_oui("0A1B2CFF0000") == ("big",)
    assert profiles.vendor_of_oui(MAC) == ("big", "tiny")
    assert profiles.vendor_of_oui("FFFFFF000000") == ()
    assert profiles.vendor_of_oui("nonsense") == ()
