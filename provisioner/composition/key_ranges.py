"""Automatic sets of keys: one for every colleague, sorted, as many as the phone has room for. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from provisioner.composition.key_types import KEY_KINDS
from provisioner.composition.phone_config import KeyConfig


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody who can be called inside the tenant."""

    user_id: int
    name: str
    digits: str
    department: str = ""


@dataclass(frozen=True, slots=True)
class KeyRun:
    """A stored range at one scope. `people` are sorted; `owner` is the device's own user, who is left out."""

    id: int
    scope: str
    label: str
    type: str
    slot: int
    module: int = 0
    count: int = 0
    line: int = 1
    people: Sequence[Colleague] = ()
    owner: int | None = None
    department: str | None = None
    """Only the people of this department; None: everyone. An empty one is nobody's."""


def fill_runs(
    keys: Sequence[KeyConfig], runs: Sequence[KeyRun], *, own_keys: int
) -> tuple[tuple[KeyConfig, ...], tuple[str, ...]]:
    """The slots with the runs' keys in the free ones, and sentences on whoever found no room.

    `keys` are all slots in order; a slot is free when no scope says anything about it. `runs` come weakest first and
    the strongest chooses first; nobody stands twice in runs of one type. Slots of the phone itself beyond `own_keys`
    are not on every phone of the model, so they are left alone.
    """
    filled = list(keys)
    shown: set[tuple[str, int]] = set()
    warnings: list[str] = []
    for run in reversed(runs):
        free = _free(filled, run, own_keys)
        placed = 0
        for person in _people(run):
            if run.count and placed >= run.count:
                break
            if (run.type, person.user_id) in shown:
                continue
            place = next(free, None)
            if place is None:
                warnings.append(_no_room(run, placed))
                break
            filled[place] = _key(filled[place], run, person)
            shown.add((run.type, person.user_id))
            placed += 1
    return tuple(filled), tuple(warnings)


def settle(key: KeyConfig) -> tuple[KeyConfig, str]:
    """The key, or an empty one with a sentence when it points at something that is gone or cannot be dialled."""
    if key.target or key.type == "none":
        return key, ""
    kind = KEY_KINDS.get(key.type)
    is_reference = key.is_gone or key.user_id is not None or key.number_id is not None
    if kind is None or not (kind.needs_target or is_reference):
        return key, ""
    whom = key.label or key.type
    why = "what it pointed at is gone" if key.is_gone else "there is nothing to dial"
    return replace(key, type="none", target="", label=""), f"{place_name(key)} ({whom}): {why}."


def place_name(key: KeyConfig) -> str:
    """How a key is called in sentences: Key 3, Key 3 of module 1."""
    return f"Key {key.slot}" + (f" of module {key.module}" if key.module else "")


def part_name(module: int) -> str:
    """What carries a key, in sentences: the phone, module 1."""
    return f"module {module}" if module else "the phone"


def _people(run: KeyRun) -> Iterator[Colleague]:
    for person in run.people:
        is_wanted = run.department is None or (run.department and person.department == run.department)
        if is_wanted and person.user_id != run.owner:
            yield person


def _free(keys: Sequence[KeyConfig], run: KeyRun, own_keys: int) -> Iterator[int]:
    for place, key in enumerate(keys):
        is_on_every_phone = key.module > 0 or key.slot <= own_keys
        is_free = key.type == "none" and key.origin == "default"
        if is_free and is_on_every_phone and (key.module, key.slot) >= (run.module, run.slot):
            yield place


def _key(empty: KeyConfig, run: KeyRun, person: Colleague) -> KeyConfig:
    return replace(
        empty,
        type=run.type,
        target=person.digits,
        label=person.name,
        line=run.line,
        origin=run.scope,
        origin_label=run.label,
        user_id=person.user_id,
        range_id=run.id,
    )


def _no_room(run: KeyRun, placed: int) -> str:
    return f"The automatic keys of the {run.scope} end after {placed}: there is no room for more colleagues on this phone."
