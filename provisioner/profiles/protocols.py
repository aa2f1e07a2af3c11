"""What the engine asks of its input: shapes only, so that no sibling room has to be imported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class ComposedLike(Protocol):
    """One setting's value and where it came from (`origin.scope` "default" when nobody chose it)."""

    @property
    def value(self) -> Any: ...
    @property
    def origin(self) -> Any: ...


class LineLike(Protocol):
    """One line slot; an inactive one is rendered explicitly off and blank."""

    @property
    def position(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def is_active(self) -> bool: ...
    @property
    def extension(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def display_name(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def auth_user(self) -> str: ...
    @property
    def appearances(self) -> int: ...
    @property
    def is_barge_in(self) -> bool: ...
    @property
    def is_private_hold(self) -> bool: ...
    @property
    def password(self) -> str: ...
    @property
    def domain(self) -> str: ...
    @property
    def registrar(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def transport(self) -> str: ...
    @property
    def outbound_proxy(self) -> str: ...
    @property
    def outbound_proxy_port(self) -> int: ...


class KeyLike(Protocol):
    """One function key: `module` 0 is the phone itself, `slot` counts from 1."""

    @property
    def slot(self) -> int: ...
    @property
    def module(self) -> int: ...
    @property
    def type(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def pickup_code(self) -> str: ...


class DialRuleLike(Protocol):
    """A kind of number: `prefix`, one of `choices` (if any), `digits` more; `mask` is the same as RFC 3435 writes it."""

    @property
    def prefix(self) -> str: ...
    @property
    def choices(self) -> str: ...
    @property
    def digits(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def is_final(self) -> bool: ...
    @property
    def mask(self) -> str: ...


class ServerLike(Protocol):
    """Addresses of this server, absolute, without a slash at the end."""

    @property
    def https_url(self) -> str: ...
    @property
    def http_url(self) -> str: ...
    @property
    def action_url(self) -> str: ...
    @property
    def ca_url(self) -> str: ...
    @property
    def screen_url(self) -> str: ...


class PhoneConfigLike(Protocol):
    """Everything one phone gets. `time` is the yearly rule of its zone, visible to expressions."""

    @property
    def mac(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def firmware(self) -> str: ...
    @property
    def username(self) -> str: ...
    @property
    def password(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def server(self) -> ServerLike: ...
    @property
    def settings(self) -> Mapping[str, ComposedLike]: ...
    @property
    def lines(self) -> Sequence[LineLike]: ...
    @property
    def keys(self) -> Sequence[KeyLike]: ...
    @property
    def dial_plan(self) -> Sequence[DialRuleLike]: ...
    @property
    def time(self) -> Any: ...


class SettingLike(Protocol):
    """What the settings catalogue says of one setting; the check makes sample values of it."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def choices(self) -> Sequence[str]: ...
    @property
    def default(self) -> Any: ...
    @property
    def minimum(self) -> int | None: ...
    @property
    def maximum(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class BootstrapServer:
    """The addresses a public file may name."""

    https_url: str
    http_url: str = ""
    ca_url: str = ""


@dataclass(frozen=True, slots=True)
class BootstrapFacts:
    """Everything a public file may say: the allow-list. `base` is where this server's files start (…/p)."""

    server: BootstrapServer
    base: str
    mac: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class EmptyLine:
    """A line slot that nobody filled: rendered off and blank."""

    position: int
    kind: str = "empty"
    is_active: bool = False
    extension: str = ""
    label: str = ""
    display_name: str = ""
    account: str = ""
    password: str = ""
    domain: str = ""
    registrar: str = ""
    port: int = 0
    transport: str = "udp"
    outbound_proxy: str = ""
    outbound_proxy_port: int = 0
    auth_user: str = ""
    appearances: int = 0
    is_barge_in: bool = False
    is_private_hold: bool = False


@dataclass(frozen=True, slots=True)
class EmptyKey:
    """A key slot that nobody filled: rendered as type "none", so that an old key disappears."""

    slot: int
    module: int = 0
    type: str = "none"
    target: str = ""
    label: str = ""
    line: int = 1
    pickup_code: str = ""
    origin: str = "default"
