"""What a phone gets: from memory while its revision is current, else composed and rendered from the database."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import ip_network

from sqlalchemy import update

from provisioner.access.addresses import Address, Network, is_within, parse_address
from provisioner.access.gate import ClaimWindow, Gate, Subject
from provisioner.access.policies.named import policy as read_policy
from provisioner.composition.phone_config import PhoneConfig
from provisioner.errors import NotFound, Unavailable
from provisioner.model import Device
from provisioner.model.store import announce, touch
from provisioner.model.text import plain
from provisioner.profiles.manifest import FileRule
from provisioner.services.change_feed import ChangedDevices
from provisioner.services.context import Actor, Context
from provisioner.services.devices.enrolment import find_device
from provisioner.services.files.device_graph import (
    DeviceFacts,
    accepted_passwords,
    compose_parts,
    policy_of,
    profile_of,
    read_clear_text_networks,
    read_device,
    read_parts,
)

STRANGERS_REMEMBERED = 20_000
"""Unknown addresses kept in memory, so that asking twice costs the same as for a known one (T1)."""


LOCKS_REMEMBERED = 50_000


@dataclass(frozen=True, slots=True)
class Served:
    """A file ready to go out."""

    body: bytes = field(repr=False)
    content_type: str
    hash: str
    """SHA-256 of the body, hexadecimal: the strong ETag and what the log keeps."""
    revision: int
    warnings: tuple[str, ...] = ()


@dataclass(eq=False, slots=True)
class PhoneRecord:
    """One device as the phone door needs it. `device_id` 0: nobody registered this address."""

    mac: str
    subject: Subject
    device_id: int = 0
    tenant_id: int | None = None
    uid: str = ""
    profile: str = ""
    model: str = ""
    firmware: str = ""
    agent: str = ""
    revision: int = 0
    has_previous: bool = False
    locked_until: float = 0.0
    """A timed lock that is stored, seconds since the epoch; 0.0 for none."""
    files: dict[str, Served] = field(default_factory=dict)
    is_stale: bool = False


class PhoneFiles:
    """Known devices and their rendered files, bounded in number and bytes. One per process."""

    def __init__(self, context: Context, gate: Gate) -> None:
        self._context = context
        self._gate = gate
        self._records: OrderedDict[str, PhoneRecord] = OrderedDict()
        self._strangers: OrderedDict[str, PhoneRecord] = OrderedDict()
        self._by_id: dict[int, str] = {}
        self._with_files: OrderedDict[str, int] = OrderedDict()
        self._bytes = 0
        self._loading: dict[str, asyncio.Task[PhoneRecord]] = {}
        self._rendering: dict[tuple[int, int, str], asyncio.Task[Served]] = {}
        self._locks: dict[str, float] = {}
        self._clear_text: tuple[Network, ...] | None = None
        self._news = 0

    @property
    def bytes_held(self) -> int:
        """Size of the rendered files in memory."""
        return self._bytes

    @property
    def devices_held(self) -> int:
        return len(self._records)

    def known(self, mac: str) -> PhoneRecord | None:
        """The record when it is in memory; no waiting."""
        record = self._records.get(mac)
        return record if record is not None else self._strangers.get(mac)

    async def record(self, mac: str) -> PhoneRecord:
        """The record of an address, read once however many ask at the same time."""
        known = self.known(mac)
        if known is not None:
            return known
        task = self._loading.get(mac)
        if task is None:
            task = self._loading[mac] = asyncio.create_task(self._load(mac))
            task.add_done_callback(lambda _: self._loading.pop(mac, None))
        return await asyncio.shield(task)

    async def is_asked_in_clear(self, source: Address) -> bool:
        """Whether strangers at this address are asked for credentials over http: so must be phones of other tenants (T1)."""
        networks = self._clear_text
        while networks is None:
            news = self._news
            async with self._context.store.quick() as quick:
                networks = await read_clear_text_networks(quick)
            if news != self._news:
                networks = None
            else:
                self._clear_text = networks
        return is_within(source, networks)

    async def file(self, record: PhoneRecord, rule: FileRule) -> Served:
        """The file of a device that was allowed to have it; NotFound when the device is gone meanwhile."""
        served = record.files.get(rule.id)
        if served is not None and not record.is_stale:
            return served
        key = (record.device_id, record.revision, rule.id)
        task = self._rendering.get(key)
        if task is None:
            task = self._rendering[key] = asyncio.create_task(self._render(record, rule))
            task.add_done_callback(lambda _: self._rendering.pop(key, None))
        return await asyncio.shield(task)

    async def note_agent(self, record: PhoneRecord, *, agent: str, firmware: str) -> None:
        """A phone told a new firmware: its file may differ from now on."""
        before = record.agent, record.firmware
        record.agent = agent
        firmware = plain(firmware, limit=40)
        if not firmware or firmware == record.firmware:
            return
        record.firmware = firmware
        try:
            async with self._context.store.change() as session:
                await session.execute(
                    update(Device).where(Device.id == record.device_id).values(firmware=firmware)
                )
                await touch(session, [record.device_id])
        except BaseException:
            record.agent, record.firmware = before  # not stored: the next request tells it again
            raise
        self._drop(record.mac)

    async def note_new_password(self, record: PhoneRecord) -> None:
        """The phone has used the new password: the replaced one is worth nothing from now on."""
        same = (Device.id == record.device_id) & (
            Device.revision == record.revision
        )  # not replaced again meanwhile
        async with self._context.store.change() as session:
            await announce(session, same)
            await session.execute(
                update(Device).where(same).values(previous_password="", previous_until=None)
            )

    async def note_claim(self, record: PhoneRecord, *, address: str) -> bool:
        """Bind an open claim window to this address (T7); False when somebody else was quicker."""
        free = (Device.id == record.device_id) & Device.window_address.in_(["", address])
        async with self._context.store.change() as session:
            claimed = await announce(session, free)
            await session.execute(update(Device).where(free).values(window_address=address))
        return claimed == 1

    async def note_lock(self, record: PhoneRecord, *, until: float) -> None:
        """Store a timed lock, so that a restart and other workers keep it; never on an answer's way."""
        moment = datetime.fromtimestamp(until, UTC)
        async with self._context.store.change() as session:
            await announce(session, Device.id == record.device_id)
            await session.execute(
                update(Device).where(Device.id == record.device_id).values(locked_until=moment)
            )

    def forget(self, changed: ChangedDevices) -> None:
        """Drop what is out of date. Called by the change feed."""
        self._news += 1
        for device_id in changed.ids:
            mac = self._by_id.get(device_id)
            if mac is not None:
                self._drop(mac)
        if changed.gone:
            for mac in [mac for mac, record in self._records.items() if record.uid in changed.gone]:
                self._drop(mac)
        self._strangers.clear()  # an address that nobody had may be a new device's
        self._clear_text = None

    async def _load(self, mac: str) -> PhoneRecord:
        while True:
            news = self._news
            async with self._context.store.quick() as quick:
                facts = await read_device(quick, mac=mac)
                clear_text = self._clear_text if facts is None else ()
                if clear_text is None:
                    clear_text = await read_clear_text_networks(quick)
            if news == self._news:  # else something changed while this was read
                break
        if facts is not None:
            return self._keep(self._record_of(facts))
        self._clear_text = clear_text
        stranger = PhoneRecord(mac=mac, subject=replace(self._gate.stranger, clear_text_networks=clear_text))
        self._strangers[mac] = stranger
        while len(self._strangers) > STRANGERS_REMEMBERED:
            self._strangers.popitem(last=False)
        return stranger

    def _keep(self, record: PhoneRecord) -> PhoneRecord:
        self._drop(record.mac)
        self._records[record.mac] = record
        self._by_id[record.device_id] = record.mac
        while len(self._records) > self._context.settings.cache_devices:
            self._drop(next(iter(self._records)))
        return record

    def _drop(self, mac: str) -> None:
        record = self._records.pop(mac, None)
        if record is None:
            return
        record.is_stale = True
        self._by_id.pop(record.device_id, None)
        self._bytes -= self._with_files.pop(mac, 0)

    def _record_of(self, facts: DeviceFacts) -> PhoneRecord:
        passwords = accepted_passwords(self._context, facts)
        until = facts.previous_until.timestamp() if facts.previous_until else 0.0
        previous = self._gate.verifier(facts.username, passwords[1]) if len(passwords) > 1 else None
        networks = tuple(ip_network(text) for text in (facts.site_networks or facts.tenant_networks))
        window = None
        if facts.window_until is not None:
            claimed = parse_address(facts.window_address) if facts.window_address else None
            window = ClaimWindow(until=facts.window_until.timestamp(), claimed_by=claimed)
        locked_until = facts.locked_until.timestamp() if facts.locked_until else 0.0
        self._take_over_lock(facts, locked_until)
        return PhoneRecord(
            mac=facts.mac,
            device_id=facts.id,
            tenant_id=facts.tenant_id,
            uid=facts.uid,
            profile=facts.profile,
            model=facts.model,
            firmware=facts.firmware,
            agent=facts.agent,
            revision=facts.revision,
            has_previous=previous is not None,
            locked_until=locked_until,
            subject=Subject(
                policy=read_policy(policy_of(self._context, facts)),
                verifier=self._gate.verifier(
                    facts.username, passwords[0], previous=previous, previous_until=until
                ),
                token_hash=bytes.fromhex(facts.token_hash),
                networks=networks,
                clear_text_networks=networks if facts.is_clear_text_allowed else (),
                window=window,
            ),
        )

    def _take_over_lock(self, facts: DeviceFacts, until: float) -> None:
        """What is stored about wrong attempts counts in this process too: good address, lock, and its end by an admin."""
        lockout, subject = self._gate.lockout, bytes.fromhex(facts.mac)
        home = parse_address(facts.seen_from) if facts.seen_from else None
        if home is not None:
            lockout.remember(subject, home)
        now = self._context.clock().timestamp()
        if until:
            lockout.restore(subject, until=until, now=now)
            self._locks[facts.mac] = until
        elif self._locks.pop(facts.mac, 0.0) > now:
            lockout.unlock(subject)
        while len(self._locks) > LOCKS_REMEMBERED:
            self._locks.pop(next(iter(self._locks)))

    async def _render(self, record: PhoneRecord, rule: FileRule) -> Served:
        async with self._context.store.quick() as quick:
            facts = await read_device(quick, device_id=record.device_id)
            if facts is None:
                self._drop(record.mac)
                raise NotFound("The device was removed.")
            parts = await read_parts(quick, self._context, facts)
        config = await compose_parts(self._context, parts)
        await self._prepare(config)
        served = render(self._context, config, rule, revision=facts.revision)
        if not record.is_stale and record.revision == facts.revision:
            self._remember(record, rule, served)
        return served

    async def _prepare(self, config: PhoneConfig) -> None:
        """The first phone of a model and firmware makes its profile compile what they need; not on the event loop."""
        renderer = self._context.profiles.renderers.get(config.profile)
        if renderer is not None and not renderer.is_ready(config.model, config.firmware):
            await asyncio.to_thread(renderer.prepare, config.model, config.firmware)

    def _remember(self, record: PhoneRecord, rule: FileRule, served: Served) -> None:
        record.files[rule.id] = served
        self._with_files[record.mac] = self._with_files.pop(record.mac, 0) + len(served.body)
        self._bytes += len(served.body)
        while self._bytes > self._context.settings.cache_bytes and self._with_files:
            mac, size = self._with_files.popitem(last=False)
            self._bytes -= size
            self._records[mac].files.clear()


def render(context: Context, config: PhoneConfig, rule: FileRule, *, revision: int) -> Served:
    """One file of a composed device; Unavailable when its vendor's folder is broken."""
    renderer = context.profiles.renderers.get(config.profile)
    if renderer is None:
        raise Unavailable(
            f"The vendor profile {config.profile} is switched off because its folder is broken."
        )
    rendered = renderer.render(rule, config)
    return Served(
        # a copy: it finds its place in what writing the file has left free, where the file itself stands beyond all of that
        body=bytes(memoryview(rendered.body)),
        content_type=rendered.content_type,
        hash=hashlib.sha256(rendered.body).hexdigest(),
        revision=revision,
        warnings=(*config.warnings, *rendered.warnings),
    )


async def compose_device(context: Context, actor: Actor, *, device_id: int) -> PhoneConfig:
    """What this device should be now, with provenance: for people. Holds secrets in clear."""
    async with context.store.read() as session:
        await find_device(session, actor, device_id)
    async with context.store.quick() as quick:
        facts = await read_device(quick, device_id=device_id)
        if facts is None:
            raise NotFound("There is no such device.")
        if profile_of(context, facts) is None:
            raise Unavailable(
                f"The vendor profile {facts.profile} is switched off because its folder is broken."
            )
        parts = await read_parts(quick, context, facts)
    return await compose_parts(context, parts)


async def preview_files(
    context: Context, actor: Actor, *, device_id: int
) -> Sequence[tuple[FileRule, Served]]:
    """Every device file as the phone would get it now."""
    config = await compose_device(context, actor, device_id=device_id)
    profile = context.profiles.all[config.profile]
    return [
        (rule, render(context, config, rule, revision=0)) for rule in profile.files if rule.role == "device"
    ]
