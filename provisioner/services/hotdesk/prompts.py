"""The prompts a PBX plays, by name: the texts that its administrator records, read once from prompts.toml."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from provisioner.errors import BadInput

LANGUAGES: Final = ("en", "nl", "de", "pl")
"""The languages every prompt has a text in; the first is the one for callers of any other."""


@cache
def load_prompts() -> Mapping[str, Mapping[str, str]]:
    """Prompt name → language → text, in the order of the file."""
    return tomllib.loads(files("provisioner.services").joinpath("prompts.toml").read_text(encoding="utf-8"))


def prompt_texts(language: str = "") -> Mapping[str, Mapping[str, str]]:
    """All prompts, or their texts in one language; BadInput for a language there is none of."""
    if not language:
        return load_prompts()
    if language not in LANGUAGES:
        raise BadInput(f"There are texts in {', '.join(LANGUAGES)}, not in {language[:20]}.", field="lang")
    return {name: {language: texts[language]} for name, texts in load_prompts().items()}


def prompt_language(asked: str) -> str:
    """The language to speak when a PBX names one in its own way: `de_AT` is `de`; one we have no texts in is the first."""
    primary = asked.replace("_", "-").partition("-")[0].strip().lower()
    return primary if primary in LANGUAGES else LANGUAGES[0]
