"""Rows and keys made ready: what can be decided once for a set of rows is decided once."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from provisioner.profiles.expressions import (
    GLOBALS,
    KEY_NAMES,
    LIMIT_NAMES,
    OMITTED,
    Batch,
    Expression,
)
from provisioner.profiles.manifest import KeyType, Limit, Row, Scalar
from provisioner.profiles.output import LINE, MORE, OutputKey, OutputRows, RowBlock, RowShape, Settings
from provisioner.profiles.protocols import KeyLike, LineLike
from provisioner.profiles.sandbox import Sandbox
from provisioner.profiles.writers import WRITERS, as_text

NumberedRow = tuple[int, Row]
KNOWN_KEYS: Final = 512  # evaluated keys kept for each key type


def row_where(number: int, row: Row) -> str:
    """Names a row for a message: its file, its number (from 1) and its key."""
    return f"settings.toml: row {number + 1} ({row.names[0]})"


def map_key(raw: Any) -> str:
    """How a raw value is written as a name of `map`."""
    return as_text(raw)


def translate(raw: Any, mapping: Mapping[str, Scalar], missing: Scalar | None) -> Any:
    """The vendor's value for a raw one. Without entry: `missing`, else (single value) the raw value itself.

    A list is translated item by item; items that the vendor has no word for are left out.
    """
    if isinstance(raw, list | tuple):
        return [mapping[map_key(item)] for item in raw if map_key(item) in mapping]
    return mapping.get(map_key(raw), raw if missing is None else missing)


@dataclass(frozen=True, slots=True)
class _Input:
    """A setting that a row carries: where it goes in the names, and in which entry's place."""

    setting: str
    mapping: Mapping[str, Scalar] | None
    missing: Scalar | None
    raw_name: str
    value_name: str
    place: int


@dataclass(frozen=True, slots=True)
class _Entry:
    """One row, or one repetition of it: a shape for each of its keys."""

    shapes: tuple[RowShape, ...]
    is_batched: bool


class RowPlan:
    """Rows of one scope: given the names of a phone (and a line), their keys and values in file order."""

    def __init__(self, sandbox: Sandbox, rows: Sequence[NumberedRow], *, names: frozenset[str]) -> None:
        self._entries: list[_Entry] = []
        self._constants: list[Any] = []
        self._inputs: list[_Input] = []
        self._given: dict[str, Any] = {}
        self._expressions: list[Expression] = []
        for number, row in rows:
            for repetition in range(1, row.repeat + 1):
                self._add(number, row, repetition)
        self._batch = Batch(sandbox, self._expressions, names=names)
        self.line_attributes = own_attributes(self._batch.reads, "line")

    def prepare(self, names: Mapping[str, Any]) -> "PreparedRows":
        """What is the same for every line of a phone."""
        settings: Settings = names["settings"]
        scope = {**names, **self._given}
        values: list[Any] = self._constants.copy()
        for item in self._inputs:
            raw = value = settings[item.setting]
            if item.mapping is not None:
                value = translate(raw, item.mapping, item.missing)
            values[item.place] = value
            if item.raw_name:
                scope[item.raw_name] = raw
                scope[item.value_name] = value
        return PreparedRows(self, scope, values)

    def block(self, scope: dict[str, Any], values: list[Any], line: LineLike | None) -> RowBlock:
        """The rows that are to be written for a line; RenderingFailed when an expression fails."""
        scope["line"] = line
        computed = iter(self._batch(scope))
        pairs: list[tuple[RowShape, Any]] = []
        for entry, given in zip(self._entries, values, strict=True):
            value = next(computed) if entry.is_batched else given
            if value is not OMITTED:
                for shape in entry.shapes:
                    pairs.append((shape, value))  # noqa: PERF401 - a row has one shape, mostly
        return RowBlock(pairs)

    def _add(self, number: int, row: Row, repetition: int) -> None:
        index = len(self._expressions)
        is_batched = bool(row.when) or row.inactive is not None or row.value != "value"
        if row.setting:
            raw_name, value_name = (f"raw_{index}", f"value_{index}") if is_batched else ("", "")
            place = len(self._entries)
            self._inputs.append(_Input(row.setting, row.map, row.missing, raw_name, value_name, place))
        if is_batched:
            where = row_where(number, row)
            self._given |= {f"n_{index}": repetition, f"value_{index}": row.constant}
            self._expressions.append(Expression(row.value, where, when=row.when, inactive=row.inactive))
        self._entries.append(_Entry(tuple(_shapes(row, repetition)), is_batched))
        self._constants.append(row.constant)


class PreparedRows:
    """A row plan with the names of one phone; what a template calls with a line to get that line's rows."""

    def __init__(self, plan: RowPlan, scope: dict[str, Any], values: list[Any]) -> None:
        self._plan = plan
        self._scope = scope
        self._values = values
        self._blocks: dict[tuple[Any, ...], RowBlock] = {}

    def __call__(self, line: LineLike | None = None) -> OutputRows:
        """The rows of a line (or of the device). Lines that look alike to the expressions are computed once."""
        plan = self._plan
        if line is None:
            return OutputRows(plan.block(self._scope, self._values, None), 0)
        if plan.line_attributes is None:
            return OutputRows(plan.block(self._scope, self._values, line), line.position)
        looks = tuple([getattr(line, name, None) for name in plan.line_attributes])
        block = self._blocks.get(looks)
        if block is None:
            block = self._blocks[looks] = plan.block(self._scope, self._values, line)
        return OutputRows(block, line.position)


class KeyPlan:
    """One neutral key type in one vendor's words."""

    def __init__(self, sandbox: Sandbox, kind: KeyType) -> None:
        where = f"keys.toml: type {kind.type}"
        self._fields = tuple(kind.fields)
        self._batch = Batch(
            sandbox,
            [
                Expression(source, f"{where}: {name}")
                for name, source in {"value": kind.value, "label": kind.label, **kind.fields}.items()
            ],
            names=KEY_NAMES,
        )

        # Most types say nothing but the key's own words: then equal keys are evaluated once.
        reads = self._batch.reads
        is_own = all(name in GLOBALS or name.startswith("key__") for name in reads)
        self._key_attributes = own_attributes(reads, "key") if is_own else None
        self._known: dict[tuple[Any, ...], list[Any]] = {}

    def constant(self, key: KeyLike) -> OutputKey | None:
        """The key for every phone of a model; None when it takes more than the key's own words to say it."""
        return self({}, key, line=None, is_constant=True) if self._key_attributes is not None else None

    def __call__(
        self, names: Mapping[str, Any], key: KeyLike, *, line: LineLike | None, is_constant: bool = False
    ) -> OutputKey:
        """The key with value, label and fields."""
        if self._key_attributes is not None:
            words = tuple([getattr(key, name) for name in self._key_attributes])
            values = self._known.get(words)
            if values is None:
                if len(self._known) >= KNOWN_KEYS:
                    self._known.clear()
                values = self._known[words] = self._batch({**GLOBALS, "key": key})
        else:
            values = self._batch({**names, "key": key, "line": line})
        value, label, *fields = values
        named = Settings(zip(self._fields, fields, strict=True))
        return OutputKey(key, line, value, label, named, is_constant=is_constant)


class LimitPlan:
    """The limits of one model: given the names of a phone, the messages that hold for it."""

    def __init__(self, sandbox: Sandbox, limits: Iterable[tuple[int, Limit]]) -> None:
        limits = list(limits)
        self._listed = [
            (limit.setting, frozenset(map(map_key, limit.values)), limit.message)
            for _, limit in limits
            if limit.values
        ]
        self._judged = [limit for _, limit in limits if limit.when]
        self._batch = Batch(
            sandbox,
            [
                Expression(limit.when, f"settings.toml: limit {number + 1} ({limit.setting})")
                for number, limit in limits
                if limit.when
            ],
            names=LIMIT_NAMES,
        )

    def __call__(self, names: Mapping[str, Any]) -> list[str]:
        settings: Settings = names["settings"]
        found = [message for name, listed, message in self._listed if _is_listed(settings[name], listed)]
        if self._judged:
            scope = {
                **names,
                **{f"value_{number}": settings[limit.setting] for number, limit in enumerate(self._judged)},
            }
            verdicts = self._batch(scope)
            found += [limit.message for limit, holds in zip(self._judged, verdicts, strict=True) if holds]
        return found


def _is_listed(raw: Any, listed: frozenset[str]) -> bool:
    return any(map_key(item) in listed for item in (raw if isinstance(raw, list | tuple) else (raw,)))


def own_attributes(reads: Collection[str], owner: str) -> list[str] | None:
    """The attributes of `owner` that expressions read; None when one reads the whole of it."""
    if owner in reads:
        return None
    return sorted(name.removeprefix(f"{owner}__") for name in reads if name.startswith(f"{owner}__"))


def _shapes(row: Row, repetition: int) -> Iterator[RowShape]:
    escape = WRITERS["xml"].escape
    attributes = "".join(f' {name}="{escape(as_text(value))}"' for name, value in row.attributes.items())
    for name in row.names:
        key = name.replace("{n}", str(repetition)).replace("{line}", LINE)
        yield RowShape(key, row.attributes, row.setting, f"<{key}{MORE}{attributes}")
