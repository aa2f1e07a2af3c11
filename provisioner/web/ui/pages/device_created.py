"""What is shown once after a device was made or got a new password: nothing of it can be asked for again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from provisioner.model import Device
from provisioner.services.devices.enrolment import Enrolled
from provisioner.web.ui.pages.steps import ShownStep, qr_code, shown_steps
from provisioner.web.ui.visit import Page, Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCreatedPage(Page):
    template: ClassVar[str] = "device_created.html"
    device: Device
    password: str
    was_generated: bool
    warnings: Sequence[str]
    steps: Sequence[ShownStep]
    qr: Markup


async def created_page(visit: Visit, made: Enrolled) -> DeviceCreatedPage:
    """The password with what to do at the phone."""
    return DeviceCreatedPage(
        title=made.device.name,
        device=made.device,
        password=made.password,
        was_generated=made.was_generated,
        warnings=[visit.language.error(warning) for warning in made.warnings],
        steps=await shown_steps(visit, made.device, password=made.password),
        qr=await qr_code(visit, made.device, password=made.password),
    )
