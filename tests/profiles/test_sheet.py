"""The settings sheet that a person types from."""

import json
from dataclasses import replace
from urllib.parse import unquote, urlsplit

import pytest

from provisioner.errors import ProfileBroken
from provisioner.profiles.rendering import Renderer
from provisioner.profiles.sheet import SheetEntry, load_sheet, with_user_info
from tests.support.generic_phone import account, body, phone, profiles, renderer, sheet

LANGUAGES = ["en", "nl", "de", "pl"]


def entries(language: str = "en", **facts: object) -> dict[tuple[int, str], SheetEntry]:
    found = sheet().entries(phone("Generic", **facts), language)  # type: ignore[arg-type]
    return {(entry.line, entry.id): entry for entry in found}


def test_the_sheet_has_everything_that_a_phone_asks_for() -> None:
    found = entries(
        settings={
            "sip_transport": "tls",
            "srtp": "mandatory",
            "voicemail_number": "1233",
            "codecs": ["opus", "pcma"],
        }
    )
    assert {name: entry.value for name, entry in found.items()} == {
        (1, "account_name"): "201",
        (1, "display_name"): "Dave D.",
        (1, "extension"): "201",
        (1, "user"): "dev-1",
        (1, "auth_user"): "dev-1",
        (1, "password"): "Sip-Secret-1",
        (1, "domain"): "pbx.example.net",
        (1, "realm"): "pbx.example.net",
        (1, "registrar"): "pbx.example.net",
        (1, "port"): "5061",
        (1, "transport"): "TLS (encrypted)",
        (1, "outbound_proxy"): "leave empty",
        (0, "expires"): "300",
        (0, "keepalive"): "30",
        (0, "srtp"): "mandatory (SDES)",
        (0, "codecs"): "OPUS, PCMA",
        (0, "dtmf"): "RFC 4733 (also called RFC 2833)",
        (0, "stun"): "off; ICE may stay on",
        (0, "voicemail"): "1233",
        (0, "voicemail_lamp"): "on",
        (0, "pickup"): "*8XXX",
        (0, "group_pickup"): "*8112",
        (0, "hotdesk"): "*35",
        (0, "emergency"): "112",
        (0, "digit_map"): "112|*8112",
        (0, "timezone"): "Europe/Amsterdam",
        (0, "ntp"): "pool.ntp.org",
        (0, "web_interface"): "HTTPS only, with the password below",
        (0, "phone_admin_password"): "Admin-Secret-1",
    }


def test_passwords_are_marked_secret_and_never_shown_by_repr() -> None:
    found = entries()
    assert {name for (_, name), entry in found.items() if entry.is_secret} == {
        "password",
        "phone_admin_password",
    }
    assert "Secret" not in repr(list(found.values()))


def test_an_empty_value_that_must_stay_empty_is_said_and_cannot_be_copied() -> None:
    proxy = entries()[1, "outbound_proxy"]
    assert (proxy.value, proxy.is_copyable) == ("leave empty", False)
    assert entries(settings={"outbound_proxy": "sbc.example.net"})[1, "outbound_proxy"].is_copyable


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_same_lines_in_words_of_its_own(language: str) -> None:
    found, english = entries(language), entries()
    assert list(found) == list(english)
    assert [entry.is_secret for entry in found.values()] == [entry.is_secret for entry in english.values()]
    assert len(sheet().advice(language)) == len(sheet().advice("en"))
    if language != "en":
        assert found[1, "password"].label != english[1, "password"].label
        assert found[0, "stun"].value != english[0, "stun"].value
        assert sheet().title(language) != sheet().title("en")


def test_an_unknown_language_gets_english() -> None:
    assert sheet().title("xx") == sheet().title("en")
    assert entries("xx") == entries()


def test_nobody_on_the_phone_leaves_only_the_phone_s_own_lines() -> None:
    assert {line for line, _ in entries(lines=())} == {0}
    assert (
        sheet().nobody("nl")
        in body("sheet", phone("Generic", lines=(), settings={"language": "nl"})).decode()
    )


def test_two_accounts_are_listed_one_after_the_other() -> None:
    found = sheet().entries(phone(lines=[account(1), account(3)]), "en")
    assert [entry.value for entry in found if entry.id == "password"] == ["Sip-Secret-1", "Sip-Secret-3"]
    assert list(dict.fromkeys(entry.line for entry in found)) == [1, 3, 0]


@pytest.mark.parametrize("word", ["SIP ALG", "30", "DMZ"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_advice_names_the_dangers(word: str, language: str) -> None:
    assert any(word in line for line in sheet().advice(language))


def test_the_text_file_says_what_the_entries_say() -> None:
    text = body("sheet", phone("Generic", settings={"language": "de"})).decode()
    assert [f"{entry.label}: {entry.value}" for entry in entries("de").values()] == [
        line for line in text.splitlines()[1:] if ": " in line and not line.startswith("* ")
    ]
    assert all(f"* {line}" in text for line in sheet().advice("de"))


def test_ready_made_texts_are_secret() -> None:
    copies = sheet().copies(phone(), "en")
    assert [copy.id for copy in copies] == ["baresip", "pjsua"]
    assert all(copy.is_secret and copy.is_copyable and "Sip-Secret-1" in copy.value for copy in copies)


def test_a_profile_without_a_sheet_has_none() -> None:
    other = next(profile for name, profile in profiles().all.items() if name != "generic")
    assert load_sheet(Renderer(other)) is None


def test_a_broken_table_names_the_place_and_a_missing_file_its_name() -> None:
    profile = renderer().profile
    table = profile.tables["sheet"]
    for broken, message in (
        ({**table, "title": {"en": "x"}}, "title.nl"),
        ({**table, "values": "nothing"}, "nothing"),
        ({**table, "values": "sheet"}, "not JSON"),
    ):
        with pytest.raises(ProfileBroken, match=message):
            load_sheet(Renderer(replace(profile, tables={**profile.tables, "sheet": broken})))


def test_every_value_has_a_line_in_the_table_and_every_line_a_value() -> None:
    values = json.loads(body("sheet_values", phone()))
    table = renderer().profile.tables["sheet"]["entries"]
    for scope, given in (("line", values["lines"][0]["values"]), ("device", values["device"])):
        assert sorted(entry["id"] for entry in table if entry["scope"] == scope) == sorted(given)


def test_user_info_survives_any_password() -> None:
    address = with_user_info(
        "https://h.example:8443/p/02/linphone.xml", username="desk@1", password="a:b/c@d?é%#"
    )
    parts = urlsplit(address)
    assert (parts.hostname, parts.port, parts.path) == ("h.example", 8443, "/p/02/linphone.xml")
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == ("desk@1", "a:b/c@d?é%#")
    assert with_user_info(address, username="x", password="y").startswith("https://x:y@h.example:8443/")
