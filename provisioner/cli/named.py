"""Things of a tenant that people call by a name."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from provisioner.errors import NotFound


class Named(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


def by_name(rows: Sequence[T], name: str, *, noun: str) -> T:
    """The row with this name in any case; NotFound names those there are."""
    for row in rows:
        if row.name.casefold() == name.strip().casefold():
            return row
    names = ", ".join(row.name for row in rows) or "none"
    raise NotFound(f"There is no {noun} “{name}”; there are: {names}.")
