"""Everything that can be said about a vendor folder without a phone: `provisioner profile check`."""

import argparse
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final, Literal

from jinja2 import nodes

from provisioner.errors import ProfileBroken, RenderingFailed
from provisioner.profiles.bootstrap import Bootstrap
from provisioner.profiles.cases import case_folders, read_case, render_case, write_case
from provisioner.profiles.catalogue_file import read_catalogue
from provisioner.profiles.expressions import names_in
from provisioner.profiles.firmware import FirmwareCondition, parse_version
from provisioner.profiles.loader import load_profile
from provisioner.profiles.manifest import FileRule, KeyType, Model, Profile, Row, applies_to
from provisioner.profiles.matching import Matcher
from provisioner.profiles.plan import map_key, row_where
from provisioner.profiles.protocols import SettingLike
from provisioner.profiles.rendering import Renderer
from provisioner.profiles.samples import CANARY, firmwares, key_types, largest, public_facts, smallest
from provisioner.profiles.sandbox import Sandbox
from provisioner.profiles.screens import failing_screens
from provisioner.profiles.writers import WRITERS, MalformedOutputError

_check_xml = WRITERS["xml"].check
Catalogue = Mapping[str, SettingLike]
Level = Literal["error", "warning"]

# Settings that a phone gets as facts of its lines, its time rule or its keys: reading the fact is using the setting.
FACTS: Final[Mapping[str, frozenset[str]]] = {
    "sip_domain": frozenset({"line.domain"}),
    "registrar_host": frozenset({"line.registrar"}),
    "registrar_port": frozenset({"line.port"}),
    "sip_transport": frozenset({"line.transport"}),
    "outbound_proxy": frozenset({"line.outbound_proxy"}),
    "outbound_proxy_port": frozenset({"line.outbound_proxy_port"}),
    "pickup_code": frozenset({"key.pickup_code"}),
    "timezone": frozenset({"time", "zone"}),
}
# For telling an example from a pattern: the innermost group becomes its first alternative.
_GROUP: Final = re.compile(r"\((?:\?:|\?P<\w+>)?([^()|]*)(?:\|[^()]*)?\)[?*+]?")
_QUANTIFIER: Final = r"(?:\{([1-9]\d*)(?:,\d*)?\}|\{0?,\d+\}|[?*+])?"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong (error) or to be looked at (warning) in a vendor folder."""

    level: Level
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.level}: {self.where}: {self.message}"


def check_profile(profile: Profile, *, settings: Catalogue, key_kinds: Collection[str] = ()) -> list[Finding]:
    """All findings of one loaded profile; `key_kinds` are the neutral key types there are."""
    renderer, bootstrap = Renderer(profile), Bootstrap(profile)
    return [
        *_unmapped_settings(profile, settings),
        *_incomplete_maps(profile, settings),
        *_unmapped_keys(profile, key_kinds),
        *_ambiguous_tokens(profile),
        *_unreachable_files(profile),
        *_failing_files(profile, renderer, settings),
        *_failing_public_files(profile, bootstrap),
        *(Finding("error", f"screen {kind}", why) for kind, why in failing_screens(profile, _check_xml)),
        *_wrong_cases(profile, settings),
    ]


def check_overlaps(profiles: Iterable[Profile]) -> list[Finding]:
    """Paths that more than one vendor's phones ask for, and patterns whose example cannot be told."""
    profiles = list(profiles)
    matcher = Matcher({profile.id: profile for profile in profiles})
    found = []
    for profile in profiles:
        for file in profile.files:
            path, query = example(file)
            for other in matcher.matches(path, query):
                if other.profile.id == profile.id or "absent" in {file.role, other.file.role}:
                    continue
                level: Level = "warning" if file.role == other.file.role == "device" else "error"
                found.append(
                    Finding(
                        level,
                        f"{profile.id}: file {file.id}",
                        f"{path} is also file {other.file.id} of {other.profile.id}",
                    )
                )
    return found


def example(file: FileRule) -> tuple[str, dict[str, str]]:
    """A path and query that phones would ask for: `example`, else told from a simple pattern."""
    mac = "0004130a0b0c"
    path = file.example
    if not path:
        path = file.path.replace("{mac}", mac).removeprefix("^").removesuffix("$")
        path = path.replace(r"[\w", "[a").replace(r"[\d", "[0")
        path = re.sub(rf"\[([^]\\^])[^]]*\]{_QUANTIFIER}", r"\1", path)
        path = re.sub(rf"\\d{_QUANTIFIER}", lambda found: "0" * int(found[1] or 1), path)
        path = re.sub(rf"\\[wS]{_QUANTIFIER}", "a", path)
        while (shorter := _GROUP.sub(r"\1", path)) != path:
            path = shorter
        path = re.sub(r"\\(.)", r"\1", path.replace("?", ""))
    return path, {file.query: mac} if file.query else {}


def _unmapped_settings(profile: Profile, settings: Catalogue) -> Iterator[Finding]:
    everywhere = _read_by_templates(profile) | _read_by_keys(profile)
    covered = {entry.setting for entry in profile.covered}
    read = [(row, {row.setting} | _read_by(_sources(row))) for row in profile.rows]
    for name in settings:
        facts = FACTS.get(name, frozenset()) | {name, f"settings.{name}"}
        if name in covered or facts & everywhere:
            continue
        rows = [row for row, names in read if facts & names]
        without = [
            model.id for model in profile.models.values() if not _is_served(profile, name, model, rows)
        ]
        if without:
            shown = ", ".join(without[:5]) + (" …" if len(without) > 5 else "")
            yield Finding("error", f"setting {name}", f"neither mapped nor [[unsupported]] for {shown}")


def _is_served(profile: Profile, setting: str, model: Model, rows: Iterable[Row]) -> bool:
    return any(applies_to(model.id, row.models, row.not_models) for row in rows) or any(
        entry.setting == setting and applies_to(model.id, entry.models, entry.not_models)
        for entry in profile.unsupported
    )


def _incomplete_maps(profile: Profile, settings: Catalogue) -> Iterator[Finding]:
    limited = {(limit.setting, map_key(value)) for limit in profile.limits for value in limit.values}
    judged = {limit.setting for limit in profile.limits if limit.when}
    for number, row in enumerate(profile.rows):
        if row.map is None:
            continue
        setting = settings[row.setting]
        choices = ["true", "false"] if setting.type == "bool" else list(setting.choices)
        for choice in choices:
            if choice in row.map:
                continue
            said = (row.setting, choice) in limited or row.setting in judged
            if row.missing is None and setting.type != "list":
                yield Finding(
                    "error", row_where(number, row), f'the map has no entry "{choice}" and no `missing`'
                )
            elif not said:
                yield Finding(
                    "warning", row_where(number, row), f'no [[limits]] tells people that "{choice}" is lost'
                )
        for choice in row.map:
            if choices and choice not in choices:
                yield Finding(
                    "error", row_where(number, row), f'"{choice}" in the map is no choice of {row.setting}'
                )


def _unmapped_keys(profile: Profile, key_kinds: Collection[str]) -> Iterator[Finding]:
    known = set(key_kinds)
    for model in profile.models.values():
        if not model.keys and not model.modules:
            continue
        types = set(key_types(profile, model))
        if not any(
            kind.type == "none" and applies_to(model.id, kind.models, kind.not_models)
            for kind in profile.key_types
        ):
            yield Finding("error", f"model {model.id}", 'keys.toml has no type "none" to clear a key with')
        refused = {
            entry.type
            for entry in profile.unsupported_keys
            if applies_to(model.id, entry.models, entry.not_models)
        }
        for kind in sorted(known - {"none"} - types - refused):
            yield Finding(
                "error", f"model {model.id}", f"key type {kind} is neither mapped nor [[unsupported]]"
            )
    for kind in sorted({kind.type for kind in profile.key_types} - known if known else ()):
        yield Finding("error", f"keys.toml: type {kind}", "there is no such neutral key type")


def _ambiguous_tokens(profile: Profile) -> Iterator[Finding]:
    owner: dict[str, str] = {}
    for model in profile.models.values():
        for token in {name.casefold() for name in (model.id, *model.agent)}:
            if owner.setdefault(token, model.id) != model.id:
                yield Finding("error", f"model {model.id}", f'"{token}" already means {owner[token]}')


def _unreachable_files(profile: Profile) -> Iterator[Finding]:
    matcher = Matcher({profile.id: profile})
    for file in profile.files:
        path, query = example(file)
        match = matcher.match(path, query)
        if match is None:
            yield Finding(
                "error", f"file {file.id}", f"{path} does not fit its own pattern: give an `example`"
            )
        elif match.file.id != file.id:
            yield Finding(
                "error", f"file {file.id}", f"{path} is caught by the file {match.file.id} before it"
            )


def _failing_files(profile: Profile, renderer: Renderer, settings: Catalogue) -> Iterator[Finding]:
    told: set[str] = set()
    seen: set[tuple[int, ...]] = set()
    met = {version: _conditions_met(profile, version) for version in firmwares(profile)}
    values = settings.values()
    for model in profile.models.values():
        phones = [smallest(profile, model, values), largest(profile, model, values)]
        for version, holds in met.items():  # older ones once for each set of entries that they bring about
            entries = _entries(profile, model, holds)
            if entries not in seen:
                seen.add(entries)
                phones.append(largest(profile, model, values, firmware=version))
        for phone, file in product(phones, profile.files):
            if file.role != "device":
                continue
            try:
                rendered = renderer.render(file, phone)
                WRITERS[file.format].check(rendered.body)
            except (RenderingFailed, MalformedOutputError) as error:
                if str(error) not in told:
                    told.add(str(error))
                    firmware = phone.firmware or "newest firmware"
                    yield Finding("error", f"file {file.id}, model {model.id}, {firmware}", str(error))


def _conditions_met(profile: Profile, firmware: str) -> Mapping[str, bool]:
    """Which firmware conditions of rows and key types hold."""
    version = parse_version(firmware, generation=profile.firmware_generation)
    entries: tuple[Row | KeyType, ...] = (*profile.rows, *profile.key_types)
    texts = {entry.firmware for entry in entries}
    return {text: FirmwareCondition(text).holds(version) for text in texts}


def _entries(profile: Profile, model: Model, holds: Mapping[str, bool]) -> tuple[int, ...]:
    """The numbers of the rows and key types that apply."""
    entries: tuple[Row | KeyType, ...] = (*profile.rows, *profile.key_types)
    return tuple(
        number
        for number, entry in enumerate(entries)
        if holds[entry.firmware] and applies_to(model.id, entry.models, entry.not_models)
    )


def _failing_public_files(profile: Profile, bootstrap: Bootstrap) -> Iterator[Finding]:
    facts = [public_facts(profile), public_facts(profile, mac="0004130A0B0C")]
    facts += [public_facts(profile, mac="0004130A0B0C", model=model) for model in profile.models]
    for file in profile.files:
        if file.role != "bootstrap":
            continue
        for fact in facts:
            try:
                rendered = bootstrap.render(file, fact)
                WRITERS[file.format].check(rendered.body)
            except (RenderingFailed, MalformedOutputError) as error:
                yield Finding("error", f"file {file.id}, model {fact.model or 'unknown'}", str(error))
                break
            if CANARY.encode() in rendered.body:
                yield Finding("error", f"file {file.id}", "a public file shows a secret")


def _wrong_cases(profile: Profile, settings: Catalogue) -> Iterator[Finding]:
    without = {file.id for file in profile.files if file.role != "absent"}
    for folder in case_folders(profile):
        where = f"cases/{folder.name}"
        try:
            case = read_case(profile, folder, settings.values())
            rendered = render_case(profile, case)
        except (ProfileBroken, RenderingFailed) as error:
            yield Finding("error", where, error.detail)
            continue
        for file_id, body in rendered.items():
            path = case.path(profile.file(file_id))
            if not path.is_file():
                if case.files:
                    yield Finding("error", where, f"{path.name} is missing")
            else:
                without.discard(file_id)
                if path.read_bytes() != body:
                    yield Finding(
                        "error", where, f"{path.name} is not what is rendered; see docs/profiles.md"
                    )
            for text in case.forbidden:
                if text and text.encode() in body:
                    yield Finding(
                        "error", where, f'file {file_id} contains "{text}", which must_not.txt forbids'
                    )
    for file_id in sorted(without):
        yield Finding("error", f"file {file_id}", "no case holds its expected content")


def _sources(row: Row) -> list[str]:
    return [source for source in (row.value, row.when) if source and row.constant is None]


def _read_by_templates(profile: Profile) -> set[str]:
    sandbox = Sandbox()
    return set().union(*(_references(sandbox.parse(text)) for text in profile.templates.values()))


def _read_by_keys(profile: Profile) -> set[str]:
    return _read_by(
        source for kind in profile.key_types for source in (kind.value, kind.label, *kind.fields.values())
    )


def _read_by(sources: Iterable[str]) -> set[str]:
    sandbox = Sandbox()
    return set().union(*(_references(sandbox.parse("{{ " + source + " }}")) for source in sources))


def _references(tree: nodes.Node) -> set[str]:
    """Names, and names with their attributes: {"line", "line.port", "settings.dnd", …}."""
    found = names_in(tree)
    for read in tree.find_all(nodes.Getattr):
        if isinstance(read.node, nodes.Name):
            found.add(f"{read.node.name}.{read.attr}")
    for item in tree.find_all(nodes.Getitem):
        if isinstance(item.node, nodes.Name) and isinstance(item.arg, nodes.Const):
            found.add(f"{item.node.name}.{item.arg.value}")
    return found


def main(arguments: list[str] | None = None, *, write: Callable[[str], object] = sys.stdout.write) -> int:
    """Checks vendor folders given on the command line; 1 when there are errors."""
    parser = argparse.ArgumentParser(prog="python -m provisioner.profiles.check")
    parser.add_argument("folders", nargs="+", type=Path, help="vendor_profiles/<vendor>")
    parser.add_argument(
        "--settings",
        type=Path,
        default=Path("provisioner/composition/catalogue.toml"),
        help="settings catalogue",
    )
    parser.add_argument("--write", action="store_true", help="write the expected files of the cases first")
    given = parser.parse_args(arguments)
    settings = read_catalogue(given.settings)
    findings: list[Finding] = []
    profiles: list[Profile] = []
    for folder in given.folders:
        try:
            profile = load_profile(folder.resolve(), settings=settings)
            profiles.append(profile)
            if given.write:
                for case in case_folders(profile):
                    for path in write_case(profile, case, settings.values()):
                        write(f"wrote {path.relative_to(profile.folder)}\n")
            found = check_profile(profile, settings=settings)
        except (ProfileBroken, RenderingFailed) as error:
            found = [Finding("error", "loading", error.detail)]
        findings += [Finding(item.level, f"{folder.name}: {item.where}", item.message) for item in found]
    findings += check_overlaps(profiles)
    for item in findings:
        write(f"{item}\n")
    write(f"{len(profiles)} loaded, {sum(item.level == 'error' for item in findings)} errors\n")
    return int(any(item.level == "error" for item in findings))


if __name__ == "__main__":
    sys.exit(main())
