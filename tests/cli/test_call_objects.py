"""Call groups, menus and schedules on the command line."""

from tests.cli.terminal import Terminal


def test_a_groups_life(terminal: Terminal) -> None:
    for name, extension in (("Ann", "201"), ("Ben", "202")):
        terminal.run("user", "add", name, "--extension", extension)
    made = terminal.json("group", "add", "Sales", "--policy", "fixed", "--members", "202, Ann", "--queue")
    assert (made["policy"], made["is_queue"], made["members"]) == ("fixed", True, ["202", "201"])
    terminal.run("group", "update", "sales", "--rename", "Service", "--members", "201", "--wait", "30", "--overflow", "202")  # fmt: skip
    (shown,) = terminal.json("group", "list")
    assert (shown["name"], shown["members"], shown["overflow"]) == ("Service", ["201"], "202")
    assert "Service" in terminal.refused("group", "remove", "Sales")
    terminal.run("group", "remove", "Service")
    assert terminal.json("group", "list") == []


def test_a_menus_life(terminal: Terminal) -> None:
    terminal.run("user", "add", "Ann", "--extension", "201")
    made = terminal.json("menu", "add", "Main", "--option", "1=201", "--option", "2=+31201234567")
    assert made["options"] == {"1": "201", "2": "+31201234567"}
    assert "KEY=NUMBER" in terminal.refused("menu", "update", "Main", "--option", "1")
    assert terminal.json("menu", "update", "Main", "--tries", "5")["tries"] == 5
    terminal.run("menu", "remove", "main")
    assert terminal.json("menu", "list") == []


def test_a_schedules_life(terminal: Terminal) -> None:
    made = terminal.json(
        "schedule", "add", "Open", "--weekly", "1-4,6 09:00-17:30", "--date", "2026-12-25/2026-12-26 yearly"
    )  # fmt: skip
    assert made == {
        "name": "Open",
        "weekly": ["1,2,3,4,6 09:00-17:30"],
        "dates": ["2026-12-25/2026-12-26 yearly"],
    }
    assert "1-5 09:00-17:30" in terminal.refused("schedule", "update", "Open", "--weekly", "1-3-5 9-17")
    terminal.run("setting", "set", "working_hours=Open")
    assert "settings name" in terminal.refused("schedule", "remove", "Open")
    terminal.run("schedule", "update", "Open", "--rename", "Office")
    terminal.run("setting", "set", "working_hours=")
    terminal.run("schedule", "remove", "office")
    assert terminal.json("schedule", "list") == []
