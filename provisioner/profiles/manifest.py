"""What a vendor folder says, as values: one frozen class for each kind of entry, validated as it is read."""

from collections.abc import Mapping
from dataclasses import field
from fnmatch import fnmatchcase
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

CONFIG = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
Names = tuple[str, ...]
Scalar = str | int | bool
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+ -]*$", max_length=60)]
Oui = Annotated[str, Field(pattern=r"^[0-9A-F]{6}([0-9A-F]|[0-9A-F]{3})?$")]
Format = Literal["xml", "keyvalue", "json", "text"]
Role = Literal["device", "bootstrap", "absent"]
Confidence = Literal["", "H", "M", "L"]


def applies_to(model_id: str, models: Names, not_models: Names = ()) -> bool:
    """Whether globs on model ids include this model; no glob at all means every model."""
    included = not models or any(fnmatchcase(model_id, glob) for glob in models)
    return included and not any(fnmatchcase(model_id, glob) for glob in not_models)


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class FileRule:
    """A file phones ask for. `path` is a regular expression with `{mac}` on what follows /p/."""

    id: Id
    role: Role
    path: str
    query: str = ""
    template: str = ""
    format: Format = "text"
    content_type: str = "text/plain; charset=utf-8"
    example: str = ""  # a path that phones ask for, when it cannot be told from the pattern
    note: str = ""

    @model_validator(mode="after")
    def _has_a_template(self) -> Self:
        if (self.role == "absent") == bool(self.template):
            raise ValueError("`template` belongs to device and bootstrap files, and to these only")
        return self


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class Step:
    """One thing an installer does at the phone; with `show`, a value to type in."""

    en: str
    nl: str = ""
    de: str = ""
    pl: str = ""
    show: Literal["", "provisioning_url", "username", "password_hint", "mac", "ca_url"] = ""

    def text(self, language: str) -> str:
        """The sentence in `language` (two letters), in English when there is none."""
        return {"nl": self.nl, "de": self.de, "pl": self.pl}.get(language) or self.en


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class Model:
    """One phone model. `extras` holds any further facts that templates need."""

    id: Id
    label: str
    agent: Names = ()
    lines: Annotated[int, Field(ge=0, le=64)]
    keys: Annotated[int, Field(ge=0, le=400)] = 0
    keys_accepted: Annotated[int, Field(ge=0, le=400)] = 0
    modules: Annotated[int, Field(ge=0, le=10)] = 0
    module_keys: Annotated[int, Field(ge=0, le=100)] = 0
    module_label: str = ""
    screen: str = ""
    confidence: Confidence = ""
    features: Names = ()
    extras: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class Row:
    """How one vendor key gets its value; see docs/profiles.md for every field."""

    key: str = ""
    keys: Names = ()
    setting: str = ""
    scope: Literal["device", "line"] = "device"
    value: str = "value"
    constant: Scalar | None = None
    map: Mapping[str, Scalar] | None = None
    missing: Scalar | None = None
    when: str = ""
    repeat: Annotated[int, Field(ge=1, le=200)] = 1
    firmware: str = ""
    models: Names = ()
    not_models: Names = ()
    inactive: Scalar | None = None
    attributes: Mapping[str, Scalar] = field(default_factory=dict)
    confidence: Confidence = ""
    source: str = ""
    secret: bool = False

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if bool(self.key) == bool(self.keys):
            raise ValueError("exactly one of `key` and `keys` is needed")
        if self.constant is not None and (self.value != "value" or self.map is not None or self.setting):
            raise ValueError("`constant` stands alone: no `value`, `map` or `setting` beside it")
        if self.constant is None and not self.setting and self.value == "value":
            raise ValueError("a row needs a `setting`, a `value` expression or a `constant`")
        if self.map is not None and not self.setting:
            raise ValueError("`map` translates a setting: name it in `setting`")
        if self.scope == "device" and (self.inactive is not None or "{line}" in "".join(self.names)):
            raise ValueError('`inactive` and `{line}` belong to rows with scope = "line"')
        return self

    @property
    def names(self) -> Names:
        """The vendor keys before `{line}` and `{n}` are replaced."""
        return self.keys or (self.key,)


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class KeyType:
    """How a neutral key type is said: `value`, `label` and every field are expressions."""

    type: str
    value: str = "''"
    label: str = "key.label"
    fields: Mapping[str, str] = field(default_factory=dict)
    firmware: str = ""
    models: Names = ()
    not_models: Names = ()
    source: str = ""
    confidence: Confidence = ""


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class Unsupported:
    """A setting this vendor (or these models) cannot carry, and why, in words for people."""

    setting: str
    reason: str
    models: Names = ()
    not_models: Names = ()


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class UnsupportedKey:
    """A key type this vendor (or these models) cannot show, and why."""

    type: str
    reason: str
    models: Names = ()
    not_models: Names = ()


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class Covered:
    """A setting that needs no row: it acts through line facts, keys or the PBX. Nothing is missing then."""

    setting: str
    reason: str


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class Limit:
    """Values that cannot be expressed: the listed ones, or those for which `when` is true."""

    setting: str
    message: str
    values: tuple[Scalar, ...] = ()
    when: str = ""
    firmware: str = ""
    models: Names = ()
    not_models: Names = ()

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if bool(self.values) == bool(self.when):
            raise ValueError("exactly one of `values` and `when` is needed")
        return self


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class Screens:
    """How this vendor's phones are shown pages: one template for each kind of page, and what a page may have."""

    menu: str
    input: str
    text: str
    content_type: str = "text/xml; charset=utf-8"
    questions: Annotated[int, Field(ge=1, le=4)] = 1  # on one page
    largest: Annotated[int, Field(ge=1_000)] = 10_000  # bytes
    models: Names = ()
    not_models: Names = ()


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class Profile:
    """One vendor folder, read and valid. Nothing here is secret."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=40)]
    label: str
    folder: Path
    order: int = 100
    ouis: tuple[Oui, ...] = ()
    username_max: Annotated[int, Field(ge=8)] = 64
    password_max: Annotated[int, Field(ge=12)] = 64
    password_alphabet: str = ""
    agent: Names = ()
    agent_if_known_model: Names = ()
    firmware_generation: Annotated[int, Field(ge=1, le=6)] = 1
    default_model: str = ""
    provisioning_url: str
    files: tuple[FileRule, ...]
    steps: tuple[Step, ...] = ()
    models: Mapping[str, Model]
    rows: tuple[Row, ...] = ()
    unsupported: tuple[Unsupported, ...] = ()
    covered: tuple[Covered, ...] = ()
    limits: tuple[Limit, ...] = ()
    key_types: tuple[KeyType, ...] = ()
    unsupported_keys: tuple[UnsupportedKey, ...] = ()
    screens: Screens | None = None
    tables: Mapping[str, Any] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        fields = {name for _, name, _, _ in Formatter().parse(self.provisioning_url) if name is not None}
        if not fields <= {"base", "mac"}:
            raise ValueError("provisioning_url: only {base} and {mac} are filled in; double other braces")
        if self.default_model and self.default_model not in self.models:
            raise ValueError(f'default_model "{self.default_model}" is none of the models')
        ids = [file.id for file in self.files]
        if repeated := {name for name in ids if ids.count(name) > 1}:
            raise ValueError(f"files: id used twice: {', '.join(sorted(repeated))}")
        for file in self.files:
            if file.template and file.template not in self.templates:
                raise ValueError(f'file "{file.id}": there is no templates/{file.template}')
        if self.screens is not None:
            for name in (self.screens.menu, self.screens.input, self.screens.text):
                if name not in self.templates:
                    raise ValueError(f"screens.toml: there is no templates/{name}")
        return self

    def url(self, base: str, mac: str = "") -> str:
        """What is typed into the phone; `base` is https://host:port/p or …/p/t/<token>."""
        return self.provisioning_url.format(base=base, mac=mac.lower())

    def file(self, file_id: str) -> FileRule:
        """The file rule with this id; KeyError when there is none."""
        for rule in self.files:
            if rule.id == file_id:
                return rule
        raise KeyError(file_id)

    def model_of_token(self, token: str) -> str | None:
        """The id of the model that a User-Agent token means; None when it is unknown."""
        wanted = token.casefold()
        for model in self.models.values():
            if wanted == model.id.casefold() or wanted in (name.casefold() for name in model.agent):
                return model.id
        return None
