"""Every noun of the command line over a real database."""

import json
import stat
from pathlib import Path

import pytest

from provisioner.pki.certificate import facts_of, read_certificates
from tests.cli.terminal import Terminal

MAC = "00:04:13:AA:BB:01"


def test_init_shows_the_first_password_once(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "data")
    first = terminal.json("init")
    assert first["login"] == "admin"
    assert len(first["password"]) > 15
    assert first["url"] == "http://localhost:8088/"
    again = terminal.json("init")
    assert "password" not in again


def test_a_folder_without_an_installation_is_refused_with_what_to_do(tmp_path: Path) -> None:
    assert "provisioner init" in Terminal(tmp_path / "nothing").refused("tenant", "list")
    assert not (tmp_path / "nothing").exists()


def test_problems_are_json_for_programs_and_name_the_problem_type(terminal: Terminal) -> None:
    problem = json.loads(terminal.refused("tenant", "show", "nobody", "--json"))
    assert (problem["type"], problem["status"]) == ("not-found", 404)
    problem = json.loads(terminal.refused("--json", "device", "add", "00041", "snom/D785"))
    assert problem["type"] == "invalid-mac"


def test_wrong_usage_is_exit_code_2(terminal: Terminal) -> None:
    assert terminal.invoke("tenant", "show").exit_code == 2
    assert terminal.invoke("frobnicate").exit_code == 2
    assert terminal.invoke("setting", "set", "language").exit_code == 2
    assert terminal.invoke("phone").exit_code == 2


def test_tenants_and_sites_can_be_made_changed_and_removed(terminal: Terminal) -> None:
    terminal.run("tenant", "update", "acme", "--premium", "--networks", "192.0.2.0/24")
    shown = terminal.json("tenant", "show", "acme")
    assert shown["is_premium"] is True
    assert shown["networks"] == ["192.0.2.0/24"]
    terminal.run("site", "add", "Utrecht", "--address", "Dam 1")
    terminal.run("site", "update", "utrecht", "--rename", "Gouda")
    assert [site["name"] for site in terminal.json("site", "list")] == ["Gouda"]
    assert "Gouda" in terminal.refused("site", "show", "Utrecht")
    terminal.run("site", "remove", "Gouda")
    terminal.run("tenant", "add", "other", "--name", "Other", "--sip-domain", "other.test")
    assert terminal.invoke("site", "list").exit_code == 2  # which tenant?
    terminal.run("tenant", "remove", "other")
    assert [tenant["key"] for tenant in terminal.json("tenant", "list")] == ["acme"]


def test_internal_numbers_are_given_out_changed_and_freed(terminal: Terminal) -> None:
    terminal.run("user", "add", "Ann", "--extension", "201")
    made = terminal.json("number", "add", "300", "--kind", "outside", "--for", "+49 30 1234567")
    assert (made["kind"], made["target"]) == ("outside", "+49301234567")
    assert "belongs to Ann (user)" in terminal.refused(
        "number", "add", "201", "--kind", "outside", "--for", "+49301234567"
    )
    assert "no call group “Sales”" in terminal.refused(
        "number", "add", "301", "--kind", "group", "--for", "Sales"
    )
    terminal.run("user", "add", "Bob")
    terminal.run("number", "add", "202", "--kind", "user", "--for", "bob")
    assert [row["digits"] for row in terminal.json("number", "list")] == ["201", "202", "300"]
    assert [row["target"] for row in terminal.json("number", "list", "--kind", "user")] == ["Ann", "Bob"]
    changed = terminal.json("number", "change", "300", "--digits", "301", "--label", "Berlin")
    assert (changed["digits"], changed["label"]) == ("301", "Berlin")
    assert terminal.invoke("number", "change", "301", "--kind", "menu").exit_code == 2
    assert terminal.invoke("number", "add", "302").exit_code == 2
    assert "301" in terminal.run("number", "remove", "301")
    assert "no internal number 301" in terminal.refused("number", "remove", "301")


def test_users_are_found_by_extension_or_name(terminal: Terminal) -> None:
    terminal.run("user", "add", "Ann Example", "--extension", "201", "--email", "ann@acme.test")
    terminal.run("user", "update", "201", "--rename", "Ann Other", "--number", "+31201234567")
    shown = terminal.json("user", "show", "ann other")
    assert (shown["extension"], shown["numbers"]) == ("201", ["+31201234567"])
    assert "Ann Other" in terminal.refused("user", "add", "Bob", "--extension", "201")
    terminal.run("user", "remove", "201")
    assert terminal.json("user", "list") == []


def test_a_devices_life_from_registration_to_removal(terminal: Terminal) -> None:
    terminal.run("user", "add", "Ann", "--extension", "201")
    made = terminal.json("device", "add", MAC, "snom/D785", "--user", "201")
    assert made["password"]
    assert made["user"] == "Ann"
    assert "password" not in terminal.json("device", "show", "000413aabb01")
    assert MAC in terminal.run("device", "list")
    assert MAC in terminal.refused("device", "add", MAC, "snom/D785")
    changed = terminal.json("device", "update", MAC, "--new-mac", "805EC0000001", "--user", "")
    assert changed["user"] == ""
    assert changed["warnings"]
    new = terminal.json("device", "password", "805EC0000001")
    assert new["password"] not in {made["password"], None}
    assert "needs" in terminal.refused("device", "password", "805EC0000001", "--password", "short")
    terminal.run("device", "window", "805EC0000001", "--minutes", "5")
    terminal.run("device", "unlock", "805EC0000001")
    terminal.run("device", "remove", "805EC0000001", "--reason", "stolen")
    assert terminal.json("device", "list") == []


def test_settings_and_where_a_value_comes_from(terminal: Terminal) -> None:
    terminal.run("device", "add", MAC, "snom/D785")
    terminal.run("setting", "set", "language=nl", "timezone=Europe/Warsaw")
    terminal.run("setting", "set", "--device", MAC, "language=de")
    explained = terminal.json("explain", MAC, "language")[0]
    assert explained["value"] == "de"
    assert explained["origin"]["scope"] == "device"
    assert [origin["value"] for origin in explained["shadowed"]] == ["nl", "en"]
    terminal.run("setting", "unset", "--device", MAC, "language")
    assert terminal.json("explain", MAC, "language")[0]["value"] == "en"
    terminal.run("setting", "inherit", "--device", MAC, "language")
    assert terminal.json("explain", MAC, "language")[0]["value"] == "nl"
    assert {row["name"] for row in terminal.json("setting", "get")} == {"language", "timezone"}
    assert "xx" not in terminal.run("setting", "get")
    assert "en, nl, de, pl" in terminal.refused("setting", "set", "language=xx")
    assert "language" in terminal.refused("explain", MAC, "langage")
    names = [row["name"] for row in terminal.json("setting", "list")]
    assert "language" in names


def test_explain_never_shows_a_secret(terminal: Terminal) -> None:
    terminal.run("device", "add", MAC, "snom/D785")
    rows = terminal.json("explain", MAC)
    shown = {row["name"]: row["value"] for row in rows}
    assert shown["phone_admin_password"] == "•••"
    assert "\x1b" not in terminal.run("explain", MAC)


def test_tokens_are_shown_once_and_end_for_good(terminal: Terminal) -> None:
    made = terminal.json("token", "create", "kamailio", "--role", "pbx", "--tenant", "acme")
    assert made["token"].startswith("prov_")
    listed = terminal.json("token", "list")
    assert [row["tenant"] for row in listed] == ["acme"]
    assert made["token"] not in json.dumps(listed)
    terminal.run("token", "revoke", str(made["id"]))
    assert terminal.json("token", "list") == []


def test_logins_are_made_blocked_and_reset(terminal: Terminal) -> None:
    made = terminal.json("login", "create", "ann@acme.test", "--role", "admin", "--tenant", "acme")
    assert len(made["password"]) > 15
    given = terminal.run(
        "login", "create", "bob", "--role", "operator", "--password-stdin", input="a few quiet words\n"
    )
    assert "a few quiet words" not in given
    terminal.run("login", "block", "ann@acme.test")
    assert {row["name"]: row["is_blocked"] for row in terminal.json("login", "list")}["ann@acme.test"] is True
    terminal.run("login", "unblock", "ann@acme.test")
    assert "/reset/" in terminal.json("login", "reset", "bob")["link"]
    assert "nobody" in terminal.refused("login", "reset", "nobody")


def test_a_device_certificate_is_for_its_mac_and_its_key_private(terminal: Terminal, tmp_path: Path) -> None:
    made = terminal.json("cert", "device", MAC, "--out", str(tmp_path / "out"))
    certificate = read_certificates(Path(made["certificate"]))[0]
    assert facts_of(certificate).subject == "CN=000413AABB01"
    assert stat.S_IMODE(Path(made["key"]).stat().st_mode) == 0o600
    assert "exists already" in terminal.refused("cert", "device", MAC, "--out", str(tmp_path / "out"))


def test_server_certificates_are_renewed_on_demand_only(terminal: Terminal) -> None:
    def serials() -> dict[str, str]:
        return {row["file"]: row["serial"] for row in terminal.json("cert", "show")}

    before = serials()
    terminal.run("cert", "server")
    assert serials() == before
    terminal.run("cert", "server", "--renew")
    after = serials()
    assert after["ca.pem"] == before["ca.pem"]
    assert after["server-ecdsa.pem"] != before["server-ecdsa.pem"]
    assert after["server-rsa.pem"] != before["server-rsa.pem"]


def test_profiles_are_listed_shown_and_checked(terminal: Terminal) -> None:
    models = [row["model"] for row in terminal.json("profile", "list")]
    assert "snom/D785" in models
    assert terminal.json("profile", "show", "snom/D785")["label"] == "Snom D785"
    assert "snom" in terminal.refused("profile", "show", "acme")


@pytest.fixture
def broken_profiles(tmp_path: Path) -> Path:
    folder = tmp_path / "profiles"
    (folder / "acme").mkdir(parents=True)
    (folder / "acme" / "profile.toml").write_text('id = "other"\n')
    return folder


def test_a_broken_profile_fails_the_check_with_exit_code_1(terminal: Terminal, broken_profiles: Path) -> None:
    result = terminal.invoke("profile", "check", "--folder", str(broken_profiles), "--json")
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert answer["errors"] == 1
    assert answer["findings"][0]["where"].startswith("acme")
