from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from provisioner.profiles.catalogue_file import CatalogueEntry, read_catalogue
from provisioner.profiles.loader import Profiles, load_profiles

VENDORS = Path(__file__).parent / "vendors"
CATALOGUE = Path(__file__).parents[2] / "provisioner" / "composition" / "catalogue.toml"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate-cases",
        action="store_true",
        default=False,
        help="write what is rendered now as the expected files of all vendor cases",
    )


@pytest.fixture(scope="session")
def catalogue() -> Mapping[str, CatalogueEntry]:
    return read_catalogue(CATALOGUE)


@pytest.fixture(scope="session")
def acme(catalogue: Mapping[str, CatalogueEntry]) -> Profiles:
    profiles = load_profiles(VENDORS, settings=catalogue)
    assert not profiles.broken
    return profiles


@pytest.fixture
def vendor(tmp_path: Path) -> Callable[..., Path]:
    """Writes a vendor folder into tmp_path/vendors: the smallest that is valid, plus and instead the given files."""

    def write(name: str = "tiny", **files: str) -> Path:
        folder = tmp_path / "vendors" / name
        contents = {
            "profile.toml": f'id = "{name}"\nlabel = "Tiny"\nprovisioning_url = "{{base}}/"\n'
            f'[[files]]\nid = "device"\nrole = "device"\npath = "^{name}-{{mac}}\\\\.cfg$"\n'
            'template = "device.cfg.j2"\nformat = "keyvalue"\n',
            "models.toml": '[[models]]\nid = "T1"\nlabel = "Tiny 1"\nlines = 1\n',
            "settings.toml": '[[rows]]\nkey = "dnd"\nsetting = "dnd"\nvalue = "value | flag"\n',
            "templates/device.cfg.j2": "{{ rows | lines }}",
        } | {path.replace("_toml", ".toml"): text for path, text in files.items()}
        for path, text in contents.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        return folder

    return write
