"""Codes, extensions and emergency numbers in each other's way; and what phones dial without waiting."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.calling.number_plan import Code, find_code_collision, find_extension_collision
from provisioner.composition.catalogue import load_catalogue
from provisioner.composition.dial_plan import dial_rules
from provisioner.composition.phone_config import Composed, DialRule, Origin

DEFAULTS = {
    "pickup_code": "*8", "group_pickup_code": "*8112", "hotdesk_code": "*35", "blind_transfer_code": "#",
    "attended_transfer_code": "**",
}  # fmt: skip


def codes(**changed: str) -> list[Code]:
    return [
        Code(setting, setting.removesuffix("_code"), digits)
        for setting, digits in (DEFAULTS | changed).items()
    ]


def rules(plan: str, **changed: Any) -> tuple[DialRule, ...]:
    defaults = load_catalogue().defaults
    chosen = {name: Composed(name, value, Origin("tenant", "", value)) for name, value in changed.items()}
    return dial_rules(plan, {**defaults, **chosen})


def masks(plan: str, *kinds: str, **changed: Any) -> list[str]:
    return [rule.mask for rule in rules(plan, **changed) if not kinds or rule.kind in kinds]


def matches(rule: DialRule, typed: str) -> bool:
    rest = typed.removeprefix(rule.prefix)
    if len(rest) == len(typed) and rule.prefix:
        return False
    if rule.choices:
        if not rest or rest[0] not in rule.choices:
            return False
        rest = rest[1:]
    return len(rest) == rule.digits and (not rest or rest.isdecimal())


# ---- collisions --------------------------------------------------------------------------------------------


def test_the_codes_a_tenant_begins_with_are_in_nobodys_way() -> None:
    assert find_code_collision(codes(), ["112"]) is None


@pytest.mark.parametrize(
    ("changed", "both"),
    [
        ({"hotdesk_code": "*8"}, ("*8", "*8")),
        ({"hotdesk_code": "*85"}, ("*8", "*85")),
        ({"pickup_code": "*3"}, ("*3", "*35")),
        ({"group_pickup_code": "*8"}, ("*8", "*8")),
        ({"pickup_code": "*81123"}, ("*81123", "*8112")),
        ({"attended_transfer_code": "*"}, ("*8", "*")),
        ({"blind_transfer_code": "##", "attended_transfer_code": "#"}, ("##", "#")),
        ({"hotdesk_code": "11"}, ("11", "112")),
        ({"hotdesk_code": "1125"}, ("1125", "112")),
    ],
)
def test_a_code_that_starts_with_another_is_named_with_it(
    changed: dict[str, str], both: tuple[str, str]
) -> None:
    found = find_code_collision(codes(**changed), [])
    assert found is not None
    assert (found.first, found.second) == both


def test_a_code_that_is_switched_off_is_in_nobodys_way() -> None:
    assert find_code_collision(codes(hotdesk_code="", pickup_code=""), []) is None


@pytest.mark.parametrize(
    ("extension", "changed", "second"),
    [
        ("112", {}, "112"), ("1120", {}, "112"), ("11", {}, "112"), ("911", {}, "911"),
        ("85", {"pickup_code": "8"}, "8"), ("80", {"hotdesk_code": "801"}, "801"),
        ("500", {"group_pickup_code": "*8500"}, "*8500"), ("5001", {"group_pickup_code": "*8500"}, "*8500"),
    ],
)  # fmt: skip
def test_an_extension_in_the_way_is_found(extension: str, changed: dict[str, str], second: str) -> None:
    found = find_extension_collision(extension, codes=codes(**changed), emergency=["112", "911"])
    assert found is not None
    assert found.second == second


@pytest.mark.parametrize("extension", ["12", "113", "201", "3500", "8112", "50"])
def test_other_extensions_are_free(extension: str) -> None:
    assert (
        find_extension_collision(extension, codes=codes(group_pickup_code="*8500"), emergency=["112", "911"])
        is None
    )


# ---- what is dialled at once ---------------------------------------------------------------------------------


def test_emergency_numbers_and_codes_come_before_extensions() -> None:
    assert masks("2:3 3:3") == ["112", "*8112", "*8[23]xx", "[23]xx", "*35"]


def test_the_hotdesk_code_waits_for_an_extension_and_a_pin() -> None:
    assert [rule.is_final for rule in rules("2:3")] == [True, True, True, True, False]


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        ("", []),
        ("2:2 3:2", ["[23]x"]),
        ("0:3", []),  # every national number starts so
        ("5:4", ["5xxx"]),
        (
            "1:3",
            ["1[0235679]x", "11[01234579]"],
        ),  # 112 ends there, 116 123 and 118 xx go on; 14 020 and 18 xx as well
        ("2:2 2:3", ["2xx"]),  # 20 can still become 201
        ("1:2", ["1[02356 79]".replace(" ", "")]),  # 11 can become 112
        ("2:3 3:4", ["2xx", "3xxx"]),
    ],
)
def test_an_extension_that_something_longer_starts_with_is_left_to_the_time_out(
    plan: str, expected: list[str]
) -> None:
    assert masks(plan, "internal") == expected


def test_local_numbers_without_an_area_code_are_a_setting() -> None:
    assert masks("2:3 3:3", "internal", outside_prefixes=["0", "2"]) == ["3xx"]


def test_a_pickup_that_could_become_the_group_pickup_waits() -> None:
    assert masks("1:2", "pickup") == ["*81[023456789]"]


@pytest.mark.parametrize("code", ["", "#8", "+8"])
def test_a_code_that_is_off_or_ends_dialling_by_itself_has_no_rule(code: str) -> None:
    assert masks("2:3", "pickup", pickup_code=code) == []


extensions = st.sets(st.from_regex(r"[0-9]{2,4}", fullmatch=True), max_size=12)
starts = st.lists(st.from_regex(r"[0-9]{1,4}", fullmatch=True), max_size=4, unique=True)


@given(extensions, starts)
def test_nothing_is_dialled_too_early(numbers: set[str], outside: list[str]) -> None:
    """No rule but those that extensions make way for fits a beginning of an extension, a pickup, a code or an outside number."""
    plan = " ".join(sorted({f"{number[0]}:{len(number)}" for number in numbers}))
    found = rules(plan, outside_prefixes=outside)
    final = [rule for rule in found if rule.is_final and rule.kind not in {"emergency", "group_pickup"}]
    complete = [*numbers, *(f"*8{number}" for number in numbers), "112", "*8112", "*35*201*1234"]
    complete += [prefix + rest for prefix in outside for rest in ("", "0123456789", "9999999")]
    for number in complete:
        for end in range(1, len(number)):
            early = [rule.mask for rule in final if matches(rule, number[:end])]
            assert not early, f"{number[:end]} of {number} by {early}"


@given(extensions)
def test_what_nothing_longer_starts_with_is_dialled_at_once(numbers: set[str]) -> None:
    plan = " ".join(sorted({f"{number[0]}:{len(number)}" for number in numbers}))
    found = rules(plan, outside_prefixes=[])
    longest = {number[0]: max(len(other) for other in numbers if other[0] == number[0]) for number in numbers}
    for number in numbers:
        if len(number) == longest[number[0]] and not "112".startswith(number):
            assert any(matches(rule, number) for rule in found if rule.is_final), number


@given(extensions, st.from_regex(r"[0-9]{2,4}", fullmatch=True))
def test_one_more_extension_of_a_known_kind_changes_no_phone(numbers: set[str], more: str) -> None:
    plan = {f"{number[0]}:{len(number)}" for number in numbers}
    kind = f"{more[0]}:{len(more)}"
    before, after = rules(" ".join(sorted(plan))), rules(" ".join(sorted(plan | {kind})))
    assert (before == after) or kind not in plan
