"""A new key for the stored secrets, whatever interrupts it."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import update

from provisioner.model import Device, Line
from provisioner.model.store import Store
from provisioner.secrets import KeyRing
from provisioner.services.context import SYSTEM, Context
from provisioner.services.device_secrets import SEALED_DEVICE_COLUMNS, line_purpose
from provisioner.services.devices.device_settings import put_settings
from provisioner.services.devices.enrolment import enrol, get_device, replace_device_password, reveal
from provisioner.services.files.phone_files import compose_device
from provisioner.services.operation import secret_rotation
from provisioner.services.operation.installation import KEY_RING, open_context
from provisioner.services.operation.secret_rotation import ring_status, rotate
from provisioner.services.people.tenants import create_tenant
from tests.support.server import opened_context


@pytest.fixture
async def context(tmp_path: Path) -> AsyncIterator[Context]:
    async with opened_context(tmp_path / "data") as context:
        tenant = await create_tenant(context, SYSTEM, key="acme", name="Acme", sip_domain="acme.test")
        for number in range(3):
            await enrol(
                context,
                SYSTEM,
                tenant_id=tenant.id,
                profile="snom",
                model="D785",
                mac=f"00041300000{number + 1}",
            )
        await replace_device_password(context, SYSTEM, device_id=1)
        secret = next(name for name, setting in context.catalogue.settings.items() if setting.is_secret)
        scope = context.catalogue[secret].scopes[-1]
        await put_settings(
            context,
            SYSTEM,
            tenant_id=1,
            scope=scope,
            ref="" if scope == "tenant" else "1",
            values={secret: "s3cret-value"},
        )
        yield context


async def secrets_of(context: Context, device_id: int) -> list[str]:
    """Everything sealed that one device has, in clear."""
    device = await get_device(context, SYSTEM, device_id=device_id)
    found = [reveal(context, device, column) for column in SEALED_DEVICE_COLUMNS if getattr(device, column)]
    found += [context.keyring.open(line.secret, purpose=line_purpose(line.account)) for line in device.lines]
    config = await compose_device(context, SYSTEM, device_id=device_id)
    return found + [
        str(config.value(name)) for name, setting in context.catalogue.settings.items() if setting.is_secret
    ]


async def test_what_is_on_the_disk_opens_when_the_old_key_goes(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power failure leaves the file without what stood in the log beside it."""
    file, left = Path(str(context.store.url.database)), tmp_path / "left.sqlite"
    retire = KeyRing.retire

    def retire_and_fail(ring: KeyRing, key_id: str) -> None:
        shutil.copyfile(file, left)
        retire(ring, key_id)

    monkeypatch.setattr(KeyRing, "retire", retire_and_fail)
    before = await secrets_of(context, 1)
    await rotate(context, SYSTEM, settle=0.0)
    store = Store(f"sqlite+aiosqlite:///{left}")
    try:
        assert await secrets_of(await open_context(context.settings, store=store), 1) == before
    finally:
        await store.close()


async def everything(context: Context) -> list[list[str]]:
    return [await secrets_of(context, number) for number in (1, 2, 3)]


async def reopened(context: Context) -> Context:
    """As a server that is started now would see it: its own key ring, read from the file."""
    return await open_context(context.settings, store=context.store)


async def test_everything_is_sealed_anew_and_the_old_key_goes(context: Context) -> None:
    before, old = await everything(context), context.keyring.current
    told: list[tuple[int, int]] = []
    done = await rotate(context, SYSTEM, settle=0, on_progress=lambda at, of: told.append((at, of)))
    assert done.retired == [old]
    assert not done.was_resumed
    assert not done.unreadable
    assert (
        done.sealed == 3 * 5 + 1 + 3 + 1 + 1
    )  # columns, a previous password, lines, a setting, the key check
    status = await ring_status(context)
    assert status.uses == {done.current: done.sealed}
    assert KeyRing.load(context.settings.data / KEY_RING).key_ids == (done.current,)
    assert await everything(await reopened(context)) == before
    assert "s3cret-value" in before[0]
    assert told[-1] == (7, 7)


async def test_no_phone_gets_a_new_revision(context: Context) -> None:
    before = (await get_device(context, SYSTEM, device_id=1)).revision
    await rotate(context, SYSTEM, settle=0)
    assert (await get_device(context, SYSTEM, device_id=1)).revision == before


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4])
async def test_a_rotation_killed_at_any_point_loses_nothing_and_is_ended_by_the_next(
    context: Context, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    before, old = await everything(context), context.keyring.current
    monkeypatch.setattr(secret_rotation, "CHUNK", 2)
    calls = 0

    def die(_at: int, _of: int) -> None:
        nonlocal calls
        calls += 1
        if calls > after:
            raise _Killed

    with pytest.raises(_Killed):
        await rotate(context, SYSTEM, settle=0, on_progress=die) if after < 4 else await _die_before_the_end(
            context, monkeypatch
        )
    fresh = await reopened(context)
    assert await everything(fresh) == before
    assert (await ring_status(fresh)).is_unfinished
    assert old in fresh.keyring.key_ids
    monkeypatch.undo()
    done = await rotate(fresh, SYSTEM, settle=0)
    assert done.was_resumed
    assert done.retired == [old]
    assert await everything(await reopened(context)) == before


async def _die_before_the_end(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(self: KeyRing, key_id: str) -> None:
        raise _Killed

    monkeypatch.setattr(KeyRing, "retire", die)
    await rotate(context, SYSTEM, settle=0)


async def test_a_running_server_opens_what_another_process_sealed_anew(context: Context) -> None:
    running = await reopened(context)
    before = await everything(running)
    await rotate(context, SYSTEM, settle=0)
    assert await everything(running) == before


async def test_a_secret_sealed_under_the_old_key_meanwhile_is_taken_along(context: Context) -> None:
    running = await reopened(context)
    old_ring = KeyRing.load(context.settings.data / KEY_RING)
    new_secret = old_ring.seal("late-secret", purpose="line.secret:late")

    pending: list[tuple[int, int]] = []
    original = secret_rotation._key_check

    async def key_check(session: object) -> object:
        if pending and pending.pop():
            await session.execute(update(Line).where(Line.id == 1).values(account="late", secret=new_secret))  # type: ignore[attr-defined]
        return await original(session)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secret_rotation, "_key_check", key_check)
        done = await rotate(context, SYSTEM, settle=0, on_progress=lambda at, of: pending.append((at, of)))
    assert len(done.retired) == 1
    device = await get_device(running, SYSTEM, device_id=1)
    assert running.keyring.open(device.lines[0].secret, purpose="line.secret:late") == "late-secret"


async def test_a_damaged_secret_keeps_its_key_and_is_named(context: Context) -> None:
    old = context.keyring.current
    device = await get_device(context, SYSTEM, device_id=2)
    damaged = device.password[:-4] + ("AAAA" if not device.password.endswith("AAAA") else "BBBB")
    async with context.store.change() as session:
        await session.execute(update(Device).where(Device.id == 2).values(password=damaged))
    done = await rotate(context, SYSTEM, settle=0)
    assert not done.retired
    assert [line.partition(":")[0] for line in done.unreadable] == ["device.password"]
    assert old in context.keyring.key_ids
