"""What templates print: rows, function keys, and the rows of a line as one piece.

Lines that look alike share a `RowBlock`: its text is written once, with LINE where the line's number goes.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

# Stand-ins in a text that is written once and used for many lines. No writer lets them through from a value.
LINE: Final = "\x01"
MORE: Final = "\x02"


class Settings(dict[str, Any]):
    """Setting names and values; an attribute is always a setting, never a method of dict."""


@dataclass(frozen=True, slots=True)
class RowShape:
    """What is known of a row before its value is: `key` with LINE in it, and its XML up to the end of the opening tag."""

    key: str
    attributes: Mapping[str, Any]
    setting: str
    xml_head: str


class OutputRow:
    """One vendor key with its value, as templates see it."""

    __slots__ = ("_place", "attributes", "key", "setting", "value")

    def __init__(self, shape: RowShape, value: Any, position: int, /) -> None:
        self.key = shape.key.replace(LINE, str(position))
        self.value = value
        self.attributes = shape.attributes
        self.setting = shape.setting
        self._place = (shape, position)

    def text(self, write: Callable[[RowShape, Any], str]) -> str:
        """The row written by `write`."""
        shape, position = self._place
        return write(shape, self.value).replace(LINE, str(position))


class RowBlock:
    """Rows with their values, and the texts they were written as."""

    __slots__ = ("pairs", "texts")

    def __init__(self, pairs: Sequence[tuple[RowShape, Any]], /) -> None:
        self.pairs = pairs
        self.texts: dict[Hashable, str] = {}


class OutputRows:
    """A sequence of OutputRow, which are only made when a template looks at them one by one."""

    __slots__ = ("_block", "_position", "_rows")

    def __init__(self, block: RowBlock, position: int, /) -> None:
        self._block = block
        self._position = position
        self._rows: list[OutputRow] | None = None

    def __iter__(self) -> Iterator[OutputRow]:
        return iter(self._listed())

    def __len__(self) -> int:
        return len(self._block.pairs)

    def __getitem__(self, index: int) -> OutputRow:
        return self._listed()[index]

    def text(self, name: Hashable, write: Callable[[RowShape, Any], str]) -> str:
        """All rows written by `write`. `name` stands for `write` and whatever it depends on."""
        texts = self._block.texts
        pattern = texts.get(name)
        if pattern is None:
            pattern = texts[name] = "".join([write(shape, value) for shape, value in self._block.pairs])
        return pattern.replace(LINE, str(self._position))

    def _listed(self) -> list[OutputRow]:
        if self._rows is None:
            self._rows = [OutputRow(shape, value, self._position) for shape, value in self._block.pairs]
        return self._rows


class OutputKey:
    """One function key as templates see it; `fields` holds the type's further expressions.

    `active_line` is the position of the key's line, 0 when it has none that is in use. `is_constant`: this very
    object is used for every phone of its model.
    """

    __slots__ = (
        "active_line", "fields", "is_constant", "key", "label", "line", "module", "slot", "type", "value"
    )  # fmt: skip

    def __init__(
        self, key: Any, line: Any, value: Any, label: Any, fields: Settings, /, *, is_constant: bool = False
    ) -> None:
        self.key = key
        self.slot: int = key.slot
        self.module: int = key.module
        self.type: str = key.type
        self.line = line
        self.active_line: int = line.position if line is not None and line.is_active else 0
        self.value = value
        self.label = label
        self.fields = fields
        self.is_constant = is_constant
