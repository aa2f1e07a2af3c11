"""The Jinja2 environments of a profile: sandboxed, strict, with an allow-list of filters."""

from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from typing import Any
from urllib.parse import quote

from jinja2 import DictLoader, StrictUndefined, pass_eval_context
from jinja2.exceptions import TemplateError
from jinja2.nodes import EvalContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from provisioner.profiles.writers import Writer, as_text

# What a profile author's expression or template can raise: his mistake, never ours.
AUTHOR_ERRORS = (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError)

# Filters that return finished markup (safe, escape, tojson, xmlattr, urlize …) are not among them: with one of
# those an author could print a value past the writer.
_FILTERS = (  # noqa: SIM905 - reads better
    "abs batch capitalize count d default dictsort first float format groupby int items join last length list "
    "lower map max min reject rejectattr replace reverse round select selectattr slice sort string sum title trim "
    "truncate unique upper wordwrap"
).split()


class Settings(dict[str, Any]):
    """Setting names and values; an attribute is always a setting, never a method of dict."""


class OutputRow:
    """One vendor key with its value, as templates see it."""

    __slots__ = ("attributes", "key", "setting", "value", "xml_attributes")

    def __init__(
        self, key: str, value: Any, attributes: Mapping[str, Any], xml_attributes: str, setting: str, /
    ) -> None:
        self.key = key
        self.value = value
        self.attributes = attributes
        self.xml_attributes = xml_attributes
        self.setting = setting


class OutputKey:
    """One function key as templates see it; `fields` holds the type's further expressions."""

    __slots__ = ("fields", "key", "label", "line", "module", "slot", "type", "value")

    def __init__(self, key: Any, line: Any, value: Any, label: Any, fields: Settings, /) -> None:
        self.key = key
        self.slot: int = key.slot
        self.module: int = key.module
        self.type: str = key.type
        self.line = line
        self.value = value
        self.label = label
        self.fields = fields


class Sandbox(ImmutableSandboxedEnvironment):
    """Strict about unknown names; looks attributes of our own plain values up without detours."""

    def __init__(self, **options: Any) -> None:
        super().__init__(undefined=StrictUndefined, keep_trailing_newline=True, **options)
        self.filters = {name: self.filters[name] for name in _FILTERS} | dict(FILTERS)
        self.globals = {name: self.globals[name] for name in ("range", "dict", "namespace")}
        self._plain: dict[type, bool] = {OutputRow: True, OutputKey: True}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """As the sandbox does, with a short way for values that have nothing to hide but underscores."""
        kind = type(obj)
        if kind is Settings or (kind is dict and not hasattr(dict, attribute)):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        plain = self._plain.get(kind)
        if plain is None:
            plain = self._plain[kind] = is_dataclass(kind)
        if plain and attribute[:1] != "_":
            try:
                return getattr(obj, attribute)
            except AttributeError:
                return self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)


def template_sandbox(writer: Writer, templates: Mapping[str, str]) -> Sandbox:
    """The environment of all templates of one format: every printed value goes through the writer."""

    @pass_eval_context  # keeps literals in a template from being folded past the writer
    def finalize(_context: EvalContext, value: Any) -> Markup:
        return writer.finalize(value)

    def elements(rows: Iterable[OutputRow], **attributes: Any) -> Markup:
        """Rows as XML elements, named by their keys, with the row's attributes and those given here."""
        escape = writer.escape
        more = "".join(f' {name}="{escape(as_text(value))}"' for name, value in attributes.items())
        found = []
        for row in rows:
            value = row.value
            text = escape(value if type(value) is str else as_text(value))
            found.append(f"<{row.key}{more}{row.xml_attributes}>{text}</{row.key}>\n")
        return Markup("".join(found))  # noqa: S704 - every value went through the writer

    def lines(rows: Iterable[OutputRow], sign: str = " = ") -> Markup:
        """Rows as `key = value` lines."""
        escape = writer.escape
        return Markup("".join([f"{row.key}{sign}{escape(as_text(row.value))}\n" for row in rows]))  # noqa: S704

    sandbox = Sandbox(
        loader=DictLoader(templates),
        autoescape=True,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=-1,
    )
    sandbox.filters |= {"elements": elements} if writer.suffix == "xml" else {"lines": lines}
    return sandbox


def onoff(value: Any) -> str:
    """'on' or 'off'."""
    return "on" if value else "off"


def flag(value: Any) -> str:
    """'1' or '0'."""
    return "1" if value else "0"


def minutes(seconds: int) -> int:
    """Whole minutes, rounded towards zero."""
    return int(seconds / 60)


def clip(text: Any, length: int) -> str:
    """At most `length` characters."""
    return as_text(text)[:length]


def hhmm(seconds: int) -> str:
    """Seconds as [-]HH:MM, as time zone offsets are written."""
    sign = "-" if seconds < 0 else ""
    return f"{sign}{abs(seconds) // 3600:02d}:{abs(seconds) % 3600 // 60:02d}"


def urlencode(value: Any) -> str:
    """Percent-encoded UTF-8; "/" stays. What cannot be encoded becomes "?"."""
    return quote(as_text(value), errors="replace")


FILTERS: Mapping[str, Any] = {
    "onoff": onoff,
    "flag": flag,
    "minutes": minutes,
    "clip": clip,
    "hhmm": hhmm,
    "text": as_text,
    "urlencode": urlencode,
}
