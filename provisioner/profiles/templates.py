"""One file's template: compiled once, run with a dictionary of names, written by the writer of its format."""

from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Any, Final

from jinja2 import Template, meta, nodes
from jinja2.exceptions import TemplateError, TemplateSyntaxError

from provisioner.errors import ProfileBroken, RenderingFailed
from provisioner.profiles.expressions import describe
from provisioner.profiles.manifest import FileRule, Profile
from provisioner.profiles.sandbox import AUTHOR_ERRORS, FILTERS, template_sandbox
from provisioner.profiles.writers import WRITERS, MalformedOutputError

LARGEST: Final = 512 * 1024  # characters of one file: far more than any phone reads
FUNCTIONS: Final = frozenset(FILTERS) | {"range", "dict", "namespace"}


class FileTemplate:
    """A compiled template with all it includes. ProfileBroken for syntax, unknown names and missing includes."""

    def __init__(self, profile: Profile, file: FileRule, *, names: Collection[str]) -> None:
        self._writer = WRITERS[file.format]
        self._where = f"{profile.id}: file {file.id}"
        self._sandbox = template_sandbox(self._writer, profile.templates)
        self._sandbox.globals |= FILTERS
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
        pieces: list[str] = []
        size = 0
        try:
            for piece in self._template.root_render_func(context):
                size += len(piece)
                if size > LARGEST:
                    raise RenderingFailed(f"{self._where}: larger than {LARGEST // 1024} KiB")
                pieces.append(piece)
        except AUTHOR_ERRORS as error:
            place = _line(error.__traceback__)
            raise RenderingFailed(f"{self._where}: {place}{describe(error)}") from None
        try:
            return self._writer.finish("".join(pieces))
        except MalformedOutputError as error:
            raise RenderingFailed(f"{self._where}: {error}") from None

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
        for other in meta.find_referenced_templates(tree):
            if other is None:
                raise ProfileBroken(f"templates/{name}: the name of an included template must be a literal")
            if other not in (*seen, name):
                needs |= self._needs(profile, other, (*seen, name))
        return needs


def _line(trace: TracebackType | None) -> str:
    """`templates/x.j2 line 7: ` of the innermost template frame; "" when there is none."""
    place = ""
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if isinstance(template, Template):
            place = f"templates/{template.name} line {template.get_corresponding_lineno(trace.tb_lineno)}: "
        trace = trace.tb_next
    return place
