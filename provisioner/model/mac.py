"""The MAC address as a value: parsed once at the edge, never a bare string inside."""

import re
from dataclasses import dataclass

from provisioner.errors import InvalidMac

_SEPARATORS = str.maketrans("", "", ":-. \t")
_TWELVE = re.compile(r"[0-9A-F]{12}")


@dataclass(frozen=True, slots=True, order=True)
class Mac:
    """Six bytes, canonically twelve upper-case hexadecimal digits."""

    digits: str

    @classmethod
    def parse(cls, text: str) -> "Mac":
        """Read any usual spelling (any case; colons, dashes, dots, blanks or none); raises InvalidMac saying what is wrong."""
        digits = text.strip().translate(_SEPARATORS).upper()
        if _TWELVE.fullmatch(digits):
            return cls._checked(digits)
        if not digits:
            raise InvalidMac(
                "The MAC address is empty. It is printed on the phone's label: 12 digits such as 00:04:13:AA:BB:CC.",
                field="mac",
            )
        wrong = sorted({character for character in digits if character not in "0123456789ABCDEF"})
        if wrong:
            shown = ", ".join(f"“{character}”" for character in wrong[:5])
            raise InvalidMac(
                f"A MAC address has only the digits 0–9 and A–F; this one has {shown}.{_hint(wrong)}",
                field="mac",
            )
        raise InvalidMac(f"A MAC address has exactly 12 digits; this one has {len(digits)}.", field="mac")

    @classmethod
    def _checked(cls, digits: str) -> "Mac":
        if digits in {"000000000000", "FFFFFFFFFFFF"}:
            raise InvalidMac("This is not the address of a phone: it is all zeros or all Fs.", field="mac")
        if int(digits[1], 16) & 1:
            raise InvalidMac(
                "This is a group address, which no phone has; please compare it with the label.", field="mac"
            )
        return cls(digits)

    @property
    def pretty(self) -> str:
        """As people read it: 00:04:13:AA:BB:CC."""
        return ":".join(self.digits[index : index + 2] for index in range(0, 12, 2))

    def __str__(self) -> str:
        return self.digits


def _hint(wrong: list[str]) -> str:
    if "O" in wrong:
        return " Perhaps the letter O stands where a zero should."
    if {"I", "L"} & set(wrong):
        return " Perhaps a letter stands where a one should."
    return ""
