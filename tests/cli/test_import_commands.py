"""CSV import, preview and export on the command line."""

import json
import stat
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal

TABLE = "mac;model;user;extension\n00:04:13:aa:bb:01;snom/D785;Ann;201\n805EC0AABB02;yealink/T46U;;\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "devices.csv"
    path.write_text(TABLE)
    return path


def test_a_preview_stores_nothing_and_an_import_stores_all(terminal: Terminal, table: Path) -> None:
    plan = terminal.json("device", "preview", str(table), "--create-users")
    assert plan["importable"] is True
    assert [device["makes_user"] for device in plan["devices"]] == [True, False]
    assert "password" not in plan["devices"][0]
    assert terminal.json("device", "list") == []
    done = terminal.json("device", "import", str(table), "--create-users")
    assert done["users_made"] == 1
    assert all(device["password"] for device in done["devices"])
    assert len(terminal.json("device", "list")) == 2


def test_every_broken_row_stands_on_stderr_and_nothing_is_imported(terminal: Terminal, table: Path) -> None:
    table.write_text(TABLE + "zz;snom/D785;;\n")
    told = terminal.refused("device", "import", str(table))
    assert "line 2, extension:" in told
    assert "line 4, mac:" in told
    problem = json.loads(terminal.refused("device", "import", str(table), "--json"))
    assert [(row["line"], row["column"]) for row in problem["rows"]] == [(2, "extension"), (4, "mac")]
    assert terminal.json("device", "list") == []
    shown = terminal.run("device", "preview", str(table))
    assert "Nothing would be imported" in shown


def test_credentials_can_go_to_a_private_file_instead_of_the_screen(
    terminal: Terminal, table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "credentials.csv"
    shown = terminal.run("device", "import", str(table), "--create-users", "--credentials", str(out))
    rows = [line.split(",") for line in out.read_text().splitlines()]
    assert rows[0] == ["mac", "name", "username", "password"]
    assert all(row[-1] not in shown for row in rows[1:])
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "exists already" in terminal.refused("device", "import", str(table), "--credentials", str(out))


def test_standard_input_and_output_work_as_files(terminal: Terminal, table: Path) -> None:
    terminal.run("device", "import", "-", "--create-users", input=TABLE.encode())
    exported = terminal.run("device", "export")
    assert "00:04:13:AA:BB:01,snom/D785,201,Ann" in exported
    assert "yealink/T46U" in terminal.json("device", "export")["csv"]
