"""The rows of the function key page: out of what is stored, and back out of what was posted."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from provisioner.composition.key_types import KEY_KINDS
from provisioner.composition.phone_config import KeyConfig
from provisioner.errors import BadInput
from provisioner.services.keys.aims import Aim
from provisioner.services.keys.function_keys import Range

MOST_ROWS = 900
BLANK_ROWS = 4
_WRITTEN = re.compile(r"\+?[0-9(][0-9 ()./-]+")
_NAME = re.compile(r"[^\W\d_](?:[^\W\d_]|[ .'’-])*")
GONE = "?"
"""Shown as the target of a key whose aim was deleted; no type takes it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One key as it stands in the form."""

    module: str = "0"
    slot: str = ""
    type: str = ""
    target: str = ""
    label: str = ""
    line: str = "1"


@dataclass(frozen=True, slots=True)
class RangeRow:
    """One automatic set as it stands in the form; `people` empty: none."""

    people: str = ""
    type: str = "blf"
    module: str = "0"
    slot: str = "1"
    count: str = "0"
    line: str = "1"


@dataclass(frozen=True, slots=True)
class Rows:
    """The whole form. `wants_more`: more empty rows are asked for, and nothing is to be stored yet."""

    keys: Sequence[Row] = field(default_factory=tuple)
    ranges: Sequence[RangeRow] = field(default_factory=tuple)
    wants_more: bool = False


def stored_rows(keys: Sequence[KeyConfig], ranges: Sequence[Range], aims: Sequence[Aim]) -> Rows:
    """What is stored, with empty rows to fill in."""
    users = {aim.user_id: aim.text for aim in aims if aim.user_id is not None}
    numbers = {aim.number_id: aim.text for aim in aims if aim.number_id is not None}
    found = [Row(str(key.module), str(key.slot), key.type, _target(key, users, numbers), key.label, str(key.line)) for key in keys]  # fmt: skip
    sets = [
        RangeRow(
            entry.people, entry.type, str(entry.module), str(entry.slot), str(entry.count), str(entry.line)
        )
        for entry in ranges
    ]
    return Rows([*found, *[Row()] * BLANK_ROWS], [*sets, RangeRow()])


def posted_rows(posted: Mapping[str, str]) -> Rows:
    """What a form holds, in its order, empty rows added when more are asked for."""
    wants_more = "more" in posted
    keys = [
        Row(
            *(
                posted.get(f"{name}.{number}", "").strip()
                for name in ("module", "slot", "type", "target", "label", "line")
            )
        )
        for number in _numbers(posted, "slot")
    ]
    ranges = [
        RangeRow(
            *(
                posted.get(f"{name}.{number}", "").strip()
                for name in ("people", "set-type", "set-module", "set-slot", "set-count", "set-line")
            )
        )
        for number in _numbers(posted, "people")
    ]
    return Rows([*keys, *([Row()] * 2 * BLANK_ROWS if wants_more else [])], ranges, wants_more)


def wanted_keys(rows: Rows, aims: Sequence[Aim], *, stored: Collection[KeyConfig] = ()) -> list[KeyConfig]:
    """The keys of the rows that have a type; a target written as an aim's text points at it. BadInput.

    A row without a type clears what is `stored` there; what was typed anew beside no type is not thrown away.
    """
    known = {(str(key.module), str(key.slot)) for key in stored}
    by_text = {aim.text: aim for aim in aims}
    found = []
    for row in rows.keys:
        if not row.type:
            if (row.target or row.label) and (row.module, row.slot) not in known:
                raise BadInput(
                    f"Key {row.slot[:5] or '?'} has no type: choose one, or empty its row.", field="keys"
                )
            continue
        aim = by_text.get(row.target)
        found.append(
            KeyConfig(
                slot=_number(row.slot),
                module=_number(row.module),
                type=row.type,
                target="" if aim else _dialled(row),
                label=row.label,
                line=_number(row.line),
                user_id=aim.user_id if aim else None,
                number_id=aim.number_id if aim else None,
            )
        )
    return found


def wanted_ranges(rows: Rows) -> list[Range]:
    """The automatic sets of the rows that say which people. BadInput."""
    return [
        Range(
            row.people,
            row.type,
            _number(row.slot),
            _number(row.module),
            _number(row.count),
            _number(row.line),
        )
        for row in rows.ranges
        if row.people
    ]


def _dialled(row: Row) -> str:
    """A number as it is dialled, however people write it. BadInput for what must be a name that nobody has."""
    kind = KEY_KINDS.get(row.type)
    if kind is None or kind.target not in {"number", "extension"}:
        return row.target
    if _WRITTEN.fullmatch(row.target):
        return re.sub(r"[^0-9+]", "", row.target)
    if _NAME.fullmatch(row.target) and row.target != GONE:
        raise BadInput(
            f"Key {row.slot[:5] or '?'}: nobody here is called “{row.target[:60]}”. Choose from the list, or write a number.",
            field="keys",
        )
    return row.target


def _target(key: KeyConfig, users: Mapping[int, str], numbers: Mapping[int, str]) -> str:
    if key.is_gone:
        return GONE
    if key.user_id is not None:
        return users.get(key.user_id, GONE)
    return numbers.get(key.number_id, GONE) if key.number_id is not None else key.target


def _numbers(posted: Mapping[str, str], name: str) -> Iterator[int]:
    """The numbers of the rows that a form has."""
    for number in range(MOST_ROWS):
        if f"{name}.{number}" not in posted:
            return
        yield number


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 6):
        raise BadInput("Modules, keys, lines and counts are whole numbers.", field="keys")
    return int(text)
