"""`db` and `secret`: what keeps an installation alive."""

import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal


def test_a_backup_is_a_whole_private_database_and_overwrites_nothing(
    terminal: Terminal, tmp_path: Path
) -> None:
    target = tmp_path / "backup.sqlite"
    terminal.run("db", "backup", str(target))
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copy.execute("SELECT key FROM tenants").fetchall() == [("acme",)]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.glob("*.part")] == []
    assert "never overwrites" in terminal.refused("db", "backup", str(target))
    restored = Terminal(tmp_path / "restored")
    shutil.copytree(terminal.data, restored.data)
    shutil.copy(target, restored.data / "provisioner.sqlite")
    assert restored.json("db", "check")["schema"] == "current"


def test_a_backup_of_postgresql_is_left_to_its_own_tool(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVISIONER_DATABASE", "postgresql+asyncpg://nobody@127.0.0.1:1/none")
    assert "pg_dump" in terminal.refused("db", "backup", str(tmp_path / "x"))


def test_a_database_that_cannot_be_reached_is_a_sentence(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVISIONER_DATABASE", "postgresql+asyncpg://nobody:canary-pw@127.0.0.1:1/none")
    told = terminal.refused("tenant", "list")
    assert "canary-pw" not in told
    assert "Connect" in told or "database" in told


def test_check_finds_a_damaged_file_and_a_missing_key(terminal: Terminal) -> None:
    assert terminal.json("db", "check")["database"] == "SQLite"
    ring = terminal.data / "keyring.json"
    other = terminal.data.parent / "other"
    Terminal(other).run("init")
    shutil.copy(other / "keyring.json", ring)
    ring.chmod(0o600)
    assert "key" in terminal.refused("db", "check")


def test_upgrade_of_a_current_database_changes_nothing(terminal: Terminal) -> None:
    terminal.run("db", "upgrade")
    assert terminal.json("tenant", "list")[0]["key"] == "acme"


def test_a_wrong_entry_in_the_settings_file_is_named(terminal: Terminal) -> None:
    (terminal.data / "provisioner.toml").write_text("https_prot = 1\n")
    assert "https_prot" in terminal.refused("tenant", "list")


def test_rotation_changes_the_key_and_keeps_every_secret(terminal: Terminal) -> None:
    terminal.run("device", "add", "000413AABB01", "snom/D785")
    before = terminal.json("secret", "status")
    assert len(before) == 1
    rotated = terminal.json("secret", "rotate")
    assert rotated["retired"] == [before[0]["key"]]
    after = terminal.json("secret", "status")
    assert [(row["key"], row["secrets"]) for row in after] == [(rotated["key"], before[0]["secrets"])]
    assert terminal.json("db", "check")["secrets"] == before[0]["secrets"]


def test_a_key_ring_that_others_may_read_is_a_sentence(terminal: Terminal) -> None:
    (terminal.data / "keyring.json").chmod(0o644)
    assert "keyring.json" in terminal.refused("tenant", "list")
