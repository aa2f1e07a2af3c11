"""The labels of a phone's keys, to be printed and put beside the keys: one strip for the phone, one for each module."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from provisioner.composition.key_types import KEY_KINDS
from provisioner.services.context import Actor, Context
from provisioner.services.keys.placed_keys import Capability, PlacedKey, placed_keys

CELL_WIDTH, CELL_HEIGHT = 55, 9
"""Millimetres of one label where the vendor's profile does not know the paper of its phones."""


@dataclass(frozen=True, slots=True)
class Label:
    """What stands beside one key."""

    slot: int
    text: str


@dataclass(frozen=True, slots=True)
class Strip:
    """The labels of the phone itself (module 0) or of one expansion module, in the order of its keys."""

    module: int
    labels: Sequence[Label]


@dataclass(frozen=True, slots=True)
class Strips:
    """All strips of one phone; `width` and `height` of a label in millimetres."""

    device: str
    model: str
    width: float
    height: float
    strips: Sequence[Strip]


async def label_strips(context: Context, actor: Actor, *, device_id: int) -> Strips:
    """The strips of a device. Modules on which no key is set are left out. NotFound; Unavailable."""
    placed = await placed_keys(context, actor, device_id=device_id)
    strips = []
    for module, keys in groupby(
        (key for key in placed.keys if key.capability is not Capability.NO_SLOT), key=lambda key: key.module
    ):
        labels = [Label(key.slot, _text(key)) for key in keys]
        if module == 0 or any(label.text for label in labels):
            strips.append(Strip(module, labels))
    width, height = _paper(context, placed.profile, placed.model)
    return Strips(placed.device_name, placed.model_label, width, height, strips)


def strip_page(strips: Strips) -> str:
    """A page that stands alone: HTML for A4, everything escaped, without scripts."""
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(strips.device)}</title>',
        f"<style>{_style(strips)}</style></head><body>",
        f"<h1>{escape(strips.device)} – {escape(strips.model)}</h1>",
    ]
    for strip in strips.strips:
        name = f"Expansion module {strip.module}" if strip.module else "Phone"
        cells = "".join(
            f"<li><b>{label.slot}</b> <span>{escape(label.text)}</span></li>" for label in strip.labels
        )
        parts.append(f"<section><h2>{name}</h2><ol>{cells}</ol></section>")
    return "\n".join([*parts, "</body></html>", ""])


def _text(key: PlacedKey) -> str:
    if key.type == "none" or key.capability is not Capability.OK:
        return ""
    return key.label or KEY_KINDS[key.type].label


def _paper(context: Context, profile: str, model: str) -> tuple[float, float]:
    """The size of one label: from the vendor's model table (extras strip_width, strip_height) where it is known."""
    extras = context.profiles.all[profile].models[model].extras
    width, height = extras.get("strip_width", CELL_WIDTH), extras.get("strip_height", CELL_HEIGHT)
    return float(width), float(height)


def _style(strips: Strips) -> str:
    return (
        "@page{size:A4;margin:12mm}body{font:9pt sans-serif;margin:0}h1{font-size:12pt}h2{font-size:10pt;margin:4mm 0 1mm}"
        "ol{list-style:none;margin:0;padding:0;display:flex;flex-wrap:wrap}section{break-inside:avoid}"
        f"li{{box-sizing:border-box;width:{strips.width:g}mm;height:{strips.height:g}mm;border:.2mm dashed #777;padding:1mm;"
        "overflow:hidden;white-space:nowrap;text-overflow:ellipsis}b{color:#777;font-weight:400}"
    )
