"""What has to be entered in a phone, in its vendor's own words and menu order, with this device's values."""

from dataclasses import dataclass

import segno
from markupsafe import Markup

from provisioner.model import Device, Mac
from provisioner.profiles.manifest import Profile
from provisioner.profiles.sheet import load_sheet, with_user_info
from provisioner.services.devices.onboarding import typed_steps
from provisioner.services.files.device_address import device_path
from provisioner.web.ui.visit import Visit


@dataclass(frozen=True, slots=True)
class ShownStep:
    """One thing to do. `value` is what to type in; `is_hint` true: words about it, nothing to copy."""

    text: str
    value: str = ""
    is_hint: bool = False


async def shown_steps(visit: Visit, device: Device, *, password: str = "") -> list[ShownStep]:
    """The steps of the device's profile; without `password` (any other time than its making) a hint stands there."""
    profile = visit.context.profiles.all.get(device.profile)
    if profile is None:
        return []
    settings, _ = visit.context.settings, visit.language.translate
    steps = typed_steps(
        profile,
        url=await provisioning_url(visit, device, profile),
        username=device.username,
        mac=Mac(device.mac),
        ca_url=f"{settings.http_base}/ca.pem" if settings.http_base else "",
        language=visit.language.code,
    )
    hint = _("the device configuration password (replace it when it is lost)")
    return [
        ShownStep(step.text, password or hint, is_hint=not password)
        if step.shows == "password_hint"
        else ShownStep(step.text, step.value)
        for step in steps
    ]


async def provisioning_url(visit: Visit, device: Device, profile: Profile) -> str:
    """The address that is typed into this phone."""
    path = await device_path(visit.context, visit.actor, device_id=device.id)
    return profile.url(f"{visit.context.settings.https_base}{path}", device.mac)


async def qr_code(visit: Visit, device: Device, *, password: str) -> Markup:
    """An SVG element with the whole address and its credentials, for profiles whose phones scan one; else ""."""
    renderer = visit.context.profiles.renderers.get(device.profile)
    sheet = load_sheet(renderer) if renderer else None
    if renderer is None or sheet is None or not sheet.qr_label(visit.language.code):
        return Markup("")
    url = await provisioning_url(visit, device, renderer.profile)
    code = segno.make(with_user_info(url, username=device.username, password=password), error="m")
    return Markup(code.svg_inline(scale=5, border=4, light="#fff", omitsize=True))  # noqa: S704 - drawn here, from dots
