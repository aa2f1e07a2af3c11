"""What is known about phones without a profile of their own, tried on the rendered files."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytest
from lxml import etree
from pydantic import BaseModel, ConfigDict, Field

from provisioner.composition.catalogue import load_catalogue
from provisioner.composition.phone_config import PhoneConfig
from tests.support.generic_phone import FOLDER, MAC, account, body, phone, profiles, renderer

HOSTILE = '"><x>&amp;\r\nreg_proxy=<sip:evil>\x00\x1b\u202e🙂%20\\" ;#' + "a" * 10_000
NS = "{http://www.linphone.org/xsds/lpconfig.xsd}"
Sections = Mapping[str, Mapping[str, str]]


def sections(config: PhoneConfig) -> Sections:
    """The Linphone file as its reader sees it; every entry must overwrite, or it would change nothing."""
    root = etree.fromstring(body("linphone", config))
    assert root.tag == f"{NS}config"
    found: dict[str, dict[str, str]] = {}
    for section in root:
        assert section.tag == f"{NS}section"
        entries = found.setdefault(str(section.attrib["name"]), {})
        for entry in section:
            assert entry.tag == f"{NS}entry"
            assert entry.attrib["overwrite"] == "true"
            assert entry.attrib["name"] not in entries
            entries[str(entry.attrib["name"])] = entry.text or ""
    return found


@pytest.mark.parametrize(
    ("agent", "firmware"),
    [
        ("Linphonec/5.1.65 (host) LinphoneSDK/5.1", "5.1.65"),
        ("LinphoneAndroid/6.0 (Pixel) LinphoneSDK/5.4", "6.0"),
        ("LinphoneiOS/5.2.5 (iPhone) LinphoneSDK/5.3", "5.2.5"),
        ("Linphone-Desktop/5.2.6 (host) Debian, Qt 5.15", "5.2.6"),
        ("linphone-daemon/5.1.65", "5.1.65"),
    ],
)
def test_the_app_is_known_by_its_user_agent(agent: str, firmware: str) -> None:
    seen = profiles().identify_agent(agent)
    assert seen is not None
    assert (seen.profile_id, seen.model_id, seen.firmware) == ("generic", "Linphone", firmware)


@pytest.mark.parametrize(
    "agent", ["Unknown", "", "curl/8.0", "Mozilla/5.0 Linphone/5", "Grandstream GXP2170 1.0"]
)
def test_nobody_else_is_taken_for_it(agent: str) -> None:
    assert profiles().identify_agent(agent) is None


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("020000001001/linphone.xml", "linphone"),
        ("020000001001.linphone.xml", "linphone"),
        ("02:00:00:00:10:01/account.json", "account"),
        ("02-00-00-00-10-01/SHEET.TXT", "sheet"),
        ("020000001001/sheet.json", "sheet_values"),
        ("020000001001/baresip.accounts", "baresip"),
        ("020000001001/pjsua.cfg", "pjsua"),
    ],
)
def test_files_are_known_by_their_names(path: str, file: str) -> None:
    match = profiles().match(path, {})
    assert match is not None
    assert (match.profile.id, match.file.id, match.mac) == ("generic", file, MAC)


@pytest.mark.parametrize(
    "path", ["linphone.xml", "020000001001/linphonexxml", "020000001001/x/linphone.xml", "020000001001"]
)
def test_other_names_are_none_of_these_files(path: str) -> None:
    match = profiles().match(path, {})
    assert match is None or match.profile.id != "generic"


def test_every_file_holds_secrets_so_none_is_public() -> None:
    assert {file.role for file in renderer().profile.files} == {"device"}


def test_the_address_to_type_names_the_device() -> None:
    assert renderer().profile.url("https://h:8443/p", MAC) == f"https://h:8443/p/{MAC}/linphone.xml"


def test_an_account_is_written_as_linphone_reads_it() -> None:
    found = sections(phone(settings={"sip_transport": "tls", "outbound_proxy": "sbc.example.net"}))
    assert found["proxy_0"] == {
        "reg_identity": '"Dave D." <sip:dev-1@pbx.example.net>',
        "reg_proxy": "<sip:pbx.example.net:5061;transport=tls>",
        "reg_route": "<sip:sbc.example.net:5061;transport=tls;lr>",
        "reg_expires": "300",
        "reg_sendregister": "1",
        "publish": "0",
    }
    assert found["auth_info_0"] == {
        "username": "dev-1",
        "userid": "dev-1",
        "passwd": "Sip-Secret-1",
        "ha1": "",
        "realm": "pbx.example.net",
        "domain": "pbx.example.net",
        "algorithm": "",
    }


@pytest.mark.parametrize("used", [(), (1,), (1, 2), (2, 4), (1, 2, 3, 4)])
def test_every_slot_is_written_and_an_unused_one_is_off_and_blank(used: tuple[int, ...]) -> None:
    found = sections(phone(lines=[account(position) for position in used]))
    names = {name for name in found if name.startswith(("proxy_", "auth_info_"))}
    assert names == {f"{kind}_{slot}" for kind in ("proxy", "auth_info") for slot in range(4)}
    for slot in range(4):
        proxy, auth = found[f"proxy_{slot}"], found[f"auth_info_{slot}"]
        if slot + 1 in used:
            assert proxy["reg_sendregister"] == "1"
            assert auth["passwd"] == f"Sip-Secret-{slot + 1}"
        else:
            assert set(proxy.values()) == {"", "0"}
            assert proxy["reg_sendregister"] == "0"
            assert proxy["reg_identity"] == proxy["reg_proxy"] == ""
            assert set(auth.values()) == {""}


def test_slots_have_the_same_entries_used_or_not_so_that_nothing_of_an_old_account_stays() -> None:
    found = sections(phone(lines=[account(2)]))
    for kind in ("proxy", "auth_info"):
        assert len({tuple(found[f"{kind}_{slot}"]) for slot in range(4)}) == 1


@pytest.mark.parametrize(("used", "default"), [((), "0"), ((1, 2), "0"), ((3,), "2")])
def test_calls_go_out_on_the_first_account_in_use(used: tuple[int, ...], default: str) -> None:
    assert sections(phone(lines=[account(n) for n in used]))["sip"]["default_proxy"] == default


@pytest.mark.parametrize(
    ("srtp", "encryption", "mandatory"),
    [("off", "none", "0"), ("optional", "srtp", "0"), ("mandatory", "srtp", "1")],
)
def test_voice_encryption(srtp: str, encryption: str, mandatory: str) -> None:
    sip = sections(phone(settings={"srtp": srtp}))["sip"]
    assert (sip["media_encryption"], sip["media_encryption_mandatory"]) == (encryption, mandatory)


@pytest.mark.parametrize(
    ("mode", "rfc", "info"),
    [("rfc4733", "1", "0"), ("info", "0", "1"), ("inband", "1", "0"), ("rfc4733_and_info", "1", "1")],
)
def test_key_tones_and_what_the_app_cannot_do_is_said(mode: str, rfc: str, info: str) -> None:
    config = phone(settings={"dtmf_mode": mode})
    sip = sections(config)["sip"]
    assert (sip["use_rfc2833"], sip["use_info"]) == (rfc, info)
    said = any("RFC 4733 is written" in sentence for sentence in renderer().limits(config))
    assert said == (mode == "inband")


def test_times_and_classes_are_in_linphone_s_units() -> None:
    found = sections(phone(settings={"keepalive_interval": 25, "dscp_voice": 46, "dscp_signalling": 5}))
    assert found["sip"]["keepalive_period"] == "25000"
    assert (found["rtp"]["audio_dscp"], found["sip"]["dscp"]) == ("0x2e", "0x05")


@pytest.mark.parametrize(("server", "protocols"), [("", ""), ("stun.example.net", "stun,ice")])
def test_a_stun_server_is_a_policy_of_ours_and_none_switches_it_off(server: str, protocols: str) -> None:
    found = sections(phone(settings={"stun_server": server}))
    assert found["nat_policy_0"] == {"ref": "provisioner", "stun_server": server, "protocols": protocols}
    assert found["net"]["nat_policy_ref"] == "provisioner"


def test_codecs_are_listed_in_order_and_the_list_ends_whatever_stood_there() -> None:
    every = list(load_catalogue()["codecs"].choices)
    found = sections(phone(settings={"codecs": every}))
    listed = [found[f"audio_codec_{slot}"]["mime"] for slot in range(8)]
    assert listed == ["opus", "G722", "PCMA", "PCMU", "G729", "G726-32", "iLBC", ""]
    assert found["misc"]["add_missing_audio_codecs"] == "0"
    short = sections(phone(settings={"codecs": ["pcma"]}))
    assert [short[f"audio_codec_{slot}"]["enabled"] for slot in range(8)] == ["1", *["0"] * 7]


def test_an_ipv6_registrar_stands_in_brackets() -> None:
    found = sections(phone(settings={"registrar_host": "2001:db8::5", "outbound_proxy": "2001:db8::6"}))
    assert found["proxy_0"]["reg_proxy"] == "<sip:[2001:db8::5]:5060;transport=udp>"
    assert found["proxy_0"]["reg_route"] == "<sip:[2001:db8::6]:5060;transport=udp;lr>"


def test_a_user_name_is_percent_encoded_in_the_address_and_literal_for_the_digest() -> None:
    found = sections(phone(lines=[account(user="+31 20@<x>")]))
    assert found["proxy_0"]["reg_identity"] == '"Dave D." <sip:+31%2020%40%3Cx%3E@pbx.example.net>'
    assert found["auth_info_0"]["username"] == "+31 20@<x>"


def hostile() -> PhoneConfig:
    config = phone(lines=[account(name=HOSTILE, user=HOSTILE, password=HOSTILE)])
    first = replace(config.lines[0], label=HOSTILE, domain=HOSTILE, registrar=HOSTILE, outbound_proxy=HOSTILE)
    return replace(config, name=HOSTILE, lines=(first, *config.lines[1:]))


def test_hostile_text_stays_in_its_value_in_the_client_s_ini_file() -> None:
    plain, found = sections(phone()), sections(hostile())
    assert {name: set(entries) for name, entries in found.items()} == {
        name: set(entries) for name, entries in plain.items()
    }
    assert not [
        value for entries in found.values() for value in entries.values() if "\n" in value or "\r" in value
    ]
    assert all(found[f"proxy_{slot}"]["reg_sendregister"] == "0" for slot in (1, 2, 3))


def test_a_display_name_cannot_leave_its_quotes() -> None:
    identity = sections(phone(lines=[account(name='a" <sip:evil@x>;\\')]))["proxy_0"]["reg_identity"]
    quoted = re.fullmatch(r'"((?:[^"\\]|\\.)*)" <sip:dev-1@pbx\.example\.net>', identity)
    assert quoted is not None
    assert re.sub(r"\\(.)", r"\1", quoted[1]) == 'a" <sip:evil@x>;\\'


# ---- the JSON form -----------------------------------------------------------------------------------------


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Device(Strict):
    mac: str = Field(pattern=r"^[0-9A-F]{12}$")
    name: str
    model: str


class Hop(Strict):
    host: str
    port: int | None = Field(ge=1, le=65535)
    transport: Literal["udp", "tcp", "tls"]


class Account(Strict):
    position: int = Field(ge=1)
    active: bool
    extension: str | None
    label: str | None
    display_name: str | None
    user: str | None
    auth_user: str | None
    password: str | None
    domain: str | None
    realm: str | None
    registrar: Hop | None
    outbound_proxy: Hop | None


class DialRule(Strict):
    kind: Literal["emergency", "group_pickup", "pickup", "internal", "hotdesk"]
    prefix: str
    choices: str
    digits: int
    at_once: bool
    mask: str


class Document(Strict):
    version: Literal[1]
    device: Device
    accounts: list[Account]
    dial_plan: list[DialRule]
    settings: dict[str, Any]


JSON_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "boolean": bool,
    "integer": int,
    "string": str,
    "array": list,
}


def schema() -> dict[str, Any]:
    text = (FOLDER / "generic" / "account.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def check_against_schema(text: bytes) -> Document:
    """The document, after a check of its shape (here) and of its settings (by the published schema)."""
    document = Document.model_validate_json(text)
    rules = schema()["properties"]["settings"]
    assert list(document.settings) == rules["required"] == list(rules["properties"])
    for name, value in document.settings.items():
        rule = rules["properties"][name]
        assert type(value) is JSON_TYPES[rule["type"]], name
        assert value in rule.get("enum", [value]), name
        assert "minimum" not in rule or value >= rule["minimum"], name
        assert "maximum" not in rule or value <= rule["maximum"], name
        if isinstance(value, list):
            assert all(
                isinstance(item, str) and item in rule["items"].get("enum", [item]) for item in value
            ), name
    return document


def names_of(model: type[BaseModel]) -> list[str]:
    return list(model.model_fields)


def test_the_published_schema_has_the_fields_of_the_form() -> None:
    top = schema()
    properties = top["properties"]
    account_rules = properties["accounts"]["items"]
    assert names_of(Document) == top["required"] == list(properties)
    assert names_of(Device) == properties["device"]["required"] == list(properties["device"]["properties"])
    assert names_of(Account) == account_rules["required"] == list(account_rules["properties"])
    assert names_of(Hop) == account_rules["properties"]["registrar"]["required"]
    assert top["additionalProperties"] is account_rules["additionalProperties"] is False


def test_the_published_schema_knows_exactly_the_settings_of_the_catalogue() -> None:
    properties = schema()["properties"]["settings"]["properties"]
    catalogue = load_catalogue().phone_settings
    assert list(properties) == list(catalogue)
    for name, setting in catalogue.items():
        rule = properties[name]
        assert tuple(rule.get("enum", ())) == (setting.choices if setting.type == "choice" else ())
        assert (rule.get("minimum"), rule.get("maximum")) == (setting.minimum, setting.maximum)


@pytest.mark.parametrize("model", ["Generic", "Linphone"])
@pytest.mark.parametrize("used", [(), (1,)])
def test_the_json_form_follows_its_schema(model: str, used: tuple[int, ...]) -> None:
    document = check_against_schema(body("account", phone(model, lines=[account(n) for n in used])))
    assert len(document.accounts) == renderer().profile.models[model].lines
    for slot in document.accounts:
        values = slot.model_dump(exclude={"position", "active"})
        assert slot.active == (slot.position in used)
        assert slot.active or set(values.values()) == {None}


def test_the_json_form_says_the_account() -> None:
    config = phone(
        "Generic",
        settings={"sip_transport": "tls", "outbound_proxy": "sbc.example.net", "outbound_proxy_port": 5090},
    )
    slot = check_against_schema(body("account", config)).accounts[0]
    assert (slot.user, slot.auth_user, slot.password, slot.realm) == (
        "dev-1",
        "dev-1",
        "Sip-Secret-1",
        "pbx.example.net",
    )
    assert slot.registrar == Hop(host="pbx.example.net", port=5061, transport="tls")
    assert slot.outbound_proxy == Hop(host="sbc.example.net", port=5090, transport="tls")


def test_json_keeps_hostile_text_as_it_is() -> None:
    document = check_against_schema(body("account", hostile()))
    assert document.accounts[0].display_name == HOSTILE
    assert document.device.name == HOSTILE


@pytest.mark.parametrize(("on_phone", "target"), [(False, ""), (True, "0612345678")])
def test_forwarding_is_told_only_when_the_phone_forwards(on_phone: bool, target: str) -> None:
    config = phone("Generic", settings={"forward_always": "0612345678", "forward_on_phone": on_phone})
    assert check_against_schema(body("account", config)).settings["forward_always"] == target


def golden() -> list[Path]:
    return sorted((FOLDER / "generic" / "cases").glob("*/account.json"))


def test_there_are_golden_cases() -> None:
    assert len(golden()) >= 6


@pytest.mark.parametrize("path", golden(), ids=lambda path: path.parent.name)
def test_golden_files_follow_the_published_schema(path: Path) -> None:
    check_against_schema(path.read_bytes())


def test_the_documented_example_is_a_valid_account() -> None:
    page = (FOLDER.parent / "docs" / "generic-json.md").read_text(encoding="utf-8")
    example = re.search(r"```json\n(.*?)```", page, re.DOTALL)
    assert example is not None
    document = Document.model_validate_json(example[1])
    assert set(document.settings) <= set(load_catalogue().settings)
    for field in names_of(Account):
        assert f"`accounts[].{field}`" in page or f"`{field}`" in page, field


# ---- ready to paste ----------------------------------------------------------------------------------------


def test_baresip_gets_one_line_for_each_account_in_use() -> None:
    text = body(
        "baresip",
        phone(lines=[account(1), account(3)], settings={"sip_transport": "tls", "srtp": "mandatory"}),
    )
    assert text.decode().splitlines() == [
        f'"Dave D." <sip:dev-{n}@pbx.example.net;transport=tls>;auth_user=dev-{n};auth_pass=Sip-Secret-{n}'
        ';outbound="sip:pbx.example.net:5061;transport=tls";regint=300;mediaenc=srtp-mand'
        for n in (1, 3)
    ]


def test_pjsua_gets_one_option_in_each_line() -> None:
    lines = body(
        "pjsua", phone(lines=[account(1), account(2)], settings={"sip_transport": "tls", "srtp": "optional"})
    ).decode()
    assert lines.splitlines() == [
        '--id "sip:dev-1@pbx.example.net"',
        '--registrar "sip:pbx.example.net:5061;transport=tls"',
        '--realm "pbx.example.net"',
        '--username "dev-1"',
        '--password "Sip-Secret-1"',
        "--reg-timeout 300",
        "--next-account",
        '--id "sip:dev-2@pbx.example.net"',
        '--registrar "sip:pbx.example.net:5061;transport=tls"',
        '--realm "pbx.example.net"',
        '--username "dev-2"',
        '--password "Sip-Secret-2"',
        "--reg-timeout 300",
        "--use-tls",
        "--use-srtp 1",
    ]


def test_hostile_text_adds_no_line_to_a_pasted_file() -> None:
    assert len(body("baresip", hostile()).decode().splitlines()) == 1
    options = body("pjsua", hostile()).decode().splitlines()
    assert [line.split(" ")[0] for line in options] == [
        *("--id", "--registrar", "--realm", "--username", "--password", "--outbound", "--reg-timeout")
    ]
    assert all(line.count('"') in {0, 2} for line in options)


@pytest.mark.parametrize("file", ["linphone", "account", "sheet", "sheet_values", "baresip", "pjsua"])
def test_logged_out_no_file_names_an_account(file: str) -> None:
    text = body(file, phone(lines=()))
    assert b"Sip-Secret" not in text
    assert b"dev-" not in text


def test_two_renderings_are_the_same_bytes() -> None:
    for file in renderer().profile.files:
        assert body(file.id, phone()) == body(file.id, phone())


def test_the_app_says_what_it_cannot_take_only_when_somebody_chose_it() -> None:
    assert renderer().limits(phone()) == ()
    chosen = renderer().limits(phone(settings={"vlan_id": 12}))
    assert len(chosen) == 1
    assert chosen[0].startswith("vlan_id: ")
    assert renderer().limits(phone("Generic", settings={"vlan_id": 12})) == ()


def test_entries_of_the_sheet_come_in_the_order_of_typing() -> None:
    text = body("sheet", phone("Generic")).decode()
    places = [
        text.index(word)
        for word in ("SIP user name", "Password:", "Domain", "Registrar", "Registration time", "SIP ALG")
    ]
    assert all(earlier < later for earlier, later in pairwise(places))
