"""T28: what was revoked stays revoked, whatever backup comes back."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from provisioner.errors import NotFound
from provisioner.model import Revocation, SettingValue, Tenant
from provisioner.model.store import Store
from provisioner.services.context import SYSTEM, Context
from provisioner.services.devices.device_settings import put_settings
from provisioner.services.devices.enrolment import get_device, remove_device
from provisioner.services.operation.installation import open_context
from provisioner.services.people.api_tokens import TokenBook, create_token, revoke_token
from provisioner.services.people.tenants import create_tenant
from provisioner.services.revocations import FILE, apply_revocations, is_revoked
from tests.services.places import device_of
from tests.support.server import opened_context, prepared


async def test_a_restored_backup_brings_no_revoked_device_or_token_back(tmp_path: Path) -> None:
    """T28."""
    settings, _ = await prepared(tmp_path / "data")
    database, backup = tmp_path / "data" / "provisioner.sqlite", tmp_path / "backup.sqlite"
    async with opened_context(tmp_path / "data") as context:
        tenant = await create_tenant(context, SYSTEM, key="acme", name="Acme", sip_domain="acme.test")
        gone, kept = await device_of(context, tenant, 1), await device_of(context, tenant, 2)
        token = await create_token(context, SYSTEM, name="pbx", role="pbx", tenant_id=tenant.id)
        other = await create_token(context, SYSTEM, name="pbx 2", role="pbx", tenant_id=tenant.id)
        await put_settings(
            context, SYSTEM, tenant_id=tenant.id, scope="device", ref=str(gone.id), values={"language": "nl"}
        )
    shutil.copy(database, backup)
    async with opened_context(tmp_path / "data") as context:
        await remove_device(context, SYSTEM, device_id=gone.id, reason="stolen")
        await revoke_token(context, SYSTEM, token_id=token.row.id)
    shutil.copy(backup, database)
    store = Store(settings.database_url)
    try:
        context = await open_context(settings, store=store)
        with pytest.raises(NotFound):
            await get_device(context, SYSTEM, device_id=gone.id)
        assert (await get_device(context, SYSTEM, device_id=kept.id)).mac == kept.mac
        book = TokenBook(context)
        assert await book.actor(token.text, address="") is None
        assert await book.actor(other.text, address="") is not None
        await book.close()
        assert await is_revoked(store, f"device:{gone.uid}")
        own = select(SettingValue).where(SettingValue.scope == "device")
        async with store.read() as session:  # SQLite gives a number out again to the next device
            assert (await session.execute(own)).all() == []
    finally:
        await store.close()


async def test_a_lost_file_is_written_anew_from_the_database(context: Context, tenant: Tenant) -> None:
    device = await device_of(context, tenant)
    await remove_device(context, SYSTEM, device_id=device.id)
    file = context.settings.data / FILE
    assert device.uid in file.read_text()
    file.unlink()
    assert await apply_revocations(context.store, context.settings.data) == []
    assert device.uid in file.read_text()


async def test_a_line_cut_short_by_a_crash_harms_nothing(context: Context, tenant: Tenant) -> None:
    device = await device_of(context, tenant)
    (context.settings.data / FILE).write_text('{"ref": "device:' + device.uid)
    assert await apply_revocations(context.store, context.settings.data) == []
    assert (await get_device(context, SYSTEM, device_id=device.id)).uid == device.uid


async def test_when_the_file_cannot_be_written_nothing_is_revoked(context: Context, tenant: Tenant) -> None:
    device = await device_of(context, tenant)
    (context.settings.data / FILE).mkdir()
    with pytest.raises(OSError, match=FILE):
        await remove_device(context, SYSTEM, device_id=device.id)
    assert (await get_device(context, SYSTEM, device_id=device.id)).uid == device.uid
    async with context.store.write() as session:
        await session.execute(delete(Revocation))
