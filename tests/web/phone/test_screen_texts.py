import re
from pathlib import Path
from string import Formatter

import pytest

from provisioner.composition.catalogue import load_catalogue
from provisioner.web.phone import screens
from provisioner.web.phone.screen_texts import LANGUAGES, Words, load_texts


def test_the_languages_are_those_that_a_phone_can_be_set_to() -> None:
    assert set(LANGUAGES) == set(load_catalogue()["language"].choices)


@pytest.mark.parametrize("name", load_texts())
def test_every_text_is_there_in_every_language_with_the_same_values(name: str) -> None:
    texts = load_texts()[name]
    assert set(texts) == set(LANGUAGES)
    assert all(text.strip() for text in texts.values())
    fields = [{field for _, field, _, _ in Formatter().parse(text) if field} for text in texts.values()]
    assert fields == [fields[0]] * len(LANGUAGES)


def test_every_text_is_used_and_none_is_missing() -> None:
    source = Path(screens.__file__).read_text(encoding="utf-8")
    used = set(re.findall(r'(?:words|_sorry|Question)\("([a-z-]+)"', source))
    assert used == set(load_texts())


def test_an_unknown_language_gets_english() -> None:
    assert Words("xx")("log-out") == "Log out"
