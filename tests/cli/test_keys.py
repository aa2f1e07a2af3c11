"""`provisioner key` over a real database."""

import pytest

from tests.cli.terminal import Terminal

MAC = "00:04:13:AA:BB:01"


@pytest.fixture
def desk(terminal: Terminal) -> str:
    terminal.run("user", "add", "Ann", "--extension", "201")
    terminal.run("user", "add", "Bob", "--extension", "202")
    terminal.run("device", "add", MAC, "snom/D785", "--user", "201", "--name", "Desk")
    return MAC


def test_a_key_is_set_shown_and_cleared(terminal: Terminal, desk: str) -> None:
    terminal.run("key", "set", "2", "blf", "--to", "Bob", "--device", desk)
    terminal.run("key", "set", "2", "dnd", "--user", "Ann")
    terminal.run("key", "set", "4", "speed_dial", "--target", "112", "--label", "Help", "--module", "1")
    (stored,) = terminal.json("key", "list", "--device", desk)
    assert (stored["slot"], stored["type"], stored["target"].startswith("user ")) == (2, "blf", True)
    rows = {(row["module"], row["slot"]): row for row in terminal.json("key", "show", desk)}
    assert (rows[0, 2]["target"], rows[0, 2]["label"], rows[0, 2]["from"]) == ("202", "Bob", "device Desk")
    assert rows[0, 2]["hides"] == ["user: dnd"]
    assert (rows[1, 4]["label"], rows[1, 4]["from"]) == ("Help", "tenant Acme")
    terminal.run("key", "clear", "2", "--device", desk)
    assert terminal.run("key", "list", "--device", desk).strip() == "No key is set here."
    assert "Do not" not in terminal.run("key", "show", desk)


def test_automatic_sets_are_replaced_kept_and_ended(terminal: Terminal, desk: str) -> None:
    terminal.run("key", "range", "everyone", "--slot", "3", "--user", "Ann")
    shown = {row["slot"]: row["label"] for row in terminal.json("key", "show", desk) if not row["module"]}
    assert (shown[3], shown[4]) == ("Bob", "")
    assert "2 automatic" in terminal.run("key", "range", "department", "--user", "Ann", "--keep")
    assert "everyone" in terminal.run("key", "list", "--user", "Ann")
    assert "0 automatic" in terminal.run("key", "range", "none", "--user", "Ann")


def test_a_key_the_phone_does_not_have_is_refused_and_told_for_the_tenant(
    terminal: Terminal, desk: str
) -> None:
    assert "is beyond this phone" in terminal.refused("key", "set", "25", "dnd", "--device", desk)
    result = terminal.invoke("key", "set", "25", "dnd")
    assert result.exit_code == 0
    assert "does not show key 25" in result.stderr
    assert "needs a number" in terminal.refused("key", "set", "1", "blf")
    assert terminal.invoke("key", "set", "1", "laser").exit_code == 2


def test_labels_are_a_page(terminal: Terminal, desk: str) -> None:
    terminal.run("key", "set", "2", "dnd", "--device", desk)
    page = terminal.run("key", "strip", desk)
    assert page.startswith("<!doctype html>")
    assert "Do not disturb" in page
    assert terminal.json("key", "strip", desk)["html"] == page
