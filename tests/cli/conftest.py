import shutil
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation that nobody has worked on; copied for every test, because making one takes a second."""
    data = tmp_path_factory.mktemp("pristine") / "data"
    terminal = Terminal(data)
    terminal.run("init")
    return data


@pytest.fixture
def terminal(pristine: Path, tmp_path: Path) -> Terminal:
    """A command line over a fresh installation with the tenant Acme."""
    data = tmp_path / "data"
    shutil.copytree(pristine, data)
    terminal = Terminal(data)
    terminal.run("tenant", "add", "acme", "--name", "Acme", "--sip-domain", "acme.test")
    return terminal
