"""The Jinja2 environments of a profile: sandboxed, strict, with an allow-list of filters."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from functools import wraps
from typing import Any, Final
from urllib.parse import quote

from jinja2 import DictLoader, StrictUndefined, nodes, pass_eval_context
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import TemplateError
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from provisioner.profiles.output import MORE, OutputKey, OutputRow, OutputRows, RowShape, Settings
from provisioner.profiles.protocols import DialRuleLike
from provisioner.profiles.writers import Writer, XmlWriter, as_text

Rows = OutputRows | Iterable[OutputRow]

# What a profile author's expression or template can raise: his mistake, never ours.
AUTHOR_ERRORS = (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError)

# Filters that return finished markup (safe, escape, tojson, xmlattr, urlize …) are not among them: with one of
# those an author could print a value past the writer.
_FILTERS = (  # noqa: SIM905 - reads better
    "abs batch capitalize count d default dictsort first float format groupby int items join last length list "
    "lower map max min reject rejectattr replace reverse round select selectattr slice sort string sum title trim "
    "truncate unique upper wordwrap"
).split()


# Of the engine's own objects, templates see these attributes and no others.
_READABLE: Final[Mapping[type, frozenset[str]]] = {
    OutputRow: frozenset({"attributes", "key", "setting", "value"}),
    OutputRows: frozenset(),
    OutputKey: frozenset(OutputKey.__slots__),
}


class Generator(CodeGenerator):
    """What `finalize` returns is what is printed: it needs no second look at every value."""

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        if finalize.src is None:
            super()._output_child_pre(node, frame, finalize)
        else:
            self.write(finalize.src)

    def _output_child_post(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        if finalize.src is None:
            super()._output_child_post(node, frame, finalize)
        else:
            self.write(")")

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 - the visitor's own name
        """Text, and nothing that passes for finished because its first part is."""
        self.write("str_join((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


class Sandbox(ImmutableSandboxedEnvironment):
    """Strict about unknown names; looks attributes of our own plain values up without detours."""

    def __init__(self, **options: Any) -> None:
        super().__init__(undefined=StrictUndefined, keep_trailing_newline=True, **options)
        self.filters = {name: self.filters[name] for name in _FILTERS} | dict(FILTERS)
        self.globals = {name: self.globals[name] for name in ("range", "dict", "namespace")}
        self._plain: dict[type, bool] = {}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """As the sandbox does, with a short way for values that have nothing to hide but underscores."""
        kind = type(obj)
        if kind is Markup:  # its own methods would take a value for HTML, and the outcome for finished
            return super().getattr(str(obj), attribute)
        if kind is Settings or (kind is dict and not hasattr(dict, attribute)):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        readable = _READABLE.get(kind)
        if readable is not None and attribute in readable:
            return getattr(obj, attribute)
        if self._is_plain(kind) and attribute[:1] != "_":
            try:
                return getattr(obj, attribute)
            except AttributeError:
                return self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """`+` and `%`: what is made of a finished piece and a value is not finished."""
        return super().call_binop(context, operator, _unfinished(left), _unfinished(right))

    def getitem(self, obj: Any, argument: Any) -> Any:
        """As the sandbox does, with the same short way: filters such as `selectattr` look attributes up like this."""
        if type(argument) is str and self._is_plain(type(obj)):
            return self.getattr(obj, argument)
        return super().getitem(obj, argument)

    def _is_plain(self, kind: type) -> bool:
        plain = self._plain.get(kind)
        if plain is None:
            plain = self._plain[kind] = is_dataclass(kind)
        return plain

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """As the sandbox says, and for our own objects only what is meant for templates."""
        readable = _READABLE.get(type(obj))
        return attr in readable if readable is not None else super().is_safe_attribute(obj, attr, value)


def template_sandbox(writer: Writer, templates: Mapping[str, str]) -> Sandbox:
    """The environment of all templates of one format: every printed value goes through the writer."""

    @pass_eval_context  # keeps literals in a template from being folded past the writer
    def finalize(_context: EvalContext, value: Any) -> str:
        kind = type(value)
        if kind is str:
            return escape(value)
        return str(value) if kind is int else writer.finalize(value)

    escape = writer.escape

    def lines(rows: Rows, sign: str = " = ", **prefixes: Sequence[str]) -> Markup:
        """Rows as `key = value` lines; a row with an attribute of `prefixes` gets a line for each of its prefixes.

        As for every filter that writes lines, the last one's end is the template's.
        """

        def line(shape: RowShape, value: Any) -> str:
            text = f"{shape.key}{sign}{escape(value if type(value) is str else as_text(value))}\n"
            for name, listed in prefixes.items():
                if shape.attributes.get(name):
                    return "".join([f"{escape(prefix)}{text}" for prefix in listed])
            return text

        depends = (sign, *((name, *listed) for name, listed in prefixes.items()))
        text = _text(rows, depends, line).removesuffix("\n")
        return Markup(text)  # noqa: S704 - every value went through the writer

    sandbox = Sandbox(
        loader=DictLoader(templates),
        autoescape=True,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=-1,
    )
    sandbox.code_generator_class = Generator
    sandbox.intercepted_binops = frozenset("+%")
    sandbox.filters = {name: _of_text(function) for name, function in sandbox.filters.items()}
    sandbox.filters |= _xml_filters(writer) if isinstance(writer, XmlWriter) else {"lines": lines}
    return sandbox


def _xml_filters(writer: XmlWriter) -> Mapping[str, Callable[..., Markup]]:
    escape_content = writer.escape_content

    def element(value: Any, name: str, level: int = 2, /, **attributes: Any) -> Markup:
        """One element, `level` deep, with the value as its text."""
        return Markup(" " * level + writer.element(name, value, attributes))  # noqa: S704 - escaped by the writer

    def elements(rows: Rows, level: int = 2, /, **attributes: Any) -> Markup:
        """Rows as XML elements named by their keys, with the row's attributes and those given here.

        Each stands in a line of its own, `level` deep.
        """
        margin = " " * level

        def row(shape: RowShape, value: Any) -> str:
            text = escape_content(value if type(value) is str else as_text(value))
            end = f">{text}</{shape.key}>\n" if text else "/>\n"
            return f"{margin}{shape.xml_head}{end}"

        text = _text(rows, ("elements", level), row).removesuffix("\n")
        return Markup(text.replace(MORE, writer.attributes(attributes)))  # noqa: S704 - every value went through the writer

    return {"element": element, "elements": elements}


def _unfinished(value: Any) -> Any:
    """A finished piece as plain text, which is written as any value is; a list with its items so."""
    if type(value) is Markup:
        return str(value)
    kind = type(value)
    return kind(map(_unfinished, value)) if kind is list or kind is tuple else value


def _of_text(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that gives no finished pieces: those it gets are plain text to it."""

    @wraps(function)
    def filter_of_text(*given: Any, **named: Any) -> Any:
        return function(*map(_unfinished, given), **named)

    return filter_of_text


def _text(rows: Rows, name: Hashable, write: Callable[[RowShape, Any], str]) -> str:
    if isinstance(rows, OutputRows):
        return rows.text(name, write)
    return "".join([row.text(write) for row in rows])


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


def expression(rule: DialRuleLike) -> str:
    """A dial rule as a POSIX extended regular expression with the number as its group: `^([*]8[23][0-9]{2})$`."""
    prefix = rule.prefix.replace("*", "[*]")
    choice = f"[{rule.choices}]" if rule.choices else ""
    digits = f"[0-9]{{{rule.digits}}}" if rule.digits else ""
    return f"^({prefix}{choice}{digits}" + (")$" if rule.is_final else "[0-9*]*)#$")


FILTERS: Mapping[str, Any] = {
    "onoff": onoff,
    "flag": flag,
    "minutes": minutes,
    "clip": clip,
    "hhmm": hhmm,
    "text": as_text,
    "urlencode": urlencode,
    "expression": expression,
}
