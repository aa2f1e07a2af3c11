"""`provisioner shared-line`."""

from tests.cli.terminal import Terminal

ONE, TWO = "00:04:13:AA:BB:01", "00:04:13:AA:BB:02"


def test_a_shared_line_from_making_to_removing(terminal: Terminal) -> None:
    for mac, name in ((ONE, "Desk"), (TWO, "Counter")):
        terminal.run("device", "add", mac, "snom/D785", "--name", name)
    made = terminal.json(
        "shared-line", "add", "Sales", "210", ONE, f"{TWO}@4", "--appearances", "3", "--barge-in"
    )
    assert made["members"] == ["Desk (line 2)", "Counter (line 4)"]
    assert (made["appearances"], made["is_barge_in"], made["is_barge_tone"]) == (3, True, True)
    assert "Sales" in terminal.run("shared-line", "list")
    changed = terminal.json(
        "shared-line", "update", "210", "--rename", "Service", "--member", TWO, "--no-tone"
    )
    assert (changed["name"], changed["members"], changed["is_barge_tone"]) == (
        "Service",
        ["Counter (line 4)"],
        False,
    )
    assert terminal.json("shared-line", "show", "service")["number"] == "210"
    assert "Service" in terminal.refused("shared-line", "show", "Sales")
    terminal.run("shared-line", "remove", "Service")
    assert terminal.json("shared-line", "list") == []


def test_boss_and_assistant_are_one_command(terminal: Terminal) -> None:
    for mac in (ONE, TWO):
        terminal.run("device", "add", mac, "snom/D785")
    made = terminal.json("shared-line", "boss", "210", ONE, TWO, "--name", "Director")
    assert (made["name"], made["appearances"], made["is_private_hold"]) == ("Director", 2, True)


def test_wrong_members_are_named(terminal: Terminal) -> None:
    terminal.run("device", "add", "02:00:00:00:00:01", "generic/Generic", "--name", "Laptop")
    assert "Laptop" in terminal.refused("shared-line", "add", "Sales", "210", "02:00:00:00:00:01")
    assert terminal.invoke("shared-line", "add", "Sales", "210", f"{ONE}@x").exit_code == 2
    assert terminal.invoke("shared-line", "add", "Sales", "210").exit_code == 2
