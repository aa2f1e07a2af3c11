"""Function keys of a device and of a user: a plain table that works without scripts, and labels to print."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from aiohttp import web

from provisioner.composition.key_types import KEY_TYPES, RANGE_TYPES
from provisioner.errors import BadInput
from provisioner.profiles.key_support import key_support
from provisioner.services.keys.aims import list_aims
from provisioner.services.keys.function_keys import fit_warnings, get_keys, get_ranges, put_keys
from provisioner.services.keys.label_strips import Strips, label_strips
from provisioner.services.keys.placed_keys import PlacedKey, placed_keys
from provisioner.web.ui.fields import Choice
from provisioner.web.ui.key_form import Rows, posted_rows, stored_rows, wanted_keys, wanted_ranges
from provisioner.web.ui.key_words import CAPABILITIES, PEOPLE, SCOPES, TYPES
from provisioner.web.ui.pages.device import find_device
from provisioner.web.ui.pages.users import find_user
from provisioner.web.ui.visit import Page, Visit, redirect


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Whose keys a page is about. `support` is what the device's model can show: type → reason, None for a user."""

    scope: str
    ref: str
    title: str
    back: str
    device_id: int | None = None
    support: Mapping[str, str] | None = None

    @property
    def action(self) -> str:
        return f"{self.back}/keys"


@dataclass(frozen=True, slots=True)
class ShownKey:
    """A slot of the phone in words."""

    key: PlacedKey
    type: str
    origin: str
    hides: Sequence[str]
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysPage(Page):
    template: ClassVar[str] = "keys.html"
    place: KeyPlace
    rows: Rows
    types: Sequence[Choice]
    range_types: Sequence[Choice]
    people: Sequence[Choice]
    aims: Sequence[str]
    placed: Sequence[ShownKey]
    warnings: Sequence[str]
    may_change: bool
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StripPage(Page):
    template: ClassVar[str] = "strip.html"
    back: str
    strips: Strips


Place = Callable[[Visit], Awaitable[KeyPlace]]


async def device_place(visit: Visit) -> KeyPlace:
    device = await find_device(visit)
    profile = visit.context.profiles.all.get(device.profile)
    support = key_support(profile, device.model, firmware=device.firmware) if profile else {}
    back = visit.path("devices", device.id)
    return KeyPlace("device", str(device.id), device.name, back, device.id, support)


async def user_place(visit: Visit) -> KeyPlace:
    user = await find_user(visit)
    return KeyPlace("user", str(user.id), user.name, visit.path("users", user.id))


async def show_keys(visit: Visit, place: KeyPlace, *, may_change: bool) -> web.StreamResponse:
    return visit.show(await _page(visit, place, may_change=may_change))


async def change_keys(visit: Visit, place: KeyPlace) -> web.StreamResponse:
    """Store the table as it was sent; all of it or nothing."""
    rows = posted_rows(await visit.posted())
    if rows.wants_more:
        return visit.show(await _page(visit, place, may_change=True, rows=rows))
    where: dict[str, Any] = {"tenant_id": visit.tenant_id, "scope": place.scope, "ref": place.ref}
    aims = await list_aims(visit.context, visit.actor, tenant_id=visit.tenant_id)
    stored = await get_keys(visit.context, visit.actor, **where)
    try:
        await put_keys(
            visit.context,
            visit.actor,
            **where,
            keys=wanted_keys(rows, aims, stored=stored),
            ranges=wanted_ranges(rows),
        )
    except BadInput as error:
        page = await _page(visit, place, may_change=True, rows=rows)
        return visit.show(replace(page, error=visit.say(error)), status=error.status)
    return redirect(f"{place.action}?done=saved")


async def show_strip(visit: Visit) -> web.StreamResponse:
    """The labels of a device's keys on paper."""
    device = await find_device(visit)
    strips = await label_strips(visit.context, visit.actor, device_id=device.id)
    title = visit.language.translate("Key labels")
    return visit.show(StripPage(title=title, back=visit.path("devices", device.id, "keys"), strips=strips))


async def _page(visit: Visit, place: KeyPlace, *, may_change: bool, rows: Rows | None = None) -> KeysPage:
    context, actor, _ = visit.context, visit.actor, visit.language.translate
    where: dict[str, Any] = {"tenant_id": visit.tenant_id, "scope": place.scope, "ref": place.ref}
    aims = await list_aims(context, actor, tenant_id=visit.tenant_id)
    if rows is None:
        keys, ranges = await get_keys(context, actor, **where), await get_ranges(context, actor, **where)
        rows = stored_rows(keys, ranges, aims)
    placed, warnings = await _placed(visit, place)
    return KeysPage(
        title=_("Function keys"),
        place=place,
        rows=rows,
        types=[Choice(kind, _type(visit, place, kind)) for kind in KEY_TYPES],
        range_types=[Choice(kind, _type(visit, place, kind)) for kind in RANGE_TYPES],
        people=[Choice(name, _(label)) for name, label in PEOPLE.items()],
        aims=[aim.text for aim in aims if aim.digits],
        placed=placed,
        warnings=warnings or await fit_warnings(context, actor, **where),
        may_change=may_change,
    )


async def _placed(visit: Visit, place: KeyPlace) -> tuple[list[ShownKey], Sequence[str]]:
    """What the phone shows in the end, with its warnings; nothing for a user, whose phones differ."""
    if place.device_id is None or not place.support:
        return [], ()
    found = await placed_keys(visit.context, visit.actor, device_id=place.device_id)
    used = [key for key in found.keys if key.type != "none" or key.reason or key.shadowed]
    return [_shown(visit, key) for key in used], found.warnings


def _shown(visit: Visit, key: PlacedKey) -> ShownKey:
    _ = visit.language.translate
    return ShownKey(
        key=key,
        type=_(TYPES[key.type]),
        origin=f"{_(SCOPES[key.scope])} {key.scope_name}".strip(),
        hides=[f"{_(TYPES[below.type])} ({_(SCOPES[below.scope])})" for below in key.shadowed],
        state=_(CAPABILITIES[key.capability]),
    )


def _type(visit: Visit, place: KeyPlace, kind: str) -> str:
    """The word for a type, with a remark when the device cannot show it."""
    word = visit.language.translate(TYPES[kind])
    if place.support is None or place.support.get(kind) == "":
        return word
    return visit.language.translate("%(type)s (not on this phone)") % {"type": word}
