"""How one vendor's phone asks for files and reads them: `vendor_profiles/<vendor>/simulator.toml`, as data.

The order of requests, the names of files and the keys are the vendor's; the code that follows them knows no vendor.
"""

import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from provisioner.errors import BadInput

_NAME = re.compile(r"\{(\w+)\}")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileKind(StrEnum):
    SETTINGS = "settings"  # is read and applied
    INCLUDES = "includes"  # is a list of further files
    IGNORED = "ignored"  # is asked for because the phone does, and not read


class FileStep(_Part):
    """One request. `name` is relative to the URL typed into the phone; `{url}` is that URL itself."""

    name: str
    kind: FileKind = FileKind.SETTINGS
    unless_included: bool = False  # not asked for when a list of files was found before


class FileOrder(_Part):
    """What is asked for, in order, when the typed URL matches `url`."""

    url: re.Pattern[str]
    is_folder: bool = False  # a missing slash at the end is added
    files: tuple[FileStep, ...] = Field(min_length=1)


class IncludeRule(_Part):
    """How a file names further files: an element with an attribute (xml), or a line (keyvalue; groups url, models)."""

    element: str = ""
    attribute: str = "url"
    line: re.Pattern[str] | None = None
    first_line: str = ""  # a list that does not begin so is no list
    resets: re.Pattern[str] | None = None  # a line that makes the phone forget what the files do not mention


class ReadRule(_Part):
    """One stored key and what it says: the whole value is `field`, or the named groups of `pattern` are fields.

    `{n}` in a key is the slot's number. Later rules win where they find something. `when` names a key that must have
    one of the values `is_one_of`.
    """

    key: str
    field: str = ""
    pattern: re.Pattern[str] | None = None
    map: Mapping[str, str] = Field(default_factory=dict)
    percent_encoded: tuple[str, ...] = ()  # fields that the file writes as in a URI
    when: str = ""
    is_one_of: tuple[str, ...] = ()


class SlotRules(_Part):
    """Slots 1…`count`; the vendor's number of slot 1 is `first`."""

    first: int = 1
    count: int = Field(ge=0, le=500)
    read: tuple[ReadRule, ...]


class Dialect(_Part):
    """A vendor's phone as the simulator plays it."""

    label: str
    oui: str = Field(pattern="^[0-9A-F]{6}$")
    model: str
    firmware: str
    http_agent: str
    sip_agent: str
    auth: tuple[Literal["basic", "digest"], ...]  # HTTP schemes that the phone can
    reads_first_challenge_only: bool = False
    format: Literal["xml", "keyvalue", "sections"]
    needs_overwrite: bool = False  # sections: an entry without overwrite="true" never replaces a stored value
    null: str = ""  # a value that means "back to factory"
    expires: int = 3600  # seconds, when the files say nothing
    placeholders: Mapping[str, str] = Field(default_factory=dict)  # in the typed URL: literal → template
    models: Mapping[str, Mapping[str, str]] = Field(
        default_factory=dict
    )  # further names for templates, by model
    includes: IncludeRule = IncludeRule()
    orders: tuple[FileOrder, ...] = Field(min_length=1)
    lines: SlotRules
    keys: SlotRules
    line_key: str = ""  # type of the keys that are appearances of a line, in the vendor's word

    def names(self, mac: str, *, model: str, firmware: str) -> dict[str, str]:
        """What templates may name: mac, mac_upper, mac_colons, model, firmware and the model's own names."""
        mac = mac.lower()
        colons = ":".join(mac[at : at + 2] for at in range(0, 12, 2))
        usual = {
            "mac": mac,
            "mac_upper": mac.upper(),
            "mac_colons": colons,
            "model": model,
            "firmware": firmware,
        }
        return usual | dict(self.models.get(model, {}))

    def order_for(self, url: str) -> FileOrder:
        """The order of requests for a typed URL; raises BadInput when this vendor's phones could not use it."""
        found = next((order for order in self.orders if order.url.search(url)), None)
        if found is None:
            raise BadInput(f"A phone of {self.label} cannot use this URL", field="url")
        return found


def fill(template: str, names: Mapping[str, str]) -> str:
    """`{name}` replaced; raises BadInput for a name that the dialect does not give for this model."""

    def one(found: re.Match[str]) -> str:
        if found[1] not in names:
            raise BadInput(f"The simulator's description knows no {found[0]} for this model")
        return names[found[1]]

    return _NAME.sub(one, template)


def load_dialect(path: Path) -> Dialect:
    """Read one simulator.toml; raises BadInput with what is wrong in it, OSError when it cannot be read."""
    try:
        return Dialect.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise BadInput(f"{path.parent.name}/{path.name}: {error}") from error


def load_dialects(folder: Path) -> dict[str, Dialect]:
    """Every vendor's dialect by folder name; vendors without a simulator.toml are left out. Reads files: not for the event loop."""
    return {path.parent.name: load_dialect(path) for path in sorted(folder.glob("*/simulator.toml"))}
