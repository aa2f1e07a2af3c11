"""Which vendor's file a path is, which vendor a User-Agent or an address block belongs to."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from provisioner.errors import ProfileBroken
from provisioner.profiles.manifest import FileRule, Profile

LONGEST_PATH: Final = 256
LONGEST_AGENT: Final = 400

_HEX: Final = "[0-9A-Fa-f]"
_SEPARATOR: Final = "(?:[:.-]|%3A)"
# Twelve digits in one run, in pairs or in quads. The ends must not touch a further digit, unless the pattern itself
# has a letter or digit there ("spa{mac}.cfg").
_MAC: Final = f"(?P<mac>{_HEX}{{12}}|{_HEX}{{2}}(?:{_SEPARATOR}{_HEX}{{2}}){{5}}|{_HEX}{{4}}(?:{_SEPARATOR}{_HEX}{{4}}){{2}})"
_FORBIDDEN: Final = re.compile(r"[\x00-\x1f\x7f\\]|(?:^|/)\.{1,2}(?:/|$)|//|^/")
_MAC_ALONE: Final = re.compile(_MAC, re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FileMatch:
    """A path that a vendor's phones ask for. `mac` is 12 upper-case digits; device files always have one."""

    profile: Profile
    file: FileRule
    mac: str | None
    model: str | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What a User-Agent says; nothing in it is proof. "" for a firmware and None for what is not said."""

    profile_id: str
    model_id: str | None
    firmware: str
    mac: str | None


@dataclass(frozen=True, slots=True)
class _Rule:
    profile: Profile
    file: FileRule
    pattern: re.Pattern[str]


class Matcher:
    """All match rules of all profiles, compiled. ProfileBroken names the pattern that is not one."""

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        ordered = sorted(profiles.values(), key=lambda profile: (profile.order, profile.id))
        self._rules = [
            _Rule(profile, file, compile_path(profile, file)) for profile in ordered for file in profile.files
        ]
        self._agents = [(profile, compile_agents(profile)) for profile in ordered]
        self._blocks: dict[str, list[str]] = {}
        for profile in ordered:
            for oui in profile.ouis:
                self._blocks.setdefault(oui, []).append(profile.id)

    def match(self, path: str, query: Mapping[str, str]) -> FileMatch | None:
        """The first of `matches`; None when no vendor's phones ask for such a path."""
        return next(self._found(path, query), None)

    def matches(self, path: str, query: Mapping[str, str]) -> tuple[FileMatch, ...]:
        """Every rule that fits what follows /p/ on the wire (still percent-encoded), by order of the profiles."""
        return tuple(self._found(path, query))

    def identify_agent(self, agent: str) -> Seen | None:
        """The vendor whose pattern fits and knows the model; else the first whose pattern fits; else None."""
        if len(agent) > LONGEST_AGENT:
            return None
        stranger: Seen | None = None
        for profile, (patterns, only_known) in self._agents:
            for pattern in (*patterns, *only_known):
                found = pattern.search(agent)
                if not found:
                    continue
                seen = _seen(profile, found)
                if seen.model_id:
                    return seen
                if stranger is None and pattern not in only_known:
                    stranger = seen
        return stranger

    def vendor_of_oui(self, mac: str) -> tuple[str, ...]:
        """The ids of the profiles that list the longest matching block of this MAC; () when none does."""
        digits = plain_mac(mac) or ""
        for length in (9, 7, 6):
            if block := self._blocks.get(digits[:length]):
                return tuple(block)
        return ()

    def _found(self, path: str, query: Mapping[str, str]) -> Iterator[FileMatch]:
        if len(path) > LONGEST_PATH:
            return
        decoded = unquote(path, errors="replace")
        if _FORBIDDEN.search(decoded):
            return
        for rule in self._rules:
            found = rule.pattern.fullmatch(decoded)
            if not found:
                continue
            groups = found.groupdict()
            mac = plain_mac(groups.get("mac") or query.get(rule.file.query, ""))
            if mac is None and rule.file.role == "device":
                continue
            model = rule.profile.model_of_token(groups.get("model") or "")
            yield FileMatch(rule.profile, rule.file, mac, model)


def plain_mac(text: str) -> str | None:
    """Twelve upper-case digits of a MAC in any usual writing; None when it is none."""
    if not _MAC_ALONE.fullmatch(text):
        return None
    return re.sub("[^0-9A-F]", "", re.sub("%3A", "", text.upper()))


def compile_path(profile: Profile, file: FileRule) -> re.Pattern[str]:
    """The pattern of a file with `{mac}` replaced; ProfileBroken when it is not a regular expression."""
    before, sign, after = file.path.partition("{mac}")
    text = file.path
    if sign:
        start = "" if before[-1:].isalnum() else f"(?<!{_HEX})"
        end = "" if after[:1].isalnum() else f"(?!{_HEX})"
        text = f"{before}{start}{_MAC}{end}{after}"
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise ProfileBroken(f"{profile.id}: profile.toml: file {file.id}: path: {error}") from None


def compile_agents(profile: Profile) -> tuple[list[re.Pattern[str]], list[re.Pattern[str]]]:
    """The patterns that name the vendor, and those that count only together with a known model."""
    try:
        return (
            [re.compile(text, re.IGNORECASE) for text in profile.agent],
            [re.compile(text, re.IGNORECASE) for text in profile.agent_if_known_model],
        )
    except re.error as error:
        raise ProfileBroken(f"{profile.id}: profile.toml: agent: {error}") from None


def _seen(profile: Profile, found: re.Match[str]) -> Seen:
    groups = found.groupdict()
    return Seen(
        profile_id=profile.id,
        model_id=profile.model_of_token(groups.get("model") or ""),
        firmware=groups.get("firmware") or "",
        mac=plain_mac(groups.get("mac") or ""),
    )
