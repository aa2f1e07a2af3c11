"""Function keys before they are stored: what each may hold, what it may point at, and which phones can show it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.composition.key_ranges import part_name, place_name
from provisioner.composition.key_types import KEY_KINDS, KEY_TYPES
from provisioner.composition.phone_config import KeyConfig
from provisioner.errors import BadInput, KeyBeyondModel, KeyNotSupported
from provisioner.model import Device, InternalNumber, SettingValue, User
from provisioner.model.text import is_plain
from provisioner.profiles.key_support import has_slot, key_support, slots_in_words
from provisioner.services.context import Context
from provisioner.services.devices.device_settings import reached_by

MOST_WARNINGS = 20


def check_form(keys: Sequence[KeyConfig]) -> None:
    """BadInput names the first key that is wrong in itself, or defined twice."""
    seen: set[tuple[int, int]] = set()
    for key in keys:
        part, place = part_name(key.module), (key.module, key.slot)
        if not (1 <= key.slot <= 300 and 0 <= key.module <= 6 and 1 <= key.line <= 16):
            raise BadInput(
                f"Key {key.slot} of {part}: slots are 1 to 300, modules 0 to 6 (0 is the phone), lines 1 to 16.",
                field="keys",
            )
        if place in seen:
            raise BadInput(f"Key {key.slot} of {part} is defined twice.", field="keys")
        if key.type not in KEY_KINDS:
            raise BadInput(
                f"Key {key.slot} of {part}: the type is one of {', '.join(KEY_TYPES)}.", field="keys"
            )
        if len(key.target) > 200 or len(key.label) > 99 or not is_plain(key.target + key.label):
            raise BadInput(
                f"Key {key.slot} of {part}: target at most 200 and label at most 99 characters, without line breaks.",
                field="keys",
            )
        _check_target(key)
        seen.add(place)


async def check_references(
    session: AsyncSession, tenant_id: int, keys: Sequence[KeyConfig]
) -> list[KeyConfig]:
    """The keys, references to a user's number as references to the user. BadInput for what is not of this tenant."""
    users = await _known(session, User, tenant_id, {key.user_id for key in keys if key.user_id is not None})
    wanted = {key.number_id for key in keys if key.number_id is not None}
    statement = select(InternalNumber.id, InternalNumber.user_id).where(InternalNumber.tenant_id == tenant_id)
    numbers: dict[int, int | None] = {}
    for chunk in _chunks(sorted(wanted)):
        numbers |= {
            row.id: row.user_id
            for row in await session.execute(statement.where(InternalNumber.id.in_(chunk)))
        }
    found = []
    for key in keys:
        part = part_name(key.module)
        if key.user_id is not None and key.user_id not in users:
            raise BadInput(
                f"Key {key.slot} of {part} points at a user that is not in this tenant; choose one of its users.",
                field="keys",
            )
        if key.number_id is not None and key.number_id not in numbers:
            raise BadInput(
                f"Key {key.slot} of {part} points at an internal number that is not in this tenant.",
                field="keys",
            )
        owner = numbers.get(key.number_id) if key.number_id is not None else None
        if key.type == "hotdesk_switch" and key.number_id is not None and owner is None:
            raise BadInput(
                f"Key {key.slot} of {part} logs a user in; another number cannot be logged in.", field="keys"
            )
        found.append(replace(key, user_id=owner, number_id=None) if owner is not None else key)
    return found


async def check_no_pin(
    session: AsyncSession, context: Context, tenant_id: int, keys: Iterable[KeyConfig]
) -> None:
    """BadInput for a key that would dial the hotdesk code with a PIN: everybody can read a phone's keys."""
    statement = select(SettingValue.value).where(
        SettingValue.tenant_id == tenant_id,
        SettingValue.scope == "tenant",
        SettingValue.name == "hotdesk_code",
    )
    stored = (await session.execute(statement)).scalar_one_or_none()
    code = str(stored or context.catalogue["hotdesk_code"].default)
    has_pin = re.compile(rf"(sips?:)?{re.escape(code)}\*[0-9]+\*[0-9]+.*")
    for key in keys:
        if has_pin.fullmatch(key.target):
            raise BadInput(
                f"Key {key.slot} of {part_name(key.module)} would hold a PIN, which everybody at the phone can read. "
                "Take a key of type hotdesk_switch with the user: it asks for the PIN.",
                field="keys",
            )


def check_fits(context: Context, device: Device, keys: Iterable[KeyConfig]) -> None:
    """KeyBeyondModel or KeyNotSupported for the first key that this phone cannot show. Nothing for a broken profile."""
    profile = context.profiles.all.get(device.profile)
    model = profile.models.get(device.model) if profile else None
    if profile is None or model is None:
        return
    support = key_support(profile, model.id, firmware=device.firmware)
    for key in keys:
        part, reason = part_name(key.module), support.get(key.type, "It knows no key of this type.")
        if key.type == "none":
            continue
        if not has_slot(model, key.module, key.slot):
            data: dict[str, Any] = {
                "field": "keys",
                "model": model.id,
                "module": key.module,
                "slot": key.slot,
            }
            own = max(model.keys, model.keys_accepted)
            if key.module and model.modules:
                raise KeyBeyondModel(
                    f"Key {key.slot} of {part} is beyond this phone: the {model.label} takes {model.modules} modules with "
                    f"{model.module_keys} keys each. Choose another key, or set it for the user or the model, where it "
                    "waits for a larger phone.",
                    **data,
                )
            raise KeyBeyondModel(
                f"Key {key.slot} of {part} is beyond this phone: the {model.label} has {own} keys of its own and takes "
                f"{model.modules} modules. Choose another key, or set it for the user or the model, where it waits for "
                "a larger phone.",
                **data,
            )
        if key.line > model.lines:
            raise KeyBeyondModel(
                f"Key {key.slot} of {part} is for line {key.line}: the {model.label} has {model.lines}. Choose one of these.",
                field="keys", model=model.id, module=key.module, slot=key.slot,
            )  # fmt: skip
        if reason:
            raise KeyNotSupported(
                f"Key {key.slot} of {part} ({key.type}): the {model.label} cannot show it. {reason} "
                "Choose another type or leave the key out.",
                field="keys", model=model.id, module=key.module, slot=key.slot, key_type=key.type,
            )  # fmt: skip


async def misfits(
    session: AsyncSession,
    context: Context,
    *,
    tenant_id: int,
    scope: str,
    ref: str,
    keys: Sequence[KeyConfig],
) -> tuple[str, ...]:
    """Sentences on the phones in this scope that cannot show some of its keys, model by model."""
    statement = (
        select(Device.profile, Device.model, func.count())
        .where(reached_by(tenant_id, scope, ref))
        .group_by(Device.profile, Device.model)
        .order_by(Device.profile, Device.model)
    )
    reached = [(profile, model, count) for profile, model, count in await session.execute(statement)]
    if scope == "model" and not reached:
        profile, _, model = ref.partition("/")
        reached = [(profile, model, 0)]
    found = [
        line
        for profile, model, count in reached
        for line in _model_misfits(context, profile, model, count, keys)
    ]
    more = len(found) - MOST_WARNINGS
    return (*found[:MOST_WARNINGS], *([f"And {more} more of this kind."] if more > 0 else []))


def _model_misfits(
    context: Context, profile_id: str, model_id: str, count: int, keys: Sequence[KeyConfig]
) -> Iterator[str]:
    profile = context.profiles.all.get(profile_id)
    model = profile.models.get(model_id) if profile else None
    if profile is None or model is None:
        return
    whose = f"{model.label} ({count} device{'' if count == 1 else 's'})"
    keys = [key for key in keys if key.type != "none"]
    beyond = [key for key in keys if not has_slot(model, key.module, key.slot)]
    if beyond:
        names = ", ".join(place_name(key).lower() for key in beyond[:5]) + (" …" if len(beyond) > 5 else "")
        yield f"{whose} has {slots_in_words(model)}, so it does not show {names}."
    lineless = [key for key in keys if key.line > model.lines]
    if lineless:
        names = ", ".join(place_name(key).lower() for key in lineless[:5]) + (
            " …" if len(lineless) > 5 else ""
        )
        yield f"{whose} has {model.lines} lines, so it has none for {names}."
    support = key_support(profile, model_id)
    told: set[str] = set()
    for key in keys:
        reason = support.get(key.type, "It knows no key of this type.")
        if reason and key not in beyond and key.type not in told:
            told.add(key.type)
            yield f"{whose} does not show {place_name(key).lower()} ({key.type}): {reason}"


def _check_target(key: KeyConfig) -> None:
    kind, part = KEY_KINDS[key.type], part_name(key.module)
    if key.user_id is not None or key.number_id is not None:
        if not kind.refers:
            raise BadInput(
                f"Key {key.slot} of {part} ({key.type}) cannot point at a user or number; give it a target of its own.",
                field="keys",
            )
        if key.target or (key.user_id is not None and key.number_id is not None):
            raise BadInput(
                f"Key {key.slot} of {part} has several targets; choose one of target, user and internal number.",
                field="keys",
            )
    elif kind.takes(key.target):
        return
    elif not key.target:
        raise BadInput(f"Key {key.slot} of {part} ({key.type}) needs {kind.wanted}.", field="keys")
    elif not kind.wanted:
        raise BadInput(f"Key {key.slot} of {part} ({key.type}) takes no target.", field="keys")
    else:  # never quoted: it may be a PIN, or an address with a password
        raise BadInput(f"Key {key.slot} of {part} ({key.type}) takes {kind.wanted}.", field="keys")


async def _known(session: AsyncSession, table: type[User], tenant_id: int, ids: Iterable[int]) -> set[int]:
    known: set[int] = set()
    for chunk in _chunks(sorted(ids)):
        rows = await session.execute(
            select(table.id).where(table.tenant_id == tenant_id, table.id.in_(chunk))
        )
        known |= set(rows.scalars())
    return known


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), 500):
        yield ids[start : start + 500]
