import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.support import sipp
from tests.support.door import Door
from tests.support.kamailio import REFERENCE, Kamailio, Site
from tests.support.program import Program, is_installed, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not is_installed("kamailio", "sipp"), reason="Kamailio or SIPp is not installed"),
]

SCRIPT = REFERENCE.with_name("reconcile.py")
TOKEN = "canary-token"
DOMAIN = "tenant1.test"


class Reconciler(Program):
    name = "reconcile"

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        super().__init__(folder)
        self.settings = settings

    def prepare(self) -> Sequence[str]:
        return [sys.executable, str(SCRIPT)]

    def environment(self) -> Mapping[str, str]:
        return self.settings

    def is_up(self) -> bool:
        return "told" in self.log()

    def log(self) -> str:
        return (self.folder / "reconcile.out").read_text()


def environment(door: Door, kamailio: Kamailio) -> dict[str, str]:
    return {
        **os.environ,
        "PBX_TOKEN": TOKEN,
        "PBX_DOOR": door.url,
        "KAMAILIO_RPC": kamailio.rpc_url,
        "EVERY": "3600",
    }


async def test_the_full_state_is_told_once_and_again_after_a_restart(tmp_path: Path) -> None:
    users = [f"30{n:02}" for n in range(30)]
    async with Door(dict.fromkeys(users, "pw"), token=TOKEN) as door:
        kamailio = Kamailio(tmp_path / "kamailio", Site(door=door.url, token=TOKEN))
        async with kamailio:
            outcome = await sipp.run_beside(
                "register",
                f"{kamailio.address}:{kamailio.port}",
                folder=tmp_path / "sipp",
                rows=[sipp.login(user, "pw") for user in users],
                keys={"domain": DOMAIN, "expires": "600"},
            )
            assert outcome.successful == 30, outcome.errors
            async with Reconciler(tmp_path / "reconcile", environment(door, kamailio)) as reconciler:
                await until(lambda: door.states, what="the full state")
                await asyncio.to_thread(kamailio.stop)
                await asyncio.to_thread(kamailio.start)
                await until(lambda: len(door.states) > 1, seconds=30, what="the state after the restart")
                assert "told 30 bindings" in reconciler.log()
        first, second = door.states
        await until(lambda: len(door.of("register")) == 30, what="the events")
        assert {each["aor"] for each in first["contacts"]} == {f"{user}@{DOMAIN}" for user in users}
        told = {each["aor"]: each for each in door.of("register")}
        for contact in first["contacts"]:
            event = told[contact["aor"]]
            assert contact["contact"] == event["contact"]
            assert (contact["call_id"], contact["cseq"]) == (event["call_id"], event["cseq"])
            assert contact["user_agent"] == "Fleet/1.0"
            assert abs(contact["expires"] - event["bindings"][0]["expires"]) <= 1
        assert abs(first["time"] - time.time()) < 60
        assert second["contacts"] == []


async def test_a_refused_token_ends_a_single_run_with_a_message(tmp_path: Path) -> None:
    async with (
        Door({}, token="another") as door,
        Kamailio(tmp_path, Site(door=door.url, token="x")) as kamailio,
    ):
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, str(SCRIPT), "--once"],
            env=environment(door, kamailio),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "was answered with 401" in done.stderr
    assert TOKEN not in done.stderr


def test_without_a_token_it_does_not_start() -> None:
    bare = {name: value for name, value in os.environ.items() if name != "PBX_TOKEN"}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--once"], env=bare, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "PBX_TOKEN is not set" in done.stderr
