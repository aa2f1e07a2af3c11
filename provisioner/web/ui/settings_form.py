"""The settings form of one scope: made from the catalogue, read back into what has to be stored and what inherits again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from provisioner.composition.catalogue import Catalogue, Setting
from provisioner.composition.phone_config import Composed
from provisioner.services.devices.device_settings import SECRET_SHOWN
from provisioner.web.ui import words
from provisioner.web.ui.fields import Choice
from provisioner.web.ui.translations import Language

INHERIT: Final = "inherit"
UNSET: Final = "unset"
SET: Final = "set"
PICK: Final = "="
"""In front of a picked value, so that no choice can be mistaken for one of the words above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingField:
    """One setting on the form. `mode` is the select before the value, or the whole control for short choices."""

    name: str
    label: str
    help: str
    unit: str
    modes: Sequence[Choice]
    mode: str
    has_input: bool
    is_secret: bool
    value: str
    effective: str
    origin: str
    shadowed: Sequence[str]
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingGroup:
    label: str
    fields: Sequence[SettingField]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a sent form asks for: values to store, and names that come from below again."""

    values: Mapping[str, Any]
    inherit: Sequence[str]


def groups_of(
    catalogue: Catalogue,
    language: Language,
    *,
    scope: str,
    here: Mapping[str, Any],
    effective: Mapping[str, Composed],
    names: Sequence[str] | None = None,
    posted: Mapping[str, str] | None = None,
    faults: Mapping[str, str] | None = None,
) -> list[SettingGroup]:
    """The form's groups. `here` is what is set at this scope itself, `effective` what counts, with origins."""
    found: dict[str, list[SettingField]] = {}
    for setting in catalogue.settings.values():
        if scope not in setting.scopes or (names is not None and setting.name not in names):
            continue
        field = _field(
            setting, language, here=here, composed=effective[setting.name], posted=posted, faults=faults or {}
        )
        found.setdefault(setting.group, []).append(field)
    return [
        SettingGroup(label=language.translate(label), fields=found[group])
        for group, label in catalogue.groups.items()
        if group in found
    ]


def wanted_from(
    catalogue: Catalogue, posted: Mapping[str, str], *, scope: str, here: Mapping[str, Any]
) -> Wanted:
    """Only what differs from what is stored. Raises InvalidSetting for the first value that is not acceptable."""
    values: dict[str, Any] = {}
    inherit: list[str] = []
    for name, mode in posted.items():
        name = name.removeprefix("mode.") if name.startswith("mode.") else ""  # noqa: PLW2901 - the form's spelling ends here
        if not name:
            continue
        setting, typed = catalogue[name], posted.get(f"value.{name}", "")
        if mode == INHERIT and not typed.strip():
            if name in here:
                inherit.append(name)
        elif mode == UNSET:
            if name not in here or here[name] is not None:
                values[name] = None
        elif not (setting.is_secret and not typed):
            value = catalogue.check(name, scope, mode[1:] if mode.startswith(PICK) else typed)
            if name not in here or here[name] != value:
                values[name] = value
    return Wanted(values, inherit)


def _field(
    setting: Setting,
    language: Language,
    *,
    here: Mapping[str, Any],
    composed: Composed,
    posted: Mapping[str, str] | None,
    faults: Mapping[str, str],
) -> SettingField:
    _ = language.translate
    is_short = setting.type in {"bool", "choice"}
    modes = [Choice(INHERIT, _("Inherit")), Choice(UNSET, _("Back to the default"))]
    if setting.type == "bool":
        modes += [Choice(f"{PICK}true", _("On")), Choice(f"{PICK}false", _("Off"))]
    elif is_short:
        modes += [
            Choice(f"{PICK}{code}", words.choice(language, setting.name, code)) for code in setting.choices
        ]
    else:
        modes.append(Choice(SET, _("Set here:")))
    mode, value = _present(setting, here, is_short=is_short)
    if posted is not None:
        mode = posted.get(f"mode.{setting.name}", mode)
        value = "" if setting.is_secret else posted.get(f"value.{setting.name}", value)
    return SettingField(
        name=setting.name,
        label=_(setting.label),
        help=_(setting.help),
        unit=setting.unit,
        modes=modes,
        mode=mode,
        has_input=not is_short,
        is_secret=setting.is_secret,
        value=value,
        effective=_shown(setting, language, composed.value),
        origin=_origin(language, composed.origin.scope, composed.origin.label),
        shadowed=[
            f"{_origin(language, origin.scope, origin.label)}: {_shown(setting, language, origin.value)}"
            for origin in composed.shadowed
        ],
        error=faults.get(setting.name, ""),
    )


def _present(setting: Setting, here: Mapping[str, Any], *, is_short: bool) -> tuple[str, str]:
    """The mode and the value as they are stored."""
    if setting.name not in here:
        return INHERIT, ""
    value = here[setting.name]
    if value is None:
        return UNSET, ""
    if is_short:
        return f"{PICK}{str(value).lower() if isinstance(value, bool) else value}", ""
    if setting.is_secret:
        return SET, ""
    return SET, ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _shown(setting: Setting, language: Language, value: Any) -> str:
    if setting.is_secret:
        return SECRET_SHOWN if value else "–"
    return words.shown(language, setting.name, value)


def _origin(language: Language, scope: str, label: str) -> str:
    word = language.translate(words.SCOPES.get(scope, scope))
    return f"{word} {label}".strip() if scope != "default" else word
