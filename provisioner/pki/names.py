"""Distinguished names as strings, and the MAC address in one of their fields.

A proxy hands on a subject either in RFC 2253 form (`CN=000413AABBCC,O=…`, the last part first) or in the older
slash form (`/C=DE/…/CN=000413AABBCC`). The MAC is one parsed field and never a piece of the text.
"""

import re

from cryptography import x509
from cryptography.x509.oid import NameOID

from provisioner.errors import InvalidMac
from provisioner.model.mac import Mac

Parts = tuple[tuple[str, str], ...]
"""(field in upper case, value) in the order of the text."""

_LONGEST = 4096  # a header that a stranger may fill
_SHORT = {
    NameOID.COMMON_NAME: "CN",
    NameOID.SERIAL_NUMBER: "SERIALNUMBER",
    NameOID.EMAIL_ADDRESS: "EMAILADDRESS",
    NameOID.USER_ID: "UID",
}
_ALIASES = {
    "COMMONNAME": "CN",
    "2.5.4.3": "CN",
    "2.5.4.5": "SERIALNUMBER",
    "EMAIL": "EMAILADDRESS",
    "E": "EMAILADDRESS",
}
_SLASH = re.compile(r"/(?=[A-Za-z][A-Za-z0-9.]*=)")
_TOKEN = re.compile(r'\\([0-9A-Fa-f]{2}|.)|"((?:[^"\\]|\\.)*)"|([,;+])|([^\\",;+]+)', re.DOTALL)
_MAC = re.compile(r"[0-9A-Fa-f]{12}")


def parse_name(text: str) -> Parts:
    """Split a distinguished name of either form; empty when it cannot be understood."""
    text = text.strip()
    if not text or len(text) > _LONGEST:
        return ()
    pieces = _SLASH.split(text)[1:] if text.startswith("/") else _split_rfc2253(text)
    parts = []
    for piece in pieces:
        field, equals, value = piece.partition("=")
        if not equals or not field.strip():
            return ()
        parts.append((field_name(field), value.strip()))
    return tuple(parts)


def parts_of(name: x509.Name) -> Parts:
    """The same of a parsed certificate; values that are not text are left out."""
    return tuple(
        (_SHORT.get(attribute.oid) or field_name(attribute.rfc4514_attribute_name), attribute.value)
        for attribute in name
        if isinstance(attribute.value, str)
    )


def field_name(field: str) -> str:
    """One spelling for each field, in upper case: CN for commonName too."""
    field = field.strip().upper().removeprefix("OID.")
    return _ALIASES.get(field, field)


def mac_in(parts: Parts, *, field: str = "CN") -> Mac | None:
    """The MAC address in `field`: exactly 12 digits when `:` and `-` are taken out, and only one such field.

    None for a certificate of a class of devices, which carries a name in that place.
    """
    values = [value for name, value in parts if name == field_name(field)]
    if len(values) != 1:
        return None
    digits = values[0].replace(":", "").replace("-", "")
    if not _MAC.fullmatch(digits):
        return None
    try:
        return Mac.parse(digits)
    except InvalidMac:  # all zeros, a group address
        return None


def _split_rfc2253(text: str) -> list[str]:
    pieces, position = [""], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:  # an open quotation mark, a backslash at the end
            return [""]
        escaped, quoted, separator, plain = match.groups()
        if separator:
            pieces.append("")
        elif escaped is not None:
            pieces[-1] += chr(int(escaped, 16)) if len(escaped) == 2 else escaped
        else:
            pieces[-1] += re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
        position = match.end()
    return pieces
