import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.mac import Mac
from provisioner.pki.names import mac_in, parse_name

MAC = Mac.parse("000413AABBCC")


@pytest.mark.parametrize(
    "text",
    [
        "CN=000413AABBCC",
        "CN=000413aabbcc,O=snom technology AG",
        "emailAddress=info@snom.com, CN=00:04:13:AA:BB:CC , O=Snom Technology AG,L=Berlin,ST=Berlin,C=DE",
        "/C=DE/ST=Berlin/L=Berlin/O=Snom Technology AG/CN=000413AABBCC",
        "/C=DE/O=A/B GmbH/CN=00-04-13-AA-BB-CC/emailAddress=x@y",
        r"O=Comma\, Inc,CN=000413AABBCC",
        'O="Comma, Inc",CN=000413AABBCC',
        r"CN=00041\33AABBCC",
        "OU=x+CN=000413AABBCC,O=y",
        "commonName=000413AABBCC",
        "2.5.4.3=000413AABBCC",
    ],
)
def test_the_mac_is_read_from_both_forms(text: str) -> None:
    assert mac_in(parse_name(text)) == MAC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CN=",
        "CN=Yealink Generic",
        "CN=000413AABBC",
        "CN=000413AABBCCD",
        "CN=phone 000413AABBCC",
        "CN=000413AABBCC.example.net",
        "CN=000000000000",
        "CN=FFFFFFFFFFFF",
        "CN=010413AABBCC",
        "CN=\uff10\uff10\uff10413AABBCC",
        "O=000413AABBCC",
        "O=CN=000413AABBCC",
        r"O=x\,CN=000413AABBCC",
        'O="x,CN=000413AABBCC"',
        "CN=000413AABBCC,CN=000413AABBDD",
        "/CN=000413AABBCC/CN=000413AABBCC",
        'CN="000413AABBCC',
        "CN=000413AABBCC\\",
        "CN=#0C0C303030343133414142424343",
        "CN=000413AABBCC," + "O=x," * 2000,
        "000413AABBCC",
        "/000413AABBCC",
    ],
)
def test_nothing_else_is_a_mac(text: str) -> None:
    assert mac_in(parse_name(text)) is None


def test_another_field_can_carry_the_mac() -> None:
    parts = parse_name("CN=Phone,serialNumber=000413AABBCC")
    assert mac_in(parts, field="serialNumber") == MAC
    assert mac_in(parts) is None


def test_parts_come_apart_in_order() -> None:
    assert parse_name(r"CN=a\+b\2C,O=x y") == (("CN", "a+b,"), ("O", "x y"))
    assert parse_name("/C=DE/O=x=y") == (("C", "DE"), ("O", "x=y"))


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    for form in (text, "/CN=" + text, "CN=" + text, 'O="' + text):
        mac_in(parse_name(form))
