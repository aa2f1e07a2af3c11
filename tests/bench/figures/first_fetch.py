"""The first fetch after a change: the device is read, composed, rendered and stored in memory."""

import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from provisioner import garbage
from provisioner.app import make_gate
from provisioner.model.store import Store, touch
from provisioner.services.change_feed import ChangedDevices
from provisioner.services.context import Context
from provisioner.services.files.phone_files import PhoneFiles
from provisioner.services.operation.installation import open_context
from provisioner.settings import ServerSettings
from tests.bench.fleet import KEYS, SNOM, YEALINK, Member
from tests.bench.machine import pinned, server_core
from tests.bench.place import Place
from tests.bench.rounds import BenchError, quietest
from tests.bench.scale import Scale
from tests.bench.table import Figure

TARGET_MS = 3.0


def measure_first_fetch(scale: Scale, folder: Path) -> Sequence[Figure]:
    """In this process, by its processor time; SQLite."""
    place = Place.made(folder / "data")
    with pinned(server_core()):
        return uvloop.run(_measure(scale, place))


async def _measure(scale: Scale, place: Place) -> Sequence[Figure]:
    settings = ServerSettings(**place.settings)  # type: ignore[arg-type]  # checked by pydantic
    store = Store(settings.database_url)
    try:
        context = await open_context(settings, store=store)
        members = [member for member in place.members if member.kind in {SNOM, YEALINK}]
        return [await _figure(context, member, scale) for member in members]
    finally:
        await store.close()


async def _figure(context: Context, member: Member, scale: Scale) -> Figure:
    files = PhoneFiles(context, make_gate(context))
    await _fetch_after_change(context, files, member)
    garbage.settle()  # as the server does when it has started
    costs: list[float] = []

    async def measure_round() -> Sequence[float]:
        found = [await _fetch_after_change(context, files, member) for _ in range(scale.fetches)]
        costs.extend(found)
        return found

    typical = await quietest(scale.quiet_rounds, measure_round) * 1e3
    return Figure(
        name=f"first fetch after a change, {member.kind.profile.capitalize()} {member.kind.model}, {KEYS} keys",
        ours=f"{typical:.2f} ms (fastest {min(costs) * 1e3:.2f})",
        reference="",
        ratio="",
        target=f"≤ {TARGET_MS:.0f} ms",
        is_met=typical <= TARGET_MS,
        how=f"processor time of the process from asking for the device's record to the rendered file being in memory, after a change of the device; median of {scale.fetches}, in the quietest of {scale.quiet_rounds} rounds; "
        "network and password check are not in it",
    )


async def _fetch_after_change(context: Context, files: PhoneFiles, member: Member) -> float:
    """Seconds of processor time."""
    mac = member.kind.mac(member.number)
    known = await files.record(mac)
    async with context.store.change() as session:
        await touch(session, [known.device_id])
    files.forget(ChangedDevices([known.device_id], frozenset()))
    rule = next(
        match.file
        for match in context.profiles.matches(member.target.removeprefix("/p/"), {})
        if match.profile.id == member.kind.profile
    )
    before = time.process_time()
    record = await files.record(mac)
    served = await files.file(record, rule)
    spent = time.process_time() - before
    if record is known or record.files.get(rule.id) is not served:
        raise BenchError("the file did not come from a new record, or was not kept")
    return spent
