"""Registering, changing, replacing and removing devices (R1)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from provisioner.errors import BadInput, NotFound, UnknownModel
from provisioner.model import (
    Device,
    FunctionKey,
    KeyRange,
    Mac,
    Revocation,
    SettingValue,
    Sighting,
    Tenant,
    User,
)
from provisioner.model.store import announce, sequence, touch
from provisioner.profiles.manifest import Model, Profile
from provisioner.services.context import Actor, Context, audit
from provisioner.services.device_secrets import choose_password, furnish, new_line, purpose, replace_password
from provisioner.services.devices.enrolment_checks import (
    TEXTS,
    device_name,
    device_note,
    device_policy,
    refuse_taken,
    site_for,
    user_for,
    username_for,
)
from provisioner.services.people.tenants import find_tenant
from provisioner.services.revocations import remember_revoked
from provisioner.services.seats.lines import give_to, keep_primary, stand_for
from provisioner.services.seats.mates import touch_mates
from provisioner.services.seats.resync import ask
from provisioner.services.seats.seating import stand

CLAIM_WINDOW_MAXIMUM = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A new device with its password, which is shown now and never again."""

    device: Device
    password: str = field(repr=False)
    was_generated: bool
    warnings: Sequence[str] = field(default=())


def find_model(context: Context, profile_id: str, model_id: str) -> tuple[Profile, Model]:
    """The vendor profile and model; UnknownModel with the list of what there is."""
    profile = context.profiles.all.get(profile_id)
    model = profile.models.get(model_id) if profile else None
    if profile is None or model is None:
        known = [
            f"{profile.id}/{model_id}"
            for profile in context.profiles.all.values()
            for model_id in profile.models
        ]
        asked = f"{profile_id[:40]}/{model_id[:40]}".removesuffix("/")
        by_fold = {name.casefold(): name for name in known}
        by_fold |= {name.partition("/")[2].casefold(): name for name in known}
        near = dict.fromkeys(by_fold[text] for text in get_close_matches(asked.casefold(), by_fold, n=3))
        if near:
            raise UnknownModel(
                f"No vendor profile knows {asked}. Near it: {', '.join(near)}.", field="model", models=known
            )
        raise UnknownModel(f"No vendor profile knows {asked}.", field="model", models=known)
    return profile, model


def vendor_warning(context: Context, profile: Profile, mac: Mac) -> str | None:
    """A sentence when the address belongs to another vendor than the chosen type (R1.3: a warning, no error)."""
    vendors = context.profiles.vendor_of_oui(mac.digits)
    if not profile.ouis or profile.id in vendors:
        return None
    if not vendors:
        return (
            f"{mac.pretty} is not a known {profile.label} address; please compare it with the phone's label."
        )
    labels = ", ".join(context.profiles.all[vendor].label for vendor in vendors)
    return f"{mac.pretty} is an address of {labels}, but the chosen type is {profile.label}."


async def enrol(
    context: Context,
    actor: Actor,
    *,
    tenant_id: int,
    profile: str,
    model: str,
    mac: str,
    name: str = "",
    user_id: int | None = None,
    site_id: int | None = None,
    password: str | None = None,
    username: str | None = None,
    policy: str = "",
    note: str = "",
) -> Enrolled:
    """Register a device and give it to a user in one step; nothing is stored when anything is wrong.

    `mac` in any spelling; `password` None generates one. Raises InvalidMac, MacTaken, UnknownModel, WeakPassword,
    BadInput, Conflict.
    """
    async with context.store.change() as session:
        return await enrol_in(
            session,
            context,
            actor,
            tenant=await find_tenant(session, actor.tenant(tenant_id)),
            profile=profile,
            model=model,
            mac=mac,
            name=name,
            user_id=user_id,
            site_id=site_id,
            password=password,
            username=username,
            policy=policy,
            note=note,
        )


async def enrol_in(
    session: AsyncSession,
    context: Context,
    actor: Actor,
    *,
    tenant: Tenant,
    profile: str,
    model: str,
    mac: str,
    name: str = "",
    user_id: int | None = None,
    site_id: int | None = None,
    password: str | None = None,
    username: str | None = None,
    policy: str = "",
    note: str = "",
) -> Enrolled:
    """The same inside a transaction that the caller opened with `Store.change` (imports)."""
    found, chosen_model = find_model(context, profile, model)
    address = Mac.parse(mac)
    await refuse_taken(session, actor, address)
    user = await user_for(session, tenant, user_id)
    device = Device(
        tenant_id=tenant.id,
        site_id=await site_for(session, tenant, site_id),
        mac=address.digits,
        name=device_name(name or default_name(chosen_model, user)),
        profile=found.id,
        model=chosen_model.id,
        username=await username_for(session, username, found),
        policy=device_policy(policy),
        note=device_note(note),
        previous_password="",
        password="",
        revision=1,
        changed_seq=sequence(session),
        created_at=context.clock(),
    )
    furnish(device, context.keyring, profile=found)
    chosen = choose_password(password, tenant=tenant, profile=found, device=device)
    replace_password(device, chosen, keyring=context.keyring, clock=context.clock, keep_previous=False)
    line = new_line(device, context.keyring, position=1)
    device.lines = [line]
    session.add(device)
    await session.flush()
    kind = "user" if user else "empty"
    await stand_for(session, context, line=line, device=device, user=user, kind=kind)
    audit(
        session,
        context,
        actor,
        action="device.enrol",
        tenant_id=tenant.id,
        object=f"{device.name} {address.pretty}",
        model=chosen_model.id,
    )
    warning = vendor_warning(context, found, address)
    return Enrolled(device, chosen, password is None, (warning,) if warning else ())


async def get_device(context: Context, actor: Actor, *, device_id: int) -> Device:
    """One device with its lines; NotFound."""
    async with context.store.read() as session:
        return await find_device(session, actor, device_id)


async def find_by_mac(context: Context, actor: Actor, *, mac: str) -> Device:
    """The device with this address, in any spelling; InvalidMac, NotFound."""
    address = Mac.parse(mac)
    async with context.store.read() as session:
        device_id = (
            await session.execute(select(Device.id).where(Device.mac == address.digits))
        ).scalar_one_or_none()
        if device_id is None:
            raise NotFound(f"There is no device {address.pretty}.")
        return await find_device(session, actor, device_id)


async def update_device(
    context: Context, actor: Actor, *, device_id: int, **fields: Any
) -> tuple[Device, Sequence[str]]:
    """Change name, model, MAC, user, site, place, emergency_caller_id, policy or note. Gives the device back, and warnings."""
    async with context.store.change() as session:
        device = await find_device(session, actor, device_id)
        tenant = await find_tenant(session, device.tenant_id)
        changed = sorted(fields)
        warnings = await _apply(session, context, actor, device=device, tenant=tenant, fields=fields)
        await session.flush()
        await touch(session, [device.id])
        if "name" in changed:
            await touch_mates(session, context, device_id=device.id)
        if "user_id" in changed:
            await ask(session, context, [device.id], why="assignment")
        audit(
            session,
            context,
            actor,
            action="device.update",
            tenant_id=device.tenant_id,
            object=_label(device),
            fields=changed,
        )
    return await get_device(context, actor, device_id=device_id), warnings


async def replace_device_password(
    context: Context, actor: Actor, *, device_id: int, password: str | None = None, at_once: bool = False
) -> Enrolled:
    """Replace the device configuration password. `at_once` refuses the old one immediately (a stolen phone)."""
    async with context.store.change() as session:
        device = await find_device(session, actor, device_id)
        tenant = await find_tenant(session, device.tenant_id)
        profile, _ = find_model(context, device.profile, device.model)
        chosen = choose_password(password, tenant=tenant, profile=profile, device=device)
        replace_password(
            device, chosen, keyring=context.keyring, clock=context.clock, keep_previous=not at_once
        )
        await session.flush()
        await touch(session, [device.id])
        audit(
            session,
            context,
            actor,
            action="device.password",
            tenant_id=device.tenant_id,
            object=_label(device),
            at_once=at_once,
        )
    return Enrolled(device, chosen, password is None)


async def open_claim_window(context: Context, actor: Actor, *, device_id: int, minutes: int) -> Device:
    """Let the phone with this address fetch once without credentials (condition `window`), for a while."""
    if not 1 <= minutes <= CLAIM_WINDOW_MAXIMUM.total_seconds() / 60:
        raise BadInput("A claim window is open for 1 to 1440 minutes.", field="minutes")
    async with context.store.change() as session:
        device = await find_device(session, actor, device_id)
        device.window_until, device.window_address = context.clock() + timedelta(minutes=minutes), ""
        await session.flush()
        await announce(session, Device.id == device.id)
        audit(
            session,
            context,
            actor,
            action="device.window",
            tenant_id=device.tenant_id,
            object=_label(device),
            minutes=minutes,
        )
    return device


async def unlock_device(context: Context, actor: Actor, *, device_id: int) -> Device:
    """Forget the wrong passwords that locked a device."""
    async with context.store.change() as session:
        device = await find_device(session, actor, device_id)
        device.locked_until = None
        await session.flush()
        await announce(session, Device.id == device.id)
        audit(
            session, context, actor, action="device.unlock", tenant_id=device.tenant_id, object=_label(device)
        )
    return device


async def remove_device(context: Context, actor: Actor, *, device_id: int, reason: str = "") -> None:
    """Remove a device for good: its credentials and SIP accounts never work again, not even after a restore."""
    async with context.store.change() as session:
        device = await find_device(session, actor, device_id)
        ref = f"device:{device.uid}"
        session.add(Revocation(ref=ref, seq=sequence(session), at=context.clock(), reason=reason[:200]))
        for table in (SettingValue, FunctionKey, KeyRange):
            await session.execute(
                delete(table).where(
                    table.tenant_id == device.tenant_id, table.scope == "device", table.ref == str(device.id)
                )
            )
        audit(
            session,
            context,
            actor,
            action="device.remove",
            tenant_id=device.tenant_id,
            object=_label(device),
            reason=reason[:200],
        )
        await remember_revoked(context, ref)
        await stand(session, context, actor, device=device, ending="removed")
        users = [line.user_id for line in device.lines if line.user_id is not None]
        await touch_mates(session, context, device_id=device.id)
        await session.delete(device)
        await session.flush()
        for user_id in users:
            await keep_primary(session, context, user_id)


async def find_device(session: AsyncSession, actor: Actor, device_id: int) -> Device:
    """The row of a device, lines loaded, that this actor may see; NotFound."""
    statement = select(Device).where(Device.id == device_id).options(selectinload(Device.lines))
    device = (await session.execute(statement)).scalar_one_or_none()
    hidden = device is None or actor.tenant_id not in {None, device.tenant_id}
    if (
        device is None
        or hidden
        or (actor.user_id is not None and actor.user_id not in {line.user_id for line in device.lines})
    ):
        raise NotFound("There is no such device.")
    return device


def default_name(model: Model, user: User | None) -> str:
    """What a device is called when nobody says otherwise."""
    return f"{model.id} {user.name}"[:80] if user else model.label


def reveal(context: Context, device: Device, column: str) -> str:
    """A sealed secret of a device in clear."""
    return context.keyring.open(getattr(device, column), purpose=purpose(device.uid, column))


async def _apply(
    session: AsyncSession,
    context: Context,
    actor: Actor,
    *,
    device: Device,
    tenant: Tenant,
    fields: dict[str, Any],
) -> Sequence[str]:
    profile, model = find_model(
        context, fields.pop("profile", device.profile), fields.pop("model", device.model)
    )
    if profile.id != device.profile or model.id != device.model:
        device.profile, device.model, device.firmware = profile.id, model.id, ""
    warnings: list[str] = []
    for name, value in fields.items():
        if name == "mac":
            address = Mac.parse(value)
            if address.digits != device.mac:
                await refuse_taken(session, actor, address)
                device.mac, device.firmware = address.digits, ""
                await session.execute(delete(Sighting).where(Sighting.device_id == device.id))
            warning = vendor_warning(context, profile, address)
            warnings += [warning] if warning else []
        elif name == "user_id":
            user = await user_for(session, tenant, value, moving=device)
            await give_to(session, context, device=device, user=user)
        elif name == "site_id":
            device.site_id = await site_for(session, tenant, value)
        elif name in TEXTS:
            setattr(device, name, TEXTS[name](value))
        else:
            raise BadInput(f"A device has no field “{name}”.", field=name)
    return warnings


def _label(device: Device) -> str:
    return f"{device.name} {Mac(device.mac).pretty}"
