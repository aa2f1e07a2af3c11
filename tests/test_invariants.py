"""What holds everywhere in the program, read from its source (docs/ARCHITECTURE.md, "Invariants"; the second one: tests/test_canaries.py)."""

import ast
import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import Table

from provisioner.model.base import Base

REPOSITORY: Final = Path(__file__).parents[1]
PACKAGE: Final = REPOSITORY / "provisioner"
SOURCES: Final = tuple(sorted(PACKAGE.rglob("*.py")))
SOFTPHONES: Final = {"linphone", "baresip", "pjsua"}
ORDINARY_WORDS: Final = {"generic", "generic sip phone"}
"""Names of a profile that are no vendor's: Python itself uses the first."""
LONGEST_MODULE, LONGEST_FUNCTION = 400, 60
OF_THE_SERVER: Final = {
    "server_facts": "facts of this installation",
    "counters": "what puts changes in order",
    "revocations": "must outlive the tenant, and names nothing but random ids",
}
"""Tables without a tenant, and why."""


def name(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _vendor_names() -> set[str]:
    profiles = [
        tomllib.loads(path.read_text(encoding="utf-8"))
        for path in REPOSITORY.glob("vendor_profiles/*/profile.toml")
    ]
    assert len(profiles) >= 3
    names = {str(profile[key]).casefold() for profile in profiles for key in ("id", "label")}
    return (names | SOFTPHONES) - ORDINARY_WORDS


@cache
def lines_of(path: Path) -> tuple[str, ...]:
    return tuple(path.read_text(encoding="utf-8").splitlines())


def _lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name(path)}:{number}: {line.strip()}"
        for path in SOURCES
        for number, line in enumerate(lines_of(path), 1)
        if pattern.search(line)
    ]


# ---- 1: a vendor is data -----------------------------------------------------------------------------------


def test_no_vendor_is_named_in_python() -> None:
    vendors = re.compile("|".join(re.escape(vendor) for vendor in sorted(_vendor_names())), re.IGNORECASE)
    assert _lines_with(vendors) == []


def test_no_model_is_named_in_python() -> None:
    models = _model_names()
    texts = [
        (path, node.value)
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant)
    ]
    assert [f"{name(path)}: {text}" for path, text in texts if isinstance(text, str) and text in models] == []


def _model_names() -> set[str]:
    """Letters and digits that only a phone is called by."""
    files = [
        path for path in REPOSITORY.glob("vendor_profiles/*/models*.toml") if path.parent.name != "generic"
    ]
    models = [model for path in files for model in tomllib.loads(path.read_text(encoding="utf-8"))["models"]]
    assert len(models) > 100
    return {str(model["id"]) for model in models if re.search(r"[A-Z]\d", str(model["id"]))}


# ---- nothing is hidden, left for later or too long to read ---------------------------------------------------


def test_a_broad_except_says_which_boundary_it_guards() -> None:
    found = [(path, number) for path in SOURCES for number in _broad_excepts(tree(path))]
    assert found  # the boundaries there are
    assert [f"{name(path)}:{number}" for path, number in found if not _says_why(lines_of(path), number)] == []


def _broad_excepts(module: ast.Module) -> Iterator[int]:
    """Lines of handlers that catch everything and do not raise it again."""
    for node in ast.walk(module):
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            raises_again = any(isinstance(step, ast.Raise) and step.exc is None for step in node.body)
            if any(each is None or _is_any_error(each) for each in caught) and not raises_again:
                yield node.lineno
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).rpartition(".")[2] == "suppress"
            and any(map(_is_any_error, node.args))
        ):
            yield node.lineno


def _is_any_error(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"Exception", "BaseException"}


def _says_why(lines: Sequence[str], number: int) -> bool:
    """A reason in words on the line, the one before it or the first inside; a lint directive alone is none."""
    for line in lines[max(number - 2, 0) : number + 1]:
        words = re.sub(r"(?:noqa|type: ignore)\S*(?: [A-Z]+\d+,?)*", "", line.partition("#")[2])
        if len(words.replace("#", "").split()) >= 4:
            return True
    return False


def test_nothing_is_left_for_later() -> None:
    assert _lines_with(re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|HACK)\b|\bNotImplementedError\b")) == []


def test_library_code_prints_nothing() -> None:
    calls = [
        (path, node)
        for path in SOURCES
        if not path.is_relative_to(PACKAGE / "cli")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
    ]
    assert [
        f"{name(path)}:{node.lineno}"
        for path, node in calls
        if ast.unparse(node.func) in {"print", "breakpoint", "input", "pprint"}
    ] == []


def test_modules_stay_small() -> None:
    sizes = {name(path): len(lines_of(path)) for path in SOURCES}
    assert {path: size for path, size in sizes.items() if size > LONGEST_MODULE} == {}


def test_functions_stay_small() -> None:
    functions = [
        (f"{name(path)}: {node.name}", (node.end_lineno or node.lineno) - node.lineno + 1)
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert {function: size for function, size in functions if size > LONGEST_FUNCTION} == {}


# ---- 4: tenants are apart ----------------------------------------------------------------------------------


def _is_a_tenants(table: Table, seen: frozenset[str] = frozenset()) -> bool:
    """Whether a row says its tenant, or hangs with a key that must be there on one that does and goes with it."""
    if table.name == "tenants" or "tenant_id" in table.columns:
        return True
    for key in table.foreign_keys:
        owner = key.column.table
        if (
            not key.parent.nullable
            and key.ondelete == "CASCADE"
            and owner.name not in seen
            and _is_a_tenants(owner, seen | {table.name})
        ):
            return True
    return False


def test_every_table_belongs_to_a_tenant_or_to_the_server() -> None:
    tables = Base.metadata.tables
    assert len(tables) > 10
    assert {table.name for table in tables.values() if not _is_a_tenants(table)} == set(OF_THE_SERVER)


def test_a_tenants_rows_go_with_the_tenant() -> None:
    """The audit log alone stays: what was done must not vanish with whom it was done to."""
    keys = {
        table.name: list(table.columns["tenant_id"].foreign_keys)
        for table in Base.metadata.tables.values()
        if "tenant_id" in table.columns
    }
    lasting = {table for table, found in keys.items() if not found or found[0].ondelete != "CASCADE"}
    assert lasting == {"audit_entries"}


# ---- the tests above notice what they are for ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("try:\n    f()\nexcept Exception:\n    pass\n", [3]),
        ("try:\n    f()\nexcept:\n    pass\n", [3]),
        ("try:\n    f()\nexcept (ValueError, Exception):\n    pass\n", [3]),
        ("with contextlib.suppress(Exception):\n    f()\n", [1]),
        ("try:\n    f()\nexcept BaseException:\n    g()\n    raise\n", []),
        ("try:\n    f()\nexcept ValueError:\n    pass\n", []),
    ],
)
def test_broad_excepts_are_found(source: str, found: list[int]) -> None:
    assert list(_broad_excepts(ast.parse(source))) == found


@pytest.mark.parametrize(
    ("line", "is_reason"),
    [
        ("except Exception:  # a task boundary: one part's fault must not take the others with it", True),
        ("except Exception:  # noqa: BLE001 - whatever the callback does, the socket lives on", True),
        ("except Exception:  # noqa: BLE001", False),
        ("except Exception:", False),
    ],
)
def test_only_words_are_a_reason(line: str, is_reason: bool) -> None:
    assert _says_why(["try:", "    f()", line, "    pass"], 3) is is_reason
