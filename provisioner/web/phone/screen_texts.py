"""The words on a phone's screen, in the language of the phone; read once from screen_texts.toml."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

LANGUAGES: Final = ("en", "nl", "de", "pl")
"""Every text is there in each; the first is the one for a phone of any other language."""


@cache
def load_texts() -> Mapping[str, Mapping[str, str]]:
    """Text name → language → text."""
    return tomllib.loads(
        files("provisioner.web.phone").joinpath("screen_texts.toml").read_text(encoding="utf-8")
    )


class Words:
    """The texts of one language: `words("log-in")`. KeyError for a name that is not in the file."""

    def __init__(self, language: str) -> None:
        self._language = language if language in LANGUAGES else LANGUAGES[0]

    def __call__(self, name: str, **values: str | int) -> str:
        """The text with its values filled in."""
        return load_texts()[name][self._language].format(**values)
