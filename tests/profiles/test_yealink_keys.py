"""Accounts and function keys: all of them are written, with the vendor's numbers, and the unused ones are reset."""

import pytest

from provisioner.composition.assemble import StoredLine
from provisioner.composition.phone_config import KeyConfig, LineKind
from tests.support.yealink_phone import one, read, render, values

PRIVATE = ("label", "display_name", "user_name", "auth_name", "password", "sip_server.1.address")


@pytest.mark.parametrize(
    ("model", "accounts", "keys"), [("T31P", 2, 2), ("T33G", 4, 12), ("T46S", 16, 27), ("CP920", 1, 0)]
)
def test_every_account_and_key_is_written_and_the_unused_ones_are_reset(
    model: str, accounts: int, keys: int
) -> None:
    found = values(model)
    for number in range(1, accounts + 1):
        assert one(found, f"account.{number}.enable") == ("1" if number == 1 else "0")
        resets = [one(found, f"account.{number}.{name}") == "%NULL%" for name in PRIVATE]
        assert resets == [number > 1] * len(PRIVATE)
    assert f"account.{accounts + 1}.enable" not in found
    if keys:  # the first key is the first line, so that a phone nobody gave keys can take calls
        assert (one(found, "linekey.1.type"), one(found, "linekey.1.line")) == ("15", "1")
    for number in range(2, keys + 1):
        assert one(found, f"linekey.{number}.type") == "0"
        assert [one(found, f"linekey.{number}.{name}") for name in ("value", "label", "extension")] == [
            "%NULL%"
        ] * 3
    assert f"linekey.{keys + 1}.type" not in found


def test_a_phone_that_lost_its_user_holds_nothing_of_him() -> None:
    keys = [KeyConfig(5, type="blf", target="4999", label="Zacharias")]
    lines = [StoredLine(2, LineKind.USER, "d4999", "Old-Secret", "Zacharias", "4998")]
    before, after = render("T46S", keys=keys, lines=lines).body, render("T46S", lines=[]).body
    for trace in (b"4999", b"4998", b"Zacharias", b"Old-Secret"):
        assert trace in before
        assert trace not in after
    assert set(read(before)) - set(read(after)) <= {
        name for name in read(before) if name.startswith("account.2.")
    }


KEY_NUMBERS = [
    ("line", "15"), ("shared_line", "15"), ("speed_dial", "13"), ("blf", "16"), ("pickup", "9"), ("group_pickup", "23"),
    ("park", "10"), ("retrieve", "56"), ("voicemail", "12"), ("dnd", "5"), ("forward_always", "2"), ("intercom", "14"),
    ("dtmf", "11"), ("prefix", "40"), ("transfer_blind", "3"), ("transfer_attended", "11"), ("hotdesk_switch", "13"), ("conference", "1"), ("hold", "4"), ("directory", "61"),
    ("url", "17"), ("xml", "27"), ("hotdesk", "13"), ("multicast", "24"), ("record", "25"), ("none", "0"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "number"), KEY_NUMBERS)
def test_key_types_have_the_vendors_numbers(kind: str, number: str) -> None:
    found = values("T46U", keys=[KeyConfig(3, type=kind, target="201", label="Ann")])
    assert one(found, "linekey.3.type") == number


def test_a_busy_lamp_key_carries_number_and_pickup_code() -> None:
    key = KeyConfig(2, type="blf", target="202", label="Bob", pickup_code="*8")
    found = values("T46S", keys=[key])
    written = [one(found, f"linekey.2.{name}") for name in ("type", "line", "value", "label", "extension")]
    assert written == ["16", "1", "202", "Bob", "*8"]
    assert one(values("T46G", firmware="28.73.0.1", keys=[key]), "linekey.2.pickup_value") == "*8"
    assert one(values("T28P", firmware="", keys=[key]), "linekey.2.pickup_value") == "*8"


def test_keys_take_their_codes_from_the_settings() -> None:
    keys = [
        KeyConfig(1, type="pickup", target="203"),
        KeyConfig(2, type="group_pickup"),
        KeyConfig(3, type="hotdesk"),
        KeyConfig(4, type="voicemail"),
        KeyConfig(5, type="hotdesk_switch", target="201"),
        KeyConfig(6, type="transfer_attended", target="203"),
    ]
    found = values("T46S", keys=keys, settings={"voicemail_number": "*97"})
    assert [one(found, f"linekey.{slot}.value") for slot in range(1, 7)] == [
        "*8203", "*8112", "*35", "*97", "*35*201", "**203",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "written"),
    [
        (KeyConfig(2, type="forward_always", target="+31612345678"), ["2", "+31612345678", "%NULL%"]),
        (KeyConfig(2, type="transfer_blind", target="203"), ["3", "203", "%NULL%"]),
        (KeyConfig(2, type="transfer_attended", target="203"), ["11", "**203", "%NULL%"]),
        (KeyConfig(2, type="hotdesk_switch", target="203"), ["13", "*35*203", "%NULL%"]),
        (KeyConfig(2, type="park", target="701"), ["10", "701", "%NULL%"]),
        (KeyConfig(2, type="retrieve", target="701"), ["56", "701", "%NULL%"]),
        (KeyConfig(2, type="prefix", target="0"), ["40", "0", "%NULL%"]),
        (KeyConfig(2, type="multicast", target="239.255.0.1:5000"), ["24", "239.255.0.1:5000", "%NULL%"]),
        (KeyConfig(2, type="xml", target="https://x/menu"), ["27", "https://x/menu", "%NULL%"]),
        (KeyConfig(2, type="intercom", target="203"), ["14", "203", "%NULL%"]),
    ],
)
def test_a_key_is_written_with_the_vendors_number_value_and_extension(
    key: KeyConfig, written: list[str]
) -> None:
    found = values("T46U", keys=[key])
    assert [one(found, f"linekey.2.{name}") for name in ("type", "value", "extension")] == written


def test_without_a_code_an_attended_transfer_is_the_phones_own() -> None:
    key = KeyConfig(2, type="transfer_attended", target="203")
    found = values("T46U", keys=[key], settings={"attended_transfer_code": ""})
    assert [one(found, f"linekey.2.{name}") for name in ("type", "value")] == ["3", "203"]


@pytest.mark.parametrize("kind", ["forward_busy", "forward_no_answer"])
def test_a_forwarding_that_the_key_cannot_say_is_left_empty(kind: str) -> None:
    found = values("T46U", keys=[KeyConfig(2, type=kind, target="203")])
    assert one(found, "linekey.2.type") == "0"


def test_module_keys_go_on_to_the_next_module() -> None:
    for model, last, modules in (("T46S", 40, 6), ("T46U", 60, 3), ("T74U", 78, 3)):
        keys = [
            KeyConfig(last, module=1, type="blf", target="301"),
            KeyConfig(1, module=2, type="blf", target="302"),
        ]
        found = values(model, keys=keys)
        assert one(found, f"expansion_module.1.key.{last}.value") == "301"
        assert one(found, "expansion_module.2.key.1.value") == "302"
        assert one(found, f"expansion_module.{modules}.key.{last}.type") == "0"
        assert f"expansion_module.1.key.{last + 1}.type" not in found
        assert f"expansion_module.{modules + 1}.key.1.type" not in found


def test_page_switches_of_a_small_module_are_left_alone() -> None:
    found = values(
        "T29G",
        keys=[KeyConfig(slot, module=1, type="blf", target=f"3{slot:02d}") for slot in (1, 19, 20, 38)],
    )
    written = {
        int(name.split(".")[3])
        for name in found
        if name.startswith("expansion_module.1.") and name.endswith(".type")
    }
    assert written == set(range(1, 41)) - {1, 21}
    assert [one(found, f"expansion_module.1.key.{index}.value") for index in (2, 20, 22, 40)] == [
        "301",
        "319",
        "320",
        "338",
    ]


def test_memory_keys_follow_the_line_keys() -> None:
    found = values(
        "T28P", keys=[KeyConfig(6, type="blf", target="301"), KeyConfig(7, type="blf", target="302")]
    )
    assert one(found, "linekey.6.value") == "301"
    assert one(found, "memorykey.1.value") == "302"
    assert one(found, "memorykey.10.type") == "0"
    assert "linekey.7.type" not in found


def test_two_models_count_accounts_of_a_busy_lamp_from_zero() -> None:
    keys = [KeyConfig(1, type="blf", target="301"), KeyConfig(2, type="speed_dial", target="302")]
    found = values("T38G", firmware="38.70.0.125", keys=keys)
    assert [one(found, f"linekey.{slot}.line") for slot in (1, 2)] == ["0", "1"]
