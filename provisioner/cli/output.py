"""Answers: tables and sentences for people, JSON for programs, progress bars on long work."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

from provisioner.cli.work import Work
from provisioner.errors import ImportRefused, ProvisionerError

WIDEST = 60
"""Characters of a cell in a table; JSON has all of them."""
WIDEST_LAST = 400
"""The last cell of a row moves nothing aside: sentences stand there."""
MOST_COMPLAINTS = 20
"""Lines of a refused import that are shown to people; JSON has all of them."""


def show_rows(
    work: Work,
    rows: Sequence[Mapping[str, Any]],
    *,
    columns: Sequence[str] = (),
    empty: str = "Nothing there.",
) -> None:
    """A list of things. `columns` are those of the table, in order (all of the first row when empty); JSON has every member."""
    if work.is_json:
        _print_json(list(rows))
        return
    if not rows:
        click.echo(empty)
        return
    names = list(columns or rows[0])
    limits = [WIDEST] * (len(names) - 1) + [WIDEST_LAST]
    cells = [
        [cell(row.get(name), limit=limit) for name, limit in zip(names, limits, strict=True)] for row in rows
    ]
    widths = [max(len(name), *(len(line[at]) for line in cells)) for at, name in enumerate(names)]
    heading = "  ".join(
        name.replace("_", " ").upper().ljust(width) for name, width in zip(names, widths, strict=True)
    )
    click.echo(click.style(heading.rstrip(), bold=True))
    for line in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def show_thing(work: Work, thing: Mapping[str, Any], *, note: str = "") -> None:
    """One thing with its members, and a sentence for people below."""
    if work.is_json:
        _print_json(thing)
        return
    width = max((len(name) for name in thing), default=0)
    for name, value in thing.items():
        click.echo(f"{name.replace('_', ' ').ljust(width)}  {cell(value)}".rstrip())
    if note:
        click.echo(note)


def show_done(work: Work, sentence: str, **members: Any) -> None:
    """What was done: the sentence for people, the members for programs."""
    if work.is_json:
        _print_json({"done": True, **members})
    else:
        click.echo(sentence)


def show_problem(error: ProvisionerError, *, is_json: bool) -> None:
    """On stderr: the sentence, or the same problem document as the REST door's."""
    if is_json:
        document = {
            "type": error.type,
            "title": error.title,
            "status": error.status,
            "detail": error.detail,
            **error.data,
        }
        click.echo(json.dumps(document, default=str, ensure_ascii=False), err=True)
        return
    rows = error.data.get("rows", ()) if isinstance(error, ImportRefused) else ()
    click.echo("Nothing was imported." if rows else error.detail or error.title, err=True)
    if rows:
        for row in rows[:MOST_COMPLAINTS]:
            column = f", {row['column']}" if row["column"] else ""
            click.echo(f"  line {row['line']}{column}: {row['reason']}", err=True)
        if len(rows) > MOST_COMPLAINTS:
            more = len(rows) - MOST_COMPLAINTS
            click.echo(f"  … and {more} more; --json lists every line.", err=True)
        if any("user" in row["reason"].lower() and row["column"] in {"extension", "user"} for row in rows):
            click.echo(
                "Users that are not there yet are made with --create-users, from user and extension.",
                err=True,
            )


def say(work: Work, sentence: str) -> None:
    """Something for people beside the answer: on stderr, and not at all for programs."""
    if not work.is_json:
        click.echo(sentence, err=True)


@contextmanager
def progress(work: Work, label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, fed with (done, all); hidden for programs and when nobody looks."""
    is_shown = not work.is_json and sys.stderr.isatty()
    # without a terminal click would print one line with the label
    with click.progressbar(length=1, label=label, file=sys.stderr, hidden=not is_shown) as bar:

        def tell(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        yield tell


def cell(value: Any, *, limit: int = 0) -> str:
    """A value in one line of text; `limit` characters at most unless 0."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        value = ", ".join(str(item) for item in value)
    text = "".join(character if character.isprintable() else " " for character in str(value))
    return f"{text[: limit - 1]}…" if limit and len(text) > limit else text


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
