"""What must never be among the tracked files."""

import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.docs.pages import REPOSITORY, name, project_files

MACHINE = re.compile(
    r"(?<![\w.~$}>-])/(?:work|root|workspace|Users/\w+|home/(?!user\b)\w+)/"  # somebody's own folders
    r"|/tmp/(?:bash|tmp|pytest)[\w.-]*"
    r"|[A-Z]:\\\\Users"
)
REGISTRIES = re.compile(
    "|".join(
        re.escape(host) + r"\b"
        for host in (
            "pypi" + ".org",
            "pythonhosted" + ".org",
            "registry.npm" + "js.org",
            "registry.yarn" + "pkg.com",
            "proxy.golang" + ".org",
        )
    )
)
DEBIAN_12 = "3.11.2"
PRIVATE_KEY = re.compile("-----BEGIN (?:[A-Z]+ )*PRIVATE" + " KEY-----")
KEPT_OUT = {".sqlite", ".sqlite3", ".db", ".key", ".p12", ".pfx", ".jks", ".pyc", ".log", ".rej", ".orig"}
LOCKS = ("requirements.txt", "requirements-dev.txt")


def _text(path: Path) -> str | None:
    content = path.read_bytes()
    return None if b"\0" in content else content.decode("utf-8")


def _lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name(path)}:{number}: {line.strip()[:120]}"
        for path in project_files()
        for number, line in enumerate((_text(path) or "").splitlines(), 1)
        if pattern.search(line)
    ]


def test_there_is_something_to_look_at() -> None:
    assert {"README.md", "provisioner/app.py", "vendor_profiles/snom/profile.toml"} <= {
        name(path) for path in project_files()
    }


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    assert _lines_with(MACHINE) == []


def test_no_file_names_a_package_registry() -> None:
    assert _lines_with(REGISTRIES) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_files_hold_versions_and_hashes_and_no_address(lock: str) -> None:
    entries = (REPOSITORY / lock).read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    assert entries
    pinned = re.compile(
        r"^[A-Za-z0-9._-]+(?:\[[\w,-]+\])?==\S+(?: *; [^#]+?)?(?: +--hash=sha256:[0-9a-f]{64})+ *$"
    )
    assert [
        entry for entry in entries if entry and not entry.startswith("#") and not pinned.match(entry)
    ] == []
    assert [entry for entry in entries if "://" in entry] == []


def test_lock_files_name_the_extras_that_are_asked_for() -> None:
    """An entry without them pins nothing for an installer that is asked for `name[extra]`: it takes the newest."""
    lock = (REPOSITORY / "requirements-dev.txt").read_text(encoding="utf-8")
    pinned = {
        canonicalize_name(found[1]): set((found[2] or "").split(",")) - {""}
        for found in re.finditer(r"^([A-Za-z0-9._-]+)(?:\[([\w,-]+)\])?==", lock, re.MULTILINE)
    }
    wanted = [
        requirement
        for distribution in metadata.distributions()
        if canonicalize_name(distribution.name) in {*pinned, "provisioner"}
        for requirement in map(Requirement, distribution.requires or ())
        if requirement.extras and (requirement.marker is None or requirement.marker.evaluate({"extra": ""}))
    ]
    assert "sqlalchemy" in {requirement.name for requirement in wanted}
    assert [
        str(requirement)
        for requirement in wanted
        if not requirement.extras <= pinned[canonicalize_name(requirement.name)]
    ] == []


def test_what_is_locked_runs_on_debians_python() -> None:
    """`requires-python` is not enough: a lock that was made on a later 3.11 can name what Debian 12 cannot install."""
    lock = (REPOSITORY / "requirements-dev.txt").read_text(encoding="utf-8")
    pinned = {canonicalize_name(name) for name in re.findall(r"^([A-Za-z0-9._-]+)", lock, re.MULTILINE)}
    found = [dist for dist in metadata.distributions() if canonicalize_name(dist.name) in pinned]
    assert len(found) > 50
    assert [
        f"{dist.name} {dist.version}: {needed}"
        for dist in found
        if (needed := dist.metadata["Requires-Python"]) and not SpecifierSet(needed).contains(DEBIAN_12)
    ] == []


def test_no_private_key_is_tracked() -> None:
    assert _lines_with(PRIVATE_KEY) == []


def test_no_database_key_or_left_over_is_tracked() -> None:
    wrong = [
        path
        for path in project_files()
        if path.suffix in KEPT_OUT or path.name in {"keyring.json", "revoked.jsonl", ".env"}
    ]
    assert [name(path) for path in wrong] == []
    assert [name(path) for path in project_files() if path.read_bytes()[:15] == b"SQLite format 3"] == []


def test_every_text_is_utf_8_with_unix_line_ends() -> None:
    texts = [(path, _text(path)) for path in project_files()]  # decoding raises for anything else
    assert [
        name(path)
        for path, text in texts
        if text and "\r" in text and not {"vendor", "cases"} & set(path.parts)
    ] == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (MACHINE, "see /wo" + "rk/main/README.md"),
        (MACHINE, 'open("/ro' + 'ot/x")'),
        (MACHINE, "cd /home/al" + "ice/provisioner"),
        (REGISTRIES, "https://files.python" + "hosted.org/packages/x.whl"),
        (PRIVATE_KEY, "-----BEGIN EC PRIVATE" + " KEY-----"),
    ],
)
def test_the_patterns_catch_what_they_are_for(pattern: re.Pattern[str], line: str) -> None:
    assert pattern.search(line)
