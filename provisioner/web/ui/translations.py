"""The user interface's languages: catalogues read once at start, and errors of the layers below put in other languages."""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Final

from babel.messages.mofile import read_mo
from babel.support import NullTranslations, Translations

LANGUAGES: Final = {"en": "English", "nl": "Nederlands"}
"""Languages that are complete, with their own names; a folder in locale/ and a line here adds one."""
ERROR_CONTEXT: Final = "error"
"""Context of the messages that are sentences of errors, with {…} where a value stands."""


def message(text: str) -> str:
    """Mark a text for translation where it is only named; it is translated where it is shown."""
    return text


@dataclass(frozen=True, slots=True)
class _Sentence:
    pattern: re.Pattern[str]
    translated: str


class Language:
    """One language: texts of the interface, and sentences of errors."""

    def __init__(self, code: str, catalogue: bytes | None) -> None:
        self.code = code
        self.texts: NullTranslations = Translations(BytesIO(catalogue)) if catalogue else NullTranslations()
        self._sentences = _sentences(catalogue) if catalogue else ()

    def translate(self, text: str) -> str:
        """The text in this language; itself when there is no translation."""
        return self.texts.gettext(text) if text else ""

    def plural(self, one: str, many: str, *, count: int) -> str:
        """One of the two forms, with %(num)s filled in."""
        return self.texts.ngettext(one, many, count) % {"num": count}

    def error(self, detail: str) -> str:
        """An error's sentence in this language, its values kept; itself when no known sentence fits."""
        for sentence in self._sentences:
            found = sentence.pattern.fullmatch(detail)
            if found:
                values = found.groupdict()
                return sentence.translated.format(
                    **{name: self._value(value, detail) for name, value in values.items()}
                )
        return detail

    def _value(self, value: str, whole: str) -> str:
        """A value inside an error's sentence: a word or a sentence of its own may have a translation too."""
        translated = self.translate(value)
        return self.error(value) if translated == value and len(value) < len(whole) else translated


@cache
def languages() -> dict[str, Language]:
    """Every language that is complete, by its code."""
    folder = files("provisioner.web.ui") / "locale"
    found = {}
    for code in LANGUAGES:
        path = folder / code / "LC_MESSAGES" / "messages.mo"
        found[code] = Language(code, path.read_bytes() if path.is_file() else None)
    return found


def preferred(accept_language: str) -> str:
    """The first known language of an Accept-Language header; English when there is none."""
    weighted = []
    for part in accept_language[:200].split(","):
        code, _, rest = part.strip().partition(";")
        weight = re.fullmatch(r"\s*q=([01](?:\.\d{1,3})?)\s*", rest)
        weighted.append((-(float(weight[1]) if weight else 1.0), code[:2].lower()))
    return next((code for weight, code in sorted(weighted) if code in LANGUAGES and weight), "en")


def _sentences(catalogue: bytes) -> tuple[_Sentence, ...]:
    found = []
    for entry in read_mo(BytesIO(catalogue)):
        context = (
            entry.context.decode() if isinstance(entry.context, bytes) else entry.context
        )  # read_mo leaves it as bytes
        if context == ERROR_CONTEXT and isinstance(entry.id, str) and isinstance(entry.string, str):
            found.append((len(re.sub(r"\{\w+\}", "", entry.id)), entry.id, entry.string))
    # the sentence with the most fixed text first: "{name}" alone would swallow all others
    return tuple(_Sentence(_pattern(text), translated) for _, text, translated in sorted(found, reverse=True))


def _pattern(text: str) -> re.Pattern[str]:
    pieces = re.split(r"\{(\w+)\}", text)
    pattern = "".join(
        f"(?P<{piece}>.*?)" if index % 2 else re.escape(piece) for index, piece in enumerate(pieces)
    )
    return re.compile(pattern, re.DOTALL)
