"""What a line may call and how it presents itself: facts in, an identity out. Pure (R3.4, R5.2, R7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

EVERYWHERE, INTERNAL, EMERGENCY = "all", "internal", "emergency"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom a line stands for: a user or a shared line. `public_numbers` in a fixed order."""

    name: str
    extension: str = ""
    public_numbers: Sequence[str] = ()


def may_call(owner: Owner | None, *, main_number: str) -> str:
    """`all`, `internal`, or `emergency` (which always includes the hotdesk codes).

    Nobody on the line, and somebody with neither an extension nor a public number, can call emergency numbers only; without
    the company's main number there are no outside calls.
    """
    if owner is None or not (owner.extension or owner.public_numbers):
        return EMERGENCY
    return EVERYWHERE if main_number else INTERNAL


def caller_id(
    owner: Owner | None, *, source: str, main_number: str, company_name: str, is_hidden: bool
) -> Mapping[str, Any]:
    """Number and name shown outside; `source` company or personal. Somebody without a public number shows the company's."""
    if owner is not None and source == "personal" and owner.public_numbers:
        number, name = owner.public_numbers[0], owner.name
    else:
        number, name = (main_number, company_name) if owner is not None else ("", "")
    return {"number": number, "name": name, "is_hidden": is_hidden}


def internal_caller_id(owner: Owner | None) -> Mapping[str, str]:
    """Number and name shown to colleagues (R5.3)."""
    return (
        {"number": owner.extension, "name": owner.name} if owner is not None else {"number": "", "name": ""}
    )
