"""`provisioner hotdesk` over a real database."""

from tests.cli.terminal import Terminal

DESK, OWN = "00:04:13:AA:BB:11", "00:04:13:AA:BB:12"


def test_a_user_gets_a_pin_sits_down_and_gets_up(terminal: Terminal) -> None:
    terminal.run("user", "add", "Anna", "--extension", "301")
    terminal.run("device", "add", DESK, "snom/D785", "--name", "Desk")
    made = terminal.json("hotdesk", "pin", "301")
    assert made["code"] == f"*35*301*{made['pin']}"
    assert "Desk is no hotdesk device" in terminal.refused("hotdesk", "login", DESK, "301")
    terminal.run("hotdesk", "device", DESK, "--on")
    assert "Anna is logged in on Desk." in terminal.run("hotdesk", "login", DESK, "Anna")
    seats = terminal.json("hotdesk", "list")
    assert [(seat["device_name"], seat["user_name"]) for seat in seats] == [("Desk", "Anna")]
    assert terminal.json("hotdesk", "logout", DESK)["result"] == "logged_out"
    terminal.run("hotdesk", "unlock", "--user", "301", "--device", DESK)
    assert terminal.invoke("hotdesk", "unlock").exit_code == 2
    terminal.run("tenant", "update", "acme", "--hide-seating", "--primary-grace", "30")
    assert terminal.json("hotdesk", "list") == []
    assert "hides who sits where" in terminal.run("hotdesk", "list")
    terminal.run("hotdesk", "pin", "301", "--off")
    assert "may not log in" in terminal.refused("hotdesk", "login", DESK, "301")


def test_lines_and_the_primary_device(terminal: Terminal) -> None:
    terminal.run("user", "add", "Ben", "--extension", "302")
    terminal.run("device", "add", OWN, "snom/D785", "--name", "Own")
    assert "give the user one of its lines first" in terminal.refused("hotdesk", "primary", OWN)
    assert "Line 1 of Own is Ben's." in terminal.run("hotdesk", "line", OWN, "1", "302")
    assert "primary device of Ben" in terminal.run("hotdesk", "primary", OWN)
    terminal.run("hotdesk", "line", OWN, "2", "302")
    assert "Line 2 of Own is empty." in terminal.run("hotdesk", "line", OWN, "2")
    assert "its lines are 1 to" in terminal.refused("hotdesk", "line", OWN, "99", "302")
