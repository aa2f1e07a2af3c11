"""Bringing a database to the code's schema, and refusing one that is newer.

Alembic is loaded when a schema has to be changed or named: a start that finds the schema it knows has no need of it.
"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, column, inspect, select, table

from provisioner.errors import CannotStart, DatabaseNotMigrated, DatabaseTooNew
from provisioner.model.store import Store

if TYPE_CHECKING:
    from alembic.config import Config

SCRIPTS = Path(__file__).resolve().parents[2] / "migrations"
_VERSION = table("alembic_version", column("version_num"))


def alembic_config(connection: Connection | None = None) -> "Config":
    """Alembic's configuration for the project's scripts, without an ini file."""
    from alembic.config import Config  # noqa: PLC0415 - see above

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
    head = await asyncio.to_thread(newest_revision)
    if head is None:
        raise CannotStart(f"The program's migrations are missing from {SCRIPTS}: install it again.")
    if current == head:
        return
    await asyncio.to_thread(_refuse_newer, current)
    raise DatabaseNotMigrated(
        "The database is older than the program: run `provisioner db upgrade`.", current=current, head=head
    )


def newest_revision() -> str | None:
    """The code's schema: scripts are named by their revision, which is a number with four digits, in their order."""
    return max((path.name[:4] for path in SCRIPTS.glob("versions/[0-9]*.py")), default=None)


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - see above

    _refuse_newer(_current(connection))
    command.upgrade(alembic_config(connection), "head")


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_VERSION.name):
        return None
    found: str | None = connection.execute(select(_VERSION.c.version_num)).scalar_one_or_none()
    return found


def _refuse_newer(current: str | None) -> None:
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see above

    known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    if current is not None and current not in known:
        raise DatabaseTooNew(
            f"The database was made by a newer version of the program (its schema is {current}): install that version.",
            current=current,
        )
