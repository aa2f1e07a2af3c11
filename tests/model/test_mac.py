import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import BadInput, InvalidMac
from provisioner.model import Mac, parse_extension
from provisioner.model.text import is_plain, plain

ADDRESSES = st.binary(min_size=6, max_size=6).filter(lambda raw: not raw[0] & 1 and raw != bytes(6))


@given(ADDRESSES, st.sampled_from(["", ":", "-", " "]), st.booleans())
def test_every_spelling_is_the_same_address(raw: bytes, separator: str, is_upper: bool) -> None:
    text = raw.hex(separator) if separator else raw.hex()
    assert Mac.parse(text.upper() if is_upper else text) == Mac(raw.hex().upper())


@given(ADDRESSES)
def test_what_people_read_is_read_back(raw: bytes) -> None:
    address = Mac(raw.hex().upper())
    assert Mac.parse(address.pretty) == address
    assert Mac.parse(".".join(str(address)[start : start + 4] for start in (0, 4, 8))) == address


@given(st.text())
def test_any_other_text_is_refused_with_a_sentence(text: str) -> None:
    digits, refusal = _read(text)
    if refusal is None:
        assert len(digits) == 12
        assert set(digits) <= set("0123456789ABCDEF")
    else:
        assert (refusal.field, len(refusal.detail) > 10) == ("mac", True)


def _read(text: str) -> tuple[str, InvalidMac | None]:
    try:
        return Mac.parse(text).digits, None
    except InvalidMac as error:
        return "", error


@pytest.mark.parametrize("text", ["1", "12345", "12a", "", "١٢٣"])
def test_an_extension_has_two_to_four_digits(text: str) -> None:
    with pytest.raises(BadInput):
        parse_extension(text)
    assert parse_extension(" 0123 ") == "0123"


@given(st.text(), st.integers(0, 20))
def test_strangers_text_becomes_plain(text: str, limit: int) -> None:
    assert is_plain(plain(text, limit=limit))
    assert len(plain(text, limit=limit)) <= limit


@pytest.mark.parametrize("text", ["a\nb", "\x00", "\x7f", "\x85", "\u2028", "\ud800"])
def test_control_characters_and_halves_are_not_plain(text: str) -> None:
    assert not is_plain(text)
