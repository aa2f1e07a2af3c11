"""What the tests of the documentation read: tracked files and the parts of Markdown pages."""

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[2]

_FENCE = re.compile(r"^ *```(?P<language>\w*)[^\n]*\n(?P<body>.*?)^ *```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)(`+)(?!`)(?P<body>.+?)(?<!`)\1(?!`)")
_HEADING = re.compile(r"^#{1,6} +(?P<text>.+?) *#*$", re.MULTILINE)
_EXPLICIT = re.compile(r'<a (?:id|name)="(?P<anchor>[^"]+)"')
_LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(<?(?P<target>[^)\s>]+)>?(?: +\"[^\"]*\")?\)")


class Block(NamedTuple):
    """A fenced block."""

    language: str
    body: str


@cache
def project_files() -> tuple[Path, ...]:
    """Every file that is tracked, or would be: what .gitignore names is left out."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        found = [REPOSITORY / name for name in listed.stdout.decode().split("\0") if name]
    else:  # a copy without its history
        found = [path for path in REPOSITORY.rglob("*") if not _is_made(path.relative_to(REPOSITORY))]
    return tuple(sorted({path for path in found if path.is_file()}))


def _is_made(path: Path) -> bool:
    first = path.parts[0]
    is_hidden = first.startswith(".") and first not in {".ci", ".gitignore"}
    return is_hidden or first in {"build", "data", "dist", "run", "tmp"} or "__pycache__" in path.parts


@cache
def markdown_pages() -> tuple[Path, ...]:
    return tuple(path for path in project_files() if path.suffix == ".md")


def name(path: Path) -> str:
    """A file as people say it: from the repository's root."""
    return path.relative_to(REPOSITORY).as_posix()


def blocks(text: str) -> list[Block]:
    return [Block(found["language"], found["body"]) for found in _FENCE.finditer(text)]


def prose(text: str) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", text)


def spans(text: str) -> list[str]:
    """What stands between backticks in the prose."""
    return [found["body"].strip() for found in _SPAN.finditer(prose(text))]


def links(text: str) -> Iterator[str]:
    """Targets of links and images, without those inside code."""
    without_code = _SPAN.sub(lambda found: "`" * len(found[0]), prose(text))
    for found in _LINK.finditer(without_code):
        yield found["target"]


def anchors(text: str) -> set[str]:
    """What a link can point at in a page, as GitHub makes it of the headings."""
    found = {match["anchor"] for match in _EXPLICIT.finditer(text)}
    for heading in _HEADING.finditer(prose(text)):
        slug = _slug(heading["text"])
        number = 0
        while (numbered := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(numbered)
    return found


def _slug(heading: str) -> str:
    shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
    kept = "".join(sign for sign in shown.lower() if sign.isalnum() or sign in " -_")
    return kept.replace(" ", "-")
