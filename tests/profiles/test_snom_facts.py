"""What the vendor's fact sheet says about these phones, tried on the profile: matching, numbering, resets, time."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from lxml import etree

from provisioner.composition.assemble import Shape, StoredDevice, StoredLine, assemble
from provisioner.composition.catalogue import load_catalogue
from provisioner.composition.compose import KeyLayer, Layer
from provisioner.composition.line_keys import SharedFacts
from provisioner.composition.phone_config import KeyConfig, LineKind, PhoneConfig, ServerFacts
from provisioner.profiles.bootstrap import Bootstrap
from provisioner.profiles.loader import Profiles, load_profile
from provisioner.profiles.manifest import Profile
from provisioner.profiles.protocols import BootstrapFacts, BootstrapServer
from provisioner.profiles.rendering import Rendered, Renderer

FOLDER = Path(__file__).parents[2] / "vendor_profiles" / "snom"
TODAY = date(2026, 11, 22)
MAC = "000413AABBCC"
SERVER = ServerFacts(
    https_url="https://prov.example.net:8443",
    http_url="http://prov.example.net:8080",
    action_url="https://prov.example.net:8443/a/a-secret-path",
    ca_url="http://prov.example.net:8080/p/ca.crt",
)
SECRETS = ("Sip-Secret-1", "ConfSecret1", "Admin-Secret-1", "918273", "a-secret-path")
ANNA = StoredLine(1, LineKind.USER, account="d-1", password=SECRETS[0], user_name="Anna Bąk", extension="201")


@cache
def profile() -> Profile:
    return load_profile(FOLDER, settings=load_catalogue().phone_settings)


@cache
def profiles() -> Profiles:
    return Profiles({"snom": profile()}, {})


@cache
def renderer() -> Renderer:
    return Renderer(profile())


def phone(
    model: str,
    *,
    firmware: str = "10.1.184.15",
    settings: Mapping[str, Any] | None = None,
    keys: Sequence[KeyConfig] = (),
    lines: Sequence[StoredLine] = (ANNA,),
) -> PhoneConfig:
    known = profile().models[model]
    stored = StoredDevice(
        mac=MAC,
        name="Desk",
        profile="snom",
        model=model,
        firmware=firmware,
        username="d-000413aabbcc",
        password=SECRETS[1],
        path="/p",
        admin_password=SECRETS[2],
        admin_pin=SECRETS[3],
        lines=lines,
        layers=(
            Layer("tenant", "Acme", {"sip_domain": "pbx.example.net"}),
            Layer("device", "Desk", settings or {}),
        ),
        key_layers=(KeyLayer("device", keys),),
    )
    shape = Shape(
        known.lines, known.keys_accepted or known.keys, modules=known.modules, module_keys=known.module_keys
    )
    return assemble(load_catalogue(), stored, shape=shape, server=SERVER, today=TODAY)


def render(config: PhoneConfig) -> Rendered:
    return renderer().render(profile().file("device"), config)


def tree(config: PhoneConfig) -> etree._Element:
    return etree.fromstring(render(config).body)


def values(config: PhoneConfig, idx: int | None = None) -> dict[str, str]:
    """The settings of identity `idx`, or of the phone as a whole; a name that stands twice is a mistake."""
    found: dict[str, str] = {}
    for element in tree(config).iterfind("phone-settings/*"):
        name = str(element.tag)
        place = None if name.startswith("context_key") else element.get("idx")
        if place == (None if idx is None else str(idx)):
            assert name not in found, name
            found[name] = element.text or ""
    return found


def keys_of(config: PhoneConfig) -> dict[int, etree._Element]:
    elements = tree(config).findall("functionKeys/fkey")
    found = {int(element.get("idx", "")): element for element in elements}
    assert len(found) == len(elements), "an index stands twice"
    return found


# ---- matching ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agent", "model", "firmware", "mac"),
    [
        (
            "Mozilla/4.0 (compatible; snom320-SIP 6.5.20; snom320 jffs2 v3.36; snom320 linux 3.38)",
            "320",
            "6.5.20",
            None,
        ),
        ("Mozilla/4.0 (compatible; snom320-SIP 7.3.30 1.1.3-u)", "320", "7.3.30", None),
        ("Mozilla/4.0 (compatible; snom320-SIP 8.4.18 1.1.3-s)", "320", "8.4.18", None),
        ("Mozilla/4.0 (compatible; snom710-SIP 8.7.3.19 1.1.5-IFX-05.01.12)", "D710", "8.7.3.19", None),
        (
            "Mozilla/4.0 (compatible; snom710-SIP 8.7.5.35 1.1.5-IFX-05.01.12 000413741767)",
            "D710",
            "8.7.5.35",
            "000413741767",
        ),
        ("Mozilla/4.0 (compatible; snom760-SIP 8.7.3.19 2010.06)", "760", "8.7.3.19", None),
        ("Mozilla/4.0 (compatible; snom820-SIP 8.4.35 1.1.4-IFX-26.11.09)", "820", "8.4.35", None),
        ("Mozilla/4.0 (compatible; snom870-SIP 8.4.35 SPEAr300 SNOM 1.4)", "870", "8.4.35", None),
        ("Mozilla/4.0 (compatible; snomPA1-SIP 8.4.35 1.1.3-s)", "PA1", "8.4.35", None),
        (
            "Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33 2010.12-00004-g9ba52f5 000413922D24 SXM:0 UXM:0)",
            "D785",
            "10.1.33.33",
            "000413922D24",
        ),
        (
            "Mozilla/4.0 (compatible; snomD785-SIP 10.1.169.16 2010.12-00001-gd311851f1 (Feb 25 2019 - 14:19:43) 00041396D9B4 SXM:0 UXM:0 UXMC:0)",
            "D785",
            "10.1.169.16",
            "00041396D9B4",
        ),
        ("Mozilla/4.0 (compatible; snom720 8.7.5.35)", "720", "8.7.5.35", None),
        ("Mozilla/4.0 (compatible; Snom M900 05.20.0001 000413b60680)", None, "05.20.0001", "000413B60680"),
        ("snomD785/10.1.198.12", "D785", "10.1.198.12", None),
        ("snomD785/10.1.198.12 0004130DD7C9", "D785", "10.1.198.12", "0004130DD7C9"),
        ("snomM700/03.23.0005 (MAC=000413AABBCC; SER= 00000; HW=255)", None, "03.23.0005", MAC),
        ("snomD895-SIP 10.1.226.16 1C7126AABBCC", "D895M", "10.1.226.16", "1C7126AABBCC"),
        ("snomD999-SIP 10.1.230.1 000413AABBCC", None, "10.1.230.1", MAC),
    ],
)
def test_a_user_agent_says_model_firmware_and_a_mac_of_twelve_digits_only(
    agent: str, model: str | None, firmware: str, mac: str | None
) -> None:
    seen = profiles().identify_agent(agent)
    assert seen is not None
    assert (seen.profile_id, seen.model_id, seen.firmware, seen.mac) == ("snom", model, firmware, mac)


def test_the_oldest_agent_says_nothing() -> None:
    assert profiles().identify_agent("Mozilla/4.0 (compatible; snom lid 3605)") is None


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("snomD735-000413AABBCC.htm", {}),
        ("000413AABBCC.xml", {}),
        ("000413aabbcc.xml", {}),
        ("00:04:13:AA:BB:CC.xml", {}),
        ("00%3A04%3A13%3AAA%3ABB%3ACC.xml", {}),
        ("config-000413AABBCC.xml", {}),
        ("", {"mac": "00-04-13-aa-bb-cc"}),
    ],
)
def test_every_spelling_asks_for_the_same_device(path: str, query: dict[str, str]) -> None:
    match = profiles().match(path, query)
    assert match is not None
    assert (match.file.role, match.mac) == ("device", MAC)


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("snomD735.htm", "bootstrap"),
        ("snom715.htm", "bootstrap"),
        ("snomD735-firmware.htm", "absent"),
        ("config.xml", "absent"),
    ],
)
def test_files_without_a_mac_are_public_or_absent(path: str, role: str) -> None:
    match = profiles().match(path, {})
    assert match is not None
    assert (match.file.role, match.mac) == (role, None)


def test_no_other_path_is_taken() -> None:
    assert profiles().match("y000000000066.cfg", {}) is None
    assert profiles().match("snomD735-000413AABBC.htm", {}) is None
    assert profiles().match("", {}) is None


def test_the_address_blocks_are_known() -> None:
    assert profiles().vendor_of_oui("1C7126000000") == ("snom",)
    assert profiles().vendor_of_oui("00:04:13:00:00:00") == ("snom",)


def test_the_typed_address_keeps_the_phones_own_placeholder() -> None:
    assert (
        profile().url("https://prov.example.net:8443/p", MAC) == "https://prov.example.net:8443/p/{mac}.xml"
    )


def test_the_public_file_leads_to_https_and_holds_nothing_else() -> None:
    facts = BootstrapFacts(
        BootstrapServer(https_url="https://prov.example.net:8443"),
        base="https://prov.example.net:8443/p",
        model="D735",
    )
    body = Bootstrap(profile()).render(profile().file("bootstrap"), facts).body
    elements = etree.fromstring(body).findall(".//*")
    assert [(element.tag, element.text) for element in elements if element.text and element.text.strip()] == [
        ("setting_server", "https://prov.example.net:8443/p/{mac}.xml")
    ]


# ---- one phone's file ---------------------------------------------------------------------------------------------


def test_every_model_renders_all_its_lines_and_keys_once() -> None:
    for model in profile().models.values():
        config = phone(model.id, firmware=model.extras.get("last_firmware", ""))
        own = max(model.keys, model.keys_accepted)
        written = keys_of(config)
        assert set(range(own)) <= set(written), model.id
        assert len(written) == own + model.modules * model.module_keys, model.id
        active = [element.text for element in tree(config).iterfind("phone-settings/user_active")]
        assert active == ["on"] + ["off"] * (model.lines - 1), model.id


def test_the_first_setting_is_the_one_that_only_counts_there() -> None:
    first = tree(phone("D735")).find("phone-settings/*")
    assert first is not None
    assert first.tag == "auto_reboot_on_setting_change"


def test_unused_identities_are_written_off_and_blank() -> None:
    blank = values(phone("D735"), 12)
    assert blank["user_active"] == "off"
    for name in ("user_name", "user_pass", "user_host", "user_realname", "user_mailbox", "user_outbound"):
        assert not blank[name], name


def test_security_defaults() -> None:
    config = phone("D865")
    device, line = values(config), values(config, 1)
    expected = {
        "setting_server": "https://prov.example.net:8443/p/{mac}.xml",
        "http_client_user": "d-000413aabbcc",
        "http_client_pass": SECRETS[1],
        "pnp_config": "off",
        "challenge_response": "off",
        "filter_registrar": "on",
        "settings_refresh_timer": "0",
        "prov_polling_mode": "random",
        "prov_polling_period": "86400",
        "prov_polling_time": "01:00",
        "prov_polling_time_rand_end": "04:00",
        "update_policy": "settings_only",
        "webserver_type": "https",
        "http_pass": SECRETS[2],
        "webserver_admin_password": SECRETS[2],
        "webserver_user_password": SECRETS[2],
        "admin_mode": "off",
        "admin_mode_password": SECRETS[3],
        "admin_mode_password_confirm": SECRETS[3],
        "xml_notify": "on",
        "call_completion": "off",
        "user_phone": "off",
        "network_id_port": "5060",
    }
    assert {name: device.get(name) for name in expected} == expected
    assert line["user_srtp"] == "off"
    assert line["mac_info_in_sip_register"] == "on"
    assert line["user_outbound"] == "pbx.example.net:5060;transport=udp"
    permissions = {element.tag: element.get("perm") for element in tree(config).iterfind("phone-settings/*")}
    assert permissions["admin_mode"] == permissions["setting_server"] == "RW"
    assert " " not in permissions.values(), "a blank is read only, and nobody sees it"


def test_old_phones_get_the_names_they_know() -> None:
    device, line = values(phone("320", firmware="8.4.18")), values(phone("320", firmware="8.4.18"), 1)
    assert not [
        name for name in device if name.startswith(("webserver_admin", "webserver_user", "prov_polling"))
    ]
    assert device["settings_refresh_timer"] == "86400"
    assert "codec_priority_list" not in line
    assert [line[f"codec{n}_name"] for n in range(1, 8)] == ["9", "8", "0", "8", "8", "8", "8"]


@pytest.mark.parametrize(("jitter", "mode", "end"), [(0, "abs", "23:00"), (180, "random", "02:00")])
def test_the_nightly_window_may_cross_midnight(jitter: int, mode: str, end: str) -> None:
    device = values(phone("D735", settings={"poll_start": 23, "poll_jitter": jitter}))
    assert (device["prov_polling_mode"], device["prov_polling_time_rand_end"]) == (mode, end)


def test_an_interval_below_a_day_is_spread_over_itself() -> None:
    device = values(phone("D735", settings={"poll_interval": 60}))
    assert (device["prov_polling_mode"], device["prov_polling_period"]) == ("random", "3600")


def test_the_event_addresses_carry_the_token_an_event_the_server_knows_and_the_phones_variables() -> None:
    from provisioner.services.registrations.hints import EVENTS

    device = values(phone("D735"))
    names = ("action_log_on_url", "action_log_off_url", "action_reg_failed", "action_setup_url")
    for name in names:
        address, _, query = device[name].partition("?")
        assert address.startswith(f"{SERVER.action_url}/"), name
        assert "mac=$mac" in query, name
    assert {device[name].partition("?")[0].rpartition("/")[2] for name in names} <= set(EVENTS)


def test_forwarding_is_off_unless_the_tenant_leaves_it_to_the_phone() -> None:
    wanted = {"forward_always": "0701", "forward_no_answer": "0702", "forward_no_answer_time": 15}
    off = values(phone("D735", settings=wanted), 1)
    assert (off["fwd_all_enabled"], off["fwd_all_target"], off["fwd_time_enabled"]) == ("off", "", "off")
    on = values(phone("D735", settings=wanted | {"forward_on_phone": True}), 1)
    assert (on["fwd_all_enabled"], on["fwd_all_target"]) == ("on", "0701")
    assert (on["fwd_time_enabled"], on["fwd_time_target"], on["fwd_time_secs"]) == ("on", "0702", "15")
    assert on["fwd_busy_enabled"] == "off"


def test_a_users_own_dnd_survives_a_fetch_and_a_guest_does_not_inherit_it() -> None:
    guest = StoredLine(1, LineKind.HOTDESK, account="d-1", password="x", user_name="Bob", extension="202")
    permission = {
        line.kind: tree(phone("D735", lines=(line,))).find("phone-settings/dnd_mode[@idx='1']")
        for line in (ANNA, guest)
    }
    assert {kind: element.get("perm") for kind, element in permission.items() if element is not None} == {
        LineKind.USER: "!",
        LineKind.HOTDESK: "",
    }


def test_a_shared_line_speaks_the_one_mode_that_is_left() -> None:
    sales = SharedFacts("Sales", "s-1", "sca", 2, is_barge_in=False, is_private_hold=False)
    shared = StoredLine(2, LineKind.SHARED, account="d-2", password="x", extension="300", shared=sales)
    line = values(phone("D735", lines=(ANNA, shared)), 2)
    assert (line["user_shared_line"], line["user_server_type"]) == ("on", "broadsoft")


def test_encrypted_voice_and_key_tones() -> None:
    line = values(phone("D735", settings={"srtp": "mandatory", "dtmf_mode": "info"}), 1)
    assert (line["user_srtp"], line["user_savp"]) == ("on", "mandatory")
    assert line["user_dtmf_info"] == "sip_info_only"
    assert line["codec_priority_list"] == "g722,pcma,pcmu"


def test_a_codec_that_the_model_has_not_is_left_out_and_said() -> None:
    rendered = render(phone("D710", firmware="8.9.3.80", settings={"codecs": ["opus", "ilbc", "g726_32"]}))
    assert b">g726-32,telephone-event<" in rendered.body
    assert len([warning for warning in rendered.warnings if "left out" in warning]) == 2


def test_an_ipv6_registrar_stands_in_brackets() -> None:
    line = values(phone("D735", settings={"outbound_proxy": "2001:db8::1", "sip_transport": "tls"}), 1)
    assert line["user_outbound"] == "[2001:db8::1]:5061;transport=tls"


# ---- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "index"), [("D735", 32), ("D785", 24), ("D865", 40), ("D862", 32), ("D385", 174)]
)
def test_the_first_key_of_the_first_module(model: str, index: int) -> None:
    key = KeyConfig(slot=1, module=1, type="blf", target="202", label="Bob")
    assert keys_of(phone(model, keys=[key]))[index].text == "blf 202|*8"


def test_later_modules_follow_each_other() -> None:
    key = KeyConfig(slot=3, module=2, type="speed_dial", target="0031", label="Out")
    assert keys_of(phone("D385", keys=[key]))[174 + 18 + 2].text == "speed 0031"
    assert keys_of(phone("D865", keys=[key]))[40 + 60 + 2].text == "speed 0031"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (KeyConfig(1), "line"),
        (KeyConfig(1, type="line"), "line"),
        (KeyConfig(1, type="blf", target="202|9"), "blf 2029|*8"),
        (KeyConfig(1, type="pickup", target="202"), "speed *8202"),
        (KeyConfig(1, type="group_pickup"), "speed *8112"),
        (KeyConfig(1, type="park", target="701"), "orbit 701"),
        (KeyConfig(1, type="dnd"), "keyevent F_DND"),
        (KeyConfig(1, type="forward_always"), "keyevent F_REDIRECT"),
        (KeyConfig(1, type="forward_always", target="203"), "redirect 203"),
        (KeyConfig(1, type="speed_dial", target="*35"), "speed *35"),
        (KeyConfig(1, type="retrieve", target="701"), "speed 701"),
        (KeyConfig(1, type="voicemail", target="*97"), "speed *97"),
        (KeyConfig(1, type="voicemail"), "keyevent F_RETRIEVE"),
        (KeyConfig(1, type="dtmf", target="1234"), "dtmf 1234"),
        (KeyConfig(1, type="transfer_blind", target="203"), "transfer 203"),
        (KeyConfig(1, type="transfer_blind"), "keyevent F_TRANSFER"),
        (KeyConfig(1, type="transfer_attended", target="203"), "dtmf **203"),
        (KeyConfig(1, type="conference"), "keyevent F_CONFERENCE"),
        (KeyConfig(1, type="hold"), "keyevent F_HOLD"),
        (KeyConfig(1, type="redial"), "keyevent F_REDIAL"),
        (KeyConfig(1, type="directory"), "keyevent F_ADR_BOOK"),
        (KeyConfig(1, type="xml", target="https://x/menu"), "url https://x/menu"),
        (KeyConfig(1, type="record", target="*2"), "recorder *2"),
        (KeyConfig(1, type="record"), "keyevent F_REC"),
        (KeyConfig(1, type="hotdesk_switch", target="202"), "speed *35*202"),
        (KeyConfig(1, type="intercom", target="202"), "icom 202"),
        (KeyConfig(1, type="hotdesk"), "speed *35"),
        (KeyConfig(1, type="url", target="https://x/?a=1&b=2"), "url https://x/?a=1&b=2"),
        (KeyConfig(1, type="multicast", target="239.255.0.1:5000"), "multicast 239.255.0.1:5000"),
    ],
)
def test_key_types_in_the_vendors_words(key: KeyConfig, text: str) -> None:
    assert keys_of(phone("D785", keys=[key]))[0].text == text


@pytest.mark.parametrize("kind", ["forward_busy", "forward_no_answer", "prefix"])
def test_a_type_that_these_phones_do_not_know_is_told_and_left_empty(kind: str) -> None:
    config = phone("D785", keys=[KeyConfig(2, type=kind, target="203")])
    assert keys_of(config)[1].text == "line"
    assert any(f"key 2 ({kind})" in warning for warning in renderer().limits(config))


def test_park_is_a_plain_call_where_orbit_is_not_known() -> None:
    assert keys_of(phone("D385", keys=[KeyConfig(1, type="park", target="701")]))[0].text == "speed 701"


def test_an_empty_module_key_is_switched_off() -> None:
    assert keys_of(phone("D785"))[24].text == "none"


def test_a_key_of_an_identity_that_is_not_there_follows_the_active_one() -> None:
    keys = [KeyConfig(1, type="line", line=1), KeyConfig(2, type="line", line=2)]
    written = keys_of(phone("D785", keys=keys))
    assert [written[0].get("context"), written[1].get("context")] == ["1", "active"]


@pytest.mark.parametrize(
    "label", ['A "B" <br> & C', "Ünïcode 漢字 \U0001f600", "tab\tand\nbreak", "'single' %s {mac}"]
)
def test_a_label_comes_back_as_it_was(label: str) -> None:
    key = KeyConfig(1, type="speed_dial", target="1", label=label)
    assert keys_of(phone("D785", keys=[key]))[0].get("label") == label


def test_what_xml_cannot_hold_is_taken_out_of_a_label() -> None:
    key = KeyConfig(1, type="speed_dial", target="1", label="a\x0bb\x00c\ud800d")
    assert keys_of(phone("D785", keys=[key]))[0].get("label") == "abcd"


# ---- time -----------------------------------------------------------------------------------------------------------------

DST = re.compile(
    r"(\d+) (\d\d)\.(\d\d)\.(\d\d) (\d\d):(\d\d):(\d\d) (\d\d)\.(\d\d)\.(\d\d) (\d\d):(\d\d):(\d\d)"
)
ZONES = sorted(zone for zone in available_timezones() if zone.startswith(("Europe/", "America/")))


def moment(year: int, parts: Sequence[int]) -> datetime:
    """A change as the phone reads it: month, week (5 the last), weekday (7 Sunday), hour, minute, second."""
    month, week, weekday, hour, minute, second = parts
    days = [day for day in month_days(year, month) if day.isoweekday() == weekday]
    return datetime.combine(days[-1] if week == 5 else days[week - 1], time(hour, minute, second))


def month_days(year: int, month: int) -> list[date]:
    first = date(year, month, 1)
    return [day for day in (first + timedelta(n) for n in range(31)) if day.month == month]


def phone_offset(offset: int, dst: str) -> dict[date, int]:
    """What a phone shows at noon of every day of five years, from the two values of its file alone."""
    found = DST.fullmatch(dst)
    assert found or not dst, dst
    days = [TODAY + timedelta(n) for n in range(5 * 365)]
    if not found:
        return dict.fromkeys(days, offset)
    saving, *numbers = (int(text) for text in found.groups())
    changes = {
        year: (moment(year, numbers[:6]), moment(year, numbers[6:]))
        for year in range(TODAY.year, TODAY.year + 6)
    }
    answer = {}
    for day in days:
        start, end = changes[day.year]
        noon = datetime.combine(day, time(12))
        summer = start <= noon < end if start < end else not end <= noon < start
        answer[day] = offset + (saving if summer else 0)
    return answer


def iana_offset(zone: str) -> dict[date, int]:
    info = ZoneInfo(zone)
    days = [TODAY + timedelta(n) for n in range(5 * 365)]
    found = {}
    for day in days:
        offset = datetime.combine(day, time(12), info).utcoffset()
        assert offset is not None
        found[day] = int(offset.total_seconds())
    return found


def test_every_zone_shows_the_right_time_for_five_years_or_says_so() -> None:
    assert len(ZONES) > 150
    wrong = []
    for zone in ZONES:
        config = phone("D120", settings={"timezone": zone})
        rendered = render(config)
        texts = {
            name: etree.fromstring(rendered.body).findtext(f"phone-settings/{name}") or ""
            for name in ("timezone", "utc_offset", "dst")
        }
        assert not texts["timezone"], "a name would bring a rule of its own"
        assert re.fullmatch(r"[+-]\d+", texts["utc_offset"]), zone
        is_right = phone_offset(int(texts["utc_offset"]), texts["dst"]) == iana_offset(zone)
        is_warned = any("yearly rule" in warning for warning in rendered.warnings)
        assert is_warned is not config.time.is_exact, zone
        if not is_right and not is_warned:
            wrong.append(zone)
    assert not wrong


def test_the_rule_is_written_as_the_vendor_writes_it() -> None:
    device = values(phone("D735", settings={"timezone": "Europe/Warsaw"}))
    assert device["utc_offset"] == "+3600"
    assert device["dst"] == "3600 03.05.07 02:00:00 10.05.07 03:00:00"
    america = values(phone("D735", settings={"timezone": "America/New_York"}))
    assert america["utc_offset"] == "-18000"
    assert america["dst"] == "3600 03.02.07 02:00:00 11.01.07 02:00:00"
    assert not values(phone("D735", settings={"timezone": "Europe/Istanbul"}))["dst"]


def test_languages_and_tones() -> None:
    names = {
        code: values(phone("D865", settings={"language": code, "tone_scheme": "pl"}))
        for code in ("en", "nl", "de", "pl")
    }
    assert [names[code]["language"] for code in names] == ["English", "Nederlands", "Deutsch", "Polski"]
    assert [names[code]["locale"] for code in names] == ["en_GB", "nl_NL", "de_DE", "pl_PL"]
    assert {one["tone_scheme"] for one in names.values()} == {"GER"}
    assert "locale" not in values(phone("D735"))


# ---- secrets --------------------------------------------------------------------------------------------------------------


def test_every_row_that_holds_a_secret_is_marked() -> None:
    marked = {name for row in profile().rows if row.secret for name in row.names}
    for element in tree(phone("D735")).iterfind("phone-settings/*"):
        if any(secret in (element.text or "") for secret in SECRETS):
            assert element.tag in marked, element.tag


def test_generated_credentials_fit_the_phone() -> None:
    assert (profile().username_max, profile().password_max) == (30, 20)
    assert re.fullmatch("[A-Za-z0-9._-]+", profile().password_alphabet)
