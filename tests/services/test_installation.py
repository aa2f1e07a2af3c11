from pathlib import Path

import pytest
from sqlalchemy import text

from provisioner.errors import (
    CannotStart,
    DatabaseNotMigrated,
    DatabaseTooNew,
    KeyMissing,
    KeyRingUnusable,
    ProvisionerError,
)
from provisioner.model.store import Store
from provisioner.secrets import KeyRing
from provisioner.services.context import SYSTEM
from provisioner.services.operation.installation import KEY_RING, install, open_context
from provisioner.services.people.tenants import create_tenant
from provisioner.settings import ServerSettings
from tests.services.places import device_of
from tests.support.server import opened_context, prepared


async def _opens(settings: ServerSettings) -> None:
    store = Store(settings.database_url)
    try:
        await open_context(settings, store=store)
    finally:
        await store.close()


async def _execute(settings: ServerSettings, statement: str) -> None:
    store = Store(settings.database_url)
    try:
        async with store.write() as session:
            await session.execute(text(statement))
    finally:
        await store.close()


async def test_a_second_install_changes_nothing(tmp_path: Path) -> None:
    settings, password = await prepared(tmp_path / "data")
    assert len(password) >= 20
    files = {
        path: path.read_bytes()
        for path in (tmp_path / "data").rglob("*")
        if path.suffix in {".json", ".pem", ".key"}
    }
    again = await install(settings)
    assert (again.login, again.password) == ("admin", None)
    assert files == {path: path.read_bytes() for path in files}


async def test_secrets_are_readable_by_the_owner_alone(tmp_path: Path) -> None:
    await prepared(tmp_path / "data")
    keys = [
        path
        for path in (tmp_path / "data").rglob("*")
        if path.is_file() and b"PRIVATE KEY" in path.read_bytes()
    ]
    assert len(keys) == 3
    private = [*keys, tmp_path / "data" / KEY_RING]
    assert all(path.stat().st_mode & 0o077 == 0 for path in private)


async def test_a_wrong_key_ring_refuses_and_names_the_key(tmp_path: Path) -> None:
    async with opened_context(tmp_path / "data") as context:
        tenant = await create_tenant(context, SYSTEM, key="acme", name="Acme", sip_domain="acme.test")
        await device_of(context, tenant)
        settings, needed = context.settings, context.keyring.current
    (tmp_path / "data" / KEY_RING).unlink()
    KeyRing.create(tmp_path / "data" / KEY_RING)
    with pytest.raises(KeyMissing, match=needed):
        await _opens(settings)


async def test_what_was_never_sealed_is_refused_and_not_told(tmp_path: Path) -> None:
    """A row that somebody put right by hand."""
    async with opened_context(tmp_path / "data") as context:
        tenant = await create_tenant(context, SYSTEM, key="acme", name="Acme", sip_domain="acme.test")
        device = await device_of(context, tenant)
        settings = context.settings
    words = "plain words that nobody may read"
    await _execute(settings, f"UPDATE devices SET password = '{words}' WHERE id = {device.id}")
    with pytest.raises(ProvisionerError) as refused:
        await _opens(settings)
    assert "nobody may read" not in f"{refused.value} {vars(refused.value)}"


async def test_a_missing_key_ring_beside_data_is_not_replaced(tmp_path: Path) -> None:
    settings, _ = await prepared(tmp_path / "data")
    (tmp_path / "data" / KEY_RING).unlink()
    with pytest.raises(KeyRingUnusable):
        await _opens(settings)
    with pytest.raises(CannotStart, match=r"put keyring\.json back"):
        await install(settings)
    assert not (tmp_path / "data" / KEY_RING).exists()


async def test_a_key_ring_open_to_others_refuses(tmp_path: Path) -> None:
    settings, _ = await prepared(tmp_path / "data")
    (tmp_path / "data" / KEY_RING).chmod(0o644)
    with pytest.raises(KeyRingUnusable, match="chmod 600"):
        await _opens(settings)


async def test_a_database_of_a_newer_version_refuses(tmp_path: Path) -> None:
    settings, _ = await prepared(tmp_path / "data")
    await _execute(settings, "UPDATE alembic_version SET version_num = 'from-the-future'")
    for use in (_opens, install):
        with pytest.raises(DatabaseTooNew, match="newer version"):
            await use(settings)


async def test_an_empty_database_says_what_to_run(tmp_path: Path) -> None:
    settings, _ = await prepared(tmp_path / "data")
    (tmp_path / "data" / "provisioner.sqlite").unlink()
    with pytest.raises(DatabaseNotMigrated, match="db upgrade"):
        await _opens(settings)


async def test_an_unknown_policy_in_the_settings_refuses(tmp_path: Path) -> None:
    settings, _ = await prepared(tmp_path / "data", policy="sesame")
    with pytest.raises(CannotStart, match="policy"):
        await _opens(settings)


async def test_no_vendor_profiles_refuses(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    settings, _ = await prepared(tmp_path / "data", profiles=tmp_path / "none")
    with pytest.raises(CannotStart, match="no vendor profiles"):
        await _opens(settings)
