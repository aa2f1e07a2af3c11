"""The table of figures, for the terminal and for docs/benchmarks.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.machine import description
from tests.bench.scale import Scale


@dataclass(frozen=True, slots=True)
class Figure:
    """One row. `is_met` None: the row stands beside the others for comparison only."""

    name: str
    ours: str
    reference: str
    ratio: str
    target: str = ""
    is_met: bool | None = None
    how: str = ""
    """What exactly was measured; a note below the table."""

    @property
    def verdict(self) -> str:
        return {True: "ok", False: "short", None: ""}[self.is_met]


_HEAD = ("figure", "ours", "reference", "ratio", "target", "")


def text_table(figures: Sequence[Figure]) -> str:
    """Columns of equal width."""
    rows = [_HEAD, *map(_cells, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def markdown(figures: Sequence[Figure], scale: Scale) -> str:
    """The page docs/benchmarks.md."""
    lines = [
        "# Benchmarks",
        "",
        f"Measured on {datetime.now(UTC):%Y-%m-%d} with `make bench`{'' if scale.name == 'full' else f' ({scale.name} run)'}: {description()}.",
        "Read the ratios: ours and its reference were measured in one run, in turn, and medians are shown.",
        "Rates and microseconds belong to this one machine, which may have had other work to do.",
        "",
        "| figure | ratio | target | | ours | reference |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {figure.name} | {figure.ratio} | {figure.target} | {figure.verdict} | {figure.ours} | {figure.reference} |"
        for figure in figures
    ]
    lines += [
        "",
        "## What is measured",
        "",
        *[f"- **{figure.name}**: {figure.how}" for figure in figures if figure.how],
        "",
    ]
    return "\n".join(
        [
            *lines,
            _REPEAT.format(rounds=scale.rounds, seconds=scale.seconds, handshake=scale.handshake_seconds),
        ]
    )


def write_page(path: Path, figures: Sequence[Figure], scale: Scale) -> None:
    path.write_text(markdown(figures, scale), encoding="utf-8")


def _cells(figure: Figure) -> tuple[str, ...]:
    return (figure.name, figure.ours, figure.reference, figure.ratio, figure.target, figure.verdict)


_REPEAT = """\
## How it is measured

Everything runs on the loopback of one machine. Each server has core 0 for itself, the load generator core 1, unless a row says otherwise.
A round measures every case of its group once, {seconds} s each (new TLS connections {handshake} s); {rounds} rounds follow each other, and each ratio is the
median of the rounds' ratios. A server that still works when the load has ended (it writes the provisioning log in batches) is waited for,
and that time counts. Processor time is user and system time of all processes of the server. A wrong answer stops the run.

## How to repeat it

`make bench` needs nginx and wrk (Debian packages of these names) and takes a quarter of an hour; `make bench ARGS=--quick` about four minutes, with
fewer rounds and fewer cached devices. `python -m tests.bench --help` lists the groups that can be run alone.

The server is meant for Debian's own Python, which is built with its compiler's profiles. One that was built without (pyenv does so unless told otherwise) is a
quarter slower, and so are all figures in seconds: `make bench PYTHON=/usr/bin/python3 VENV=.venv-system` takes the system's.
"""
