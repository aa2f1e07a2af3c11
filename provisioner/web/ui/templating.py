"""The page templates: read and compiled at start, one environment for each language, everything escaped."""

import re
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from jinja2 import BytecodeCache, DictLoader, Environment, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup

from provisioner.web.ui import words
from provisioner.web.ui.assets import assets, sprite
from provisioner.web.ui.translations import languages


@cache
def environment(language: str) -> Environment:
    """The compiled templates in one language; what was compiled for one serves the others too."""
    env = Environment(
        loader=DictLoader(dict(sources())),
        bytecode_cache=_compiled(),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    texts = languages()[language]
    install: Any = env
    install.install_gettext_callables(texts.texts.gettext, texts.texts.ngettext, newstyle=True)
    env.globals |= {"asset": _asset, "icon": _icon, "sprite": Markup(sprite()), "words": words}  # noqa: S704 - our own file
    env.filters |= {"mac": _mac}
    for name in env.list_templates():
        env.get_template(name)
    return env


class _Compiled(BytecodeCache):
    """Keeps the code of compiled templates in memory: gettext is called when a page is made, so it fits every language."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if (code := self._code.get(bucket.key)) is not None:
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


@cache
def _compiled() -> _Compiled:
    return _Compiled()


@cache
def sources() -> tuple[tuple[str, str], ...]:
    """Name and text of every template."""
    return tuple(sorted(_walk(files("provisioner.web.ui") / "templates", "")))


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, str]]:
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _walk(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".html"):
            found.append((prefix + entry.name, entry.read_text("utf-8")))
    return found


def _asset(name: str) -> str:
    return assets()[name].url


def _icon(name: str, extra: str = "") -> Markup:
    """A decoration: the word beside it says the same."""
    return Markup(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="#i-{}"/></svg>'
    ).format(extra, name)


def _mac(digits: str) -> str:
    return ":".join(re.findall("..", digits))
