"""The command line as a person or a program uses it, without a process of its own."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from provisioner.cli.root import cli


class Terminal:
    def __init__(self, data: Path) -> None:
        self.data = data

    def invoke(self, *words: str, input: str | bytes | None = None) -> Result:  # noqa: A002 - click's own word
        return CliRunner().invoke(cli, ["--data", str(self.data), *words], input=input)

    def run(self, *words: str, input: str | bytes | None = None) -> str:  # noqa: A002
        """The standard output of a command that must succeed."""
        result = self.invoke(*words, input=input)
        assert result.exit_code == 0, (words, result.output, result.exception)
        return result.stdout

    def json(self, *words: str) -> Any:
        """The answer of a command in JSON; nothing else may stand on standard output."""
        return json.loads(self.run(*words, "--json"))

    def refused(self, *words: str, input: str | bytes | None = None) -> str:  # noqa: A002
        """What stands on stderr of a command that is refused: exit code 1, no traceback, nothing on standard output."""
        result = self.invoke(*words, input=input)
        assert result.exit_code == 1, (words, result.output)
        assert "Traceback" not in result.stderr
        assert isinstance(result.exception, SystemExit)
        assert not result.stdout
        return result.stderr
