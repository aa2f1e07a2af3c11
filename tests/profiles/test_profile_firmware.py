import pytest

from provisioner.errors import ProfileBroken
from provisioner.profiles.firmware import FirmwareCondition, parse_version


@pytest.mark.parametrize(
    ("condition", "version", "holds"),
    [
        (">=10.1.20", "10.1.20", True),
        (">=10.1.20", "10.1.9.77", False),
        (">=10.1.20", "10.1.169.16", True),
        ("<8.9", "8.9", False),
        ("<8.9", "8.10", False),
        ("<8.9", "8.8.99", True),
        (">=8.7,<8.9", "8.8", True),
        (">=8.7,<8.9", "10.0", False),
        ("<=2", "2.0.0", True),
        (">2", "2.0.0", False),
        ("", "1", True),
        (">=99", "", True),
        ("<99", "", False),
        (">=1", "no digits at all", True),
    ],
)
def test_versions_compare_number_by_number_and_an_unknown_one_is_the_newest(
    condition: str, version: str, holds: bool
) -> None:
    assert FirmwareCondition(condition).holds(parse_version(version)) is holds


def test_a_vendor_may_count_generations_in_the_second_number() -> None:
    condition = FirmwareCondition(">=86")
    assert condition.holds(parse_version("66.86.0.15", generation=2))
    assert not condition.holds(parse_version("124.85.257.55", generation=2))
    assert condition.holds(parse_version("", generation=2))


@pytest.mark.parametrize("text", ["10", "==3", ">=x", ">=1,,<2", "latest"])
def test_a_condition_that_is_not_one_is_refused(text: str) -> None:
    with pytest.raises(ProfileBroken):
        FirmwareCondition(text)


def test_a_firmware_text_without_end_is_cut() -> None:
    assert len(parse_version("1." * 100_000)) <= 64
