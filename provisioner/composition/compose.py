"""Settings of all scopes laid over each other, each value remembering where it came from. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from provisioner.composition.catalogue import Catalogue, Setting
from provisioner.composition.phone_config import Composed, KeyConfig, Origin


@dataclass(frozen=True, slots=True)
class Layer:
    """The values set at one scope. A value of None is "unset here": back to the default whatever lies below."""

    scope: str
    label: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class KeyLayer:
    """The function keys defined at one scope; a slot that is not mentioned shows what lies below."""

    scope: str
    keys: Iterable[KeyConfig]
    label: str = ""


def compose(catalogue: Catalogue, layers: Sequence[Layer]) -> dict[str, Composed]:
    """Every setting of the catalogue with its value and origin; `layers` come weakest first."""
    touched: dict[str, list[Origin]] = {}
    for layer in layers:
        for name, value in layer.values.items():
            if name in catalogue.settings:
                touched.setdefault(name, []).append(Origin(scope=layer.scope, label=layer.label, value=value))
    return {
        name: _compose_one(catalogue.settings[name], touched[name]) if name in touched else default
        for name, default in catalogue.defaults.items()
    }


def merge_keys(
    layers: Sequence[KeyLayer], *, keys: int, modules: int = 0, module_keys: int = 0
) -> tuple[tuple[KeyConfig, ...], tuple[KeyConfig, ...]]:
    """Fill every slot of the phone and its modules, strongest layer last; also the keys that have no place.

    Slots without a definition are type "none" with the origin "default"; a key that wins over others remembers them.
    Gives back (slots, left over).
    """
    chosen: dict[tuple[int, int], KeyConfig] = {}
    for layer in layers:
        here: dict[tuple[int, int], KeyConfig] = {}
        for key in layer.keys:
            is_marked = key.origin == layer.scope and key.origin_label == layer.label
            marked = key if is_marked else replace(key, origin=layer.scope, origin_label=layer.label)
            here[(key.module, key.slot)] = marked
        for place, key in here.items():
            below = chosen.get(place)
            chosen[place] = replace(key, shadowed=_with_all_below(below)) if below else key
    filled, left_over = list(empty := _empty_slots(keys, modules, module_keys)), []
    for (module, slot), key in sorted(chosen.items()):
        count, before = (keys, 0) if module == 0 else (module_keys, keys + (module - 1) * module_keys)
        is_place = slot <= count and module <= modules and before + slot <= len(empty)
        if is_place:
            filled[before + slot - 1] = key
        else:
            left_over.append(key)
    return tuple(filled), tuple(left_over)


@lru_cache(maxsize=512)
def _empty_slots(keys: int, modules: int, module_keys: int) -> tuple[KeyConfig, ...]:
    """All slots of a model in their order, none with a task."""
    places = [(0, slot) for slot in range(1, keys + 1)]
    places += [(module, slot) for module in range(1, modules + 1) for slot in range(1, module_keys + 1)]
    return tuple(KeyConfig(slot=slot, module=module) for module, slot in places)


def _with_all_below(key: KeyConfig) -> tuple[KeyConfig, ...]:
    return (replace(key, shadowed=()), *key.shadowed)


def _compose_one(setting: Setting, origins: list[Origin]) -> Composed:
    """`origins` weakest first, without the default."""
    ladder = [Origin("default", "", setting.default), *origins]
    if setting.merge == "append":
        return _append(setting, ladder)
    winner = ladder[-1]
    value = setting.default if winner.value is None else winner.value
    return Composed(setting.name, value, winner, tuple(reversed(ladder[:-1])))


def _append(setting: Setting, ladder: list[Origin]) -> Composed:
    value: list[Any] = []
    for origin in ladder:
        if origin.value is None:
            value = []
        else:
            value += [item for item in origin.value if item not in value]
    return Composed(setting.name, tuple(value), ladder[-1], tuple(reversed(ladder[:-1])))
