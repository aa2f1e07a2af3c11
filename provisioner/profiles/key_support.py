"""What function keys a model can show: told from data before anything is stored."""

from collections.abc import Mapping

from provisioner.profiles.firmware import FirmwareCondition, parse_version
from provisioner.profiles.manifest import Model, Profile, applies_to


def key_support(profile: Profile, model_id: str, *, firmware: str = "") -> Mapping[str, str]:
    """Neutral key type → why this model cannot show it, "" when it can. A type that is missing: nobody knows how."""
    version = parse_version(firmware, generation=profile.firmware_generation)
    found = {
        entry.type: entry.reason
        for entry in profile.unsupported_keys
        if applies_to(model_id, entry.models, entry.not_models)
    }
    for kind in profile.key_types:
        if applies_to(model_id, kind.models, kind.not_models):
            if FirmwareCondition(kind.firmware).holds(version):
                found[kind.type] = ""
            else:
                found.setdefault(kind.type, f"Firmware {firmware} has no key of this type.")
    return found


def has_slot(model: Model, module: int, slot: int) -> bool:
    """Whether phones of this model take a key there (some of them, when it is a key beyond those they all have)."""
    if module == 0:
        return 1 <= slot <= max(model.keys, model.keys_accepted)
    return 1 <= module <= model.modules and 1 <= slot <= model.module_keys


def slots_in_words(model: Model) -> str:
    """What a phone of this model has, in a sentence: keys 1 to 24 and 3 expansion modules with keys 1 to 18."""
    own = max(model.keys, model.keys_accepted)
    words = [f"keys 1 to {own}"] if own else []
    if model.modules:
        words.append(
            f"{model.modules} expansion module{'s' if model.modules > 1 else ''} with keys 1 to {model.module_keys}"
        )
    return " and ".join(words) or "no function keys"
