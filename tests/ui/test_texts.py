import re
from pathlib import Path

import pytest

from provisioner.services.registrations import hints
from provisioner.services.registrations import truth as registration_truth
from provisioner.web.ui import texts, words
from provisioner.web.ui.translations import LANGUAGES, languages, preferred
from tests.ui.conftest import Site
from tests.ui.test_pages import pages_of

LOCALE = Path(texts.__file__).parent / "locale"
HOW_TO_MEND = "run: python -m provisioner.web.ui.texts, and translate what is missing in the .po file"


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_every_text_is_translated(language: str) -> None:
    assert texts.untranslated(language) == [], HOW_TO_MEND


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_is_the_newest(language: str) -> None:
    assert (LOCALE / language / "LC_MESSAGES" / "messages.mo").read_bytes() == texts.compiled(language), (
        HOW_TO_MEND
    )


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_translations_keep_the_places_of_values(language: str) -> None:
    pattern = re.compile(r"%\(\w+\)s|\{\w+\}")
    for entry in texts.catalogue_of(language):
        if not entry.id:
            continue
        ids = [entry.id] if isinstance(entry.id, str) else list(entry.id)
        strings = [entry.string] if isinstance(entry.string, str) else list(entry.string or ())
        for source, translated in zip(ids, strings, strict=True):
            assert sorted(pattern.findall(source)) == sorted(pattern.findall(translated)), source


def test_every_reason_of_a_registration_has_words() -> None:
    reasons = {reason for _, reason in registration_truth.ENDINGS.values()}
    reasons |= {reason for state, reason in hints.EVENTS.values() if state is not None}
    assert reasons <= set(words.REGISTRATION_REASONS)


def test_a_reason_may_say_from_where() -> None:
    dutch = languages()["nl"]
    stored = "the registrar refused the SIP password (asked from 192.0.2.7:5060)"
    assert (
        words.reason(dutch, stored)
        == "de registrar weigerde het SIP-wachtwoord (gevraagd vanaf 192.0.2.7:5060)"
    )
    assert words.reason(dutch, "the phone signed off") == "het toestel meldde zich af"
    assert words.reason(dutch, "") == ""


def test_sentences_of_errors_keep_their_values() -> None:
    dutch = languages()["nl"]
    assert (
        dutch.error("A MAC address has exactly 12 digits; this one has 11.")
        == "Een MAC-adres heeft precies 12 tekens; dit heeft er 11."
    )
    sentence = "00:04:13:AA:00:01 is already registered: it is “{x} of” of Acme."
    assert dutch.error(sentence) == "00:04:13:AA:00:01 is al geregistreerd: het is “{x} of” van Acme."
    assert dutch.error("It needs a digit.") == "Het heeft een cijfer nodig."
    assert dutch.error("Language (language): is one of en, nl") == "Taal (language): is een van en, nl"
    assert dutch.error("nobody ever said this") == "nobody ever said this"


def test_the_browsers_language_is_taken_when_it_is_known() -> None:
    assert preferred("nl-NL,nl;q=0.9,en;q=0.8") == "nl"
    assert preferred("fr,en;q=0.3,nl;q=0.7") == "nl"
    assert preferred("nl;q=0, en") == "en"
    assert preferred("") == "en"
    assert preferred("x" * 5000 + ";q=abc,,;;") == "en"


async def test_every_page_is_dutch_for_the_dutch(site: Site) -> None:
    for who in ("operator", "admin", "user"):
        await site.post("/own", {"display_name": "", "language": "nl"}, who=who)
        for page in pages_of(site.office)[who]:
            text = await site.get(page, who=who)
            assert '<html lang="nl">' in text, page
            assert "Log out" not in text, page
    assert "Geregistreerd" in await site.get("/t/acme/devices")
    device = site.office.devices["Anna's desk"]
    assert "verkeerd wachtwoord, 3e keer, vanaf 192.0.2.7" in await site.get(f"/t/acme/devices/{device}")
