"""`python -m tests.bench [--quick] [--only GROUP] [--no-page]`."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.bench.figures.directory import measure_directory
from tests.bench.figures.first_fetch import measure_first_fetch
from tests.bench.figures.growth import measure_growth
from tests.bench.figures.hotdesk_login import measure_hotdesk_login
from tests.bench.figures.keep_alive import measure_keep_alive
from tests.bench.figures.live_pages import measure_live_pages
from tests.bench.figures.mass_change import measure_mass_change
from tests.bench.figures.tls import measure_tls
from tests.bench.figures.workers import measure_workers
from tests.bench.scale import FULL, QUICK, Scale
from tests.bench.servers import ROOT
from tests.bench.table import Figure, text_table, write_page
from tests.support.program import is_installed

GROUPS: Mapping[str, Callable[[Scale, Path], Sequence[Figure]]] = {
    "keep-alive": measure_keep_alive,
    "tls": measure_tls,
    "growth": measure_growth,
    "first-fetch": measure_first_fetch,
    "workers": measure_workers,
    "mass-change": measure_mass_change,
    "live-pages": measure_live_pages,
    "directory": measure_directory,
    "hotdesk": measure_hotdesk_login,
}
PROGRAMS = ("nginx", "wrk")


def run(scale: Scale, groups: Sequence[str]) -> Sequence[Figure]:
    """Measure some groups one after another; BenchError or ProgramError when a figure would not mean anything."""
    figures: list[Figure] = []
    for group in groups:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            Path(folder).chmod(0o755)  # nginx's worker may be another account
            figures += GROUPS[group](scale, Path(folder) / "run")
        print(f"{group}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description="Print the figures beside their references."
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds and fewer cached devices")
    parser.add_argument(
        "--only",
        action="append",
        choices=GROUPS,
        help="measure this group only (may be repeated); writes no page",
    )
    parser.add_argument("--no-page", action="store_true", help="leave docs/benchmarks.md as it is")
    arguments = parser.parse_args()
    missing = [name for name in PROGRAMS if not is_installed(name)]
    if missing:
        parser.exit(2, f"not installed: {', '.join(missing)}\n")
    scale = QUICK if arguments.quick else FULL
    figures = run(scale, arguments.only or list(GROUPS))
    print(text_table(figures))
    if not arguments.only and not arguments.no_page:
        write_page(ROOT / "docs" / "benchmarks.md", figures, scale)


if __name__ == "__main__":
    main()
