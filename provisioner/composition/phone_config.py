"""What one phone should be at this moment, in no vendor's words: the input of every vendor profile."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from provisioner.composition.time_rule import TimeRule


class LineKind(StrEnum):
    USER = "user"
    HOTDESK = "hotdesk"
    SHARED = "shared"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from: the scope ("default", "model", "tenant", "site", "user", "device") and its name."""

    scope: str
    label: str
    value: Any


@dataclass(frozen=True, slots=True)
class Composed:
    """One setting's value, the scope that won, and what it shadowed (strongest first)."""

    name: str
    value: Any
    origin: Origin
    shadowed: tuple[Origin, ...] = ()


@dataclass(frozen=True, slots=True)
class LineConfig:
    """One line slot (position 1…n). `is_active` false: the slot must be rendered explicitly off and blank."""

    position: int
    kind: LineKind = LineKind.EMPTY
    is_active: bool = False
    extension: str = ""
    label: str = ""
    display_name: str = ""
    account: str = ""  # SIP user name: the address of record that the phone registers
    auth_user: str = (
        ""  # digest user; the account itself but on a shared line, where each device proves itself
    )
    password: str = field(default="", repr=False)
    domain: str = ""  # SIP domain, also the digest realm
    registrar: str = ""  # host
    port: int = 0
    transport: str = "udp"  # udp | tcp | tls
    outbound_proxy: str = ""
    outbound_proxy_port: int = 0
    appearances: int = 0  # of a shared line (BroadSoft-style shared call appearances); 0: not shared
    is_barge_in: bool = False
    is_private_hold: bool = False


@dataclass(frozen=True, slots=True)
class DialRule:
    """One kind of number that a phone need not wait with: `prefix`, then one of `choices` (if any), then `digits` digits.

    `prefix` is literal (digits, * and #). `kind` says what it is: emergency, group_pickup, pickup, internal, hotdesk.
    `is_final`: complete with its last digit, so it is dialled at once. Otherwise digits and * may follow, and # ends it.
    """

    prefix: str
    choices: str = ""
    digits: int = 0
    kind: str = "internal"
    is_final: bool = True

    @property
    def mask(self) -> str:
        """The rule as a digit string of RFC 3435: `[23]xx`, `*8[23]xx`, `112`."""
        return self.prefix + (f"[{self.choices}]" if self.choices else "") + "x" * self.digits


@dataclass(frozen=True, slots=True)
class KeyConfig:
    """One function key slot (1…n on the phone itself; module 1…m for expansion modules, 0 = the phone).

    `type` is a neutral key type of `composition.key_types`: none, line, shared_line, speed_dial, blf, pickup,
    group_pickup, park, retrieve, voicemail, dnd, forward_always, forward_busy, forward_no_answer, intercom, dtmf,
    prefix, transfer_blind, transfer_attended, conference, hold, redial, directory, url, xml, hotdesk, hotdesk_switch,
    multicast, record. A key that points at a user or an internal number has its id; composed keys have the digits too.
    """

    slot: int
    module: int = 0
    type: str = "none"
    target: str = ""
    label: str = ""
    line: int = 1
    pickup_code: str = ""
    origin: str = "default"
    origin_label: str = ""
    """Name of the scope it comes from, as people know it."""
    user_id: int | None = None
    number_id: int | None = None
    is_gone: bool = False
    """It pointed at a user or number that is no longer there."""
    range_id: int | None = None
    """The automatic set that it belongs to."""
    shadowed: tuple["KeyConfig", ...] = ()
    """What weaker scopes have in the same slot, strongest first."""

    def worded(self, *, label: str, pickup_code: str) -> "KeyConfig":
        """The same key with these words. `replace` costs three times as much, and every phone has dozens of keys."""
        return KeyConfig(
            self.slot, self.module, self.type, self.target, label, self.line, pickup_code, self.origin, self.origin_label,
            self.user_id, self.number_id, self.is_gone, self.range_id, self.shadowed,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a phone must know about this server. Addresses are absolute and end without a slash."""

    https_url: str  # https://prov.example.net:8443
    http_url: str  # http://prov.example.net:8080 ("" when switched off)
    action_url: str = field(
        default="", repr=False
    )  # https://…/a/<unguessable> ("" when the profile does not need it)
    ca_url: str = ""  # where the own CA certificate can be fetched
    screen_url: str = field(
        default="", repr=False
    )  # hotdesk pages for this phone's screen; under a token policy with it


@dataclass(frozen=True, slots=True)
class PhoneConfig:
    """Everything one phone gets. Settings are looked up by catalogue name; lines and keys fill every slot."""

    mac: str  # 12 upper-case hexadecimal digits
    name: str
    profile: str
    model: str
    firmware: str  # "" when the phone was never seen
    username: str  # device configuration credentials, for this server
    password: str = field(repr=False)
    path: str = field(repr=False)  # "/p" or "/p/t/<token>": the folder that the phone fetches from
    server: ServerFacts
    settings: Mapping[str, Composed] = field(repr=False)
    lines: tuple[LineConfig, ...]
    time: TimeRule
    keys: tuple[KeyConfig, ...] = ()
    unplaced_keys: tuple[KeyConfig, ...] = ()
    """Keys of slots that this model does not have."""
    dial_plan: tuple[DialRule, ...] = ()
    warnings: tuple[str, ...] = field(default=())

    def value(self, name: str) -> Any:
        """The composed value of the setting `name`; KeyError when the catalogue has no such setting."""
        return self.settings[name].value
