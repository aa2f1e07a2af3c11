from dataclasses import fields, replace
from datetime import date
from types import MappingProxyType

from provisioner.composition.assemble import Shape, StoredDevice, StoredLine, assemble
from provisioner.composition.catalogue import Catalogue, load_catalogue
from provisioner.composition.compose import KeyLayer, Layer, compose, merge_keys
from provisioner.composition.phone_config import KeyConfig, LineKind, PhoneConfig, ServerFacts

CATALOGUE = load_catalogue()
SERVER = ServerFacts(https_url="https://x:8443", http_url="http://x:8080")
STORED = StoredDevice(
    mac="000413000001", name="Desk", profile="p", model="m", firmware="", username="u", password="p", path="/p", admin_password="Admin-1", admin_pin="4711",
    lines=[StoredLine(1, LineKind.USER, "d1", "s1", "Ann", "201")], layers=[Layer("tenant", "Acme", {"sip_domain": "acme.test"})],
)  # fmt: skip


def _assembled(
    stored: StoredDevice, *, lines: int = 4, keys: int = 6, modules: int = 0, module_keys: int = 0
) -> PhoneConfig:
    return assemble(
        CATALOGUE,
        stored,
        shape=Shape(lines, keys, modules, module_keys),
        server=SERVER,
        today=date(2026, 1, 1),
    )


def test_the_strongest_layer_wins_and_the_others_are_remembered() -> None:
    layers = [
        Layer("tenant", "Acme", {"language": "nl"}),
        Layer("site", "Depot", {}),
        Layer("user", "Ann", {"language": "de"}),
    ]
    composed = compose(CATALOGUE, layers)["language"]
    assert (composed.value, composed.origin.scope, composed.origin.label) == ("de", "user", "Ann")
    assert [(origin.scope, origin.value) for origin in composed.shadowed] == [
        ("tenant", "nl"),
        ("default", "en"),
    ]


def test_unset_here_goes_back_to_the_default() -> None:
    layers = [Layer("tenant", "Acme", {"language": "nl"}), Layer("device", "Desk", {"language": None})]
    composed = compose(CATALOGUE, layers)["language"]
    assert (composed.value, composed.origin.scope, composed.origin.value) == ("en", "device", None)


def test_what_nobody_touched_is_the_default_and_unknown_names_are_left_out() -> None:
    composed = compose(CATALOGUE, [Layer("tenant", "Acme", {"no_such_setting": 1})])
    assert set(composed) == set(CATALOGUE.settings)
    assert composed["timezone"].origin.scope == "default"


def test_a_list_that_appends_grows_and_unset_empties_it() -> None:
    setting = replace(CATALOGUE["codecs"], merge="append")
    catalogue = Catalogue(
        MappingProxyType({**CATALOGUE.settings, "codecs": setting}), CATALOGUE.groups, CATALOGUE.defaults
    )
    grown = [Layer("tenant", "Acme", {"codecs": ["opus", "pcma"]})]
    assert compose(catalogue, grown)["codecs"].value == ("g722", "pcma", "pcmu", "opus")
    emptied = [
        *grown,
        Layer("site", "Depot", {"codecs": None}),
        Layer("device", "Desk", {"codecs": ["g729"]}),
    ]
    assert compose(catalogue, emptied)["codecs"].value == ("g729",)
    assert compose(CATALOGUE, grown)["codecs"].value == ["opus", "pcma"]


def test_keys_merge_slot_by_slot_and_what_has_no_place_is_named() -> None:
    below = KeyLayer(
        "tenant", [KeyConfig(slot=1, type="blf", target="1"), KeyConfig(slot=2, type="blf", target="2")]
    )
    above = KeyLayer(
        "device",
        [
            KeyConfig(slot=2, type="none"),
            KeyConfig(slot=9, type="blf"),
            KeyConfig(slot=1, module=1, type="blf", target="m"),
        ],
    )
    slots, left_over = merge_keys([below, above], keys=3, modules=1, module_keys=2)
    assert [(key.module, key.slot, key.type, key.target) for key in slots] == [
        (0, 1, "blf", "1"),
        (0, 2, "none", ""),
        (0, 3, "none", ""),
        (1, 1, "blf", "m"),
        (1, 2, "none", ""),
    ]
    assert [key.slot for key in left_over] == [9]


def test_every_line_slot_is_filled_used_or_not() -> None:
    config = _assembled(STORED)
    assert [(line.position, line.is_active, line.account) for line in config.lines] == [
        (1, True, "d1"),
        (2, False, ""),
        (3, False, ""),
        (4, False, ""),
    ]
    first = config.lines[0]
    assert (first.domain, first.registrar, first.port, first.label, first.display_name) == (
        "acme.test",
        "acme.test",
        5060,
        "201",
        "Ann",
    )


def test_a_device_without_anybody_keeps_its_own_account() -> None:
    config = _assembled(
        replace(
            STORED,
            lines=[StoredLine(1, LineKind.EMPTY, "d1", "s1"), StoredLine(2, LineKind.EMPTY, "d2", "s2")],
        )
    )
    assert [line.is_active for line in config.lines] == [True, False, False, False]
    assert config.lines[0].label == "d1"


def test_transport_decides_the_port_unless_one_is_set() -> None:
    tls = replace(
        STORED,
        layers=[
            *STORED.layers,
            Layer("device", "Desk", {"sip_transport": "tls", "registrar_host": "pbx.test"}),
        ],
    )
    assert (_assembled(tls).lines[0].port, _assembled(tls).lines[0].registrar) == (5061, "pbx.test")
    fixed = replace(tls, layers=[*tls.layers, Layer("device", "Desk", {"registrar_port": 5099})])
    assert _assembled(fixed).lines[0].port == 5099


def test_the_first_keys_are_the_lines_unless_somebody_says_otherwise() -> None:
    assert [(key.slot, key.type, key.label) for key in _assembled(STORED).keys][:2] == [
        (1, "line", "201"),
        (2, "none", ""),
    ]
    own = replace(STORED, key_layers=[KeyLayer("user", [KeyConfig(slot=1, type="blf", target="202")])])
    first = _assembled(own).keys[0]
    assert (first.type, first.label, first.pickup_code) == ("blf", "202", CATALOGUE["pickup_code"].default)


def test_what_has_no_place_on_the_model_is_warned_about() -> None:
    crowded = replace(
        STORED,
        lines=[*STORED.lines, StoredLine(5, LineKind.USER, "d5", "s5")],
        key_layers=[
            KeyLayer(
                "user",
                [
                    KeyConfig(slot=7, type="blf", target="202", label="Bob"),
                    KeyConfig(slot=1, module=1, type="dnd"),
                ],
            )
        ],
    )
    assert _assembled(crowded).warnings == (
        "Line 5 has no place: this model has 4.",
        "Key 7 (Bob) has no place on this model.",
        "Key 1 of module 1 (dnd) has no place on this model.",
    )


def test_the_phones_own_admin_password_is_never_empty() -> None:
    """T30."""
    config = _assembled(STORED)
    assert (config.value("phone_admin_password"), config.settings["phone_admin_password"].origin.label) == (
        "Admin-1",
        "random for this device",
    )
    chosen = replace(
        STORED, layers=[*STORED.layers, Layer("device", "Desk", {"phone_admin_password": "Chosen-1"})]
    )
    assert _assembled(chosen).value("phone_admin_password") == "Chosen-1"


def test_a_hotdesk_device_with_nobody_on_it_shows_the_name_of_the_desk() -> None:
    free = replace(STORED, lines=[StoredLine(1, LineKind.HOTDESK, "d1", "s1")])
    line = _assembled(free).lines[0]
    assert (line.account, line.label, line.display_name, line.extension) == ("d1", "Desk", "Desk", "")
    taken = _assembled(replace(STORED, lines=[StoredLine(1, LineKind.HOTDESK, "d1", "s1", "Ann", "201")]))
    assert (taken.lines[0].label, taken.lines[0].display_name) == ("201", "Ann")


def test_a_hotdesk_device_keeps_no_call_lists_unless_somebody_wants_them() -> None:
    shared_desk = replace(STORED, lines=[StoredLine(1, LineKind.HOTDESK, "d1", "s1", "Ann", "201")])
    assert _assembled(shared_desk).settings["call_lists"].value is False
    assert _assembled(STORED).settings["call_lists"].value is True
    wanted = replace(shared_desk, layers=[Layer("site", "Depot", {"call_lists": True})])
    assert _assembled(wanted).settings["call_lists"].value is True


def test_a_key_with_other_words_is_the_same_key_in_everything_else() -> None:
    below = KeyConfig(slot=9)
    key = KeyConfig(2, 3, "blf", "101", "Anna", 4, "*8", "user", "Anna", 5, 6, True, 7, (below,))
    assert key.worded(label="Ben", pickup_code="*9") == replace(key, label="Ben", pickup_code="*9")
    assert all(getattr(key, field.name) != field.default for field in fields(KeyConfig))
