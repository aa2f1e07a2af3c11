"""The bench with tiny numbers, so that it cannot rot; no figure is judged here."""

import os
from pathlib import Path

import pytest

from tests.bench.__main__ import GROUPS, PROGRAMS, run
from tests.bench.rounds import BenchError, Case, Load, Measured, by_cost, by_rate, measure
from tests.bench.scale import TINY
from tests.bench.table import Figure, text_table, write_page
from tests.support.program import is_installed

needs_programs = [
    pytest.mark.e2e,
    pytest.mark.skipif(not is_installed(*PROGRAMS), reason="nginx or wrk is not installed"),
]
JUDGED = {
    "keep-alive": 2,
    "tls": 1,
    "growth": 4,
    "first-fetch": 2,
    "workers": 1,
    "mass-change": 2,
    "live-pages": 1,
    "hotdesk": 1,
    "directory": 3,
}


SHORT = ("keep-alive", "first-fetch", "mass-change", "live-pages", "hotdesk")
"""Together they use every part of the harness but the TLS client; the others start many servers, or take long, and are marked `bench`."""


@pytest.mark.parametrize(
    "group",
    [
        pytest.param(group, marks=needs_programs if group in SHORT else [*needs_programs, pytest.mark.bench])
        for group in GROUPS
    ],
)
def test_every_group_gives_its_rows(group: str, tmp_path: Path) -> None:
    figures = run(TINY, [group])
    judged = [figure for figure in figures if figure.is_met is not None]
    assert len(judged) == JUDGED[group]
    assert all(figure.target and figure.ours and figure.how for figure in judged)
    page = tmp_path / "benchmarks.md"
    write_page(page, figures, TINY)
    assert all(f"| {figure.name} |" in page.read_text() for figure in figures)


def test_wrong_answers_stop_the_run() -> None:
    case = Case("broken", (os.getsid(0),), lambda: Load(requests=10, seconds=0.1, wrong=1))
    with pytest.raises(BenchError, match="broken: 10 right and 1 wrong"):
        measure([case], rounds=1)


def test_ratios_are_medians_of_rounds_that_belong_together() -> None:
    ours = Measured(rates=[50.0, 10.0, 60.0], costs=[20.0, 100.0, 20.0])
    reference = Measured(rates=[100.0, 20.0, 100.0], costs=[10.0, 50.0, 11.0])
    assert by_rate(ours, reference) == 0.5
    assert by_cost(ours, reference) == 0.5


def test_the_table_says_what_falls_short() -> None:
    table = text_table(
        [Figure("fast", "1", "2", "0.5 ×", "≥ 0.7 ×", is_met=False), Figure("beside", "1", "2", "0.5 ×")]
    )
    assert table.splitlines()[1].endswith("short")
    assert table.splitlines()[2].endswith("0.5 ×")
