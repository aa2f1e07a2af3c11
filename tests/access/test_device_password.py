import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.access.device_password import (
    LOOK_ALIKES,
    PasswordRule,
    check_device_password,
    generate_password,
    generate_pin,
    generate_sip_secret,
    is_trivial_pin,
    missing_from,
    strength,
)
from provisioner.errors import InvalidSetting, WeakPassword

UPPER, LOWER = "It needs an upper-case letter.", "It needs a lower-case letter."
DIGIT, SPECIAL = "It needs a digit.", "It needs a special character, such as - _ . ! *."
SHORT = "It needs at least 6 characters."
ASCII = "It can hold only printable ASCII characters: no accents, no control characters."


@pytest.mark.parametrize(
    ("password", "missing"),
    [
        ("Abc12!", []),
        ("zZ9~zz", []),
        ("aB3 xx", []),
        ("Abc1!", [SHORT]),
        ("abc12!", [UPPER]),
        ("ABC12!", [LOWER]),
        ("Abcde!", [DIGIT]),
        ("Abc123", [SPECIAL]),
        ("", [SHORT, UPPER, LOWER, DIGIT, SPECIAL]),
        ("Äbc12!", [ASCII, UPPER]),
        ("Abc12!\n", [ASCII]),
        ("Abc12!\x7f", [ASCII]),
        ("Abc1２!", [ASCII]),
        ("Abc12!" + "x" * 59, ["It can have at most 64 characters."]),
    ],
)
def test_the_rule_of_the_manual_with_one_message_for_each_missing_class(
    password: str, missing: list[str]
) -> None:
    assert missing_from(password) == missing


def test_a_refusal_carries_every_message() -> None:
    with pytest.raises(WeakPassword) as caught:
        check_device_password("abc")
    assert caught.value.data["missing"] == [SHORT, UPPER, DIGIT, SPECIAL]
    assert caught.value.field == "password"
    check_device_password("Abc12!")


def test_the_password_itself_is_never_in_the_message_t19() -> None:
    with pytest.raises(WeakPassword) as caught:
        check_device_password("canaryé")
    assert "canary" not in f"{caught.value} {caught.value.data}"


def test_a_tenant_can_be_stricter_but_never_weaker() -> None:
    assert missing_from("Abc12!", PasswordRule(shortest=12)) == ["It needs at least 12 characters."]
    with pytest.raises(InvalidSetting):
        PasswordRule(shortest=5)
    with pytest.raises(InvalidSetting):
        PasswordRule(longest=65)
    with pytest.raises(InvalidSetting):
        PasswordRule(shortest=12, longest=10)


@pytest.mark.parametrize("password", ["Password1!", "P@ssw0rd", "1Wachtwoord!", "Welcome-123", "Acme!2024"])
def test_common_words_with_trimmings_are_refused_t2(password: str) -> None:
    assert "common word" in missing_from(password, PasswordRule(forbidden=frozenset({"Acme"})))[0]


def test_the_mac_and_the_user_name_are_refused_t2() -> None:
    assert "MAC" in missing_from("A0:04:13:AA:bb:CC", mac="a00413aabbcc")[0]
    assert "user name" in missing_from("X1-anna.vis", username="Anna.Vis")[0]
    assert missing_from("Ab1-xyz", username="a") == []


@given(st.text(max_size=80))
def test_what_passes_really_has_all_four_classes(password: str) -> None:
    if not missing_from(password):
        assert len(password) >= 6
        assert password.isascii()
        for members in (string.ascii_uppercase, string.ascii_lowercase, string.digits):
            assert set(members) & set(password)
        assert set(password) - set(string.ascii_letters + string.digits)


@given(st.integers(6, 64), st.integers(6, 64))
def test_generated_passwords_follow_the_rule_and_the_phones_limit(shortest: int, longest: int) -> None:
    rule = PasswordRule(min(shortest, longest), max(shortest, longest))
    password = generate_password(rule)
    assert missing_from(password, rule) == []
    assert len(password) == min(max(20, rule.shortest), rule.longest)
    assert not LOOK_ALIKES & set(password)
    assert not set(password) - set(string.ascii_letters + string.digits + "-_.!*")


def test_generated_passwords_use_only_what_the_phones_take() -> None:
    rule = PasswordRule(longest=10, alphabet=frozenset("ABCabc012#"))
    password = generate_password(rule)
    assert len(password) == 10
    assert set(password) <= set("ABCabc012#")
    assert missing_from("ABCabc01!x", rule) == ["These phones do not take the characters ! x"]


def test_an_alphabet_in_which_the_rule_cannot_be_met_is_an_error_not_a_weaker_password() -> None:
    with pytest.raises(InvalidSetting, match="special character"):
        generate_password(PasswordRule(alphabet=frozenset(string.ascii_letters + string.digits)))


def test_no_two_generated_secrets_are_alike() -> None:
    assert len({generate_password() for _ in range(200)}) == 200
    secrets = {generate_sip_secret() for _ in range(200)}
    assert len(secrets) == 200
    assert all(len(secret) == 32 and secret.isalnum() and secret.isascii() for secret in secrets)


@pytest.mark.parametrize("pin", ["0000", "1234", "9876", "7890", "121212", "565656", "4321"])
def test_trivial_pins_are_known_t16(pin: str) -> None:
    assert is_trivial_pin(pin)


@pytest.mark.parametrize("pin", ["1357", "4711", "9090901", "1224"])
def test_other_pins_are_not_trivial(pin: str) -> None:
    assert not is_trivial_pin(pin)


@pytest.mark.parametrize("length", range(4, 11))
def test_generated_pins_are_digits_and_not_trivial_t16(length: int) -> None:
    pins = {generate_pin(length) for _ in range(100)}
    assert all(len(pin) == length and pin.isdigit() and not is_trivial_pin(pin) for pin in pins)
    assert len(pins) > 50


@pytest.mark.parametrize("length", [3, 11])
def test_pins_have_four_to_ten_digits(length: int) -> None:
    with pytest.raises(InvalidSetting):
        generate_pin(length)


def test_strength_grows_with_what_makes_a_password_strong() -> None:
    ladder = ["", "Abc12!", "Abk92!xq", "Abk92!xqT.4", generate_password()]
    marks = [strength(password) for password in ladder]
    assert marks == sorted(marks)
    assert (marks[0], marks[-1]) == (0, 4)
    assert strength("Password1!") == 0
    assert strength("aaaaaaaaaaaaaaaa") < 2
    assert strength("abcdefghijklmnop") < 3
