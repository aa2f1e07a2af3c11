"""A template for one function key, used for every key: `{{ keys | each("key.cfg.j2", code=code) }}`.

A phone has up to some hundred keys, most of them unused, and many others are the same on every desk of a tenant. Such a
template reads plain facts only, so a key's text depends on few things and is remembered for the next phone; keys
that are not known are written together in one run.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, Final

from jinja2 import Template, meta, nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.runtime import Context
from markupsafe import Markup

from provisioner.errors import ProfileBroken
from provisioner.profiles.expressions import ABSENT, FLAT, Flatten, read_attribute
from provisioner.profiles.output import OutputKey
from provisioner.profiles.sandbox import Sandbox
from provisioner.profiles.writers import MalformedOutputError, joined

CIRCUMSTANCES: Final = 16  # for which texts are remembered
TEXTS: Final = 4096  # remembered for each: of unused keys, and of others

_WORDS: Final = ("slot", "module", "type", "active_line", "value", "label", "fields")
_words: Final = attrgetter(*_WORDS)
_EXACT: Final = frozenset({str, int})
_END: Final = "\0"  # ends the text of one key; no writer lets it through from a value
_SAME_FOR_ALL: Final = frozenset({"profile", "tables"})
_SAME_FOR_A_KEY: Final = _SAME_FOR_ALL | {"model"}  # a key that is remembered belongs to one model

Texts = dict[Hashable, str]


class _Remembered:
    """Texts of keys in one circumstance: unused keys by themselves, others by all that their template sees of them."""

    def __init__(self) -> None:
        self.constant: Texts = {}
        self.others: Texts = {}

    def texts(
        self, keys: Sequence[OutputKey], run: Callable[[Sequence[OutputKey]], list[str]], *, model: str
    ) -> list[str]:
        """The text of each key; those that are not known are written by `run`, all at once."""
        found: list[str | None] = []
        missing: list[tuple[int, Hashable, OutputKey]] = []
        for place, key in enumerate(keys):
            looks = key if key.is_constant else _looks(key, model)
            text = (self.constant if key.is_constant else self.others).get(looks)
            found.append(text)
            if text is None:
                missing.append((place, looks, key))
        if missing:
            written = run([key for _, _, key in missing])
            for (place, looks, key), text in zip(missing, written, strict=True):  # as many: see `run`
                found[place] = text
                self._remember(looks, text, self.constant if key.is_constant else self.others)
        return [text or "" for text in found]

    def _remember(self, looks: Hashable, text: str, texts: Texts) -> None:
        if looks is None:
            return
        if len(texts) >= TEXTS:
            texts.clear()
        texts[looks] = text


def _looks(key: OutputKey, model: str) -> Hashable:
    """All that a template sees of a key and its model; None when that cannot be compared exactly (1 equals True)."""
    fields = key.fields
    looks = (model, *_words(key)[:-1], *fields, *fields.values())
    return looks if _EXACT.issuperset(map(type, looks)) else None


class EachKey:
    """One compiled template for a key. `arguments` are names that the filter gives it; `needs` what else it reads.

    ProfileBroken when it is not sound or reads more than plain facts of the key and the phone.
    """

    def __init__(self, sandbox: Sandbox, name: str, source: str, *, arguments: Collection[str]) -> None:
        where = f"templates/{name}"
        try:
            tree = sandbox.parse(source, name)
            own = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "store"}
            own |= {*sandbox.globals, *arguments}
            self.needs = frozenset(meta.find_undeclared_variables(tree) - own - {"key"})
            if _END in source or any(meta.find_referenced_templates(tree)):
                raise ProfileBroken(f"{where}: a template for each key cannot include others")
            tree = Flatten().visit(tree)
            reads = meta.find_undeclared_variables(tree) - own
        except TemplateSyntaxError as error:
            raise ProfileBroken(f"{where}: line {error.lineno}: {error.message}") from None
        self._attributes: list[tuple[str, str, str]] = []
        for read in sorted(reads - {f"key__{word}" for word in _WORDS}):
            owner, _, attribute = read.partition("__")
            is_attribute = bool(attribute) and owner in FLAT - {"key", "line"}
            if not is_attribute and read not in {"base", *_SAME_FOR_ALL}:
                raise ProfileBroken(f"{where}: cannot read {read.replace('__', '.')} for each key")
            self._attributes.append((read, owner, attribute))
        self._globals = dict(sandbox.globals)
        self._template = _compiled(sandbox, tree, name)
        self._texts: dict[tuple[Any, ...], _Remembered] = {}

    def write(self, context: Context, keys: Iterable[OutputKey], arguments: Mapping[str, Any]) -> Markup:
        """The text of all keys in their order, without the end of the last line; MalformedOutputError when it gets too long."""
        given = context.parent  # of which the template gets nothing but what it was found to read
        names: dict[str, Any] = {**self._globals, **arguments}
        for name, owner, attribute in self._attributes:
            value = read_attribute(given[owner], attribute) if attribute else given[owner]
            if value is not ABSENT:
                names[name] = value
        keys = list(keys)
        remembered = self._remembered(names, arguments)
        found = "".join(
            remembered.texts(keys, partial(self._run, names), model=getattr(given.get("model"), "id", ""))
        )
        return Markup(found.removesuffix("\n"))  # noqa: S704 - every value went through the writer

    def _remembered(self, names: Mapping[str, Any], arguments: Mapping[str, Any]) -> _Remembered:
        """What is known for these circumstances; an empty, forgotten one when they cannot be compared."""
        facts = [
            names.get(name, ABSENT) for name, owner, _ in self._attributes if owner not in _SAME_FOR_A_KEY
        ]
        facts += [*arguments.values()]
        if not all(fact is None or type(fact) in {str, int, bool} for fact in facts):
            return _Remembered()
        circumstances = (*arguments, *facts, *map(type, facts))  # the types, because True equals 1
        texts = self._texts.pop(circumstances, None)
        if texts is None:
            texts = _Remembered()
            while len(self._texts) >= CIRCUMSTANCES:
                self._texts.pop(next(iter(self._texts)), None)
        self._texts[circumstances] = texts  # the last one used goes last
        return texts

    def _run(self, names: dict[str, Any], keys: Sequence[OutputKey]) -> list[str]:
        context = self._template.new_context({**names, "each_key": map(_words, keys)}, shared=True)
        texts = joined(self._template.root_render_func(context)).split(_END)[:-1]
        if len(texts) != len(keys):  # nothing of this may be remembered: it would be another key's
            raise MalformedOutputError("a key's text holds a control character")
        return texts


def _compiled(sandbox: Sandbox, tree: nodes.Template, name: str) -> Template:
    """The template in a loop over keys, whose words are names of their own."""
    words = nodes.Tuple([nodes.Name(f"key__{word}", "store") for word in _WORDS], "store")
    end = nodes.Output([nodes.TemplateData(_END)])
    loop = nodes.For(words, nodes.Name("each_key", "load"), [*tree.body, end], [], None, False)
    whole = nodes.Template([loop])
    for node in (words, end, loop, whole):
        node.set_lineno(1)
    whole.set_environment(sandbox)
    code = sandbox.compile(whole, name, name)
    return Template.from_code(sandbox, code, sandbox.make_globals(None))
