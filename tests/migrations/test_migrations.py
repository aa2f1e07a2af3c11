import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from provisioner.errors import CannotStart, DatabaseNotMigrated, DatabaseTooNew
from provisioner.model import Base, migration
from provisioner.model.migration import alembic_config, check_schema, migrate, newest_revision
from provisioner.model.store import CONFIGURATION, REGISTRATIONS, Store


@pytest.fixture
def url(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    if database == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'empty.sqlite'}"
    found: str = request.getfixturevalue("postgres_url")
    return found


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, Base.metadata))


async def test_from_empty_to_head_equals_the_models(url: str) -> None:
    store = Store(url)
    try:
        with pytest.raises(DatabaseNotMigrated):
            await check_schema(store)
        await migrate(store)
        await check_schema(store)
        async with store.engine.connect() as connection:
            assert await connection.run_sync(_differences) == []
        assert [await store.counter(name) for name in (CONFIGURATION, REGISTRATIONS)] == [0, 0]
        await migrate(store)
    finally:
        await store.close()


async def test_down_to_base_leaves_nothing_and_up_again_works(url: str) -> None:
    store = Store(url)
    try:
        await migrate(store)
        async with store.engine.connect() as connection:
            await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "base"))
            await connection.commit()
            assert await connection.run_sync(lambda sync: inspect(sync).get_table_names()) == [
                "alembic_version"
            ]
        await migrate(store)
        await check_schema(store)
    finally:
        await store.close()


async def test_a_database_newer_than_the_program_is_left_alone(url: str) -> None:
    store = Store(url)
    try:
        await migrate(store)
        async with store.write() as session:
            await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        for use in (migrate, check_schema):
            with pytest.raises(DatabaseTooNew, match="9999"):
                await use(store)
    finally:
        await store.close()


def test_the_newest_script_is_alembics_head() -> None:
    scripts = list(ScriptDirectory.from_config(alembic_config()).walk_revisions())
    assert all(Path(script.path).name.startswith(f"{script.revision}_") for script in scripts)
    assert newest_revision() == ScriptDirectory.from_config(alembic_config()).get_current_head()


async def test_an_installation_without_migrations_says_so(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration, "newest_revision", lambda: None)
    store = Store(url)
    try:
        with pytest.raises(CannotStart, match="migrations are missing"):
            await check_schema(store)
    finally:
        await store.close()


def test_a_start_has_no_need_of_alembic() -> None:
    asked = "import sys, provisioner.app; sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0
