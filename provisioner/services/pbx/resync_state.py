"""Whether a phone has the configuration it should have, in a word, and asking it by hand to fetch."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from provisioner.errors import Conflict, RenderingFailed, Unavailable
from provisioner.model import PbxConnection, Resync, Sighting
from provisioner.model.store import touch
from provisioner.services.context import Actor, Context, audit
from provisioner.services.devices.enrolment import find_device
from provisioner.services.files.phone_files import preview_files
from provisioner.services.pbx.resync_rows import NO_CONNECTION, NOT_REGISTERED
from provisioner.services.seats.resync import ask

MANUAL: Final = "by hand"


class Freshness(StrEnum):
    NEVER = "never-fetched"
    CURRENT = "up-to-date"
    ASKED = "asked"  # told or about to be, the fetch is awaited
    NO_ANSWER = "no-answer"  # given up: it did not come
    NOT_REGISTERED = "not-registered"  # cannot be told
    OUTDATED = "outdated"  # nobody asked it to come


@dataclass(frozen=True, slots=True)
class ResyncState:
    """`detail`: a sentence about the last attempt, "" when there is nothing to say. `is_connected`: the tenant's PBX is."""

    freshness: Freshness
    served_at: datetime | None
    asked_at: datetime | None
    attempts: int
    next_at: datetime | None
    detail: str
    is_connected: bool


async def resync_state(context: Context, actor: Actor, *, device_id: int) -> ResyncState:
    """Up to date means: the file that went out last is the file that it would get now, byte for byte."""
    async with context.store.read() as session:
        device = await find_device(session, actor, device_id)
        row, seen = await session.get(Resync, device_id), await session.get(Sighting, device_id)
        is_connected = await session.get(PbxConnection, device.tenant_id) is not None
    served_hash, served_at = (seen.served_hash, seen.served_at) if seen else ("", None)
    is_open = row is not None and (seen is None or seen.served_revision < row.revision)
    is_current = served_hash != "" and served_hash in await _hashes(context, actor, device_id)
    return ResyncState(
        freshness=_freshness(row, is_open=is_open, is_current=is_current, was_served=served_at is not None),
        served_at=served_at,
        asked_at=row.asked_at if row else None,
        attempts=row.attempts if row else 0,
        next_at=row.next_at if row and is_open else None,
        detail=row.detail if row and is_open else "",
        is_connected=is_connected,
    )


def _freshness(row: Resync | None, *, is_open: bool, is_current: bool, was_served: bool) -> Freshness:
    is_away = row is not None and row.detail == NOT_REGISTERED
    if row is not None and is_open and row.next_at is not None:
        return Freshness.NOT_REGISTERED if is_away else Freshness.ASKED
    if is_current:
        return Freshness.CURRENT
    if row is not None and is_open and row.detail != NO_CONNECTION:
        return Freshness.NOT_REGISTERED if is_away else Freshness.NO_ANSWER
    return Freshness.OUTDATED if was_served else Freshness.NEVER


async def _hashes(context: Context, actor: Actor, device_id: int) -> frozenset[str]:
    """Of every file the phone may ask for: it asks for one, or for several in one go of which the last is kept."""
    try:
        files = await preview_files(context, actor, device_id=device_id)
    except (Unavailable, RenderingFailed):  # a broken vendor folder: nothing would go out
        return frozenset()
    return frozenset(served.hash for _, served in files)


async def resync_now(context: Context, actor: Actor, *, device_id: int) -> None:
    """Have a phone told to fetch now, whether or not its file differs; Conflict without a connection to its PBX."""
    async with context.store.change() as session:
        device = await find_device(session, actor, device_id)
        if await session.get(PbxConnection, device.tenant_id) is None:
            raise Conflict(
                "The PBX of this tenant is not connected, so no phone can be told: connect it first. "
                "Until then phones fetch at their poll interval."
            )
        await touch(
            session, [device.id]
        )  # a new revision: then the fetch that follows is known from earlier ones
        await ask(session, context, [device.id], why=MANUAL)
        audit(
            session,
            context,
            actor,
            action="device.resync",
            tenant_id=device.tenant_id,
            object=f"{device.name} {device.mac}",
        )
