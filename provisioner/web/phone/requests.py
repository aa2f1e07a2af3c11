"""The typed request of a phone: parsed once from the raw target, remembered because phones ask for the same things."""

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl

from provisioner.profiles.loader import Profiles
from provisioner.profiles.matching import FileMatch

LONGEST_TARGET = 1_024
REMEMBERED = 50_000
_SCREEN: Final = re.compile(
    r"/x/(?:t/(?P<token>[^/]{1,64})/)?(?P<mac>[0-9A-Fa-f]{12})/(?P<page>hotdesk|login|logout|here)"
    r"(?P<arguments>(?:/[A-Za-z0-9_-]{1,32}){0,2})"
)
_DIGITS: Final = re.compile("[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class FileRequest:
    """A path under /p. `token` is the path's token; `matches` are the rules that fit, the first of each vendor."""

    matches: tuple[FileMatch, ...]
    token: str | None = field(repr=False)
    name: str
    """The path without the token, for the log."""
    mac: str | None = field(init=False)
    """The address of the device that is asked about, twelve digits."""

    def __post_init__(self) -> None:
        mac = next((match.mac for match in self.matches if match.mac and match.file.role == "device"), None)
        object.__setattr__(self, "mac", mac)

    def match_of(self, profile: str) -> FileMatch | None:
        """The rule of one vendor; None when its phones have no such file."""
        for match in self.matches:
            if match.profile.id == profile:
                return match
        return None

    @property
    def public(self) -> FileMatch | None:
        """A file without secrets; None when a vendor's phones get a file of their own under this path."""
        return None if self.mac else next(iter(self.matches), None)


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """A path under /a: an action URL."""

    token: str = field(repr=False)
    event: str


@dataclass(frozen=True, slots=True)
class ScreenRequest:
    """A path under /x: a page for a phone's screen. What was typed is in `typed`, a PIN too: it is not for any log."""

    mac: str
    """Twelve digits, upper case."""
    page: str
    token: str | None = field(default=None, repr=False)
    arguments: tuple[str, ...] = field(default=(), repr=False)
    typed: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """The path without token, tickets and query, for the log."""
        return f"/x/{self.mac}/{self.page}"

    def answer(self, name: str) -> str:
        """The digits typed for a question; "" when there are none, or something else."""
        typed = self.typed.get(name, "").strip().removesuffix("#")
        return typed if _DIGITS.fullmatch(typed) else ""


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """The own CA certificate, which is public."""


PhoneRequest = FileRequest | ActionRequest | ScreenRequest | CertificateRequest


class RequestParser:
    """Parses targets; the newest are kept (bounded), so that a phone's usual path costs one look-up."""

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles
        self._known: OrderedDict[str, PhoneRequest] = OrderedDict()

    def parse(self, target: str) -> PhoneRequest | None:
        """The request behind a raw target (path and query, percent-encoded); None when there is nothing like it."""
        try:
            return self._known[target]
        except KeyError:
            pass
        request = self._parse(target) if len(target) <= LONGEST_TARGET else None
        if isinstance(request, FileRequest) and request.matches:  # what leads nowhere is not worth memory
            self._known[target] = request
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return request

    def _parse(self, target: str) -> PhoneRequest | None:
        path, _, query = target.partition("?")
        if path == "/ca.pem":
            return CertificateRequest()
        if path.startswith("/a/"):
            token, _, event = path[3:].partition("/")
            return ActionRequest(token=token, event=event)
        if path.startswith("/x/"):
            return _screen(path, query)
        if not path.startswith("/p/"):
            return None
        rest, token = path[3:], ""
        if rest.startswith("t/"):
            token, _, rest = rest[2:].partition("/")
        arguments = dict(parse_qsl(query, max_num_fields=20)) if query.count("&") < 20 else {}
        first: dict[str, FileMatch] = {}
        for match in self._profiles.matches(rest, arguments):
            first.setdefault(match.profile.id, match)
        return FileRequest(matches=tuple(first.values()), token=token or None, name=f"/p/{rest}"[:200])


def _screen(path: str, query: str) -> ScreenRequest | None:
    found = _SCREEN.fullmatch(path)
    if found is None:
        return None
    typed = dict(parse_qsl(query, max_num_fields=8)) if query.count("&") < 8 else {}
    arguments = tuple(found["arguments"].split("/")[1:])
    return ScreenRequest(
        mac=found["mac"].upper(),
        page=found["page"],
        token=found["token"],
        arguments=arguments,
        typed=typed,
    )
