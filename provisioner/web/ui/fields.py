"""Forms as values: a form has fields, a field knows its label, its value and what is wrong with it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

LARGEST_ID: Final = 2**31 - 1
"""What an integer column of PostgreSQL holds."""
Control = Literal["text", "password", "email", "number", "textarea", "select", "checkbox", "hidden"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a select."""

    value: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One input. `check` is an address that answers, as one types, whether the value will do."""

    name: str
    label: str
    id: str = ""
    """In place of the name, where a page has two inputs of one name."""
    control: Control = "text"
    value: str = ""
    choices: Sequence[Choice] = ()
    suggestions: Sequence[str] = ()
    """What a text input offers while one types; anything else may be typed too."""
    help: str = ""
    error: str = ""
    required: bool = False
    autocomplete: str = "off"
    inputmode: str = ""
    maxlength: int = 0
    placeholder: str = ""
    is_code: bool = False
    """Shown in a fixed-width font: addresses, numbers of hardware, user names."""
    check: str = ""
    check_with: str = ""
    """Names of further fields the check needs, as htmx's hx-include wants them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Fields with where they go. `error` is what is wrong with the whole."""

    action: str
    submit: str
    fields: Sequence[Field]
    cancel: str = ""
    error: str = ""
    is_danger: bool = False


def refilled(form: Form, posted: Mapping[str, str], faults: Mapping[str, str]) -> Form:
    """The form as it was sent, with its errors next to their fields. Passwords are never sent back."""
    fields = [_refilled(field, posted, faults) for field in form.fields]
    known = {field.name for field in form.fields}
    rest = " ".join(sentence for name, sentence in faults.items() if name not in known)
    return replace(form, fields=fields, error=rest)


def options(pairs: Iterable[tuple[object, str]], *, none: str | None = None) -> list[Choice]:
    """Choices for a select; `none` is the label of the empty one."""
    first = [] if none is None else [Choice("", none)]
    return first + [Choice(str(value), label) for value, label in pairs]


def chosen_id(text: str) -> int | None:
    """The id a select sent; None for the empty choice and for what is no id."""
    return int(text) if text.isdecimal() and len(text) < 16 and int(text) <= LARGEST_ID else None


def _refilled(field: Field, posted: Mapping[str, str], faults: Mapping[str, str]) -> Field:
    error = faults.get(field.name, "")
    if field.control == "password":
        return replace(field, error=error)
    if field.control == "checkbox":
        return replace(field, value="on" if posted.get(field.name) else "", error=error)
    return replace(field, value=posted.get(field.name, field.value), error=error)
