"""Reads what the check must know of the settings from the catalogue's TOML file, without asking its room."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A setting as the catalogue's TOML file says it."""

    name: str
    type: str
    default: Any
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None


def read_catalogue(path: Path) -> dict[str, CatalogueEntry]:
    """The settings of a catalogue file."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))["settings"]
    return {
        name: CatalogueEntry(
            name=name,
            type=entry["type"],
            default=entry["default"],
            choices=tuple(entry.get("choices", ())),
            minimum=entry.get("minimum"),
            maximum=entry.get("maximum"),
        )
        for name, entry in content.items()
        if entry.get("reach", "phone") == "phone"
    }
