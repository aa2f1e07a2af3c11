"""`provisioner db`: the database itself."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import click

from provisioner.cli.output import progress, show_done, show_thing
from provisioner.cli.work import Verb, Work, with_work
from provisioner.errors import BadInput, CannotStart, Conflict, ProvisionerError
from provisioner.model.migration import check_schema, migrate
from provisioner.model.store import Store
from provisioner.services.operation.installation import KEY_RING
from provisioner.services.operation.secret_rotation import ring_status
from provisioner.settings import DATABASE

PAGES = 500
"""SQLite pages copied at once; the server works on between two portions."""


@click.group()
def db() -> None:
    """Upgrade, check and back up the database."""


@db.command(cls=Verb)
@with_work
async def upgrade(work: Work) -> None:
    """Bring the database to the schema of this version. Stop the server first, and make a backup."""
    store = Store(_database(work))
    try:
        await migrate(store)
    finally:
        await store.close()
    show_done(work, "The database has the schema of this version.")


@db.command(cls=Verb)
@with_work
async def check(work: Work) -> None:
    """Look whether the database is whole, has the right schema, and fits the key ring."""
    url = _database(work)
    store = Store(url)
    try:
        is_sqlite, path = store.is_sqlite, Path(store.url.database or "")
        await check_schema(store)
    finally:
        await store.close()
    if is_sqlite:
        complaints = await asyncio.to_thread(_complaints, path)
        if complaints:
            raise ProvisionerError(
                f"The database file is damaged: {'; '.join(complaints[:5])}. Restore a backup.",
                complaints=complaints,
            )
    async with work.context() as context:
        ring = await ring_status(context)
    show_thing(
        work,
        {
            "database": "SQLite" if is_sqlite else "PostgreSQL",
            "schema": "current",
            "secrets": sum(ring.uses.values()),
            "key": ring.current,
        },
        note="The database is whole and its secrets can be opened.",
    )


@db.command(cls=Verb)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@with_work
async def backup(work: Work, /, *, file: Path) -> None:
    """Copy the SQLite database to FILE while the server runs on. Keep the key ring with it, in another place."""
    store = Store(_database(work))
    await store.close()
    if not store.is_sqlite:
        raise BadInput(
            "For PostgreSQL use its own tool: pg_dump --format=custom --file=FILE DATABASE. The key ring is not in it."
        )
    with progress(work, "Copying") as tell:
        size = await asyncio.to_thread(_copy, Path(store.url.database or ""), file, tell)
    ring = work.settings().data / KEY_RING
    show_done(
        work,
        f"{file}: {size} bytes. Without {ring} its secrets cannot be opened: keep both.",
        file=str(file),
        bytes=size,
    )


def _database(work: Work) -> str:
    settings = work.settings()
    if not settings.database and not (settings.data / DATABASE).exists():
        raise CannotStart(
            f"There is no database in {settings.data}: run `provisioner init`, or name its folder with --data."
        )
    return settings.database_url


def _complaints(path: Path) -> list[str]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
        return found + [
            f"{table} row {row} points to nothing in {parent}"
            for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check")
        ]


def _copy(source: Path, target: Path, tell: Callable[[int, int], None]) -> int:
    """Copy with SQLite's own online backup: whole or not at all, readable by the owner only. Gives back the size."""
    if target.exists():
        raise Conflict(f"{target} exists already; a backup never overwrites one.")
    part = target.with_name(f".{target.name}.part")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as old,
            closing(sqlite3.connect(part)) as new,
        ):
            old.backup(new, pages=PAGES, progress=lambda _status, left, total: tell(total - left, total))
        with part.open("rb") as written:
            os.fsync(written.fileno())
        target.hardlink_to(part)
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size
