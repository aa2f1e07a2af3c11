"""A server process of the real command line, on free loopback ports."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.error import URLError
from urllib.request import urlopen

from tests.support.ports import free_port
from tests.support.program import Program, ProgramError, wait_until


class Serving(Program):
    """`python -m provisioner serve …` over the data folder; `with` starts it and stops it politely."""

    name = "serve"
    stop_seconds = 20.0

    def __init__(self, data: Path, *words: str, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(data.parent / "serve")
        self.data = data
        self.words = words
        self.ports = {"https": free_port(), "http": free_port(), "admin": free_port()}
        self._environment = dict(environment or {})

    def prepare(self) -> list[str]:
        return [sys.executable, "-m", "provisioner", "--data", str(self.data), "serve", *self.words]

    def environment(self) -> dict[str, str]:
        """What commands against this server need too."""
        ports = {f"PROVISIONER_{name.upper()}_PORT": str(port) for name, port in self.ports.items()}
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
        return {
            **os.environ,
            **ports,
            "PROVISIONER_PHONE_ADDRESS": "127.0.0.1",
            "PYTHONPATH": path,
            **self._environment,
        }

    def start(self) -> Self:
        """Start and wait until it answers; a busy machine takes its time."""
        super().start()
        try:
            wait_until(self._answers_or_dead, seconds=150, what="the server to answer")
        except BaseException:
            self.stop()
            raise
        return self

    def is_up(self) -> bool:
        """Only that there is a process; `start` waits for the rest."""
        return self.is_running

    def _answers_or_dead(self) -> bool:
        if not self.is_running:
            raise ProgramError(f"the server ended:\n{self.output[-3000:]}")
        try:
            with urlopen(f"{self.admin}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    @property
    def admin(self) -> str:
        return f"http://127.0.0.1:{self.ports['admin']}"

    @property
    def output(self) -> str:
        return (self.folder / "serve.out").read_text(errors="replace")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL, as when the power fails; it can be started again."""
        process, self._process = self._process, None
        assert process is not None
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        process, self._process = self._process, None
        assert process is not None
        process.send_signal(signal.SIGTERM)
        return process.wait(self.stop_seconds)

    def command(self, *words: str, check: bool = True, **options: Any) -> "subprocess.CompletedProcess[str]":
        """Another process of the command line over the same installation."""
        command = [sys.executable, "-m", "provisioner", "--data", str(self.data), *words]
        return subprocess.run(
            command,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=check,
            timeout=200,
            **options,
        )
