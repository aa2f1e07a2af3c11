"""What the pages claim about the repository is so."""

import json
import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

from provisioner.composition.catalogue import load_catalogue
from provisioner.profiles.loader import load_profiles
from provisioner.settings import ServerSettings
from tests.docs.pages import REPOSITORY, blocks, markdown_pages, name, spans

ARCHITECTURE: Final = (REPOSITORY / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
OPERATOR: Final = (REPOSITORY / "docs" / "operator.md").read_text(encoding="utf-8")
PACKAGE: Final = REPOSITORY / "provisioner"
PROGRAMS: Final = {"pg_dump"}


def _floors() -> list[str]:
    """The second column of the table of floors: folders and files, as they are written."""
    _, _, section = ARCHITECTURE.partition("\n## Floors\n")
    table = [
        line.split("|")[2] for line in section.partition("\n## ")[0].splitlines() if line.startswith("| ")
    ]
    return [place for cell in table[1:] for place in re.findall(r"`([^`]+)`", cell)]


def _exists(place: str) -> bool:
    """Whether a path exists, said from the repository's root or from the package's."""
    return any(any(root.glob(place.rstrip("/"))) for root in (REPOSITORY, PACKAGE))


def test_the_table_of_floors_names_only_what_exists() -> None:
    assert len(_floors()) > 12
    assert [place for place in _floors() if not _exists(place)] == []


def test_every_package_folder_and_module_stands_on_a_floor() -> None:
    named = {place.removeprefix("provisioner/").rstrip("/") for place in _floors()}
    rooms = {
        folder.relative_to(PACKAGE).as_posix()
        for folder in (*PACKAGE.glob("*/"), *PACKAGE.glob("web/*/"))
        if folder.is_dir() and (folder / "__init__.py").exists()
    }
    modules = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py", "__main__.py"}
    assert (rooms - {"web"}) | modules <= named


def test_every_room_of_the_use_cases_is_told_of() -> None:
    rooms = {f"services/{folder.parent.name}/" for folder in PACKAGE.glob("services/*/__init__.py")}
    assert len(rooms) > 10
    assert rooms <= set(spans(ARCHITECTURE))


def test_every_path_in_the_architecture_page_exists() -> None:
    paths = [span for span in spans(ARCHITECTURE) if re.fullmatch(r"[\w./*-]+/[\w./*-]*|[\w-]+\.py", span)]
    assert len(paths) > 30
    assert [path for path in paths if not _exists(path)] == []


def test_every_invariant_of_the_architecture_page_names_its_test() -> None:
    _, _, section = ARCHITECTURE.partition("\n## Invariants\n")
    rows = [
        line.split("|") for line in section.partition("\n## ")[0].splitlines() if re.match(r"\| \d", line)
    ]
    assert [int(row[1]) for row in rows] == list(range(1, len(rows) + 1))
    assert all("tests/" in row[3] for row in rows)


@pytest.mark.parametrize("page", markdown_pages(), ids=name)
def test_toml_and_json_in_pages_can_be_read(page: Path) -> None:
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.language == "toml":
            tomllib.loads(block.body)
        elif block.language == "json":
            json.loads(block.body)


def test_server_settings_in_the_operators_guide_exist() -> None:
    written = {
        key for block in blocks(OPERATOR) if block.language == "toml" for key in tomllib.loads(block.body)
    }
    mentioned = {
        span.partition(" = ")[0]
        for span in spans(OPERATOR)
        if re.fullmatch(r"[a-z]+(_[a-z0-9]+)+( = .+)?", span)
    }
    assert {"trusted_proxies", "public_host"} <= written | mentioned
    assert (written | mentioned) - set(ServerSettings.model_fields) - PROGRAMS == set()


def test_ports_in_the_operators_guide_are_the_defaults() -> None:
    fields = ServerSettings.model_fields
    table = OPERATOR.partition("## Listeners")[2].partition("\n\nThe admin")[0]
    https, http, people = [line for line in table.splitlines() if line.startswith("| p")]
    assert f"| {fields['https_port'].default}, all addresses |" in https
    assert f"| {fields['http_port'].default}, all addresses |" in http
    assert f"http on {fields['admin_address'].default}:{fields['admin_port'].default} " in people
    assert fields["phone_address"].default == "0.0.0.0"


def test_the_readme_counts_the_models_right() -> None:
    profiles = load_profiles(REPOSITORY / "vendor_profiles", settings=load_catalogue().phone_settings)
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for profile in (profiles.all["snom"], profiles.all["yealink"]):
        models = [model for model in profile.models.values() if model.id != profile.default_model]
        assert f"{len(models)} {profile.label}" in readme


def test_the_changelog_speaks_of_this_version() -> None:
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    headings = re.findall(
        r"^## (\S+)", (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert headings[0] == version


def test_the_licence_is_apache_2() -> None:
    licence = (REPOSITORY / "LICENSE").read_text(encoding="utf-8")
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert licence.split()[:4] == ["Apache", "License", "Version", "2.0,"]
    assert "9. Accepting Warranty or Additional Liability." in licence
    assert project["license"] == "Apache-2.0"
    assert "Apache 2.0" in (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_the_readme_leads_to_every_page() -> None:
    reached = {REPOSITORY / "README.md"}
    new = list(reached)
    while new:
        page = new.pop()
        targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        for path in {
            (page.parent / target).resolve() for target in targets if target.endswith(".md")
        } - reached:
            if path.is_file():
                reached.add(path)
                new.append(path)
    assert {name(page) for page in (REPOSITORY / "docs").glob("*.md")} - {
        name(page) for page in reached
    } == set()
