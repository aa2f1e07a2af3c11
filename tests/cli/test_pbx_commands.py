"""`provisioner pbx` and `provisioner device resync`."""

import json

from tests.cli.terminal import Terminal

MAC = "000413A50001"


def test_a_pbx_is_connected_shown_tried_and_disconnected(terminal: Terminal) -> None:
    assert "no connection" in terminal.refused("pbx", "show")
    terminal.run(
        "pbx", "connect", "asterisk", "127.0.0.1:1", "--username", "prov", "--password-stdin", input="s3cret\n"
    )  # fmt: skip
    shown = terminal.json("pbx", "show")
    assert shown == {
        "kind": "asterisk",
        "address": "127.0.0.1:1",
        "username": "prov",
        "has_password": True,
    }
    assert "There is no connection to the PBX" in terminal.refused("pbx", "test")
    terminal.run("pbx", "disconnect")
    assert "no connection" in terminal.refused("pbx", "test")


def test_straight_to_the_phones_works_without_an_address(terminal: Terminal) -> None:
    terminal.run("pbx", "connect", "direct")
    assert "The connection works." in terminal.run("pbx", "test")


def test_a_phone_is_told_by_hand(terminal: Terminal) -> None:
    terminal.run("device", "add", MAC, "snom/D785")
    assert terminal.json("device", "resync", MAC, "--show")["state"] == "never-fetched"
    problem = json.loads(terminal.refused("device", "resync", MAC, "--json"))
    assert "connect it first" in problem["detail"]
    terminal.run("pbx", "connect", "direct")
    assert terminal.json("device", "resync", MAC)["state"] == "asked"
