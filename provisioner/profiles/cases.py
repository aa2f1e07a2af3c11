"""Golden cases: one phone described in input.toml, and the files it must get, byte by byte."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from provisioner.errors import ProfileBroken
from provisioner.profiles.bootstrap import Bootstrap
from provisioner.profiles.manifest import FileRule, Profile
from provisioner.profiles.protocols import BootstrapFacts, BootstrapServer, SettingLike
from provisioner.profiles.rendering import Renderer
from provisioner.profiles.samples import (
    SampleDialRule,
    SampleKey,
    SampleLine,
    SampleOrigin,
    SamplePhone,
    SampleServer,
    SampleTime,
    SampleValue,
)
from provisioner.profiles.writers import WRITERS

CONFIG = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class CaseDevice:
    """The device of a case; its model must be one of the profile's."""

    model: str
    mac: str = "0004130A0B0C"
    name: str = "Reception"
    firmware: str = ""
    username: str = "dev-0004130a0b0c"
    password: str = "Canary7secret"  # noqa: S105 - a canary
    path: str = "/p"


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class CaseInput:
    """input.toml. Settings that are not named have their default."""

    device: CaseDevice
    about: str = ""
    files: tuple[str, ...] = ()  # ids; none means every file with content
    server: SampleServer = field(default_factory=SampleServer)
    time: SampleTime = field(default_factory=SampleTime)
    settings: Mapping[str, Any] = field(default_factory=dict)
    lines: tuple[SampleLine, ...] = ()
    keys: tuple[SampleKey, ...] = ()
    dial_plan: tuple[SampleDialRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A case as read: what is rendered, what must come out and what must not."""

    folder: Path
    phone: SamplePhone
    files: tuple[str, ...]
    forbidden: tuple[str, ...]

    def path(self, file: FileRule) -> Path:
        """Where the expected content of a file stands."""
        return self.folder / f"{file.id}.{WRITERS[file.format].suffix}"


_INPUT: TypeAdapter[CaseInput] = TypeAdapter(CaseInput)


def case_folders(profile: Profile) -> list[Path]:
    """The folders under cases/ that hold an input.toml, by name."""
    return sorted(path.parent for path in (profile.folder / "cases").glob("*/input.toml"))


def read_case(profile: Profile, folder: Path, settings: Iterable[SettingLike]) -> Case:
    """ProfileBroken when the input cannot be understood."""
    where = f"cases/{folder.name}/input.toml"
    try:
        given = _INPUT.validate_python(tomllib.loads((folder / "input.toml").read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise ProfileBroken(f"{where}: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise ProfileBroken(
            f"{where}: {' '.join(str(part) for part in first['loc'])}: {first['msg']}"
        ) from None
    composed = {setting.name: SampleValue(setting.default) for setting in settings}
    if unknown := set(given.settings) - set(composed):
        raise ProfileBroken(f"{where}: there is no setting {', '.join(sorted(unknown))}")
    if given.device.model not in profile.models:
        raise ProfileBroken(f"{where}: there is no model {given.device.model}")
    chosen = {name: SampleValue(value, SampleOrigin("device")) for name, value in given.settings.items()}
    device = given.device
    must_not = folder / "must_not.txt"
    return Case(
        folder=folder,
        files=given.files,
        forbidden=tuple(must_not.read_text(encoding="utf-8").splitlines()) if must_not.is_file() else (),
        phone=SamplePhone(
            model=device.model,
            mac=device.mac,
            name=device.name,
            profile=profile.id,
            firmware=device.firmware,
            username=device.username,
            password=device.password,
            path=device.path,
            server=given.server,
            settings=composed | chosen,
            lines=given.lines,
            time=replace(given.time, zone=str(chosen["timezone"].value))
            if "timezone" in chosen
            else given.time,
            keys=given.keys,
            dial_plan=given.dial_plan,
        ),
    )


def render_case(profile: Profile, case: Case) -> dict[str, bytes]:
    """The bytes of every file of the case, by file id. RenderingFailed when one cannot be made."""
    renderer, bootstrap = Renderer(profile), Bootstrap(profile)
    phone = case.phone
    facts = BootstrapFacts(
        BootstrapServer(phone.server.https_url, phone.server.http_url, phone.server.ca_url),
        base=f"{phone.server.https_url}/p",
        mac=phone.mac,
        model=phone.model,
    )
    found: dict[str, bytes] = {}
    for file in profile.files:
        if file.role == "absent" or (case.files and file.id not in case.files):
            continue
        rendered = bootstrap.render(file, facts) if file.role == "bootstrap" else renderer.render(file, phone)
        found[file.id] = rendered.body
    return found


def write_case(profile: Profile, folder: Path, settings: Iterable[SettingLike]) -> list[Path]:
    """Writes what is rendered now as what is expected; gives the paths that changed. Read the diff before trusting it."""
    case = read_case(profile, folder, settings)
    changed = []
    for file_id, body in render_case(profile, case).items():
        path = case.path(profile.file(file_id))
        if not path.is_file() or path.read_bytes() != body:
            path.write_bytes(body)
            changed.append(path)
    return changed
