"""What was revoked stays revoked: remembered in a file beside the key ring, so that a restored backup cannot undo it."""

import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.model import ApiToken, Device, FunctionKey, KeyRange, Revocation, SettingValue
from provisioner.model.store import Store, sequence
from provisioner.services.context import Context

FILE = "revoked.jsonl"


async def remember_revoked(context: Context, ref: str) -> None:
    """Append `ref` to the file and make sure it is on the disk.

    Called inside the transaction that revokes: when the file cannot be written nothing is revoked, and a name
    too many does no harm.
    """
    line = json.dumps({"ref": ref, "at": context.clock().isoformat()}) + "\n"
    await asyncio.to_thread(_append, context.settings.data / FILE, line)


def _append(path: Path, line: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


async def apply_revocations(store: Store, data: Path) -> list[str]:
    """Remove what the file says is revoked and the database still has (after a restore); gives back what was removed."""
    revoked = await asyncio.to_thread(_read, data / FILE)
    revoked |= await _remember_again(store, data, revoked)
    if not revoked:
        return []
    async with store.read() as session:
        devices = {f"device:{uid}" for uid in (await session.execute(select(Device.uid))).scalars()} & revoked
        tokens = {
            f"token:{public}" for public in (await session.execute(select(ApiToken.public_id))).scalars()
        } & revoked
    if not devices and not tokens:
        return []
    async with store.change() as session:
        for ref in devices | tokens:
            await session.merge(
                Revocation(
                    ref=ref,
                    seq=sequence(session),
                    at=datetime.now(UTC),
                    reason="revoked before the backup was restored",
                )
            )
        for ref in devices:
            await _remove_device(session, ref.partition(":")[2])
        for ref in tokens:
            await session.execute(delete(ApiToken).where(ApiToken.public_id == ref.partition(":")[2]))
    return sorted(devices | tokens)


async def _remove_device(session: AsyncSession, uid: str) -> None:
    """With its own settings and keys: a new device may get its number."""
    found = (
        await session.execute(select(Device.id, Device.tenant_id).where(Device.uid == uid))
    ).one_or_none()
    if found is None:
        return
    for table in (SettingValue, FunctionKey, KeyRange):
        own = (table.tenant_id == found.tenant_id) & (table.scope == "device") & (table.ref == str(found.id))
        await session.execute(delete(table).where(own))
    await session.execute(delete(Device).where(Device.id == found.id))


async def _remember_again(store: Store, data: Path, known: set[str]) -> set[str]:
    """Put into the file what only the database knows (a new data folder, another node); gives back what is on its list."""
    async with store.read() as session:
        listed = (await session.execute(select(Revocation.ref, Revocation.at))).all()
    lines = "".join(
        json.dumps({"ref": ref, "at": at.isoformat()}) + "\n" for ref, at in listed if ref not in known
    )
    if lines:
        await asyncio.to_thread(_append, data / FILE, lines)
    return {ref for ref, _ in listed}


async def is_revoked(store: Store, ref: str) -> bool:
    """Whether `ref` is on the list in the database."""
    async with store.read() as session:
        return await session.get(Revocation, ref) is not None


def _read(path: Path) -> set[str]:
    if not path.exists():
        return set()
    refs = set()
    for line in path.read_text("utf-8").splitlines():
        try:
            refs.add(str(json.loads(line)["ref"]))
        except (ValueError, KeyError, TypeError):
            continue  # a line cut short by a crash names nothing that was revoked
    return refs
