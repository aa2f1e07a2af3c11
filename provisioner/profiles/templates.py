"""One file's template: compiled once, run with a dictionary of names, written by the writer of its format."""

from collections.abc import Collection, Iterable, Mapping
from types import TracebackType
from typing import Any, Final

from jinja2 import Template, meta, nodes, pass_context
from jinja2.exceptions import TemplateError, TemplateSyntaxError
from jinja2.runtime import Context
from markupsafe import Markup

from provisioner.errors import ProfileBroken, RenderingFailed
from provisioner.profiles.each import EachKey
from provisioner.profiles.expressions import describe
from provisioner.profiles.manifest import FileRule, Profile
from provisioner.profiles.output import OutputKey
from provisioner.profiles.sandbox import AUTHOR_ERRORS, FILTERS, template_sandbox
from provisioner.profiles.writers import WRITERS, MalformedOutputError, joined

FUNCTIONS: Final = frozenset(FILTERS) | {"range", "dict", "namespace"}


class FileTemplate:
    """A compiled template with all it includes. ProfileBroken for syntax, unknown names and missing includes."""

    def __init__(self, profile: Profile, file: FileRule, *, names: Collection[str]) -> None:
        self._writer = WRITERS[file.format]
        self._where = f"{profile.id}: file {file.id}"
        self._sandbox = template_sandbox(self._writer, profile.templates)
        self._sandbox.globals |= FILTERS
        self._each: dict[tuple[str, tuple[str, ...]], EachKey] = {}
        self._sandbox.filters["each"] = self._write_keys
        self.needs: frozenset[str] = frozenset(self._needs(profile, file.template))
        if unknown := self.needs - set(names):
            raise ProfileBroken(f"templates/{file.template}: unknown names: {', '.join(sorted(unknown))}")
        try:
            self._template: Template = self._sandbox.get_template(file.template)
        except TemplateError as error:
            raise ProfileBroken(f"templates/{file.template}: {error.message}") from None

    def run(self, names: Mapping[str, Any]) -> bytes:
        """The file's bytes; RenderingFailed names the template and line, never a value."""
        context = self._template.new_context({**self._sandbox.globals, **names}, shared=True)
        try:
            return self._writer.finish(joined(self._template.root_render_func(context)))
        except MalformedOutputError as error:
            raise RenderingFailed(f"{self._where}: {error}") from None
        except AUTHOR_ERRORS as error:
            place = _line(error.__traceback__)
            raise RenderingFailed(f"{self._where}: {place}{describe(error)}") from None

    @pass_context
    def _write_keys(
        self, context: Context, keys: Iterable[OutputKey], name: str, /, **arguments: Any
    ) -> Markup:
        return self._each[name, tuple(arguments)].write(context, keys, arguments)

    def _needs(self, profile: Profile, name: str, seen: tuple[str, ...] = ()) -> set[str]:
        """The names that a template and everything it includes read from outside."""
        if name not in profile.templates:
            raise ProfileBroken(f"templates/{seen[-1] if seen else name}: there is no template {name}")
        try:
            tree = self._sandbox.parse(profile.templates[name])
            set_here = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "store"}
            needs = meta.find_undeclared_variables(tree) - FUNCTIONS - set_here
        except TemplateSyntaxError as error:
            raise ProfileBroken(f"templates/{name}: line {error.lineno}: {error.message}") from None
        for used in tree.find_all(nodes.Filter):
            if used.name == "each":
                needs |= self._each_key(profile, used, where=f"templates/{name}: line {used.lineno}")
        for other in meta.find_referenced_templates(tree):
            if other is None:
                raise ProfileBroken(f"templates/{name}: the name of an included template must be a literal")
            if other not in (*seen, name):
                needs |= self._needs(profile, other, (*seen, name))
        return needs

    def _each_key(self, profile: Profile, used: nodes.Filter, *, where: str) -> frozenset[str]:
        """Compiles the template for each key that a filter names; the names it needs besides."""
        name = used.args[0].value if len(used.args) == 1 and isinstance(used.args[0], nodes.Const) else ""
        if name not in profile.templates or used.dyn_args or used.dyn_kwargs:
            raise ProfileBroken(f"{where}: `each` takes the name of a template, and arguments by name")
        arguments = tuple(str(argument.key) for argument in used.kwargs)
        each = EachKey(self._sandbox, name, profile.templates[name], arguments=arguments)
        self._each[name, arguments] = each
        return each.needs


def _line(trace: TracebackType | None) -> str:
    """`templates/x.j2 line 7: ` of the innermost template frame; "" when there is none."""
    place = ""
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if isinstance(template, Template):
            place = f"templates/{template.name} line {template.get_corresponding_lineno(trace.tb_lineno)}: "
        trace = trace.tb_next
    return place
