"""Internal numbers: two to four digits, unique in the tenant (R5.1); and numbers of the public network."""

import re

from provisioner.errors import BadInput

_EXTENSION = re.compile(r"[0-9]{2,4}")
_PUBLIC = re.compile(r"\+?[0-9]{3,31}")
_SHORTEST_OUTSIDE = 5


def parse_extension(text: str) -> str:
    """Give the digits back; raises BadInput that says what is wrong."""
    digits = text.strip()
    if _EXTENSION.fullmatch(digits):
        return digits
    raise BadInput(f"An extension has 2, 3 or 4 digits; “{digits[:12]}” does not.", field="extension")


def parse_public_number(text: str, *, field: str = "number") -> str:
    """A number of the tenant in the public network, without blanks and signs; BadInput."""
    digits = re.sub(r"[ ()/.-]", "", text)
    if _PUBLIC.fullmatch(digits):
        return digits
    raise BadInput(f"“{text[:40]}” is not a public number; write it like +31201234567.", field=field)


def parse_outside_number(text: str, *, field: str = "number") -> str:
    """A number that calls can be sent to, outside the tenant; BadInput. Four digits and less are internal numbers."""
    digits = parse_public_number(text, field=field)
    if len(digits.removeprefix("+")) < _SHORTEST_OUTSIDE:
        raise BadInput(
            f"An outside number has at least {_SHORTEST_OUTSIDE} digits; {digits} looks like an internal one.",
            field=field,
        )
    return digits
