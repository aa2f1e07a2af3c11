"""Phones of the profile "generic": composed as the product does it, rendered from the real folder."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from provisioner.composition.assemble import Shape, StoredDevice, StoredLine, assemble
from provisioner.composition.catalogue import load_catalogue
from provisioner.composition.compose import Layer
from provisioner.composition.phone_config import LineKind, PhoneConfig, ServerFacts
from provisioner.profiles.loader import Profiles, load_profiles
from provisioner.profiles.rendering import Renderer
from provisioner.profiles.sheet import Sheet, load_sheet

FOLDER = Path(__file__).parents[2] / "vendor_profiles"
MAC = "020000001001"


@cache
def profiles() -> Profiles:
    """All installed profiles."""
    return load_profiles(FOLDER, settings=load_catalogue().phone_settings)


@cache
def renderer() -> Renderer:
    return Renderer(profiles().all["generic"])


@cache
def sheet() -> Sheet:
    found = load_sheet(renderer())
    assert found is not None
    return found


def account(position: int = 1, *, user: str = "", password: str = "", name: str = "Dave D.") -> StoredLine:
    """A line that stands for the user on extension 200 + position."""
    return StoredLine(
        position,
        LineKind.USER,
        user or f"dev-{position}",
        password or f"Sip-Secret-{position}",
        name,
        f"{200 + position}",
    )


def phone(
    model: str = "Linphone",
    *,
    lines: Sequence[StoredLine] = (account(),),
    settings: Mapping[str, Any] | None = None,
) -> PhoneConfig:
    """A device with these lines; `settings` are set for the device itself. No lines: nobody, on no account."""
    shape = renderer().profile.models[model]
    return assemble(
        load_catalogue(),
        StoredDevice(
            mac=MAC,
            name="Desk",
            profile="generic",
            model=model,
            firmware="",
            username="desk-1",
            password="Conf-Secret-1",
            path="/p",
            admin_password="Admin-Secret-1",
            admin_pin="4711",
            lines=lines,
            layers=[Layer("device", "Desk", {"sip_domain": "pbx.example.net", **(settings or {})})],
        ),
        shape=Shape(shape.lines, shape.keys),
        server=ServerFacts("https://prov.example.net:8443", ""),
        today=date(2026, 11, 22),
    )


def body(file: str, config: PhoneConfig) -> bytes:
    """The file with this id, as the phone gets it."""
    return renderer().render(renderer().profile.file(file), config).body
