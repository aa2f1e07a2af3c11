"""SIP messages (RFC 3261 §7, §20, §25): bytes in, values out, and back. No socket, no state.

Tolerant where phones are sloppy (bare LF, compact and oddly cased header names, folded lines, no blank line after the
headers), strict where a stranger could profit: everything has a limit, control characters are refused in both directions.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import quote, unquote

from provisioner.errors import BadInput

MAX_MESSAGE = 65_535  # bytes: what one UDP datagram can carry
MAX_HEADERS = 128
MAX_LINE = 8_192
BRANCH_COOKIE = "z9hG4bK"  # RFC 3261 §8.1.1.7

_USER_SAFE = "-_.!~*'()&=+$,;?/"  # RFC 3261 §25.1: unreserved and user-unreserved
_COMPACT = {
    "b": "Referred-By",
    "c": "Content-Type",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
}
_REQUEST_LINE = re.compile(r"([A-Za-z0-9.!%*_+`'~-]{1,32}) +(\S{1,2048}) +SIP/2\.0", re.IGNORECASE | re.ASCII)
_STATUS_LINE = re.compile(r"SIP/2\.0 +([1-6][0-9]{2})(?: (.*))?", re.IGNORECASE | re.ASCII)
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_LINE_END = re.compile(r"\r?\n")
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]{1,64}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_CSEQ = re.compile(r"([0-9]{1,10})[ \t]+([A-Za-z0-9.!%*_+`'~-]{1,32})", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)
_VIA = re.compile(
    r"SIP\s*/\s*2\.0\s*/\s*([A-Za-z]{1,16})\s+(\[[0-9A-Fa-f:.]+\]|[^\s:;,\[\]]+)(?:\s*:\s*([0-9]{1,5}))?\s*(;.*)?",
    re.IGNORECASE | re.ASCII,
)
_URI = re.compile(
    r"(sips?):(?:([^@\s]*)@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,255})(?::([0-9]{1,5}))?((?:;[^?\s]*)?)(?:\?\S*)?",
    re.IGNORECASE | re.ASCII,
)


class SipParseError(BadInput):
    """The bytes or the text are no SIP that we can use."""

    title = "This is not a usable SIP message"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Headers in order (names as sent, compact ones written out) and the body."""

    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def get(self, name: str) -> str | None:
        """The first value of the header `name`, or None."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def all(self, name: str) -> list[str]:
        """Every value of the header `name`, one for each header line."""
        wanted = name.lower()
        return [value for key, value in self.headers if key.lower() == wanted]

    def values(self, name: str) -> list[str]:
        """Like `all`, with lists taken apart at their commas. Not for challenges, whose commas mean something else."""
        return [part for value in self.all(name) for part in split_outside(value, ",") if part]

    def number(self, name: str) -> int | None:
        """The header as a whole number; None when absent or not a number."""
        return _number(self.get(name))

    def with_headers(self, *headers: tuple[str, str]) -> Self:
        """The same message with headers of these names replaced by `headers`, which come last."""
        names = {name.lower() for name, _ in headers}
        kept = tuple(pair for pair in self.headers if pair[0].lower() not in names)
        return replace(self, headers=kept + headers)

    @property
    def call_id(self) -> str:
        return self.get("Call-ID") or ""

    @property
    def cseq(self) -> int:
        """The sequence number; 0 when the message has none."""
        found = _CSEQ.fullmatch(self.get("CSeq") or "")
        return int(found[1]) if found else 0

    @property
    def cseq_method(self) -> str:
        found = _CSEQ.fullmatch(self.get("CSeq") or "")
        return found[2].upper() if found else ""

    @property
    def branch(self) -> str:
        """The branch of the topmost Via: what names the transaction. "" when there is none."""
        vias = self.values("Via")
        try:
            return parse_via(vias[0]).params.get("branch", "") if vias else ""
        except SipParseError:
            return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Message):
    method: str
    uri: str

    def to_bytes(self) -> bytes:
        """The message on the wire; SipParseError when a part could break out of its line."""
        return _serialise(f"{self.method} {self.uri} SIP/2.0", self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response(Message):
    status: int
    reason: str = ""

    def to_bytes(self) -> bytes:
        """The message on the wire; SipParseError when a part could break out of its line."""
        return _serialise(f"SIP/2.0 {self.status} {self.reason}", self)


@dataclass(frozen=True, slots=True)
class Via:
    transport: str
    host: str
    port: int | None
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SipUri:
    """A sip or sips URI; `user` is decoded, "" when there is none; parameters in lower-case names."""

    scheme: str
    user: str
    host: str
    port: int | None
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NameAddr:
    """The value of From, To, Contact, Route: an address and the header parameters behind it."""

    uri: str
    params: Mapping[str, str]


def parse(data: bytes) -> Request | Response:
    """One whole message from one datagram. Raises SipParseError, and nothing else, on anything that is not SIP."""
    if len(data) > MAX_MESSAGE:
        raise SipParseError("The message is longer than a datagram can be")
    data = data.lstrip(b"\r\n")  # RFC 3261 §7.5
    blank = _BLANK_LINE.search(data)
    head, body = (data[: blank.start()], data[blank.end() :]) if blank else (data, b"")
    start, *lines = _LINE_END.split(head.decode("utf-8", errors="replace").rstrip("\r\n"))
    if _CONTROL.search(start):
        raise SipParseError("The first line holds a control character")
    headers = _headers(lines)
    message: Request | Response
    if found := _STATUS_LINE.fullmatch(start):
        message = Response(status=int(found[1]), reason=found[2] or "", headers=headers, body=body)
    elif found := _REQUEST_LINE.fullmatch(start):
        message = Request(method=found[1].upper(), uri=found[2], headers=headers, body=body)
    else:
        raise SipParseError("The first line is neither a SIP request nor a SIP status line")
    _check(message)
    return _cut_body(message)


def parse_uri(text: str) -> SipUri:
    """A SIP address such as `sip:101@pbx.example.net:5060;transport=tcp`; raises SipParseError."""
    found = _URI.fullmatch(text.strip())
    if not found or len(text) > MAX_LINE:
        raise SipParseError("This is not a SIP address")
    port = int(found[4]) if found[4] else None
    if port is not None and not 0 < port < 65_536:
        raise SipParseError("The port of the SIP address is out of range")
    user = unquote((found[2] or "").partition(":")[0], errors="replace")
    return SipUri(found[1].lower(), user, found[3].lower(), port, _params(found[5]))


def parse_name_addr(text: str) -> NameAddr:
    """An address with or without angle brackets and display name (RFC 3261 §20.10); raises SipParseError."""
    pieces = split_outside(text, "<")
    if len(pieces) == 1:
        uri, _, rest = text.partition(";")
        return _name_addr(uri, rest)
    uri, closing, rest = pieces[1].partition(">")
    if len(pieces) > 2 or not closing:
        raise SipParseError("The address has unmatched angle brackets")
    return _name_addr(uri, rest)


def parse_via(text: str) -> Via:
    """One Via value; raises SipParseError."""
    found = _VIA.fullmatch(text.strip())
    if not found:
        raise SipParseError("The Via header cannot be understood")
    return Via(found[1].upper(), found[2], int(found[3]) if found[3] else None, _params(found[4] or ""))


def parse_params(text: str) -> tuple[str, dict[str, str]]:
    """`value;name=value;flag` as the value and its parameters (names in lower case, flags with "")."""
    value, _, rest = text.partition(";")
    return value.strip(), _params(rest)


def split_outside(text: str, separator: str) -> list[str]:
    """Split at a one-character `separator` that stands outside of quotes and angle brackets; parts are stripped."""
    if separator not in text or not ('"' in text or "<" in text):
        return [part.strip() for part in text.split(separator)]
    parts, current, quoted, depth, escaped = [], [""], False, 0, False
    for char in text:
        if char == separator and not quoted and not depth:
            parts.append("".join(current).strip())
            current = []
            continue
        current.append(char)
        if escaped:
            escaped = False
        elif char == "\\" and quoted:
            escaped = True
        elif char == '"' and not depth:
            quoted = not quoted
        elif not quoted:
            depth = max(0, depth + (char == "<") - (char == ">"))
    return [*parts, "".join(current).strip()]


def sip_uri(user: str, host: str, *, port: int | None = None) -> str:
    """Write a SIP address; characters that the user part may not hold are percent-encoded (RFC 3261 §25.1)."""
    place = f"{host}:{port}" if port else host
    return f"sip:{quote(user, safe=_USER_SAFE)}@{place}" if user else f"sip:{place}"


def reply(
    request: Request,
    status: int,
    reason: str,
    *,
    to_tag: str = "",
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
) -> Response:
    """The answer to `request` with the headers that RFC 3261 §8.2.6.2 wants copied; `to_tag` is added if To has none."""
    to = request.get("To") or ""
    if to_tag and "tag" not in parse_name_addr(to).params:
        to = f"{to};tag={to_tag}"
    copied = [
        *(("Via", via) for via in request.all("Via")),
        *(("Record-Route", route) for route in request.all("Record-Route")),
        ("From", request.get("From") or ""),
        ("To", to),
        ("Call-ID", request.call_id),
        ("CSeq", request.get("CSeq") or ""),
    ]
    return Response(status=status, reason=reason, headers=(*copied, *headers), body=body)


def _headers(lines: list[str]) -> tuple[tuple[str, str], ...]:
    headers: list[tuple[str, str]] = []
    for line in lines:
        if len(line) > MAX_LINE or len(headers) >= MAX_HEADERS:
            raise SipParseError("The message has too many or too long headers")
        if line[:1] in (" ", "\t") and headers:
            name, value = headers[-1]
            headers[-1] = (name, f"{value} {line.strip()}"[:MAX_LINE])
            continue
        name, colon, value = line.partition(":")
        name = name.strip()
        if not colon or not _TOKEN.fullmatch(name) or _CONTROL.search(value):
            raise SipParseError("A header line cannot be understood")
        headers.append((_COMPACT.get(name.lower(), name), value.strip()))
    return tuple(headers)


def _check(message: Request | Response) -> None:
    """What every message must carry (RFC 3261 §8.1.1), so that nobody above has to ask again."""
    missing = [name for name in ("Via", "From", "To", "Call-ID", "CSeq") if not message.get(name)]
    if missing:
        raise SipParseError(f"The message lacks {', '.join(missing)}")
    if not message.cseq_method:
        raise SipParseError("The CSeq header cannot be understood")
    if isinstance(message, Request) and message.cseq_method != message.method:
        raise SipParseError("The CSeq header names another method than the request line")
    parse_via(message.values("Via")[0] if message.values("Via") else "")
    for name in ("From", "To"):
        parse_name_addr(message.get(name) or "")


def _cut_body(message: Request | Response) -> Request | Response:
    length = message.get("Content-Length")
    if length is None:
        return message
    size = _number(length)
    if size is None or size > len(message.body):
        raise SipParseError("The body is shorter than Content-Length says")
    return replace(message, body=message.body[:size])


def _serialise(start: str, message: Message) -> bytes:
    lines = [
        start,
        *(f"{name}: {value}" for name, value in message.headers if name.lower() != "content-length"),
    ]
    lines.append(f"Content-Length: {len(message.body)}")
    if any(_CONTROL.search(line) for line in lines):
        raise SipParseError("A header would hold a control character")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", errors="replace") + message.body


def _name_addr(uri: str, rest: str) -> NameAddr:
    uri = uri.strip()
    if not uri or any(char.isspace() or char in "<>" for char in uri):
        raise SipParseError("The address cannot be understood")
    return NameAddr(uri, _params(rest))


def _params(text: str) -> dict[str, str]:
    params: dict[str, str] = {}
    for part in split_outside(text, ";"):
        name, _, value = part.partition("=")
        if name.strip():
            params.setdefault(name.strip().lower(), unquoted(value.strip()))
    return params


def unquoted(text: str) -> str:
    """A quoted string without its quotes and backslashes (RFC 3261 §25.1); other text as it is."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and _NUMBER.fullmatch(text.strip()) else None
