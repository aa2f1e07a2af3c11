"""Internal numbers: two to four digits, unique in the tenant (R5.1)."""

import re

from provisioner.errors import BadInput

_EXTENSION = re.compile(r"[0-9]{2,4}")


def parse_extension(text: str) -> str:
    """Give the digits back; raises BadInput that says what is wrong."""
    digits = text.strip()
    if _EXTENSION.fullmatch(digits):
        return digits
    raise BadInput(f"An extension has 2, 3 or 4 digits; “{digits[:12]}” does not.", field="extension")
