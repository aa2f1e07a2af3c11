import re
from pathlib import Path

import pytest

from provisioner.errors import BadInput
from provisioner.services.hotdesk.prompts import LANGUAGES, load_prompts, prompt_language, prompt_texts

TOP = Path(__file__).resolve().parents[2]
NAME = re.compile(r"\"(hotdesk-[a-z]+(?:-[a-z]+)*)\"")


def named_in_code() -> set[str]:
    """Prompt names in quotes, where calls are spoken to; those that are put together are named by the test."""
    package = TOP / "provisioner"
    sources = [
        package / "services" / "hotdesk" / "dialog.py",
        *(package / "web" / "pbx").rglob("*.py"),
        TOP / "docker" / "kamailio" / "kamailio.cfg",
    ]
    return {name for source in sources for name in NAME.findall(source.read_text(encoding="utf-8"))}


def test_every_prompt_the_code_names_has_a_text_in_every_language() -> None:
    from provisioner.services.hotdesk.dialog import EXTENSION, PIN, PROMPTS

    used = set(PROMPTS.values()) | {f"hotdesk-enter-{asked.name}" for asked in (EXTENSION, PIN)}
    assert used <= set(load_prompts())
    assert named_in_code() <= set(load_prompts())
    assert set(load_prompts()) <= used | named_in_code(), "nothing is recorded in vain"


def test_every_text_is_there_and_different_from_the_others() -> None:
    for name, texts in load_prompts().items():
        assert tuple(texts) == LANGUAGES, name
        assert len(set(texts.values())) == len(LANGUAGES), name
        assert all(text.endswith(".") for text in texts.values()), name


def test_one_language_alone() -> None:
    assert prompt_texts("nl")["hotdesk-logged-in"] == {"nl": "U bent ingelogd."}
    with pytest.raises(BadInput, match="en, nl, de, pl"):
        prompt_texts("fr")


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("nl", "nl"),
        ("de_AT", "de"),
        ("pl-PL", "pl"),
        (" NL ", "nl"),
        ("fr", "en"),
        ("", "en"),
        ("\x00", "en"),
    ],
)
def test_what_a_pbx_calls_a_language(asked: str, language: str) -> None:
    assert prompt_language(asked) == language
