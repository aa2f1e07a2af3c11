"""What the vendor's fact sheet says about these phones, tried on the profile: matching, form, spelling, settings."""

import re

import pytest

from provisioner.composition.assemble import StoredLine
from provisioner.composition.phone_config import KeyConfig, LineKind
from provisioner.profiles.bootstrap import Bootstrap
from provisioner.profiles.protocols import BootstrapFacts, BootstrapServer
from tests.support.yealink_phone import MAC, SECRETS, SERVER, one, profile, profiles, read, render, values

# ---- who is it ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agent", "model", "firmware", "mac"),
    [
        ("Yealink SIP-T46S 66.86.0.15 00:15:65:aa:bb:cc", "T46S", "66.86.0.15", "001565AABBCC"),
        ("Yealink SIP-T31G 124.85.257.55 80:5e:c0:d5:7d:72", "T31G", "124.85.257.55", "805EC0D57D72"),
        ("Yealink SIP-T34W 124.86.0.75 24:9a:d8:88:d0:f4", "T34W", "124.86.0.75", "249AD888D0F4"),
        ("Yealink SIP-T33G 124.86.0.118 24:9a:d8:1e:83:fa", "T33G", "124.86.0.118", "249AD81E83FA"),
        ("Yealink SIP-T19P_E2 53.80.0.3 00:15:65:4c:4c:26", "T19P_E2", "53.80.0.3", "0015654C4C26"),
        ("Yealink SIP-T38G  38.70.0.125 00:15:65:2f:c3:5e", "T38G", "38.70.0.125", "0015652FC35E"),
        ("Yealink SIP-T56A  58.80.0.25 001565f429a4", "T56A", "58.80.0.25", "001565F429A4"),
        ("Yealink SIP VP-T49G 51.80.0.10 00:15:65:9b:5a:44", "T49G", "51.80.0.10", "0015659B5A44"),
        ("Yealink CP860 37.72.0.5 00:15:65:8a:37:86", "CP860", "37.72.0.5", "0015658A3786"),
        ("Yealink AX83H 180.86.0.5 00:15:65:8a:37:86", "AX83H", "180.86.0.5", "0015658A3786"),
        ("Yealink-T46G 28.71.0.81 28.1.0.128.0.0.0", "T46G", "28.71.0.81", None),
        ("Yealink SIP-T46S 66.86.0.15", "T46S", "66.86.0.15", None),
        ("Yealink T58 58.80.0.5", "T58A", "58.80.0.5", None),
        ("SIP-T42S 66.85.0.5 00:15:65:aa:bb:cc", "T42S", "66.85.0.5", "001565AABBCC"),
        ("Yealink W60B 77.81.0.35 80:5e:c0:09:ab:dc", None, "77.81.0.35", "805EC009ABDC"),
        ("Yealink W90DM 130.85.0.15 80:5e:c0:d9:c7:44", None, "130.85.0.15", "805EC0D9C744"),
        ("yealink SIP-T18 18.0.0.80 00:15:65:27:3e:05", None, "18.0.0.80", "001565273E05"),
    ],
)
def test_a_phone_is_known_by_its_user_agent(
    agent: str, model: str | None, firmware: str, mac: str | None
) -> None:
    seen = profiles().identify_agent(agent)
    assert seen is not None
    assert (seen.profile_id, seen.model_id, seen.firmware, seen.mac) == ("yealink", model, firmware, mac)


@pytest.mark.parametrize(
    "agent",
    [
        "W52P 25.30.0.2 00:15:65:44:b3:7c",  # no maker's word and a model that is not in this profile
        "VP530P 23.70.0.40 00:15:65:31:4b:c0",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "curl/8.14.1",
        "Acme T1000 1.2.3.4 00:15:65:31:4b:c0",
        "",
    ],
)
def test_a_stranger_is_not_taken_for_one_of_these_phones(agent: str) -> None:
    seen = profiles().identify_agent(agent)
    assert seen is None or seen.profile_id != "yealink"


def test_every_model_is_found_by_each_of_its_tokens() -> None:
    for model in profile().models.values():
        for token in model.agent:
            seen = profiles().identify_agent(
                f"Yealink SIP-{token} {model.extras['rom'][0]}.86.0.1 001565aabbcc"
            )
            assert seen is not None
            assert seen.model_id == model.id


@pytest.mark.parametrize(
    ("path", "file", "mac"),
    [
        ("001565aabbcc.cfg", "device", MAC),
        ("001565AABBCC.cfg", "device", MAC),
        ("00-15-65-aa-bb-cc.cfg", "device", MAC),
        ("001565aabbcc.boot", "boot", MAC),
        ("y000000000000.boot", "boot-for-all", None),
        ("y000000000066.cfg", "common", None),
        ("y000000000185.cfg", "common", None),
        ("001565aabbcc-local.cfg", "local", MAC),
        ("001565aabbcc-all.cfg", "all", MAC),
        ("001565aabbcc-contact.xml", "contacts", MAC),
        ("001565aabbcc-calllog.xml", "call-log", MAC),
        ("001565aabbcc_Security.enc", "key-of-the-device-file", MAC),
        ("y000000000066_Security.enc", "key-of-the-common-file", None),
    ],
)
def test_files_are_known_by_their_names(path: str, file: str, mac: str | None) -> None:
    match = profiles().match(path, {})
    assert match is not None
    assert (match.profile.id, match.file.id, match.mac) == ("yealink", file, mac)


def test_only_the_device_file_needs_credentials_and_nothing_but_two_files_is_public() -> None:
    roles = {file.id: file.role for file in profile().files}
    assert [name for name, role in roles.items() if role == "device"] == ["device"]
    assert [name for name, role in roles.items() if role == "bootstrap"] == ["boot", "common"]


# ---- form of the files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["T19P_E2", "T28P", "T46U", "T88W", "CP920"])
def test_first_line_is_exact_and_lines_end_with_lf_only(model: str) -> None:
    body = render(model).body
    assert body.startswith(b"#!version:1.0.0.1\n")
    assert body.endswith(b"\n")
    assert b"\r" not in body
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", body)
    assert b"\n\n" not in body


def test_two_renderings_are_the_same_bytes() -> None:
    assert render("T46U").body == render("T46U").body


def test_the_boot_file_is_equal_for_all_phones_but_for_the_name() -> None:
    facts = BootstrapServer(SERVER.https_url, SERVER.http_url, SERVER.ca_url)
    base = f"{SERVER.https_url}/p"
    bodies = [
        Bootstrap(profile())
        .render(profile().file("boot"), BootstrapFacts(facts, base, mac=mac))
        .body.decode()
        for mac in (MAC, "0004F2000001")
    ]
    assert bodies[0] == bodies[1].replace("0004f2000001", "001565aabbcc")
    lines = [line for line in bodies[0].splitlines()[1:] if not line.startswith("#")]
    assert bodies[0].splitlines()[0] == "#!version:1.0.0.1"
    assert lines == [
        "overwrite_mode = 0",
        'include:config "y000000000000.cfg"',
        'include:config "https://prov.example.net:8443/p/001565aabbcc.cfg"',
    ]


def test_the_common_file_points_to_https_and_brings_the_authority_in_both_spellings() -> None:
    facts = BootstrapServer(SERVER.https_url, SERVER.http_url, SERVER.ca_url)
    base = f"{SERVER.https_url}/p"
    body = Bootstrap(profile()).render(profile().file("common"), BootstrapFacts(facts, base)).body
    found = read(body)
    for prefix in ("static.", ""):
        assert one(found, f"{prefix}auto_provision.server.url") == f"{base}/"
        assert one(found, f"{prefix}trusted_certificates.url") == SERVER.ca_url
    assert not any(secret in body.decode() for secret in SECRETS)


def test_a_line_break_in_a_name_adds_no_parameter() -> None:
    lines = [StoredLine(1, LineKind.USER, "d1001", "x", "Ann\r\naccount.1.enable = 0\n", "201")]
    key = KeyConfig(1, type="blf", target="202\nlinekey.1.type = 13", label="\x00Bob\nsip.trust_ctrl = 0")
    found = values("T46S", lines=lines, keys=[key])
    assert one(found, "account.1.enable") == "1"
    assert one(found, "linekey.1.type") == "16"
    assert one(found, "sip.trust_ctrl") == "1"


# ---- what is in them --------------------------------------------------------------------------------------------


def test_every_login_of_the_phone_gets_a_password_on_a_line_of_its_own() -> None:
    expected = [f"{name}:Admin-Secret-1" for name in ("admin", "user", "var")]
    assert values("T46S")["static.security.user_password"] == expected
    assert values("T46S", firmware="66.80.0.1")["security.user_password"] == expected


def test_secure_defaults() -> None:
    found = values("T54W", firmware="96.86.0.5")
    off = [
        "sip.notify_reboot_enable", "features.direct_ip_call_enable", "features.action_uri.enable", "dm.enable",
        "static.auto_provision.pnp_enable", "static.auto_provision.dhcp_option.enable", "static.zero_touch.enable",
        "static.auto_provision.custom.protect", "static.managementserver.enable", "static.wui.http_enable",
        "push_xml.sip_notify", "static.network.span_to_pc_port",
    ]  # fmt: skip
    assert {name: found[name] for name in off} == {name: ["0"] for name in off}
    assert one(found, "static.wui.https_enable") == "1"
    assert one(found, "sip.trust_ctrl") == "1"
    assert one(found, "static.security.trust_certificates") == "1"
    assert one(found, "features.action_uri_limit_ip") == "%NULL%"
    closed = values("T54W", settings={"web_interface": "off", "trust_registrar_only": False})
    assert one(closed, "static.wui.https_enable") == "0"
    assert one(closed, "sip.trust_ctrl") == "0"


def test_the_prefix_follows_the_generation_and_an_unknown_one_gets_both() -> None:
    new, old = values("T46S", firmware="66.86.0.15"), values("T46S", firmware="66.80.0.15")
    assert "static.auto_provision.server.url" in new
    assert "auto_provision.server.url" not in new
    assert "auto_provision.server.url" in old
    assert not [name for name in old if name.startswith("static.")]
    unknown = values("T46S", firmware="")
    assert one(unknown, "static.auto_provision.server.url") == "https://prov.example.net:8443/p/"
    assert one(unknown, "auto_provision.server.url") == "https://prov.example.net:8443/p/"
    boundary = values("T46S", firmware="66.81.0.1")
    assert "static.auto_provision.server.url" in boundary


def test_old_spellings() -> None:
    v71, v73, v86 = (values("T46G", firmware=f"28.{generation}.0.1") for generation in (71, 73, 86))
    assert one(v71, "account.1.sip_server_host") == "sip.example.net"
    assert "account.1.sip_server.1.address" not in v71
    assert "action_url.registered" not in v71
    assert one(v71, "action_url.log_on").startswith(
        "https://prov.example.net:8443/a/a-secret-path/registered?"
    )
    assert one(v73, "account.1.sip_server.1.address") == "sip.example.net"
    assert one(v73, "account.1.codec.6.payload_type") == "G722"
    assert one(v73, "account.1.codec.6.priority") == "1"
    assert one(v73, "phone_setting.ring_type") == "Resource:Ring1.wav"
    assert "account.1.codec.g722.enable" not in v73
    assert one(v86, "account.1.codec.g722.priority") == "1"
    assert one(v86, "phone_setting.ring_type") == "Ring1.wav"
    assert not [name for name in v86 if re.match(r"account\.1\.codec\.\d+\.", name)]


def test_the_server_name_is_the_domain_and_another_registrar_becomes_the_proxy() -> None:
    plain = values("T46S")
    assert one(plain, "account.1.sip_server.1.address") == "sip.example.net"
    assert one(plain, "account.1.outbound_proxy_enable") == "0"
    assert one(plain, "account.1.outbound_proxy.1.address") == "%NULL%"
    routed = values(
        "T46S", settings={"registrar_host": "10.0.0.5", "registrar_port": 5080, "sip_transport": "tcp"}
    )
    assert one(routed, "account.1.sip_server.1.address") == "sip.example.net"
    assert one(routed, "account.1.sip_server.1.transport_type") == "1"
    assert one(routed, "account.1.outbound_proxy_enable") == "1"
    assert one(routed, "account.1.outbound_proxy.1.address") == "10.0.0.5"
    assert one(routed, "account.1.outbound_proxy.1.port") == "5080"
    proxied = values("T46S", settings={"outbound_proxy": "sbc.example.net", "sip_transport": "tls"})
    assert one(proxied, "account.1.outbound_proxy.1.address") == "sbc.example.net"
    assert one(proxied, "account.1.outbound_proxy.1.port") == "5061"
    assert one(proxied, "account.1.sip_server.1.port") == "5061"


def test_codecs_keep_their_order_and_the_others_are_off() -> None:
    found = values("T54W", settings={"codecs": ["opus", "pcma"]})
    priorities = {
        name: one(found, f"account.1.codec.{name}.priority")
        for name in ("opus", "pcma", "pcmu", "g722", "g729")
    }
    assert priorities == {"opus": "1", "pcma": "2", "pcmu": "0", "g722": "0", "g729": "0"}
    assert one(found, "account.1.codec.pcmu.enable") == "0"
    assert one(found, "account.1.codec.g723_53.enable") == "0"


@pytest.mark.parametrize(
    ("interval", "repeat", "weekly"),
    [
        (0, ["0", "1440"], "0"),
        (60, ["1", "60"], "0"),
        (1440, ["0", "1440"], "1"),
        (10080, ["0", "1440"], "1"),
    ],
)
def test_looking_for_changes(interval: int, repeat: list[str], weekly: str) -> None:
    found = values("T46S", settings={"poll_interval": interval, "poll_start": 2, "poll_jitter": 90})
    assert [one(found, f"static.auto_provision.repeat.{name}") for name in ("enable", "minutes")] == repeat
    assert one(found, "static.auto_provision.weekly.enable") == weekly
    assert one(found, "static.auto_provision.weekly.begin_time") == "02:00"
    assert one(found, "static.auto_provision.weekly.end_time") == "03:30"


def test_a_window_beyond_midnight_is_cut_and_said() -> None:
    rendered = render("T46S", settings={"poll_start": 23, "poll_jitter": 180})
    assert one(read(rendered.body), "static.auto_provision.weekly.end_time") == "23:59"
    assert any("midnight" in warning for warning in rendered.warnings)
    assert not any("midnight" in warning for warning in render("T46S").warnings)


def test_the_phone_forwards_only_when_told_to() -> None:
    wishes = {"forward_always": "+31201234567", "forward_no_answer": "203", "forward_no_answer_time": 20}
    quiet = values("T46S", settings=wishes)
    assert [one(quiet, f"forward.{name}.enable") for name in ("always", "busy", "no_answer")] == [
        "0",
        "0",
        "0",
    ]
    assert one(quiet, "forward.always.target") == "%NULL%"
    told = values("T46S", settings={**wishes, "forward_on_phone": True})
    assert [one(told, f"forward.{name}.enable") for name in ("always", "busy", "no_answer")] == [
        "1",
        "0",
        "1",
    ]
    assert one(told, "forward.always.target") == "+31201234567"
    assert one(told, "forward.no_answer.timeout") == "3"  # times 6 s


def test_a_missing_language_or_tone_is_said() -> None:
    polish = render("T46S", settings={"tone_scheme": "pl", "language": "pl"})
    assert one(read(polish.body), "voice.tone.country") == "Germany"
    assert one(read(polish.body), "lang.gui") == "Polish"
    assert any("Polish tones" in warning for warning in polish.warnings)
    assert any("Dutch" in warning for warning in render("T28P", settings={"language": "nl"}).warnings)
    assert one(values("T46S", settings={"language": "nl"}), "lang.wui") == "Dutch"


def test_action_urls_carry_the_secret_path_and_the_phones_variables() -> None:
    found = values("T46S")
    for event in ("registered", "unregistered", "register_failed", "setup_completed"):
        url = one(found, f"action_url.{event}")
        assert url.startswith(f"https://prov.example.net:8443/a/a-secret-path/{event}?mac=$mac&")
        assert len(url) <= 511


def test_a_file_stays_within_what_is_known_to_work() -> None:
    sizes = {name: len(render(name, firmware="").body) for name in profile().models}
    assert max(sizes.values()) <= 130_000, sizes


def test_an_ordinary_phone_comes_without_warnings() -> None:
    assert {name: render(name, firmware="").warnings for name in profile().models} == dict.fromkeys(
        profile().models, ()
    )
