"""A phone of this vendor as composition would give it, its rendered file, and the file read back."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from provisioner.composition.assemble import Shape, StoredDevice, StoredLine, assemble
from provisioner.composition.catalogue import load_catalogue
from provisioner.composition.compose import KeyLayer, Layer
from provisioner.composition.phone_config import KeyConfig, LineKind, PhoneConfig, ServerFacts
from provisioner.profiles.loader import Profiles, load_profiles
from provisioner.profiles.manifest import Profile
from provisioner.profiles.rendering import Rendered, Renderer

FOLDER = Path(__file__).parents[2] / "vendor_profiles"
TODAY = date(2026, 11, 22)
MAC = "001565AABBCC"
SECRETS = ("Sip-Secret-1", "Conf-Secret-1", "Admin-Secret-1", "a-secret-path")
SERVER = ServerFacts(
    https_url="https://prov.example.net:8443",
    http_url="http://prov.example.net:8080",
    action_url="https://prov.example.net:8443/a/a-secret-path",
    ca_url="http://prov.example.net:8080/p/ca.crt",
)
Values = Mapping[str, list[str]]


@cache
def profiles() -> Profiles:
    return load_profiles(FOLDER, settings=load_catalogue().phone_settings)


@cache
def profile() -> Profile:
    return profiles().all["yealink"]


@cache
def renderer() -> Renderer:
    return Renderer(profile())


def phone(
    model: str,
    *,
    firmware: str = "66.86.0.15",
    settings: Mapping[str, Any] | None = None,
    keys: Sequence[KeyConfig] = (),
    lines: Sequence[StoredLine] | None = None,
) -> PhoneConfig:
    shape = profile().models[model]
    values = {"sip_domain": "sip.example.net", **(settings or {})}
    return assemble(
        load_catalogue(),
        StoredDevice(
            mac=MAC,
            name="desk",
            profile="yealink",
            model=model,
            firmware=firmware,
            username="desk-1",
            password="Conf-Secret-1",
            path="/p",
            admin_password="Admin-Secret-1",
            admin_pin="4711",
            lines=[StoredLine(1, LineKind.USER, "d1001", "Sip-Secret-1", "Ann", "201")]
            if lines is None
            else lines,
            layers=[Layer("device", "desk", values)],
            key_layers=[KeyLayer("device", keys)],
        ),
        shape=Shape(
            max(shape.lines, 1), max(shape.keys, shape.keys_accepted), shape.modules, shape.module_keys
        ),
        server=SERVER,
        today=TODAY,
    )


def render(model: str, **facts: Any) -> Rendered:
    return renderer().render(profile().file("device"), phone(model, **facts))


def read(body: bytes) -> Values:
    """Every name with its values, in the order of the file."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in body.decode().split("\n"):
        if line and not line.startswith("#"):
            name, sign, value = line.partition(" = ")
            assert sign, line
            found[name].append(value)
    return found


def values(model: str, **facts: Any) -> Values:
    return read(render(model, **facts).body)


def one(found: Values, name: str) -> str:
    assert len(found[name]) == 1, (name, found[name])
    return found[name][0]
