"""A throw-away PostgreSQL cluster made by the system's own initdb."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from tests.support.ports import free_port
from tests.support.program import Program, ProgramError

_USER = "provisioner"
_FAST = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "shared_buffers=64MB",
    "max_connections=100",
)


def programs() -> Path | None:
    """The folder of the newest installed server programs; None when there are none."""
    folders = [file.parent for file in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if folders:
        return max(folders, key=lambda folder: int(folder.parent.name.partition(".")[0]))
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


class PostgresCluster(Program):
    """Trusts everybody, writes nothing safely, listens on one loopback port and a Unix socket in its own folder."""

    name = "postgres"

    def __init__(self) -> None:
        self._made = 0
        # not below pytest's folder, which the unprivileged account may not enter
        super().__init__(Path(tempfile.mkdtemp(prefix="pg-")))
        self.port = free_port("127.0.0.1")

    def start(self) -> Self:
        try:
            return super().start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def stop(self) -> None:
        super().stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def end(self, process: "subprocess.Popen[bytes]") -> None:
        """Fast shutdown: open connections are cut instead of waited for."""
        process.send_signal(signal.SIGINT)

    def account(self) -> tuple[int, int] | None:
        """The server refuses to run as root; `postgres` when it exists, else `nobody`."""
        if os.geteuid() != 0:
            return None
        for name in ("postgres", "nobody"):
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return entry.pw_uid, entry.pw_gid
        raise ProgramError("there is no unprivileged account to run PostgreSQL as")

    def prepare(self) -> Sequence[str]:
        folder = programs()
        if folder is None:
            raise ProgramError("PostgreSQL is not installed")
        owner = self.account()
        if owner:
            os.chown(self.folder, *owner)
        cluster = self.folder / "cluster"
        initdb = [str(folder / "initdb"), "-D", str(cluster), "-U", _USER, "-A", "trust", "--no-sync"]
        done = subprocess.run(
            [*initdb, "--encoding=UTF8", "--locale=C.UTF-8"],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            user=owner[0] if owner else None,
            group=owner[1] if owner else None,
            extra_groups=[] if owner else None,
        )
        if done.returncode:
            raise ProgramError(f"initdb failed: {done.stderr[-2000:]}")
        settings = [*_FAST, "listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}"]
        options = [word for setting in settings for word in ("-c", setting)]
        return [str(folder / "postgres"), "-D", str(cluster), "-p", str(self.port), *options]

    def log(self) -> str:
        output = self.folder / "postgres.out"
        return output.read_text(errors="replace") if output.exists() else ""

    def is_up(self) -> bool:
        return self._psql("postgres", "SELECT 1").returncode == 0

    def url(self, database: str) -> str:
        """What the server's settings want: postgresql+asyncpg://..."""
        return f"postgresql+asyncpg://{_USER}@127.0.0.1:{self.port}/{database}"

    def query(self, database: str, statement: str) -> str:
        """The rows of a statement, columns separated by tabs. Raises ProgramError with PostgreSQL's words."""
        done = self._psql(database, statement)
        if done.returncode:
            raise ProgramError(done.stderr)
        return done.stdout.rstrip("\n")

    def create(self, database: str, *, template: str = "template0") -> None:
        """A new database, copied from `template` (which nobody may be connected to)."""
        self.query("postgres", f'CREATE DATABASE "{database}" TEMPLATE "{template}"')

    def drop(self, database: str) -> None:
        """Away with it, connections and all."""
        self.query("postgres", f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    @contextmanager
    def database(self, *, template: str = "template0") -> Iterator[str]:
        """The URL of a database that exists as long as the `with` block."""
        self._made += 1
        name = f"test_{self._made}"
        self.create(name, template=template)
        try:
            yield self.url(name)
        finally:
            self.drop(name)

    def _psql(self, database: str, statement: str) -> "subprocess.CompletedProcess[str]":
        command = ["psql", "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1"]
        address = ["-h", str(self.folder), "-p", str(self.port), "-U", _USER, "-d", database, "-c", statement]
        return subprocess.run([*command, *address], capture_output=True, text=True, check=False)
