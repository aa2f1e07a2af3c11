"""R3.5: every state × code × lock × right, against a table that is written out."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.calling.dial_machine import Dialled, Place, Step, masked, next_step, parse

# who is at the device; Anna has 101, Ben 102, Cora has no extension
STATES = {
    "unknown": Place(is_known=False, is_hotdesk=False),
    "nobody": Place(),
    "anna": Place(extension="101"),
    "cora": Place(extension=""),
}
CODES = {
    "garbage": None,
    "*35": Dialled(),
    "*35*101": Dialled("101"),
    "*35*102": Dialled("102"),
    "*35*101*PIN": Dialled("101", "8642"),
    "*35*102*PIN": Dialled("102", "8642"),
}
LOCKS = (False, True)
RIGHTS = (True, False)

# for a device with the right: state → code → (next step, next step while PINs are locked)
TABLE: dict[str, dict[str, tuple[Step, Step]]] = {
    "nobody": {
        "*35": (Step.ASK_EXTENSION, Step.LOCKED),
        "*35*101": (Step.ASK_PIN, Step.LOCKED),
        "*35*102": (Step.ASK_PIN, Step.LOCKED),
        "*35*101*PIN": (Step.LOG_IN, Step.LOCKED),
        "*35*102*PIN": (Step.LOG_IN, Step.LOCKED),
    },
    "anna": {
        "*35": (Step.LOG_OUT, Step.LOG_OUT),
        "*35*101": (Step.LOG_OUT, Step.LOG_OUT),
        "*35*102": (Step.ASK_PIN, Step.LOCKED),
        "*35*101*PIN": (Step.LOG_OUT, Step.LOG_OUT),
        "*35*102*PIN": (Step.SWITCH, Step.LOCKED),
    },
    "cora": {
        "*35": (Step.LOG_OUT, Step.LOG_OUT),
        "*35*101": (Step.ASK_PIN, Step.LOCKED),
        "*35*102": (Step.ASK_PIN, Step.LOCKED),
        "*35*101*PIN": (Step.SWITCH, Step.LOCKED),
        "*35*102*PIN": (Step.SWITCH, Step.LOCKED),
    },
}


def expected(state: str, code: str, *, is_locked: bool, has_right: bool) -> Step:
    if code == "garbage":
        return Step.NO_CODE
    if state == "unknown":
        return Step.UNKNOWN_DEVICE
    if not has_right:
        return Step.DENY_DEVICE
    return TABLE[state][code][is_locked]


@pytest.mark.parametrize(
    ("state", "code", "is_locked", "has_right"), list(product(STATES, CODES, LOCKS, RIGHTS))
)
def test_every_state_code_lock_and_right(state: str, code: str, is_locked: bool, has_right: bool) -> None:
    place = STATES[state]
    if not has_right:
        place = Place(is_known=place.is_known, is_hotdesk=False, extension=place.extension)
    step = next_step(place, CODES[code], is_locked=is_locked)
    assert step is expected(state, code, is_locked=is_locked, has_right=has_right)


def test_the_table_has_an_answer_for_every_code_that_can_be_dialled() -> None:
    assert set(TABLE) == set(STATES) - {"unknown"}
    assert {frozenset(row) for row in TABLE.values()} == {frozenset(CODES) - {"garbage"}}


@pytest.mark.parametrize(
    ("dialled", "extension", "pin"),
    [
        ("*35", "", ""), ("*35#", "", ""), ("*35*", "", ""), ("*35*10", "10", ""), ("*35*101", "101", ""), ("*35*101#", "101", ""),
        ("*35*101*", "101", ""), ("*35*123456", "123456", ""), ("*35*101*1234", "101", "1234"), ("*35*101*1234567890#", "101", "1234567890"),
        ("*35*101*1234*", "101", "1234"),
    ],
)  # fmt: skip
def test_codes_are_taken_apart(dialled: str, extension: str, pin: str) -> None:
    assert parse(dialled) == Dialled(extension, pin)


@pytest.mark.parametrize(
    "dialled",
    ["", "*3", "35", "*351", "*35*1", "*35*1234567", "*35*101*123", "*35*101*12345678901", "*35##", "*35*101*1234*5", "*35*a01", " *35", "*35\n", "*35*١٠١"],
)  # fmt: skip
def test_anything_else_is_no_code(dialled: str) -> None:
    assert parse(dialled) is None


def test_a_tenant_may_have_another_code() -> None:
    assert parse("**7*101*1234", code="**7") == Dialled("101", "1234")
    assert parse("*35", code="**7") is None
    assert parse("*35", code="") == Dialled()


@given(st.text(alphabet="0123456789*#", max_size=30))
def test_whatever_is_dialled_is_taken_apart_into_bounded_digits(text: str) -> None:
    found = parse("*35" + text)
    if found is not None:
        assert len(found.extension) in {0, 2, 3, 4, 5, 6}
        assert len(found.pin) in {0, *range(4, 11)}
        assert (
            "*35" + "".join(f"*{part}" for part in (found.extension, found.pin) if part)
            == ("*35" + text).rstrip("*#")
            or not found.extension
        )


@given(st.from_regex(r"[0-9]{2,6}", fullmatch=True), st.from_regex(r"[0-9]{4,10}", fullmatch=True))
def test_a_pin_is_never_written_down(extension: str, pin: str) -> None:
    assert masked(f"*35*{extension}*{pin}") == f"*35*{extension}*…"
    assert masked(f"*35*{extension}*{pin}#") == f"*35*{extension}*…"
    assert pin not in repr(Dialled(extension, pin)).replace(extension, "")


@pytest.mark.parametrize("dialled", ["*35", "*35*101", "*35*101*", "0201234567"])
def test_what_holds_no_pin_is_written_down_as_it_is(dialled: str) -> None:
    assert masked(dialled) == dialled
