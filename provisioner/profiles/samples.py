"""Made-up phones: the smallest and the largest configuration of a model, for checks, cases and tests.

Nothing here is meant for a real phone; the passwords are canaries that must never turn up in a public file.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Final, Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from provisioner.profiles.manifest import Model, Profile, applies_to
from provisioner.profiles.protocols import BootstrapFacts, BootstrapServer, SettingLike

CONFIG = ConfigDict(extra="forbid")
CANARY: Final = "Canary7secret"
Extreme = Literal["min", "max"]

_LONG_TEXT: Final = "Zoë & <Söhne> \"q\" 'a' 100% ; # = " + "x" * 30
_LARGEST_INT: Final = 65535


@dataclass(frozen=True, slots=True, config=CONFIG)
class SampleOrigin:
    scope: str = "default"


@dataclass(frozen=True, slots=True, config=CONFIG)
class SampleValue:
    """A composed setting without a history."""

    value: Any
    origin: SampleOrigin = field(default_factory=SampleOrigin)


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class SampleChange:
    """A moment of the year in local wall time before the change; week 5 is the last."""

    month: int
    week: int
    weekday: int
    hour: int
    minute: int = 0


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class SampleTime:
    """A zone with its yearly rule; the defaults are central Europe's. Seconds east of Greenwich."""

    zone: str = "Europe/Amsterdam"
    standard_offset: int = 3600
    saving: int = 3600
    start: SampleChange | None = field(
        default_factory=lambda: SampleChange(month=3, week=5, weekday=7, hour=2)
    )
    end: SampleChange | None = field(
        default_factory=lambda: SampleChange(month=10, week=5, weekday=7, hour=3)
    )
    is_exact: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class SampleServer:
    https_url: str = "https://prov.example.net:8443"
    http_url: str = "http://prov.example.net:8080"
    action_url: str = ""
    ca_url: str = "http://prov.example.net:8080/ca.pem"
    screen_url: str = "https://prov.example.net:8443/x/0004130A0B0C/hotdesk"


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class SampleLine:
    position: int
    kind: str = "user"
    is_active: bool = True
    extension: str = ""
    label: str = ""
    display_name: str = ""
    account: str = ""
    password: str = ""
    domain: str = "pbx.example.net"
    registrar: str = "pbx.example.net"
    port: int = 0
    transport: str = "udp"
    outbound_proxy: str = ""
    outbound_proxy_port: int = 0
    auth_user: str = ""
    appearances: int = 0
    is_barge_in: bool = False
    is_private_hold: bool = False


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class SampleKey:
    slot: int
    module: int = 0
    type: str = "none"
    target: str = ""
    label: str = ""
    line: int = 1
    pickup_code: str = ""
    origin: str = "device"


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class SampleDialRule:
    """A kind of number that the phone need not wait with."""

    prefix: str = ""
    choices: str = ""
    digits: int = 0
    kind: str = "internal"
    is_final: bool = True

    @property
    def mask(self) -> str:
        """As RFC 3435 writes it."""
        return self.prefix + (f"[{self.choices}]" if self.choices else "") + "x" * self.digits


@dataclass(frozen=True, slots=True, config=CONFIG, kw_only=True)
class SamplePhone:
    """A phone's neutral configuration, made of plain values."""

    model: str
    mac: str = "0004130A0B0C"
    name: str = "Reception"
    profile: str = ""
    firmware: str = ""
    username: str = "dev-0004130a0b0c"
    password: str = CANARY
    path: str = "/p"
    server: SampleServer = field(default_factory=SampleServer)
    settings: Mapping[str, SampleValue] = field(default_factory=dict)
    lines: Sequence[SampleLine] = ()
    time: SampleTime = field(default_factory=SampleTime)
    keys: Sequence[SampleKey] = ()
    dial_plan: Sequence[SampleDialRule] = ()
    warnings: tuple[str, ...] = ()

    def value(self, name: str) -> Any:
        """The value of a setting; KeyError when there is none."""
        return self.settings[name].value


def smallest(profile: Profile, model: Model, settings: Iterable[SettingLike]) -> SamplePhone:
    """A phone nobody uses: every setting at its lowest, no line, no key, no optional address."""
    return SamplePhone(
        model=model.id,
        profile=profile.id,
        name="",
        server=SampleServer(http_url="", ca_url=""),
        settings=sample_settings(settings, "min"),
    )


def largest(
    profile: Profile, model: Model, settings: Iterable[SettingLike], *, firmware: str = ""
) -> SamplePhone:
    """A phone with everything: each setting at its highest, each line in use, each key set, types in turn."""
    types = key_types(profile, model)
    places = [(0, slot) for slot in range(1, max(model.keys, model.keys_accepted) + 1)]
    places += [
        (module, slot) for module in range(1, model.modules + 1) for slot in range(1, model.module_keys + 1)
    ]
    return SamplePhone(
        model=model.id,
        profile=profile.id,
        name=_LONG_TEXT,
        firmware=firmware,
        server=SampleServer(action_url="https://prov.example.net:8443/a/4tQ8"),
        settings=sample_settings(settings, "max"),
        lines=[_largest_line(position, model) for position in range(1, model.lines + 1)],
        keys=[
            SampleKey(
                module=module,
                slot=slot,
                type=types[number % len(types)],
                target=f"71{module}{slot:03}",
                label=_LONG_TEXT,
                line=1 + number % max(1, model.lines),
                pickup_code="*8",
            )
            for number, (module, slot) in enumerate(places if types else ())
        ],
        dial_plan=_FULL_PLAN,
    )


_FULL_PLAN: Final = (
    SampleDialRule(prefix="112", kind="emergency"),
    SampleDialRule(prefix="*8112", kind="group_pickup"),
    SampleDialRule(prefix="*8", choices="23", digits=2, kind="pickup"),
    SampleDialRule(choices="23", digits=2),
    *(SampleDialRule(prefix=f"5{number:02}") for number in range(30)),
    SampleDialRule(prefix="*35", kind="hotdesk", is_final=False),
)


def full_line(position: int) -> SampleLine:
    """A line in use whose every field is its own."""
    return SampleLine(
        position=position,
        extension=f"2{position:02}",
        label=f"2{position:02} {_LONG_TEXT}",
        display_name=f"Line {position} {_LONG_TEXT}",
        account=f"acct{position:02}x",
        password=f"{CANARY}-line{position:02}",
        registrar=f"reg{position}.example.net",
        port=5061,
        transport="tls",
        outbound_proxy="sbc.example.net",
        outbound_proxy_port=5071,
    )


def shared_line(position: int) -> SampleLine:
    """A line that several phones share: it has the shared address, and this phone's own account to prove itself with."""
    return replace(
        full_line(position),
        kind="shared",
        account=f"shared{position:02}x",
        auth_user=f"acct{position:02}x",
        appearances=3,
        is_barge_in=True,
        is_private_hold=True,
    )


def _largest_line(position: int, model: Model) -> SampleLine:
    """In use; the last of several is a shared one."""
    return shared_line(position) if position == model.lines > 1 else full_line(position)


def key_types(profile: Profile, model: Model) -> list[str]:
    """The neutral key types that a model can show, without "none"."""
    found = [
        kind.type
        for kind in profile.key_types
        if kind.type != "none" and applies_to(model.id, kind.models, kind.not_models)
    ]
    return list(dict.fromkeys(found))


def sample_settings(settings: Iterable[SettingLike], extreme: Extreme) -> dict[str, SampleValue]:
    """A value for every setting."""
    return {setting.name: SampleValue(sample_value(setting, extreme)) for setting in settings}


def sample_value(setting: SettingLike, extreme: Extreme) -> Any:
    """The lowest or highest value that a setting's type allows."""
    is_max = extreme == "max"
    if setting.type == "choice":
        return setting.choices[-1 if is_max else 0]
    if setting.type == "int":
        highest = _LARGEST_INT if setting.maximum is None else setting.maximum
        return highest if is_max else setting.minimum or 0
    if setting.type == "list":
        return (list(setting.choices) or ["112", "110"]) if is_max else []
    if setting.type == "timezone":
        return setting.default
    return _TEXTS[setting.type][is_max]


_TEXTS: Final[Mapping[str, tuple[Any, Any]]] = {
    "bool": (False, True),
    "text": ("", _LONG_TEXT),
    "host": ("", "host-1.branch.example.net"),
    "url": ("", "https://files.example.net:8443/book/de.xml?a=1&b=%20#top"),
    "number": ("", "+31201234567"),
    "secret": ("", "31415926535"),
}


def firmwares(profile: Profile) -> list[str]:
    """Unknown, very old, and every version that a condition of the profile names."""
    texts = {row.firmware for row in profile.rows} | {kind.firmware for kind in profile.key_types}
    texts |= {limit.firmware for limit in profile.limits}
    versions = {part.strip().lstrip("<>=").strip() for text in texts for part in text.split(",") if part}
    prefix = "1." * (profile.firmware_generation - 1)
    return ["", f"{prefix}0.1", *(f"{prefix}{version}" for version in sorted(versions))]


def public_facts(profile: Profile, *, mac: str = "", model: str = "") -> BootstrapFacts:
    """What a public file may say, with the sample server's addresses."""
    server = SampleServer()
    return BootstrapFacts(
        BootstrapServer(https_url=server.https_url, http_url=server.http_url, ca_url=server.ca_url),
        base=f"{server.https_url}/p",
        mac=mac,
        model=model if model in profile.models else "",
    )


def with_setting(phone: SamplePhone, name: str, value: Any, *, scope: str = "device") -> SamplePhone:
    """The same phone with one setting chosen at a scope."""
    return replace(phone, settings={**phone.settings, name: SampleValue(value, SampleOrigin(scope))})
