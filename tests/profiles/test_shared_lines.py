"""A shared line in every vendor's files, as the vendor's phones read them."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from provisioner.composition.assemble import Shape, StoredDevice, StoredLine, assemble
from provisioner.composition.catalogue import load_catalogue
from provisioner.composition.compose import Layer
from provisioner.composition.line_keys import Mate, SharedFacts
from provisioner.composition.phone_config import LineKind, PhoneConfig, ServerFacts
from provisioner.profiles.loader import load_profile
from provisioner.profiles.manifest import Profile
from provisioner.profiles.rendering import Rendered, Renderer
from provisioner.simulator.dialect import load_dialects
from provisioner.simulator.reader import FunctionKey, LineSettings, function_keys, lines, read_file, store

VENDORS = Path(__file__).parents[2] / "vendor_profiles"
DIALECTS = load_dialects(VENDORS)
MODELS = {
    "snom": ("D785", "10.1.184.15"),
    "yealink": ("T46U", "108.86.0.90"),
    "generic": ("Linphone", "5.1.65"),
}
DESKS = ("snom", "yealink")
ANNA = StoredLine(1, LineKind.USER, "d1", "Sip-1", user_name="Anna", extension="101")
SALES = SharedFacts("Sales", "s1", "sca", 3, is_barge_in=True, is_private_hold=True)
LAMPS = SharedFacts("Sales", "s1", "blf", 3, False, False, (Mate("Counter", "d9"), Mate("Store", "d8")))
EMPTY = StoredLine(2, LineKind.EMPTY, "d2", "Sip-2")


def on_line_2(facts: SharedFacts) -> StoredLine:
    return StoredLine(2, LineKind.SHARED, "d2", "Sip-2", extension="210", shared=facts)


@cache
def profile(vendor: str) -> Profile:
    return load_profile(VENDORS / vendor, settings=load_catalogue().phone_settings)


@cache
def renderer(vendor: str) -> Renderer:
    return Renderer(profile(vendor))


def phone(vendor: str, second: StoredLine, *, firmware: str = "", model: str = "") -> PhoneConfig:
    usual, newest = MODELS[vendor]
    known = profile(vendor).models[model or usual]
    stored = StoredDevice(
        mac="805EC0AABBCC", name="Desk", profile=vendor, model=known.id, firmware=firmware or newest, username="dev-1",
        password="Prov-1", path="/p", admin_password="Admin-1", admin_pin="918273", lines=(ANNA, second),
        layers=[Layer("tenant", "Acme", {"sip_domain": "pbx.example.net"})],
    )  # fmt: skip
    shape = Shape(known.lines, known.keys_accepted or known.keys, known.modules, known.module_keys)
    server = ServerFacts("https://prov.example.net:8443", "http://prov.example.net:8080")
    return assemble(load_catalogue(), stored, shape=shape, server=server, today=date(2026, 11, 22))


def rendered(vendor: str, config: PhoneConfig, file: str = "device") -> Rendered:
    return renderer(vendor).render(profile(vendor).file(file), config)


def stored_of(
    vendor: str, second: StoredLine, *, after: Mapping[str, str] | None = None
) -> Mapping[str, str]:
    """What a phone of the vendor knows when it has read the file."""
    contents = read_file(
        rendered(vendor, phone(vendor, second)).body, DIALECTS[vendor], model=MODELS[vendor][0]
    )
    return store(after or {}, contents, null=DIALECTS[vendor].null)


def understood(
    vendor: str, stored: Mapping[str, str]
) -> tuple[Mapping[int, LineSettings], Sequence[FunctionKey]]:
    dialect = DIALECTS[vendor]
    return {line.slot: line for line in lines(stored, dialect)}, function_keys(stored, dialect)


@pytest.mark.parametrize("vendor", DESKS)
def test_a_phone_reads_the_shared_address_its_own_account_and_a_key_for_each_appearance(vendor: str) -> None:
    found, keys = understood(vendor, stored_of(vendor, on_line_2(SALES)))
    assert (found[2].user, found[2].auth_user, found[2].password) == ("s1", "d2", "Sip-2")
    assert (found[1].user, found[1].auth_user) == ("d1", "d1")
    assert [found[slot].is_shared for slot in (1, 2)] == [False, True]
    own = [key for key in keys if key.type == DIALECTS[vendor].line_key and key.label.startswith("Sales")]
    assert [(key.slot, key.line, key.label) for key in own] == [
        (2, "2", "Sales a"),
        (3, "2", "Sales b"),
        (4, "2", "Sales c"),
    ]


@pytest.mark.parametrize("vendor", DESKS)
@pytest.mark.parametrize("second", [EMPTY, on_line_2(LAMPS)], ids=["left", "lamps"])
def test_a_line_that_is_shared_no_more_is_told_so(vendor: str, second: StoredLine) -> None:
    """Facts: what a file does not mention stays as it was, so unshared lines are off explicitly."""
    before = stored_of(vendor, on_line_2(SALES))
    found, _ = understood(vendor, stored_of(vendor, second, after=before))
    assert 2 not in found or (found[2].user, found[2].is_shared) == ("d2", False)
    assert "s1" not in stored_of(vendor, second, after=before).values()


@pytest.mark.parametrize("vendor", DESKS)
def test_lamps_pick_up_and_parking_stand_in_for_appearances(vendor: str) -> None:
    found, keys = understood(vendor, stored_of(vendor, on_line_2(LAMPS)))
    assert (found[2].user, found[2].auth_user, found[2].is_shared) == ("d2", "d2", False)
    shown = [(key.value, key.label) for key in keys if key.label]
    assert [label for _, label in shown] == [
        "101", "210", "Sales", "*8 Sales", "Park Sales", "Retrieve Sales", "Counter", "Store"
    ]  # fmt: skip
    assert [value for value, _ in shown[2:]][-2:] == ["d9", "d8"]
    assert {"210", "*68210", "*69210"} <= {value for value, _ in shown}


def test_snom_phones_are_in_broadsoft_mode_on_that_line_alone() -> None:
    stored = stored_of("snom", on_line_2(SALES))
    assert [stored[f"user_server_type/{slot}"] for slot in (1, 2, 3)] == ["Default", "broadsoft", "Default"]
    assert [stored[f"user_shared_line/{slot}"] for slot in (1, 2, 3)] == ["off", "on", "off"]
    assert [stored[f"user_pname/{slot}"] for slot in (1, 2, 3)] == ["", "d2", ""]


def test_a_snom_phone_gets_no_public_hold_where_a_private_one_is_meant() -> None:
    result = rendered("snom", phone("snom", on_line_2(SALES)))
    assert b"F_HOLD" not in result.body
    assert any("only it can take the call back" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    ("firmware", "barge"), [("108.86.0.90", True), ("108.83.0.90", True), ("66.82.0.20", False)]
)
def test_yealink_barging_in_is_written_where_the_firmware_knows_it(firmware: str, barge: bool) -> None:
    text = rendered("yealink", phone("yealink", on_line_2(SALES), firmware=firmware)).body.decode()
    assert ("account.2.share_line.barge_in.enable = 1" in text) == barge
    assert ("account.1.share_line.barge_in.enable = 0" in text) == barge
    for row in (
        "account.2.shared_line = 1",
        "account.2.shared_line_one_touch_bargein.enable = 1",
        "account.2.shared_line_one_touch_retrieve.enable = 1",
        "account.2.line_seize.expires = 15",
        "account.1.shared_line = 0",
        "account.1.shared_line_one_touch_retrieve.enable = 0",
    ):
        assert row in text.splitlines()
    assert "account.1.line_seize.expires" not in text


def test_a_yealink_phone_has_a_key_for_holding_in_private() -> None:
    stored = stored_of("yealink", on_line_2(SALES))
    assert (stored["linekey.5.type"], stored["linekey.5.line"]) == ("20", "2")
    assert stored["linekey.5.label"] == "Private hold"


def test_a_softphone_proves_itself_with_its_own_account_and_says_what_it_cannot() -> None:
    """It is refused as a member; a device that became one later still rings and says what is missing."""
    config = phone("generic", on_line_2(SALES))
    linphone = rendered("generic", config, "linphone")
    found = {line.slot: line for line in lines(
        store({}, read_file(linphone.body, DIALECTS["generic"], model="Linphone")), DIALECTS["generic"]
    )}  # fmt: skip
    assert (found[2].user, found[2].auth_user) == ("s1", "d2")
    assert any("knows no shared call appearances" in warning for warning in linphone.warnings)
    for file, part in (
        ("baresip", b"<sip:s1@pbx.example.net;transport=udp>;auth_user=d2;auth_pass=Sip-2"),
        ("pjsua", b'--username "d2"'),
    ):
        assert part in rendered("generic", config, file).body
    account = json.loads(rendered("generic", config, "account").body)["accounts"][1]
    assert (account["user"], account["auth_user"]) == ("s1", "d2")


def test_a_phone_says_how_many_appearances_it_has_no_key_for() -> None:
    config = phone("yealink", on_line_2(SALES), model="T31P", firmware="124.86.0.75")
    assert config.warnings == ("The shared line Sales has 3 appearances; this model has keys for 1.",)
