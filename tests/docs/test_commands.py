"""Every command that a page tells people to type exists, with its options."""

import importlib.util
import re
import shlex
from pathlib import Path

import click
import pytest

from provisioner.cli.root import cli
from tests.docs.pages import REPOSITORY, blocks, markdown_pages, name, spans

SHELLS = {"sh", "bash", "console", ""}
PAGES = [page for page in markdown_pages() if not page.is_relative_to(REPOSITORY / "provisioner")]


def _command_lines(page: Path) -> list[str]:
    """Shell lines of the page: those of its blocks without comments, and what stands between backticks."""
    text = page.read_text(encoding="utf-8")
    lines = [
        line
        for block in blocks(text)
        if block.language in SHELLS
        for line in block.body.replace("\\\n", " ").splitlines()
    ]
    commands = [re.sub(r"(^|\s)#.*", "", line).strip() for line in lines] + spans(text)
    return [
        part.strip() for command in commands for part in re.split(r"&&|;|\|(?!\|)", command) if part.strip()
    ]


def _words(line: str, program: str) -> list[str] | None:
    """What follows the program on this line; None when the line does not call it."""
    found = re.match(
        rf"(?:\$ +|sudo +|docker compose exec \S+ +|docker run .*? |\S*/bin/)?{program}(?: +(?P<rest>.*))?$",
        line,
    )
    if found is None or not (found["rest"] or "").strip():
        return None
    rest = re.split(r" → | [<>|] ?", found["rest"])[
        0
    ].strip()  # what the shell does with it is not the program's
    try:
        return shlex.split(rest)
    except ValueError:
        return rest.split()


def _wrong_with(words: list[str], command: click.Command) -> str:
    """What is wrong with this call; "" for nothing."""
    rest = list(words)
    arguments = 0
    while rest:
        word = rest.pop(0)
        if re.fullmatch(r"\[.*\](?:\.\.\.)?", word):
            continue  # "[OPTIONS]" in a line of usage
        if word.startswith("-"):
            option, is_joined, _ = word.partition("=")
            known = next(
                (each for each in command.params if option in (*each.opts, *each.secondary_opts)), None
            )
            if known is None and option not in {"--help", "-h"}:
                return f"{command.name} has no option {option}"
            if isinstance(known, click.Option) and not (known.is_flag or known.count or is_joined):
                del rest[: known.nargs]
        elif isinstance(command, click.Group):
            if word == "COMMAND":
                break
            below = command.get_command(click.Context(command), word)
            if below is None:
                return f"{command.name} has no command {word}"
            command = below
        else:
            arguments += 1
    taken = [each.nargs for each in command.params if isinstance(each, click.Argument)]
    is_too_many = -1 not in taken and arguments > sum(taken)
    return f"{command.name} does not take {arguments} arguments" if is_too_many else ""


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_provisioner_command_exists(page: Path) -> None:
    calls = [(line, _words(line, "provisioner")) for line in _command_lines(page)]
    wrong = {line: _wrong_with(words, cli) for line, words in calls if words and words[0].isascii()}
    assert {line: what for line, what in wrong.items() if what} == {}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_make_target_exists(page: Path) -> None:
    targets = set(
        re.findall(
            r"^([a-z0-9][a-z0-9-]*):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
        )
    )
    called = {
        word
        for line in _command_lines(page)
        for word in _words(line, "make") or []
        if not re.match(r"-|[A-Z]+=", word)
    }
    assert called - targets == set()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_python_module_that_is_run_exists(page: Path) -> None:
    modules = set(re.findall(r"python3? -m ((?:provisioner|tests)[\w.]*)", page.read_text(encoding="utf-8")))
    assert [module for module in sorted(modules) if importlib.util.find_spec(module) is None] == []


def test_the_pages_hold_commands_to_check() -> None:
    readme = _command_lines(REPOSITORY / "README.md")
    assert [line for line in readme if _words(line, "provisioner")]
    assert [line for line in readme if _words(line, "make")]


def test_the_readme_tries_the_program_with_two_commands() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    _, _, section = text.partition("\n## Try it\n")
    assert blocks(section)[0].body == "make run\nmake test\n"


@click.group(name="example")
@click.option("--data")
def _example() -> None: ...


@_example.command(name="serve")
@click.option("--demo", is_flag=True)
@click.argument("place")
def _serve(demo: bool, place: str) -> None: ...


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("--data x serve --demo here", ""),
        ("--data=x serve here", ""),
        ("serve --help", ""),
        ("sevre", "example has no command sevre"),
        ("serve --dmeo here", "serve has no option --dmeo"),
        ("serve here there", "serve does not take 2 arguments"),
    ],
)
def test_a_wrong_command_is_noticed(line: str, wrong: str) -> None:
    assert _wrong_with(line.split(), _example) == wrong
