"""From what is stored about one device to the PhoneConfig its vendor profile renders. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from provisioner.composition.catalogue import Catalogue
from provisioner.composition.compose import KeyLayer, Layer, compose, merge_keys
from provisioner.composition.phone_config import (
    Composed,
    KeyConfig,
    LineConfig,
    LineKind,
    Origin,
    PhoneConfig,
    ServerFacts,
)
from provisioner.composition.time_rule import TimeRule, time_rule

_DEFAULT_PORT = {"udp": 5060, "tcp": 5060, "tls": 5061}


@dataclass(frozen=True, slots=True)
class Shape:
    """How much one model can carry; comes from its vendor profile."""

    lines: int
    keys: int
    modules: int = 0
    module_keys: int = 0


@dataclass(frozen=True, slots=True)
class SharedFacts:
    """The shared line that a line stands for."""

    name: str
    account: str
    mode: str
    appearances: int
    is_barge_in: bool
    is_private_hold: bool


@dataclass(frozen=True, slots=True)
class StoredLine:
    """A line as it is stored, with the user it stands for (empty strings when nobody)."""

    position: int
    kind: LineKind
    account: str
    password: str
    user_name: str = ""
    extension: str = ""
    shared: SharedFacts | None = None


@dataclass(frozen=True, slots=True)
class StoredDevice:
    """Everything about one device that composition needs; secrets in clear."""

    mac: str
    name: str
    profile: str
    model: str
    firmware: str
    username: str
    password: str
    path: str
    admin_password: str
    admin_pin: str
    lines: Sequence[StoredLine]
    layers: Sequence[Layer]
    key_layers: Sequence[KeyLayer] = ()


def assemble(
    catalogue: Catalogue,
    stored: StoredDevice,
    *,
    shape: Shape,
    server: ServerFacts,
    today: date,
    rule: TimeRule | None = None,
) -> PhoneConfig:
    """Compose settings, fill every line and key slot, and name what has no place on this model.

    `rule` is that of the composed time zone when the caller has it; finding it reads files.
    """
    settings = _with_device_secrets(compose(catalogue, stored.layers), stored)
    lines = _lines(stored.lines, settings, shape.lines)
    layers = [_line_keys(lines, shape), *stored.key_layers]
    keys, left_over = merge_keys(
        layers, keys=shape.keys, modules=shape.modules, module_keys=shape.module_keys
    )
    return PhoneConfig(
        mac=stored.mac,
        name=stored.name,
        profile=stored.profile,
        model=stored.model,
        firmware=stored.firmware,
        username=stored.username,
        password=stored.password,
        path=stored.path,
        server=server,
        settings=settings,
        lines=lines,
        keys=tuple(_labelled(key, settings) for key in keys),
        time=rule or time_rule(settings["timezone"].value, since=today),
        warnings=_warnings(stored, shape, left_over),
    )


def _with_device_secrets(settings: Mapping[str, Composed], stored: StoredDevice) -> dict[str, Composed]:
    """The phone's own admin secrets: random for every device unless somebody set one."""
    filled = dict(settings)
    for name, random in (
        ("phone_admin_password", stored.admin_password),
        ("phone_admin_pin", stored.admin_pin),
    ):
        if not filled[name].value:
            filled[name] = Composed(name, random, Origin("device", "random for this device", random))
    return filled


def _lines(
    stored: Sequence[StoredLine], settings: Mapping[str, Composed], count: int
) -> tuple[LineConfig, ...]:
    known = {line.position: line for line in stored}
    return tuple(_line(known.get(position), position, settings) for position in range(1, count + 1))


def _line(line: StoredLine | None, position: int, settings: Mapping[str, Composed]) -> LineConfig:
    if line is None or (line.kind is LineKind.EMPTY and position > 1):
        return LineConfig(position=position)
    # the device account (line 1) stays registered with nobody on it: emergency and hotdesk codes are dialled from it
    transport = settings["sip_transport"].value
    domain = settings["sip_domain"].value
    shared = line.shared
    is_sca = shared is not None and shared.mode == "sca"
    name = shared.name if shared else line.user_name
    return LineConfig(
        position=position,
        kind=line.kind,
        is_active=True,
        extension=line.extension,
        label=line.extension or name or line.account,
        display_name=name or line.account,
        account=shared.account if shared and is_sca else line.account,
        auth_user=line.account,
        appearances=shared.appearances if shared and is_sca else 0,
        is_barge_in=shared is not None and shared.is_barge_in,
        is_private_hold=shared is not None and shared.is_private_hold,
        password=line.password,
        domain=domain,
        registrar=settings["registrar_host"].value or domain,
        port=settings["registrar_port"].value or _DEFAULT_PORT[transport],
        transport=transport,
        outbound_proxy=settings["outbound_proxy"].value,
        outbound_proxy_port=settings["outbound_proxy_port"].value or _DEFAULT_PORT[transport],
    )


def _line_keys(lines: Sequence[LineConfig], shape: Shape) -> KeyLayer:
    """The weakest layer: the first keys are the lines, so that a phone without any key of its own can still take calls."""
    active = [line for line in lines if line.is_active and line.position <= shape.keys]
    return KeyLayer(
        "default",
        [KeyConfig(slot=line.position, type="line", line=line.position, label=line.label) for line in active],
    )


def _labelled(key: KeyConfig, settings: Mapping[str, Composed]) -> KeyConfig:
    if key.type in {"blf", "pickup"} and not key.pickup_code:
        key = replace(key, pickup_code=settings["pickup_code"].value)
    return key if key.label or key.type == "none" else replace(key, label=key.target)


def _warnings(stored: StoredDevice, shape: Shape, left_over: Sequence[KeyConfig]) -> tuple[str, ...]:
    warnings = [
        f"Line {line.position} has no place: this model has {shape.lines}."
        for line in stored.lines
        if line.position > shape.lines
    ]
    warnings += [
        f"Key {key.slot}{f' of module {key.module}' if key.module else ''} ({key.label or key.type}) has no place on this model."
        for key in left_over
    ]
    return tuple(warnings)
