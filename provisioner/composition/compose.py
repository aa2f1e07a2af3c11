"""Settings of all scopes laid over each other, each value remembering where it came from. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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

    Slots without a definition are type "none". Gives back (slots, left over).
    """
    chosen: dict[tuple[int, int], KeyConfig] = {}
    for layer in layers:
        for key in layer.keys:
            chosen[(key.module, key.slot)] = key
    places = [(0, slot) for slot in range(1, keys + 1)]
    places += [(module, slot) for module in range(1, modules + 1) for slot in range(1, module_keys + 1)]
    filled = tuple(chosen.get(place) or KeyConfig(slot=place[1], module=place[0]) for place in places)
    left_over = sorted(set(chosen) - set(places))
    return filled, tuple(chosen[place] for place in left_over)


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
