"""What a phone would get now, with every secret left out; and the sheet for phones that are set up by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import ClassVar, Final

from aiohttp import web

from provisioner.composition.catalogue import Catalogue
from provisioner.composition.phone_config import PhoneConfig
from provisioner.errors import NotFound, ProvisionerError
from provisioner.model import Device
from provisioner.profiles.manifest import FileRule
from provisioner.profiles.sheet import SheetEntry, load_sheet
from provisioner.services.files.phone_files import compose_device, render
from provisioner.services.files.previews import without_token
from provisioner.web.ui.pages.device import find_device
from provisioner.web.ui.visit import Page, Visit

HIDDEN: Final = "hidden"
"""Stands where a secret would; plain letters, because every vendor's format takes them."""


@dataclass(frozen=True, slots=True)
class ShownFile:
    rule: FileRule
    body: str
    warnings: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesPage(Page):
    template: ClassVar[str] = "files.html"
    device: Device
    files: Sequence[ShownFile]
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetPage(Page):
    template: ClassVar[str] = "sheet.html"
    device: Device
    accounts: Sequence[tuple[int, Sequence[SheetEntry]]]
    """Account by account, then, with the number 0, what belongs to the phone as a whole."""
    nobody: str
    copies: Sequence[SheetEntry]
    advice: Sequence[str]


async def show_files(visit: Visit) -> web.StreamResponse:
    """The files are rendered from a configuration without secrets: nothing has to be found and blanked afterwards."""
    device = await find_device(visit)
    config = without_secrets(
        await compose_device(visit.context, visit.actor, device_id=device.id), visit.context.catalogue
    )
    files, error = [], ""
    for rule in visit.context.profiles.all[config.profile].files:
        if rule.role != "device":
            continue
        try:
            served = render(visit.context, config, rule, revision=device.revision)
        except ProvisionerError as failed:
            error = visit.say(failed)
            continue
        files.append(ShownFile(rule, served.body.decode("utf-8", "replace"), served.warnings))
    return visit.show(FilesPage(title=device.name, device=device, files=files, error=error))


async def show_sheet(visit: Visit) -> web.StreamResponse:
    """Everything to type into a phone that cannot fetch; holds secrets, for those who may change the device."""
    device = await find_device(visit)
    renderer = visit.context.profiles.renderers.get(device.profile)
    sheet = load_sheet(renderer) if renderer else None
    if sheet is None:
        raise NotFound("This type has no settings sheet.")
    config = await compose_device(visit.context, visit.actor, device_id=device.id)
    code = visit.language.code
    return visit.show(
        SheetPage(
            title=sheet.title(code),
            device=device,
            accounts=[
                (line, list(entries))
                for line, entries in groupby(sheet.entries(config, code), key=lambda entry: entry.line)
            ],
            nobody=sheet.nobody(code),
            copies=sheet.copies(config, code),
            advice=sheet.advice(code),
        )
    )


def without_secrets(config: PhoneConfig, catalogue: Catalogue) -> PhoneConfig:
    """The same configuration with a word in place of every secret, tokens in addresses included."""
    settings = {
        name: replace(composed, value=HIDDEN) if catalogue[name].is_secret and composed.value else composed
        for name, composed in config.settings.items()
    }
    server = replace(
        config.server,
        action_url=_cut(config.server.action_url),
        screen_url=without_token(config.server.screen_url),
    )
    return replace(
        config,
        password=HIDDEN,
        path=_cut(config.path) if "/t/" in config.path else config.path,
        lines=tuple(replace(line, password=HIDDEN if line.password else "") for line in config.lines),
        settings=settings,
        server=server,
    )


def _cut(address: str) -> str:
    """An address whose last part, the token, is left out."""
    return f"{address.rpartition('/')[0]}/{HIDDEN}" if address else ""
