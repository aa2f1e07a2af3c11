"""Number plans as each vendor's phones read them: what is dialled at once, what is not dialled too early."""

import json
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from provisioner.composition.assemble import Shape, StoredDevice, StoredLine, assemble
from provisioner.composition.catalogue import load_catalogue
from provisioner.composition.compose import Layer
from provisioner.composition.phone_config import LineKind, PhoneConfig, ServerFacts
from provisioner.profiles.loader import load_profile
from provisioner.profiles.rendering import Renderer
from tests.support.digit_maps import DialNow, DigitMap, Plan, RegexPlan, sent

FOLDER = Path(__file__).parents[2] / "vendor_profiles"
DOMAIN = "pbx.example.net"


@cache
def renderer(vendor: str) -> Renderer:
    return Renderer(load_profile(FOLDER / vendor, settings=load_catalogue().phone_settings))


def body(
    vendor: str, model: str, file: str, plan: str, settings: Mapping[str, Any], *, firmware: str = ""
) -> bytes:
    config = phone(vendor, model, plan, settings, firmware=firmware)
    return renderer(vendor).render(renderer(vendor).profile.file(file), config).body


def phone(
    vendor: str, model: str, plan: str, settings: Mapping[str, Any], *, firmware: str = ""
) -> PhoneConfig:
    known = renderer(vendor).profile.models[model]
    stored = StoredDevice(
        mac="000413AABBCC",
        name="Desk",
        profile=vendor,
        model=model,
        firmware=firmware,
        username="dev-1",
        password="Conf-Secret-1",
        path="/p",
        admin_password="Admin-Secret-1",
        admin_pin="918273",
        lines=[
            StoredLine(
                1, LineKind.USER, account="d-1", password="Sip-Secret-1", user_name="Ann", extension="201"
            )
        ],
        layers=[Layer("tenant", "Acme", {"sip_domain": DOMAIN, **settings})],
        number_plan=plan,
    )
    server = ServerFacts("https://prov.example.net:8443", "http://prov.example.net:8080")
    return assemble(
        load_catalogue(),
        stored,
        shape=Shape(known.lines, known.keys),
        server=server,
        today=date(2026, 11, 22),
    )


def snom(plan: str, settings: Mapping[str, Any]) -> Plan:
    tree = etree.fromstring(body("snom", "D785", "device", plan, settings))
    return RegexPlan.read(tree.xpath("string(//user_dp_str[@idx='1'])"), domain=DOMAIN)


def yealink(plan: str, settings: Mapping[str, Any], firmware: str = "") -> Plan:
    lines = body("yealink", "T46S", "device", plan, settings, firmware=firmware).decode().splitlines()
    values = dict(line.split(" = ", 1) for line in lines if " = " in line)
    rules = [values[f"dialplan.dialnow.rule.{number}"] for number in range(1, 21)]
    assert values["phone_setting.dialnow_delay"] == "0"
    return DialNow.read([rule for rule in rules if rule != "%NULL%"])


def older_yealink(plan: str, settings: Mapping[str, Any]) -> Plan:
    return yealink(plan, settings, "28.71.0.81")


def sheet(plan: str, settings: Mapping[str, Any]) -> Plan:
    values = json.loads(body("generic", "Generic", "sheet_values", plan, settings))
    return DigitMap.read(values["device"]["digit_map"])


def generic_json(plan: str, settings: Mapping[str, Any]) -> Plan:
    rules = json.loads(body("generic", "Generic", "account", plan, settings))["dial_plan"]
    return DigitMap.read("|".join(rule["mask"] for rule in rules if rule["at_once"]))


Read = Callable[[str, Mapping[str, Any]], Plan]
EVERY = pytest.mark.parametrize("read", [snom, yealink, older_yealink, sheet, generic_json])

PLANS = {
    "two digits": ("2:2 3:2", ["20", "39"], ["40"]),
    "three digits": ("2:3 3:3", ["201", "399"], ["40", "401"]),
    "four digits": ("2:4 7:4", ["2010", "7999"], ["201", "3010"]),
    "mixed": ("2:3 5:4 7:2", ["201", "5010", "70"], ["501", "301"]),
}


@EVERY
@pytest.mark.parametrize("plan", PLANS)
def test_extensions_codes_and_emergency_numbers_are_dialled_with_their_last_digit(
    read: Read, plan: str
) -> None:
    numbers, at_once, waiting = PLANS[plan]
    phone_plan = read(numbers, {})
    for number in (*at_once, *(f"*8{number}" for number in at_once), "*8112", "112"):
        assert sent(phone_plan, number) == number
    for number in (*waiting, *(f"*8{number}" for number in waiting)):
        assert sent(phone_plan, number) is None


@EVERY
@pytest.mark.parametrize("plan", [*PLANS, "ones"])
def test_outside_numbers_are_never_cut_off(read: Read, plan: str) -> None:
    numbers = PLANS[plan][0] if plan in PLANS else "1:3 0:3 9:3"
    phone_plan = read(numbers, {})
    for number in (
        "0201234567",
        "0612345678",
        "0031201234567",
        "09001234",
        "116123",
        "11833",
        "14020",
        "1850",
        "+31201234567",
    ):
        assert sent(phone_plan, number) is None


@EVERY
def test_of_two_lengths_the_shorter_waits(read: Read) -> None:
    phone_plan = read("2:2 2:3 3:2", {})
    assert [sent(phone_plan, keys) for keys in ("20", "201", "30", "*820", "*8201")] == [
        None, "201", "30", None, "*8201"
    ]  # fmt: skip


@EVERY
def test_a_hotdesk_login_is_never_cut_off(read: Read) -> None:
    phone_plan = read("2:3", {})
    for keys in ("*35", "*35*201", "*35*201*1234", "*35*201*1234567890"):
        assert sent(phone_plan, keys) is None


@pytest.mark.parametrize("keys", ["*35", "*35*201", "*35*201*1234"])
def test_the_hash_key_ends_a_hotdesk_login(keys: str) -> None:
    assert sent(snom("2:3", {}), f"{keys}#") == keys
    assert b"features.key_as_send = 1\n" in body("yealink", "T46S", "device", "2:3", {})


@EVERY
def test_other_codes_and_emergency_numbers_follow_the_settings(read: Read) -> None:
    phone_plan = read(
        "2:3", {"pickup_code": "*9", "group_pickup_code": "*90", "emergency_numbers": ["112", "144"]}
    )
    assert [sent(phone_plan, keys) for keys in ("*9201", "*90", "144", "*8201")] == [
        "*9201",
        "*90",
        "144",
        None,
    ]


@EVERY
def test_extensions_around_service_numbers_are_dialled_at_once(read: Read) -> None:
    phone_plan = read("1:3", {})
    assert [sent(phone_plan, keys) for keys in ("101", "112", "119", "160", "116", "140")] == [
        "101", "112", "119", "160", None, None
    ]  # fmt: skip


@EVERY
def test_a_tenant_without_extensions_has_its_emergency_numbers_all_the_same(read: Read) -> None:
    assert sent(read("", {}), "112") == "112"


def test_the_most_urgent_rules_come_first_where_there_is_room_for_few() -> None:
    plan = " ".join(f"{first}:{length}" for length in (2, 3, 4) for first in range(1, 10))
    phone_plan = yealink(plan, {"emergency_numbers": ["112", "110", "144"]})
    for number in ("112", "110", "144", "*8112"):
        assert sent(phone_plan, number) == number


def test_a_line_that_is_off_has_no_plan() -> None:
    tree = etree.fromstring(body("snom", "D785", "device", "2:3", {}))
    assert tree.xpath("string(//user_dp_str[@idx='2'])") == ""
