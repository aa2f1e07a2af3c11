"""A device's files for people to look at: the phone's own file in every respect but its secrets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from provisioner.composition.phone_config import Composed, PhoneConfig
from provisioner.errors import RenderingFailed
from provisioner.services.context import Actor, Context
from provisioner.services.files.phone_files import compose_device, render

MASK = "********"
"""Taken by every vendor's writer, and never a password: it follows no rule."""


@dataclass(frozen=True, slots=True)
class FilePreview:
    """`text` has no secret in it; `hash` is that of the file the phone gets, and `problem` says why there is none."""

    id: str
    content_type: str
    text: str
    hash: str
    size: int
    problem: str = ""


async def preview_masked(context: Context, actor: Actor, *, device_id: int) -> Sequence[FilePreview]:
    """Every device file as the phone would get it now. NotFound; Unavailable when the vendor is switched off."""
    config = await compose_device(context, actor, device_id=device_id)
    hidden = masked(context, config)
    found = []
    for rule in context.profiles.all[config.profile].files:
        if rule.role != "device":
            continue
        try:
            real, shown = render(context, config, rule, revision=0), render(context, hidden, rule, revision=0)
        except RenderingFailed as error:
            found.append(FilePreview(rule.id, rule.content_type, "", "", 0, error.detail))
        else:
            found.append(
                FilePreview(
                    rule.id,
                    rule.content_type,
                    shown.body.decode("utf-8", "replace"),
                    real.hash,
                    len(real.body),
                )
            )
    return found


def masked(context: Context, config: PhoneConfig) -> PhoneConfig:
    """The same phone with every secret replaced before anything is rendered: what is not there cannot be shown."""
    return replace(
        config,
        password=MASK,
        path=f"/p/t/{MASK}" if config.path.startswith("/p/t/") else config.path,
        server=replace(
            config.server,
            action_url=f"{config.server.https_url}/a/{MASK}" if config.server.action_url else "",
            screen_url=without_token(config.server.screen_url),
        ),
        settings={name: masked_setting(context, composed) for name, composed in config.settings.items()},
        lines=tuple(replace(line, password=MASK if line.password else "") for line in config.lines),
    )


def without_token(screen_url: str) -> str:
    """The address of a phone's hotdesk pages, its path token masked when it has one."""
    head, sign, rest = screen_url.partition("/x/t/")
    return f"{head}{sign}{MASK}/{rest.partition('/')[2]}" if sign else screen_url


def masked_setting(context: Context, composed: Composed) -> Composed:
    """A composed setting whose value and origins are masked when it is a secret."""
    if not context.catalogue[composed.name].is_secret:
        return composed
    origins = [
        replace(origin, value=MASK if origin.value else origin.value)
        for origin in (composed.origin, *composed.shadowed)
    ]
    return Composed(composed.name, MASK if composed.value else composed.value, origins[0], tuple(origins[1:]))
