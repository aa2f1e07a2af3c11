"""Bringing a database to the code's schema, and refusing one that is newer."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from provisioner.errors import DatabaseNotMigrated, DatabaseTooNew
from provisioner.model.store import Store

SCRIPTS = Path(__file__).resolve().parents[2] / "migrations"


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration for the project's scripts, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    return config


async def migrate(store: Store) -> None:
    """Bring the database to the newest schema; raises DatabaseTooNew for one from a newer version."""
    async with store.engine.connect() as connection:
        await connection.run_sync(_upgrade)
        await connection.commit()


async def check_schema(store: Store) -> None:
    """Raise DatabaseNotMigrated or DatabaseTooNew unless the database has exactly the code's schema."""
    async with store.engine.connect() as connection:
        current = await connection.run_sync(_current)
    head = await asyncio.to_thread(_head)
    if current == head:
        return
    await asyncio.to_thread(_refuse_newer, current)
    raise DatabaseNotMigrated(
        "The database is older than the program: run `provisioner db upgrade`.", current=current, head=head
    )


def _head() -> str | None:
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def _upgrade(connection: Connection) -> None:
    _refuse_newer(_current(connection))
    command.upgrade(alembic_config(connection), "head")


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_newer(current: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    if current is not None and current not in known:
        raise DatabaseTooNew(
            f"The database was made by a newer version of the program (its schema is {current}): install that version.",
            current=current,
        )
