"""Expressions of settings.toml and keys.toml: parsed once, and evaluated many at a time.

A phone's file takes some hundred expressions. Evaluated one by one each costs a template run; so all expressions
of one purpose become one list expression, in which the names that differ (`value`, `raw`, `n`) carry the number of
their entry. When that list fails, its entries are evaluated singly to say which one it was.
"""

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from jinja2 import Template, nodes
from jinja2.exceptions import TemplateSyntaxError, UndefinedError
from jinja2.parser import Parser
from jinja2.visitor import NodeTransformer

from provisioner.errors import ProfileBroken, RenderingFailed
from provisioner.profiles.output import Settings
from provisioner.profiles.sandbox import AUTHOR_ERRORS, FILTERS, Sandbox

OWN_NAMES: Final = frozenset({"value", "raw", "n"})
COMMON_NAMES: Final = frozenset(
    {
        "base",
        "config",
        "key_types",
        "lines",
        "model",
        "profile",
        "server",
        "settings",
        "tables",
        "time",
        "zone",
    }
)
DEVICE_NAMES: Final = COMMON_NAMES | OWN_NAMES
LINE_NAMES: Final = DEVICE_NAMES | {"line"}
KEY_NAMES: Final = COMMON_NAMES | {"key", "line"}
LIMIT_NAMES: Final = COMMON_NAMES | {"value"}
OMITTED: Final = object()
ABSENT: Final = object()
FLAT: Final = frozenset({"config", "key", "line", "model", "server", "settings", "time"})

NodeT = TypeVar("NodeT", bound=nodes.Node)

GLOBALS: Final[Mapping[str, Any]] = {**FILTERS, "OMITTED": OMITTED, "range": range}


@dataclass(frozen=True, slots=True)
class Expression:
    """One checked expression; `where` names its file and entry. With a false `when`, its value is OMITTED."""

    source: str
    where: str
    when: str = ""
    inactive: str | int | None = None  # the value when `line` is not active, instead of the expression


def parse(sandbox: Sandbox, source: str, *, where: str, names: frozenset[str]) -> nodes.Expr:
    """The syntax tree; ProfileBroken when it cannot be parsed or knows a name, filter or test that is not there."""
    try:
        parser = Parser(sandbox, source, state="variable")
        tree = parser.parse_expression()
        if not parser.stream.eos:
            raise ProfileBroken(f'{where}: "{source}" goes on after the end of the expression')
    except TemplateSyntaxError as error:
        raise ProfileBroken(f'{where}: "{source}": {error.message}') from None
    known: Mapping[type[nodes.Node], tuple[str, Container[str]]] = {
        nodes.Name: ("name", names | GLOBALS.keys()),
        nodes.Filter: ("filter", sandbox.filters),
        nodes.Test: ("test", sandbox.tests),
    }
    for used in [tree, *tree.find_all(tuple(known))]:
        kind, there = known.get(type(used), ("", ()))
        if kind and (name := getattr(used, "name", "")) not in there:
            raise ProfileBroken(f'{where}: "{source}" uses the unknown {kind} "{name}"')
    tree.set_environment(sandbox)
    return tree


def names_in(tree: nodes.Node) -> set[str]:
    """Every name an expression reads."""
    return {name.name for name in _all(tree, nodes.Name)}


def _all(tree: nodes.Node, kind: type[NodeT]) -> list[NodeT]:
    return ([tree] if isinstance(tree, kind) else []) + list(tree.find_all(kind))


class Batch:
    """Expressions that are evaluated together; `value`, `raw` and `n` of entry i are given as value_i, raw_i, n_i.

    `settings.x`, `line.x` and the like are read once for the whole batch, under the name `settings__x`.
    """

    def __init__(
        self, sandbox: Sandbox, expressions: Sequence[Expression], *, names: Collection[str]
    ) -> None:
        self._sandbox = sandbox
        self._names = frozenset(names)
        self._expressions = tuple(expressions)
        entries = [self._entry(number) for number in range(len(expressions))]
        self.reads = frozenset().union(*(names_in(entry) for entry in entries))
        self._attributes = [
            (name, *name.split("__", 1))
            for name in sorted(self.reads)
            if "__" in name and name.partition("__")[0] in FLAT
        ]
        self._template = _template(sandbox, entries)

    def __call__(self, names: dict[str, Any]) -> list[Any]:
        """The values in order, OMITTED where `when` is false; RenderingFailed names the entry at fault.

        `names` is filled with what the expressions read.
        """
        for name, owner, attribute in self._attributes:
            value = read_attribute(names[owner], attribute)
            if value is ABSENT:
                names.pop(name, None)
            else:
                names[name] = value
        try:
            return _run(self._template, names)
        except AUTHOR_ERRORS as error:
            raise self._blame(names, error) from None

    def _entry(self, number: int) -> nodes.Expr:
        expression = self._expressions[number]
        tree = parse(self._sandbox, expression.source, where=expression.where, names=self._names)
        if expression.inactive is not None:
            is_active = nodes.Getattr(nodes.Name("line", "load"), "is_active", "load")
            tree = nodes.CondExpr(is_active, tree, nodes.Const(expression.inactive))
        if expression.when:
            when = parse(self._sandbox, expression.when, where=expression.where, names=self._names)
            tree = nodes.CondExpr(when, tree, nodes.Name("OMITTED", "load"))
        numbered = OWN_NAMES & self._names
        found: nodes.Expr = Flatten().visit(tree)
        for name in _all(found, nodes.Name):
            if name.name in numbered:
                name.name = f"{name.name}_{number}"
        return found

    def _blame(self, names: dict[str, Any], error: Exception) -> RenderingFailed:
        for number, expression in enumerate(self._expressions):
            try:
                _run(_template(self._sandbox, [self._entry(number)]), names)
            except AUTHOR_ERRORS as fault:
                return RenderingFailed(f"{expression.where}: {describe(fault)}")
        return RenderingFailed(describe(error))


class Flatten(NodeTransformer):
    """`settings.x` becomes the name `settings__x`."""

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:  # noqa: N802 - the visitor's own name
        owner = node.node
        if isinstance(owner, nodes.Name) and owner.name in FLAT and not node.attr.startswith("_"):
            return nodes.Name(f"{owner.name}__{node.attr}", "load")
        return self.generic_visit(node)


def read_attribute(owner: Any, attribute: str) -> Any:
    """A setting's value or an attribute; ABSENT when there is none (only using it is then an error)."""
    if type(owner) is Settings:
        return owner.get(attribute, ABSENT)
    return getattr(owner, attribute, ABSENT)


def describe(fault: Exception) -> str:
    """A fault in words without any value: a message about an unknown name, else only the fault's kind."""
    if isinstance(fault, UndefinedError):
        return (fault.message or "unknown name").replace("__", ".")
    return type(fault).__name__


def _template(sandbox: Sandbox, entries: list[nodes.Expr]) -> Template:
    assign = nodes.Assign(nodes.Name("result", "store"), nodes.List(entries), lineno=1)
    tree = nodes.Template([assign], lineno=1)
    tree.set_environment(sandbox)
    return sandbox.from_string(tree)


def _run(template: Template, names: dict[str, Any]) -> list[Any]:
    context = template.new_context(names, shared=True)
    for _ in template.root_render_func(context):
        pass
    found: list[Any] = context.vars["result"]
    return found
