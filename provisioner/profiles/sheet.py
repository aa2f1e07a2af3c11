"""The settings sheet: what a person types into a phone that cannot fetch its configuration.

A profile has one when it has tables/sheet.toml (order and words, in four languages) and the JSON file that this
table names under `values` (what stands there for one phone). Nothing here prints: it gives the lines.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from provisioner.errors import ProfileBroken
from provisioner.profiles.protocols import PhoneConfigLike
from provisioner.profiles.rendering import Renderer
from provisioner.profiles.writers import as_text

CONFIG = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class Words:
    """One text in every language of the product."""

    en: str
    nl: str
    de: str
    pl: str

    def text(self, language: str) -> str:
        """The text in `language` (two letters), in English for any other."""
        return {"nl": self.nl, "de": self.de, "pl": self.pl}.get(language, self.en)


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class EntryRule:
    """One line of the sheet; `words` has people's words for values, `empty` what to print when there is none."""

    id: str
    scope: str
    label: Words
    empty: Words | None = None
    secret: bool = False
    copyable: bool = False
    words: Mapping[str, Words] | None = None

    def shown(self, value: Any, language: str) -> str:
        """What stands on the sheet for this value; "" when the line is to be left out."""
        raw = as_text(value)
        if raw:
            return self.words[raw].text(language) if self.words and raw in self.words else raw
        return self.empty.text(language) if self.empty else ""


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class FileReference:
    """A file of the same profile, by its id, and what to call it."""

    file: str
    label: Words


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class SheetRules:
    """tables/sheet.toml."""

    values: str
    title: Words
    nobody: Words
    entries: tuple[EntryRule, ...]
    copies: tuple[FileReference, ...] = ()
    qr: FileReference | None = None
    advice: tuple[Words, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetEntry:
    """One line to print. `line` is the account's slot, 0 for what belongs to the phone as a whole."""

    id: str
    line: int
    label: str
    value: str
    is_secret: bool
    is_copyable: bool

    def __repr__(self) -> str:
        return f"SheetEntry({self.id}, line={self.line})"


class Sheet:
    """One profile's sheet, ready for any of its phones."""

    def __init__(self, renderer: Renderer, rules: SheetRules) -> None:
        profile = renderer.profile
        known = {file.id: file for file in profile.files if file.role == "device"}
        references = [
            rules.values,
            *(copy.file for copy in rules.copies),
            *([rules.qr.file] if rules.qr else []),
        ]
        if missing := [name for name in references if name not in known]:
            raise ProfileBroken(f"tables/sheet.toml: {profile.id} has no device file {', '.join(missing)}")
        if known[rules.values].format != "json":
            raise ProfileBroken(f"tables/sheet.toml: the file {rules.values} is not JSON")
        self._renderer = renderer
        self._rules = rules

    def title(self, language: str) -> str:
        return self._rules.title.text(language)

    def entries(self, config: PhoneConfigLike, language: str) -> tuple[SheetEntry, ...]:
        """Every line in the order to type: account by account, then the phone. An unused account has none."""
        body = self._renderer.render(self._renderer.profile.file(self._rules.values), config).body
        values = json.loads(body)
        found: list[SheetEntry] = []
        for line in values["lines"]:
            found += self._entries("line", line["values"], language, line=line["position"])
        return tuple(found + self._entries("device", values["device"], language, line=0))

    def copies(self, config: PhoneConfigLike, language: str) -> tuple[SheetEntry, ...]:
        """Ready-to-paste texts for particular programs; all secret, for they hold the password."""
        profile = self._renderer.profile
        found = []
        for copy in self._rules.copies:
            text = self._renderer.render(profile.file(copy.file), config).body.decode().strip()
            if text:
                found.append(
                    SheetEntry(
                        id=copy.file,
                        line=0,
                        label=copy.label.text(language),
                        value=text,
                        is_secret=True,
                        is_copyable=True,
                    )
                )
        return tuple(found)

    def nobody(self, language: str) -> str:
        """What to print in place of accounts when the phone has none."""
        return self._rules.nobody.text(language)

    def advice(self, language: str) -> tuple[str, ...]:
        """What the installer must see to around the phone: router, web page, reachability."""
        return tuple(line.text(language) for line in self._rules.advice)

    def qr_label(self, language: str) -> str:
        """What to print beside the QR code of the provisioning URL; "" when this profile has none."""
        return self._rules.qr.label.text(language) if self._rules.qr else ""

    def _entries(
        self, scope: str, values: Mapping[str, Any], language: str, *, line: int
    ) -> list[SheetEntry]:
        return [
            SheetEntry(
                id=rule.id,
                line=line,
                label=rule.label.text(language),
                value=shown,
                is_secret=rule.secret and bool(as_text(values[rule.id])),
                is_copyable=rule.copyable and bool(as_text(values[rule.id])),
            )
            for rule in self._rules.entries
            if rule.scope == scope and rule.id in values and (shown := rule.shown(values[rule.id], language))
        ]


def load_sheet(renderer: Renderer) -> Sheet | None:
    """The profile's sheet; None when it has none, ProfileBroken when its table is not valid."""
    table = renderer.profile.tables.get("sheet")
    if table is None:
        return None
    try:
        rules = TypeAdapter(SheetRules).validate_python(table)
    except ValidationError as error:
        places = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors())
        raise ProfileBroken(f"tables/sheet.toml: not valid at {places}") from None
    return Sheet(renderer, rules)


def with_user_info(url: str, *, username: str, password: str) -> str:
    """The address with the credentials in front of its host, percent-encoded, as a QR code carries them.

    Such an address is a secret: show it only in the moment in which the password is shown anyway.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(username, safe='')}:{quote(password, safe='')}@{host}"))
