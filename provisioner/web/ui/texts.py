"""Collects every text that people see, and keeps the catalogues in locale/ complete: `python -m provisioner.web.ui.texts`.

Messages come from the templates and modules of the user interface, from the settings catalogue, from the reasons of
the provisioning log, and from the errors of the layers below, where each value is a named placeholder.
"""

import ast
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from provisioner import errors
from provisioner.access.reasons import SENTENCES
from provisioner.composition.catalogue import load_catalogue
from provisioner.services.files.fetch_words import HINTS, SERVED, UNCHANGED
from provisioner.web.ui.translations import ERROR_CONTEXT, LANGUAGES

HERE: Final = Path(__file__).parent
PACKAGE: Final = HERE.parents[1]
_KEYWORDS: Final = {"_": None, "translate": None, "message": None, "ngettext": (1, 2), "plural": (1, 2)}
_LAYERS: Final = ("model", "access", "composition", "services", "web/identity.py", "web/ui")
_SENTENCES_INSIDE: Final = {"device_password.py", "passwords.py", "pins.py"}
_NOT_FOR_PAGES: Final = {"imports.py", "installation.py"}
"""Their errors are read on the command line or through REST only."""
_RAISERS: Final = {"refuse"} | {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type)
    and issubclass(kind, errors.ProvisionerError)
    and not issubclass(kind, errors.CannotStart)
}
Id = str | tuple[str, str]


@cache
def messages() -> frozenset[tuple[Id, str]]:
    """Every message with its context ("" or "error"); a pair where there is a plural."""
    return frozenset(_messages())


def _messages() -> Iterator[tuple[Id, str]]:
    yield from ((text, "") for text in _of_interface())
    catalogue = load_catalogue()
    yield from ((label, "") for label in catalogue.groups.values())
    for setting in catalogue.settings.values():
        yield setting.label, ""
        yield setting.help, ""
    yield from ((sentence, "") for sentence in (*SENTENCES.values(), *HINTS.values(), SERVED, UNCHANGED))
    yield from ((sentence, ERROR_CONTEXT) for sentence in _of_errors())


def catalogue_of(language: str) -> Catalog:
    """The catalogue of a language with what is translated already and exactly the messages there are."""
    path = _path(language, "po")
    known = Catalog(locale=language)
    if path.is_file():
        with path.open("rb") as file:
            known = read_po(file, locale=language)
    # a fixed date: the file changes only when a text does
    made = datetime(2026, 1, 1, tzinfo=UTC)
    fresh = Catalog(
        locale=language, project="Provisioner", creation_date=made, revision_date=made, fuzzy=False
    )
    fresh.header_comment = f"# Texts of the user interface: {LANGUAGES[language]}."
    for text, context in sorted(messages(), key=str):
        old = known.get(text if isinstance(text, str) else text[0], context or None)
        fresh.add(text, old.string if old is not None else None, context=context or None)
    return fresh


def compiled(language: str) -> bytes:
    """The catalogue as the program reads it."""
    buffer = BytesIO()
    write_mo(buffer, catalogue_of(language))
    return buffer.getvalue()


def untranslated(language: str) -> list[str]:
    """Messages that have no text in this language."""
    return [str(entry.id) for entry in catalogue_of(language) if entry.id and not _is_complete(entry.string)]


def main() -> None:
    """Bring locale/ up to date and name what is missing."""
    for language in LANGUAGES:
        path = _path(language, "po")
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = catalogue_of(language)  # read before the file is opened for writing, which empties it
        with path.open("wb") as file:
            write_po(file, fresh, width=110, sort_output=True)
        _path(language, "mo").write_bytes(compiled(language))
        missing = untranslated(language) if language != "en" else []
        sys.stdout.write(f"{language}: {len(missing)} without a translation\n")


def _is_complete(string: object) -> bool:
    return all(string) if isinstance(string, list | tuple) else bool(string)


def _path(language: str, ending: str) -> Path:
    return HERE / "locale" / language / "LC_MESSAGES" / f"messages.{ending}"


def _of_interface() -> Iterator[Id]:
    for path in sorted((HERE / "templates").rglob("*.html")):
        with path.open("rb") as file:
            options = {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}
            for _line, _function, text, _comments in babel_extract(file, ("_", "ngettext"), [], options):
                yield _id(text)
    for path in sorted(HERE.rglob("*.py")):
        with path.open("rb") as file:
            for _line, text, _comments, _context in extract("python", file, keywords=_KEYWORDS):
                yield _id(text)


def _id(text: object) -> Id:
    if isinstance(text, list | tuple):
        parts = [part for part in text if isinstance(part, str)]
        return (parts[0], parts[1]) if len(parts) > 1 else parts[0]
    return str(text)


def _of_errors() -> Iterator[str]:
    """Sentences of errors that can reach a page."""
    for layer in _LAYERS:
        path = PACKAGE / layer
        for module in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            if module.name in _NOT_FOR_PAGES:
                continue
            tree = ast.parse(module.read_text("utf-8"))
            for node in ast.walk(tree):
                yield from _sentences_of(node, everything=module.name in _SENTENCES_INSIDE)


def _sentences_of(node: ast.AST, *, everything: bool) -> Iterator[str]:
    if isinstance(node, ast.Call) and node.args and _name(node.func) in _RAISERS:
        yield from _template(node.args[0])
    elif isinstance(node, ast.FunctionDef) and (everything or node.name == "vendor_warning"):
        docstring = ast.get_docstring(node, clean=False)
        pieces = {
            id(part) for inner in ast.walk(node) if isinstance(inner, ast.JoinedStr) for part in inner.values
        }
        for inner in ast.walk(node):
            for text in _template(inner) if id(inner) not in pieces else ():
                if " " in text and (text[0].isupper() or text[0] == "{") and text != docstring:
                    yield text


def _template(node: ast.AST) -> Iterator[str]:
    """The text of a literal, each value of an f-string as {name}; nothing for other expressions."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        text, used = "", 0
        for part in node.values:
            if isinstance(part, ast.Constant):
                text += str(part.value)
            else:
                used += 1
                text += f"{{{_word(part, used)}}}"
        yield text


def _word(node: ast.AST, number: int) -> str:
    """A short unique name for a placeholder, for translators: its last identifier and its number."""
    names = [
        inner.attr if isinstance(inner, ast.Attribute) else getattr(inner, "id", "")
        for inner in ast.walk(node)
    ]
    name = next((name for name in names if name.isidentifier()), "value")
    return f"{name}_{number}"


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


if __name__ == "__main__":
    main()
