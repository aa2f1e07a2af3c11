"""The output formats: how a value is made harmless, how a file is checked and how it is read back.

A template author cannot switch escaping off: every value that a template prints goes through `finalize`.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, ClassVar, Final

from jinja2 import Undefined
from lxml import etree
from markupsafe import Markup

Pairs = list[tuple[str, str]]
LARGEST: Final = 512 * 1024  # characters of one file: far more than any phone reads

_AT_ONCE: Final = 256  # pieces of a template's output put together before its size is looked at

_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_XML_SPECIAL = re.compile("[&<>\"'\t\n\r]|[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ATTRIBUTE_SPECIAL = re.compile('[&<>"\t\n\r]|[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]')
_CONTENT_SPECIAL = re.compile("[&<>\r]|[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_XML_ESCAPES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
    "\t": "&#9;",
    "\n": "&#10;",
    "\r": "&#13;",
}
_NAME: Final = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_DECLARED = re.compile(r"\s*(?:<\?xml\s[^>]*\?>)?\s*")
# What some reader somewhere takes for the end of a line, every other control character, lone surrogates.
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_CONTROLS_BUT_NEWLINE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_BREAKS_IN_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ASCII_CONTROLS = bytes([*range(9), *range(11, 32), 127])
_UNASSIGNED = {"", "#", ";", "["}  # how lines begin that need no "="
_SURROGATES = re.compile("[\ud800-\udfff]")
_SECTION = re.compile(r"\[[^\[\]]*\]")


class MalformedOutputError(ValueError):
    """A rendered file is not what its format demands; the message names the place, never a value."""


def as_text(value: Any) -> str:
    """A value as phones read it: booleans true/false, None empty, lists joined by commas. TypeError for others."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if type(value) is int or isinstance(value, int | float):  # the first is quickly told
        return str(value)
    if isinstance(value, list | tuple):
        return ",".join(as_text(item) for item in value)
    if isinstance(value, Undefined):
        return str(value)  # raises, and says which name it was
    raise TypeError(f"a {type(value).__name__} cannot be written into a file")


def joined(pieces: Iterable[str]) -> str:
    """What a template yields in one text; MalformedOutputError as soon as it is longer than LARGEST."""
    found: list[str] = []
    size, left = 0, iter(pieces)
    while some := list(islice(left, _AT_ONCE)):
        found.append("".join(some))
        size += len(found[-1])
        if size > LARGEST:
            raise MalformedOutputError(f"larger than {LARGEST // 1024} KiB")
    return "".join(found)


class Writer(ABC):
    """One format. `suffix` names its files in cases/."""

    suffix: ClassVar[str]

    @abstractmethod
    def escape(self, text: str) -> str:
        """The text made harmless for any place in which a template may print a value."""

    def finalize(self, value: Any) -> Markup:
        """What a template prints for `value`; finished pieces (macros, blocks) pass unchanged."""
        if isinstance(value, Markup):
            return value
        return str.__new__(Markup, self.escape(value if type(value) is str else as_text(value)))

    @abstractmethod
    def finish(self, text: str) -> bytes:
        """The file's bytes from a template's output; MalformedOutputError when it is not well-formed."""

    @abstractmethod
    def parse(self, body: bytes) -> Pairs:
        """Every name and value of a file in its order; MalformedOutputError when it is not well-formed."""

    def check(self, body: bytes) -> None:
        """MalformedOutputError when the bytes are not a well-formed file."""
        self.parse(body)


class _NoTree:
    """What a parser calls that only has to say whether a text is sound: building a tree of it would take twice as long."""

    def doctype(self, *_: object) -> None:
        raise MalformedOutputError("a document type is not allowed")

    def close(self) -> None:
        pass


class XmlWriter(Writer):
    """XML 1.0, laid out as its template is; lxml reads every file before it goes out.

    Whole elements are written with as few references as XML needs, since a small reader may know only the usual ones.
    """

    suffix = "xml"

    def __init__(self) -> None:
        self._parser = _parser()
        self._checker = _parser(target=_NoTree())

    def escape(self, text: str) -> str:
        # most values are harmless, and these look-ups tell it in a tenth of the time that an expression takes
        if (
            text.isascii()
            and text.isprintable()
            and not ("&" in text or "<" in text or ">" in text or '"' in text or "'" in text)
        ):
            return text
        return _replaced(_XML_SPECIAL, text)

    def escape_attribute(self, text: str) -> str:
        """The text made harmless between double quotes only: an apostrophe stays what it is."""
        if (
            text.isascii()
            and text.isprintable()
            and not ("&" in text or "<" in text or ">" in text or '"' in text)
        ):
            return text
        return _replaced(_ATTRIBUTE_SPECIAL, text)

    def escape_content(self, text: str) -> str:
        """The text made harmless between two tags only: quotes and line breaks stay what they are."""
        if text.isascii() and text.isprintable() and not ("&" in text or "<" in text or ">" in text):
            return text
        return _replaced(_CONTENT_SPECIAL, text)

    def element(self, name: str, value: Any, attributes: Mapping[str, Any]) -> str:
        """One element with its text (a finished piece passes unchanged) and attributes; ValueError for a name that is none."""
        if not _NAME.fullmatch(name):
            raise ValueError("not the name of an element")
        if isinstance(value, Markup):
            text = str(value)
        else:
            text = self.escape_content(value if type(value) is str else as_text(value))
        head = f"<{name}{self.attributes(attributes)}"
        return f"{head}>{text}</{name}>" if text else f"{head}/>"

    def attributes(self, given: Mapping[str, Any]) -> str:
        """Attributes in double quotes, each after a blank."""
        return "".join(
            [f' {name}="{self.escape_attribute(as_text(value))}"' for name, value in given.items()]
        )

    def finish(self, text: str) -> bytes:
        text = f"{_DECLARATION}{_DECLARED.sub('', text, count=1).rstrip()}\n"
        try:
            body = text.encode()
            self._read(body, self._checker)
        except (MalformedOutputError, UnicodeEncodeError):  # rarely: the parser refuses what XML cannot hold
            body = _NOT_XML.sub("", text).encode()
            self._read(body, self._checker)
        return body

    def parse(self, body: bytes) -> Pairs:
        """`a/b` for the text of an element, `a/b/@c` for an attribute, attributes before the text."""
        return list(self._pairs(self._tree(body), ""))

    def _pairs(self, element: etree._Element, folder: str) -> Iterator[tuple[str, str]]:
        if not isinstance(element.tag, str):
            return  # a comment
        path = f"{folder}{element.tag}"
        for name, value in element.attrib.items():
            yield f"{path}/@{name}", str(value)
        yield path, element.text or ""
        for child in element:
            yield from self._pairs(child, f"{path}/")

    def _tree(self, body: bytes) -> etree._Element:
        root: etree._Element = self._read(body, self._parser)
        if root.getroottree().docinfo.doctype:
            raise MalformedOutputError("a document type is not allowed")
        return root

    def _read(self, body: bytes, parser: etree.XMLParser[Any]) -> Any:
        try:
            return etree.fromstring(body, parser)
        except etree.XMLSyntaxError as error:
            # libxml2's text may quote the file: only the kind and the place are passed on
            raise MalformedOutputError(f"not well-formed XML in line {error.lineno}") from None


def _replaced(special: re.Pattern[str], text: str) -> str:
    return special.sub(lambda found: _XML_ESCAPES.get(found[0], ""), text)


def _parser(**options: Any) -> "etree.XMLParser[Any]":
    parser: etree.XMLParser[Any] = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
        load_dtd=False,
        collect_ids=False,
        **options,
    )
    return parser


class KeyValueWriter(Writer):
    """Lines of `name = value`, `[sections]` and comments (# or ;). The first line stays exactly as written."""

    suffix = "cfg"

    def escape(self, text: str) -> str:
        return text if text.isprintable() else _BREAKS.sub(" ", text)

    def finish(self, text: str) -> bytes:
        text = text if text.endswith("\n") else text + "\n"
        body = text.encode(errors="surrogatepass")  # refused below
        for line in [line for line in text.split("\n") if "=" not in line]:
            if line and line.lstrip()[:1] not in _UNASSIGNED:
                number = text.split("\n").index(line) + 1
                raise MalformedOutputError(f'line {number} is not "name = value"')
        if (
            len(body.translate(None, _ASCII_CONTROLS)) != len(body)
            if text.isascii()
            else _BREAKS_IN_LINES.search(text)
        ):
            raise MalformedOutputError("control character in the text")
        return body

    def parse(self, body: bytes) -> Pairs:
        """Names prefixed by `[section]` inside one; comments are left out."""
        pairs: Pairs = []
        section = ""
        for number, line in enumerate(body.decode().split("\n"), 1):
            text = line.replace("\t", " ").strip()
            if _BREAKS.search(text):
                raise MalformedOutputError(f"control character in line {number}")
            if not text or text[0] in "#;":
                continue
            if _SECTION.fullmatch(text):
                section = text
                continue
            name, sign, value = text.partition("=")
            if not sign or not name.strip():
                raise MalformedOutputError(f'line {number} is not "name = value"')
            pairs.append((section + name.strip(), value.strip()))
        return pairs


class JsonWriter(Writer):
    """JSON in the order written; a template prints every value bare, without quotes around the braces."""

    suffix = "json"

    def escape(self, text: str) -> str:
        return json.dumps(_SURROGATES.sub("", text), ensure_ascii=False)

    def finalize(self, value: Any) -> Markup:
        if isinstance(value, Markup):
            return value
        if isinstance(value, str):
            return Markup(self.escape(value))  # noqa: S704 - JSON, finished; not for a browser
        if value is None or isinstance(value, bool | int | float | list | tuple | dict):
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
            return Markup(_SURROGATES.sub("", text))  # noqa: S704
        return Markup(self.escape(as_text(value)))  # noqa: S704

    def finish(self, text: str) -> bytes:
        return json.dumps(self._load(text), ensure_ascii=False, indent=1).encode() + b"\n"

    def parse(self, body: bytes) -> Pairs:
        """`a/b/0` for a value inside objects and lists."""
        return list(self._pairs(self._load(body.decode()), ""))

    def _pairs(self, value: Any, path: str) -> Iterator[tuple[str, str]]:
        if isinstance(value, dict):
            for name, child in value.items():
                yield from self._pairs(child, f"{path}/{name}" if path else name)
        elif isinstance(value, list):
            for number, child in enumerate(value):
                yield from self._pairs(child, f"{path}/{number}" if path else str(number))
        else:
            yield path, as_text(value)

    def _load(self, text: str) -> Any:
        try:
            return json.loads(text, object_pairs_hook=_without_repeats)
        except json.JSONDecodeError as error:
            raise MalformedOutputError(f"not JSON in line {error.lineno}") from None


class TextWriter(Writer):
    """Plain text: whatever the template says, with values that stay on their line."""

    suffix = "txt"

    def escape(self, text: str) -> str:
        return text if text.isprintable() else _BREAKS.sub(" ", text)

    def finish(self, text: str) -> bytes:
        return _CONTROLS_BUT_NEWLINE.sub("", text).encode()

    def parse(self, body: bytes) -> Pairs:
        """Line numbers as names."""
        text = body.decode()
        if _CONTROLS_BUT_NEWLINE.search(text):
            raise MalformedOutputError("control character in the text")
        return [(str(number), line) for number, line in enumerate(text.split("\n"), 1)]


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedOutputError("a name occurs twice in one JSON object")
    return found


WRITERS: Mapping[str, Writer] = {
    "xml": XmlWriter(),
    "keyvalue": KeyValueWriter(),
    "json": JsonWriter(),
    "text": TextWriter(),
}
