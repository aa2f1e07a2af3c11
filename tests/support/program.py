"""A program in the background: its output in a file, a wait for its readiness, a certain end."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")


class ProgramError(AssertionError):
    """A real program did not do what the test needs; the message ends with the tail of its log."""


def is_installed(*names: str) -> bool:
    """Whether all these programs are there, in PATH or in /usr/sbin."""
    return all(shutil.which(name) or Path("/usr/sbin", name).exists() for name in names)


def wait_until(fact: Callable[[], T], *, seconds: float = 15.0, what: str = "a fact") -> T:
    """The first true value of `fact()`, asked 20 times a second; ProgramError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := fact()):
        if time.monotonic() > deadline:
            raise ProgramError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.05)
    return value


async def until(fact: Callable[[], T], *, seconds: float = 15.0, what: str = "a fact") -> T:
    """`wait_until` for coroutines: the loop runs on between two questions."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not (value := fact()):
        if asyncio.get_running_loop().time() > deadline:
            raise ProgramError(f"waited {seconds:.0f} s in vain for {what}")
        await asyncio.sleep(0.02)
    return value


class Program(ABC):
    """One background process. Use it as `with` or, when the test's own loop must go on, as `async with`."""

    name: str
    start_seconds = 15.0
    stop_seconds = 8.0

    def __init__(self, folder: Path) -> None:
        """`folder` holds its files and its log; it is made when missing and left for the reader."""
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def prepare(self) -> Sequence[str]:
        """Write the files it needs and return the command."""

    @abstractmethod
    def is_up(self) -> bool:
        """Whether it does its work now; asked until true by `start`."""

    def environment(self) -> Mapping[str, str]:
        return os.environ

    def account(self) -> tuple[int, int] | None:
        """The (uid, gid) it runs as; None: as the test itself."""
        return None

    @property
    def log_file(self) -> Path:
        return self.folder / f"{self.name}.log"

    def log(self) -> str:
        """What it has written to its log so far; empty before the first start."""
        with contextlib.suppress(FileNotFoundError):
            return self.log_file.read_text(errors="replace")
        return ""

    def start(self) -> Self:
        """Start and wait until it is up. Raises ProgramError with the end of the log."""
        if self._process is not None:
            raise ProgramError(f"{self.name} is already running")
        self.folder.mkdir(parents=True, exist_ok=True)
        command = self.prepare()
        uid, gid = self.account() or (None, None)
        with (self.folder / f"{self.name}.out").open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=dict(self.environment()),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=uid,
                group=gid,
                extra_groups=None if uid is None else [],
            )
        try:
            wait_until(self._is_up_or_dead, seconds=self.start_seconds, what=f"{self.name} to come up")
        except ProgramError as error:
            self.stop()
            raise ProgramError(f"{error}\n{self._tail()}") from None
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End it and its children, first politely; nothing happens when it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            self.end(process)
        try:
            process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            pass
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # children of one that did not go, or went alone
            process.wait()

    def end(self, process: "subprocess.Popen[bytes]") -> None:
        """Ask it to go; the default is SIGTERM."""
        process.terminate()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _is_up_or_dead(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise ProgramError(f"{self.name} ended at once with code {self._process.returncode}")
        return self.is_up()

    def _tail(self) -> str:
        output = self.folder / f"{self.name}.out"
        text = self.log() + (output.read_text(errors="replace") if output.exists() else "")
        return "\n".join(text.splitlines()[-30:])

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)
