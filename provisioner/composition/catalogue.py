"""The settings there are: read once from catalogue.toml, the single source for checks, forms, schema and docs."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from provisioner.composition.phone_config import Composed, Origin
from provisioner.errors import InvalidSetting

SCOPES = ("model", "tenant", "site", "user", "device")
"""Weakest first; "default" is weaker than all."""

_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]{2,39}")
_NUMBER = re.compile(r"[0-9*#+]{0,40}")
_EMAIL = re.compile(r"(?=.{3,254}$)[^@\s\"<>,;:\\]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
_TEXT_LIMIT = 200
_SCHEDULE_LIMIT = 80


@dataclass(frozen=True, slots=True)
class Setting:
    """One entry of the catalogue."""

    name: str
    group: str
    type: str
    default: Any
    scopes: tuple[str, ...]
    label: str
    help: str
    choices: tuple[str, ...] = ()
    items: str = ""
    unit: str = ""
    minimum: int | None = None
    maximum: int | None = None
    merge: str = "replace"
    reach: str = "phone"
    """phone: vendor profiles write it; pbx: only the PBX directory tells it."""

    @property
    def is_secret(self) -> bool:
        return self.type == "secret"

    def check(self, value: Any) -> Any:
        """Give the value back in its canonical form; raises InvalidSetting that says what is allowed."""
        check = _CHECKS[self.type]
        return check(self, value)

    def refuse(self, sentence: str) -> InvalidSetting:
        return InvalidSetting(f"{self.label} ({self.name}): {sentence}", field=self.name, setting=self.name)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All settings by name, in the order of the file, the names of their groups, and the composed defaults."""

    settings: Mapping[str, Setting]
    groups: Mapping[str, str]
    defaults: Mapping[str, Composed]

    @property
    def phone_settings(self) -> Mapping[str, Setting]:
        """Those that phones carry: what every vendor profile must write or call unsupported."""
        return {name: setting for name, setting in self.settings.items() if setting.reach == "phone"}

    def __getitem__(self, name: str) -> Setting:
        """The setting, or InvalidSetting with the nearest names."""
        try:
            return self.settings[name]
        except KeyError:
            near = (
                sorted(known for known in self.settings if name[:4] and name[:4] in known)
                or get_close_matches(name[:60], self.settings, n=3)
                or sorted(self.settings)
            )
            raise InvalidSetting(
                f"There is no setting “{name[:60]}”. Near it: {', '.join(near[:8])}.", setting=name[:60]
            ) from None

    def check(self, name: str, scope: str, value: Any) -> Any:
        """Check a value that is about to be stored at `scope`; None is "unset here" and always allowed."""
        setting = self[name]
        if scope not in setting.scopes:
            places = (
                f"can be set for {', '.join(setting.scopes)}"
                if setting.scopes
                else "is a property of the tenant"
            )
            raise setting.refuse(f"{places}, not for {scope}")
        return None if value is None else setting.check(value)


@cache
def load_catalogue() -> Catalogue:
    """The catalogue that comes with the program."""
    data = tomllib.loads((files("provisioner.composition") / "catalogue.toml").read_text("utf-8"))
    settings = {name: _setting(name, entry) for name, entry in data["settings"].items()}
    defaults = {
        name: Composed(name, setting.default, Origin("default", "", setting.default))
        for name, setting in settings.items()
    }
    _zones()  # a walk through files: now, not when somebody saves a form
    return Catalogue(settings=settings, groups=data["groups"], defaults=defaults)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _setting(name: str, entry: dict[str, Any]) -> Setting:
    fields: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
    }
    return Setting(name=name, **fields)


def _check_bool(setting: Setting, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {
        "true": True,
        "on": True,
        "yes": True,
        "1": True,
        "false": False,
        "off": False,
        "no": False,
        "0": False,
    }
    answer = words.get(str(value).strip().lower())
    if answer is None:
        raise setting.refuse("is either on or off")
    return answer


def _check_int(setting: Setting, value: Any) -> int:
    try:
        number = int(str(value).strip()) if not isinstance(value, bool | float) else None
    except ValueError:
        number = None
    low, high = setting.minimum or 0, setting.maximum if setting.maximum is not None else 2**31 - 1
    if number is None or not low <= number <= high:
        raise setting.refuse(
            f"is a whole number from {low} to {high}{' ' + setting.unit if setting.unit else ''}"
        )
    return number


def _check_choice(setting: Setting, value: Any) -> str:
    word = str(value).strip()
    if word not in setting.choices:
        raise setting.refuse(f"is one of {', '.join(setting.choices)}")
    return word


def _check_list(setting: Setting, value: Any) -> list[str]:
    parts = value if isinstance(value, list | tuple) else str(value).replace(";", ",").split(",")
    words = [str(part).strip() for part in parts if str(part).strip()]
    if setting.choices:
        wrong = [word for word in words if word not in setting.choices]
        if wrong:
            raise setting.refuse(f"“{wrong[0][:40]}” is not known; choose from {', '.join(setting.choices)}")
    elif any(not _NUMBER.fullmatch(word) for word in words):
        raise setting.refuse("holds numbers that can be dialled, separated by commas")
    if len(words) != len(set(words)):
        raise setting.refuse("has an entry twice")
    return words


def _check_text(setting: Setting, value: Any) -> str:
    word = str(value)
    if len(word) > _TEXT_LIMIT:
        raise setting.refuse(f"has at most {_TEXT_LIMIT} characters")
    if any(
        ord(character) < 32 or 0x7F <= ord(character) < 0xA0 or 0xD800 <= ord(character) < 0xE000
        for character in word
    ):
        raise setting.refuse("has no line breaks or control characters")
    return word


def _check_host(setting: Setting, value: Any) -> str:
    word = str(value).strip()
    if word and not _HOST.fullmatch(word):
        raise setting.refuse("is a host name or an address, without scheme, port or path")
    return word


def _check_url(setting: Setting, value: Any) -> str:
    word = _check_text(setting, str(value).strip())
    if not word:
        return word
    parts = urlsplit(word)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise setting.refuse("is an address that starts with https:// or http://")
    if parts.password:
        raise setting.refuse("has no password in it; addresses end up in logs")
    return word


def _check_number(setting: Setting, value: Any) -> str:
    word = str(value).replace(" ", "")
    if not _NUMBER.fullmatch(word):
        raise setting.refuse("is something that can be dialled: digits, *, # and + only")
    return word


def _check_email(setting: Setting, value: Any) -> str:
    word = _check_text(setting, str(value).strip())
    if word and not _EMAIL.fullmatch(word):
        raise setting.refuse("is an e-mail address such as anna@example.com")
    return word


def _check_schedule(setting: Setting, value: Any) -> str:
    word = _check_text(setting, str(value).strip())
    if len(word) > _SCHEDULE_LIMIT:
        raise setting.refuse(f"is the name of a schedule, at most {_SCHEDULE_LIMIT} characters")
    return word


def _check_timezone(setting: Setting, value: Any) -> str:
    word = str(value).strip()
    if word not in _zones():
        raise setting.refuse("is an IANA name such as Europe/Amsterdam or America/New_York")
    return word


def _check_time(setting: Setting, value: Any) -> str:
    word = str(value).strip()
    if word and not _TIME.fullmatch(word):
        raise setting.refuse("is a time of day from 00:00 to 23:59, such as 20:00, or empty")
    return word.zfill(5) if word else ""


_CHECKS = {
    "bool": _check_bool,
    "int": _check_int,
    "choice": _check_choice,
    "list": _check_list,
    "text": _check_text,
    "secret": _check_text,
    "host": _check_host,
    "url": _check_url,
    "number": _check_number,
    "timezone": _check_timezone,
    "time": _check_time,
    "email": _check_email,
    "schedule": _check_schedule,
}
