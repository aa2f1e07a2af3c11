"""Reads vendor folders: everything is in memory and compiled afterwards; a broken folder hurts only itself."""

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from provisioner.errors import ProfileBroken
from provisioner.profiles.bootstrap import Bootstrap
from provisioner.profiles.manifest import FileRule, Profile
from provisioner.profiles.matching import FileMatch, Matcher, Seen
from provisioner.profiles.protocols import BootstrapFacts, PhoneConfigLike
from provisioner.profiles.rendering import Rendered, Renderer
from provisioner.profiles.screens import ScreenWriter, screen_writers

_PROFILE: TypeAdapter[Profile] = TypeAdapter(Profile)
_SECTIONS: Mapping[str, Mapping[str, str]] = {
    "settings.toml": {"rows": "rows", "unsupported": "unsupported", "covered": "covered", "limits": "limits"},
    "keys.toml": {"types": "key_types", "unsupported": "unsupported_keys"},
}
_FILE_OF: Mapping[str, str] = {
    field: f"{file}: {section}" for file, sections in _SECTIONS.items() for section, field in sections.items()
} | {"models": "models.toml", "screens": "screens.toml"}


class Compiled(NamedTuple):
    """What one vendor's templates became."""

    renderer: Renderer
    bootstrap: Bootstrap


class Profiles:
    """Every vendor that could be loaded, ready to match and render; `broken` says why a folder could not.

    `compiled`: those that were compiled before; the others are compiled here.
    """

    def __init__(
        self,
        profiles: Mapping[str, Profile],
        broken: Mapping[str, str],
        compiled: Mapping[str, Compiled] | None = None,
    ) -> None:
        self.all: Mapping[str, Profile] = profiles
        self.broken: Mapping[str, str] = broken
        ready = {name: (compiled or {}).get(name) or _compile(profile) for name, profile in profiles.items()}
        self.renderers: Mapping[str, Renderer] = {name: one.renderer for name, one in ready.items()}
        self.bootstraps: Mapping[str, Bootstrap] = {name: one.bootstrap for name, one in ready.items()}
        self.screens: Mapping[str, ScreenWriter] = screen_writers(profiles)
        self._matcher = Matcher(profiles)

    def match(self, path: str, query: Mapping[str, str]) -> FileMatch | None:
        """The first rule that fits what follows /p/ on the wire; None when no vendor asks for such a path."""
        return self._matcher.match(path, query)

    def matches(self, path: str, query: Mapping[str, str]) -> tuple[FileMatch, ...]:
        """Every rule that fits: when vendors share a file name, the device's profile decides."""
        return self._matcher.matches(path, query)

    def identify_agent(self, agent: str) -> Seen | None:
        """What a User-Agent says of vendor, model, firmware and MAC; None when no vendor's pattern fits."""
        return self._matcher.identify_agent(agent)

    def vendor_of_oui(self, mac: str) -> tuple[str, ...]:
        """The ids of the profiles whose address blocks hold this MAC; () when none does."""
        return self._matcher.vendor_of_oui(mac)

    def render(self, profile_id: str, file: FileRule, config: PhoneConfigLike) -> Rendered:
        """A device file; KeyError for an unknown profile, RenderingFailed when it cannot be expressed."""
        return self.renderers[profile_id].render(file, config)

    def render_bootstrap(self, profile_id: str, file: FileRule, facts: BootstrapFacts) -> Rendered:
        """A public file; KeyError for an unknown profile."""
        return self.bootstraps[profile_id].render(file, facts)

    def warm(self) -> None:
        """Compiles what every model needs at its newest firmware (some seconds of CPU; before serving)."""
        for renderer in self.renderers.values():
            renderer.warm()


def load_profiles(folder: Path, *, settings: Collection[str]) -> Profiles:
    """All vendor folders of `folder`; `settings` are the names of the catalogue."""
    found: list[Profile] = []
    compiled: dict[str, Compiled] = {}
    broken: dict[str, str] = {}
    folders = sorted(folder.iterdir()) if folder.is_dir() else []
    for vendor in folders:
        if not (vendor / "profile.toml").is_file():
            continue
        try:
            profile = _load(vendor, settings=settings)
            compiled[profile.id] = _compile(profile)  # once: it is most of what a start costs
        except ProfileBroken as error:
            broken[vendor.name] = error.detail
        else:
            found.append(profile)
    found.sort(key=lambda profile: (profile.order, profile.id))
    return Profiles({profile.id: profile for profile in found}, broken, compiled)


def load_profile(folder: Path, *, settings: Collection[str]) -> Profile:
    """One vendor folder, read, validated and proved to compile; ProfileBroken says which file and entry is wrong."""
    profile = _load(folder, settings=settings)
    _compile(profile)
    return profile


def _compile(profile: Profile) -> Compiled:
    compiled = Compiled(Renderer(profile), Bootstrap(profile))
    screen_writers({profile.id: profile})
    Matcher({profile.id: profile})
    return compiled


def _load(folder: Path, *, settings: Collection[str]) -> Profile:
    values = _read(folder)
    try:
        profile = _PROFILE.validate_python(values)
    except ValidationError as error:
        raise ProfileBroken(_sentence(error)) from None
    if profile.id != folder.name:
        raise ProfileBroken(f'profile.toml: id "{profile.id}" is not the name of the folder')
    _know_settings(profile, settings)
    return profile


def _know_settings(profile: Profile, settings: Collection[str]) -> None:
    named = [(f"row {number}", row.setting) for number, row in enumerate(profile.rows, 1) if row.setting]
    named += [(f"limit {number}", limit.setting) for number, limit in enumerate(profile.limits, 1)]
    named += [("unsupported", entry.setting) for entry in profile.unsupported]
    named += [("covered", entry.setting) for entry in profile.covered]
    for where, setting in named:
        if setting not in settings:
            raise ProfileBroken(f'settings.toml: {where}: there is no setting "{setting}"')


def _read(folder: Path) -> dict[str, Any]:
    values = _toml(folder / "profile.toml")
    for name in {"agent", "agent_if_known_model"} & set(values):
        values[name] = [values[name]] if isinstance(values[name], str) else values[name]
    for file, sections in _SECTIONS.items():
        if (folder / file).is_file():
            content = _toml(folder / file)
            if unknown := set(content) - set(sections):
                raise ProfileBroken(f"{file}: unknown section {', '.join(sorted(unknown))}")
            values |= {sections[name]: entries for name, entries in content.items()}
    if (folder / "screens.toml").is_file():
        values["screens"] = _toml(folder / "screens.toml")
    models: dict[str, Any] = {}
    for path in (folder / "models.toml", *sorted((folder / "models").glob("*.toml"))):
        for entry in _toml(path).get("models", []) if path.is_file() else ():
            if entry.get("id") in models:
                raise ProfileBroken(f"{path.name}: model {entry['id']} occurs twice")
            models[str(entry.get("id"))] = entry
    tables = {path.stem: _toml(path) for path in sorted((folder / "tables").glob("*.toml"))}
    if (folder / "timezones.toml").is_file():
        tables |= _toml(folder / "timezones.toml")
    templates = {path.name: _text(path) for path in sorted((folder / "templates").glob("*.j2"))}
    return values | {"folder": folder, "models": models, "tables": tables, "templates": templates}


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise ProfileBroken(f"{path.name}: {error}") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # an editor may have begun it with a mark
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileBroken(f"{path.name}: cannot be read ({type(error).__name__})") from None


def _sentence(error: ValidationError) -> str:
    """The first complaint with its file and entry, and how many more there are."""
    complaints = error.errors(include_url=False, include_context=False, include_input=False)
    first = complaints[0]
    message = first["msg"].removeprefix("Value error, ")
    place = [str(part) for part in first["loc"]]
    where = "profile.toml"
    if place and place[0] in _FILE_OF:
        where = _FILE_OF[place.pop(0)]
        if place and place[0].isdigit():
            place[0] = str(int(place[0]) + 1)
    more = f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
    return f"{' '.join([where, *place])}: {message}{more}"
