"""From what is stored about one device to the PhoneConfig its vendor profile renders. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from provisioner.composition.catalogue import Catalogue
from provisioner.composition.compose import KeyLayer, Layer, compose, merge_keys
from provisioner.composition.dial_plan import dial_rules
from provisioner.composition.key_ranges import KeyRun, fill_runs, place_name, settle
from provisioner.composition.line_keys import SharedFacts, line_keys
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

SHARED_DESK = Layer("default", "hotdesk device", {"call_lists": False})
"""What a device starts from on which users log in: no phone can be told to forget the calls of whoever left, only to keep none."""
_DEFAULT_PORT = {"udp": 5060, "tcp": 5060, "tls": 5061}


@dataclass(frozen=True, slots=True)
class Shape:
    """How much one model can carry; comes from its vendor profile."""

    lines: int
    keys: int
    modules: int = 0
    module_keys: int = 0
    sure_keys: int | None = None
    """Keys that every phone of the model has, when `keys` counts some that only some have."""


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
    number_plan: str = ""
    """First digits and lengths of the tenant's internal numbers (`Tenant.number_plan`)."""
    key_runs: Sequence[KeyRun] = ()


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
    below = [SHARED_DESK] if any(line.kind is LineKind.HOTDESK for line in stored.lines) else []
    settings = _with_device_secrets(compose(catalogue, [*below, *stored.layers]), stored)
    lines = _lines(stored, settings, shape.lines)
    shared = {line.position: line.shared for line in stored.lines if line.shared is not None}
    weakest, line_warnings = line_keys(lines, shared, count=shape.keys, settings=settings)
    layers = [weakest, *stored.key_layers]
    merged, left_over = merge_keys(
        layers, keys=shape.keys, modules=shape.modules, module_keys=shape.module_keys
    )
    keys, key_warnings = _settled(stored, merged, settings, shape)
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
        keys=keys,
        unplaced_keys=left_over,
        dial_plan=dial_rules(stored.number_plan, settings),
        time=rule or time_rule(settings["timezone"].value, since=today),
        warnings=(*_warnings(stored, shape, left_over), *line_warnings, *key_warnings),
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


def _lines(stored: StoredDevice, settings: Mapping[str, Composed], count: int) -> tuple[LineConfig, ...]:
    known = {line.position: line for line in stored.lines}
    return tuple(
        _line(known.get(position), position, settings, device=stored.name) for position in range(1, count + 1)
    )


def _line(
    line: StoredLine | None, position: int, settings: Mapping[str, Composed], *, device: str
) -> LineConfig:
    if line is None or (line.kind is LineKind.EMPTY and position > 1):
        return LineConfig(position=position)
    # the device account (line 1) stays registered with nobody on it: emergency and hotdesk codes are dialled from it
    transport = settings["sip_transport"].value
    domain = settings["sip_domain"].value
    shared = line.shared
    is_sca = shared is not None and shared.is_sca
    name = shared.name if shared else line.user_name
    if not name and line.kind is LineKind.HOTDESK:
        name = device  # with nobody logged in the screen names the desk
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


def _settled(
    stored: StoredDevice, merged: Sequence[KeyConfig], settings: Mapping[str, Composed], shape: Shape
) -> tuple[tuple[KeyConfig, ...], list[str]]:
    """The keys as the phone shows them: automatic sets filled in, labels and codes there, what is gone left out."""
    own_keys = shape.keys if shape.sure_keys is None else shape.sure_keys
    filled, warnings = fill_runs(merged, stored.key_runs, own_keys=own_keys)
    keys, more = list(filled), list(warnings)
    for place, key in enumerate(filled):
        if key.type != "none":
            keys[place], warning = settle(key)
            keys[place] = _labelled(keys[place], settings)
            more += [warning] if warning else []
    return tuple(keys), more


def _labelled(key: KeyConfig, settings: Mapping[str, Composed]) -> KeyConfig:
    code = settings["pickup_code"].value if key.type in {"blf", "pickup"} else ""
    needs_label = not key.label and key.type != "none" and key.target
    if needs_label or (code and not key.pickup_code):
        return key.worded(label=key.label or key.target, pickup_code=key.pickup_code or code)
    return key


def _warnings(stored: StoredDevice, shape: Shape, left_over: Sequence[KeyConfig]) -> tuple[str, ...]:
    warnings = [
        f"Line {line.position} has no place: this model has {shape.lines}."
        for line in stored.lines
        if line.position > shape.lines
    ]
    warnings += [
        f"{place_name(key)} ({key.label or key.type}) has no place on this model."
        for key in left_over
        if key.type != "none"
    ]
    return tuple(warnings)
