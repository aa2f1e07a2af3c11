"""SIPp, thin: run a scenario against an address and say what it counted."""

import asyncio
import csv
import socket
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import loopback
from tests.support.program import Program

SCENARIOS = Path(__file__).resolve().parent / "scenarios"


@dataclass(frozen=True)
class Outcome:
    """`code` 0: every call went as the scenario says; 1: at least one did not. `counts` are sipp's last figures."""

    code: int
    counts: Mapping[str, str]
    errors: str
    logged: tuple[str, ...] = ()
    """What the scenario's own log actions said, one line each."""

    @property
    def successful(self) -> int:
        return int(self.counts.get("SuccessfulCall(C)", 0))

    @property
    def failed(self) -> int:
        return int(self.counts.get("FailedCall(C)", 0))


def run(
    scenario: str,
    remote: str,
    *,
    folder: Path,
    rows: Iterable[tuple[str, ...]],
    keys: Mapping[str, str],
    local: str = "",
    rate: int = 100,
    seconds: int = 60,
) -> Outcome:
    """Run `scenarios/<scenario>.xml` once per row (the scenario's field0, field1 ...) against `host:port`.

    `keys` are the scenario's own names ([domain], [expires] ...); `local` is the address of all its phones. Blocks until sipp ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / f"{scenario}.csv"
    lines = [";".join(row) for row in rows]
    table.write_text("\n".join(["SEQUENTIAL", *lines]) + "\n")
    statistics, errors = folder / f"{scenario}.stat", folder / f"{scenario}.errors"
    logs = folder / f"{scenario}.log"
    for file in (statistics, errors, logs):
        file.unlink(missing_ok=True)
    named = [word for name, value in keys.items() for word in ("-key", name, value)]
    command = [
        *("sipp", remote, "-sf", str(SCENARIOS / f"{scenario}.xml"), "-inf", str(table), *named),
        *("-i", local or loopback(), "-m", str(len(lines)), "-r", str(rate), "-l", "500", "-nostdin"),
        *("-trace_stat", "-stf", str(statistics), "-trace_err", "-error_file", str(errors)),
        *("-trace_logs", "-log_file", str(logs)),
        *("-timeout", str(seconds), "-recv_timeout", str(seconds * 1000)),
    ]
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds + 10, check=False
    )
    said = errors.read_text() if errors.exists() else ""
    return Outcome(done.returncode, _last(statistics), said, _lines(logs))


async def run_beside(
    scenario: str,
    remote: str,
    *,
    folder: Path,
    rows: Iterable[tuple[str, ...]],
    keys: Mapping[str, str],
    local: str = "",
    rate: int = 100,
    seconds: int = 60,
) -> Outcome:
    """`run` in a thread, for tests whose own loop serves the door."""
    return await asyncio.to_thread(
        run, scenario, remote, folder=folder, rows=rows, keys=keys, local=local, rate=rate, seconds=seconds
    )


class Answering(Program):
    """SIPp in the background, answering calls by a scenario (`answer`, `announce`)."""

    name = "sipp"

    def __init__(self, folder: Path, scenario: str, *, address: str = "", port: int = 5060) -> None:
        super().__init__(folder)
        self.scenario = scenario
        self.address = address or loopback()
        self.port = port

    @property
    def place(self) -> str:
        return f"{self.address}:{self.port}"

    @property
    def calls(self) -> tuple[str, ...]:
        """One line per call: request line, From, To, P-Asserted-Identity and Privacy, with | between them."""
        return _lines(self.folder / "calls.log")

    def prepare(self) -> Sequence[str]:
        return [
            *(
                "sipp",
                "-sf",
                str(SCENARIOS / f"{self.scenario}.xml"),
                "-i",
                self.address,
                "-p",
                str(self.port),
            ),
            *("-nostdin", "-trace_logs", "-log_file", str(self.folder / "calls.log"), "-trace_err"),
            *("-error_file", str(self.folder / "errors.log")),
        ]

    def is_up(self) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
            try:
                channel.bind((self.address, self.port))
            except OSError:
                return True
            return False

    def log(self) -> str:
        errors = self.folder / "errors.log"
        return errors.read_text(errors="replace") if errors.exists() else ""


def credentials(user: str, password: str) -> str:
    """The field that scenarios put their digest answer in."""
    return f"[authentication username={user} password={password}]"


def login(user: str, password: str, *, mac: str = "") -> tuple[str, str, str]:
    """A row of the `register` scenario. `mac` ends its +sip.instance; made from the user when empty."""
    return user, credentials(user, password), mac or f"000413{user:0>6}"


def _lines(file: Path) -> tuple[str, ...]:
    return tuple(file.read_text(errors="replace").splitlines()) if file.exists() else ()


def _last(statistics: Path) -> Mapping[str, str]:
    if not statistics.exists():
        return {}
    with statistics.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    return rows[-1] if rows else {}
