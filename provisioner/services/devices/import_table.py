"""A table of devices as spreadsheets write it (CSV): read into rows, every line of the wrong form named."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from provisioner.errors import ImportRefused

COLUMNS = ("mac", "model", "extension", "user", "name", "site", "password", "note")
NEEDED = ("mac", "model")
MAX_ROWS = 5_000
MAX_CHARACTERS = 5 * 1024 * 1024
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """Why a row cannot be imported. `line` counts from 1, the header included; `column` "" is the row itself."""

    line: int
    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """One device of the table: `line` as in BrokenRow, cells by column; a column that is not there is ""."""

    line: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


def read_text(content: bytes) -> str:
    """The text of an uploaded table: UTF-8, or UTF-16 with its mark as spreadsheets write it. ImportRefused otherwise."""
    if len(content) > 2 * MAX_CHARACTERS:
        raise _too_large()
    encoding = "utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise refused(
            [BrokenRow(line, "", "This is not UTF-8 text: save the table as “CSV UTF-8”.")]
        ) from None


def refused(broken: Sequence[BrokenRow]) -> ImportRefused:
    """The error for these rows, of which there is at least one."""
    first = broken[0]
    where = f"Line {first.line}" + (f", {first.column}" if first.column else "")
    lines = len({row.line for row in broken})
    more = f" And {lines - 1} more lines cannot be imported." if lines > 1 else ""
    rows = [{"line": row.line, "column": row.column, "reason": row.reason} for row in broken]
    return ImportRefused(f"{where}: {first.reason}{more}", rows=rows)


def _too_large() -> ImportRefused:
    return refused(
        [
            BrokenRow(
                1, "", f"The table is larger than {MAX_CHARACTERS // 1024 // 1024} MiB; import it in parts."
            )
        ]
    )


def read_rows(text: str) -> list[Row]:
    """The rows of a table; ImportRefused when its form is wrong, with every line whose form is wrong."""
    if len(text) > MAX_CHARACTERS:
        raise _too_large()
    header: list[str] | None = None
    rows: list[Row] = []
    broken: list[BrokenRow] = []
    for line, cells in _lines(text.removeprefix("\N{BOM}")):
        if not any(cells):
            continue
        if header is None:
            header = _header(line, cells)
        elif len(rows) >= MAX_ROWS:
            raise refused([BrokenRow(line, "", f"At most {MAX_ROWS} devices are imported at once.")])
        elif any(cells[len(header) :]):
            broken.append(
                BrokenRow(line, "", f"The line has {len(cells)} cells, the header only {len(header)}.")
            )
        else:
            named = zip(header, cells, strict=False)
            rows.append(
                Row(line, {name: cell if name == "password" else _plain(cell) for name, cell in named})
            )
    if broken:
        raise refused(broken)
    if not rows:
        raise refused(
            [
                BrokenRow(
                    1,
                    "",
                    f"The table has no devices: first a line with {', '.join(COLUMNS)}, then one for each device.",
                )
            ]
        )
    return rows


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """(number of the line a row begins on, its cells without blanks around them)."""
    first, _, rest = text.partition("\n")
    said = re.fullmatch(r"sep=([,;\t])\s*", first, re.IGNORECASE)  # a spreadsheet's own way to say it
    before = 0
    if said:
        text, before = rest, 1
    head = text.strip().partition("\n")[0]
    delimiter = said[1] if said else max((",", ";", "\t"), key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    start = before
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise refused(
                [BrokenRow(start + 1, "", f"The table cannot be read from here on: {error}.")]
            ) from None
        yield start + 1, [cell.strip() for cell in cells]
        start = before + reader.line_num


def _header(line: int, cells: Sequence[str]) -> list[str]:
    names = [cell.lower() for cell in cells]
    while names and not names[-1]:
        names.pop()
    broken = [
        BrokenRow(line, name, f"There is no column “{name[:40]}”; the columns are {', '.join(COLUMNS)}.")
        for name in names
        if name not in COLUMNS
    ]
    broken += [
        BrokenRow(line, name, f"The column {name} stands there twice.")
        for name in sorted(set(names))
        if names.count(name) > 1
    ]
    broken += [
        BrokenRow(line, name, f"The column {name} is missing.") for name in NEEDED if name not in names
    ]
    if broken:
        raise refused(broken)
    return names


def _plain(cell: str) -> str:
    """A cell without the apostrophe that `safe_cell` put there."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in _FORMULA else cell


def safe_cell(cell: str) -> str:
    """The cell with an apostrophe in front when a spreadsheet would calculate it."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
