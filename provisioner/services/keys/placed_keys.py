"""The function keys that a device really gets: slot by slot, where each comes from, what it hides, and what the phone cannot show."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from provisioner.composition.phone_config import KeyConfig, PhoneConfig
from provisioner.profiles.key_support import has_slot, key_support
from provisioner.profiles.manifest import Model, Profile
from provisioner.services.context import Actor, Context
from provisioner.services.files.phone_files import compose_device


class Capability(StrEnum):
    OK = "ok"
    UNSUPPORTED = "unsupported"
    """The model has no key of this type."""
    NO_SLOT = "no_slot"
    """The model has no such slot."""
    NO_TARGET = "no_target"
    """What the key points at is gone or has no number."""


@dataclass(frozen=True, slots=True)
class Shadowed:
    """What a weaker scope has in the same slot."""

    scope: str
    scope_name: str
    type: str
    target: str
    label: str


@dataclass(frozen=True, slots=True)
class PlacedKey:
    """One slot of a phone. `scope` is where the key comes from, "default" for what nobody set."""

    module: int
    slot: int
    type: str
    target: str
    label: str
    line: int
    scope: str
    scope_name: str
    user_id: int | None
    internal_number_id: int | None
    range_id: int | None
    shadowed: tuple[Shadowed, ...]
    capability: Capability
    reason: str
    """A sentence when `capability` is not ok; "" otherwise."""


@dataclass(frozen=True, slots=True)
class PlacedKeys:
    """Every slot of one phone in order, then the keys for which it has no slot."""

    device_name: str
    profile: str
    model: str
    model_label: str
    module_label: str
    keys: Sequence[PlacedKey]
    warnings: Sequence[str]


async def placed_keys(context: Context, actor: Actor, *, device_id: int) -> PlacedKeys:
    """Every slot of a device with its key. NotFound; Unavailable when the vendor is switched off."""
    config = await compose_device(context, actor, device_id=device_id)
    profile = context.profiles.all[config.profile]
    model = profile.models[context.profiles.renderers[config.profile].model_id(config)]
    return PlacedKeys(
        device_name=config.name,
        profile=profile.id,
        model=model.id,
        model_label=model.label,
        module_label=model.module_label,
        keys=_placed(config, profile, model),
        warnings=config.warnings,
    )


def _placed(config: PhoneConfig, profile: Profile, model: Model) -> list[PlacedKey]:
    support = key_support(profile, model.id, firmware=config.firmware)
    found = []
    for key in (*config.keys, *config.unplaced_keys):
        capability, reason = Capability.OK, ""
        if key.type == "none":
            if key.is_gone or key.user_id is not None or key.number_id is not None:
                capability, reason = Capability.NO_TARGET, "What it pointed at is gone or has no number."
        elif not has_slot(model, key.module, key.slot):
            capability, reason = Capability.NO_SLOT, f"The {model.label} has no such key."
        elif unable := support.get(key.type, "This phone knows no key of this type."):
            capability, reason = Capability.UNSUPPORTED, unable
        found.append(_key(key, capability, reason))
    return found


def _key(key: KeyConfig, capability: Capability, reason: str) -> PlacedKey:
    return PlacedKey(
        module=key.module,
        slot=key.slot,
        type=key.type,
        target=key.target,
        label=key.label,
        line=key.line,
        scope=key.origin,
        scope_name=key.origin_label,
        user_id=key.user_id,
        internal_number_id=key.number_id,
        range_id=key.range_id,
        shadowed=tuple(
            Shadowed(below.origin, below.origin_label, below.type, below.target, below.label)
            for below in key.shadowed
        ),
        capability=capability,
        reason=reason,
    )
