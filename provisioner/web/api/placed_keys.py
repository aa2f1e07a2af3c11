"""What a phone makes of its function keys: slot by slot with provenance, its label strips, and what a model can show."""

from pydantic import Field

from provisioner.access.permissions import Permission
from provisioner.composition.key_types import KEY_KINDS
from provisioner.errors import NotFound, Unavailable
from provisioner.profiles.key_support import key_support
from provisioner.services.keys.label_strips import label_strips, strip_page
from provisioner.services.keys.placed_keys import placed_keys
from provisioner.web.api.documents import Document
from provisioner.web.api.endpoint import Endpoint, ReadCall


class ShadowedKey(Document):
    scope: str
    scope_name: str
    type: str
    target: str
    label: str


class PlacedKeyDocument(Document):
    """One slot. `scope` is where its key comes from; `shadowed` what weaker scopes have there, strongest first."""

    module: int
    slot: int
    type: str
    target: str
    label: str
    line: int
    scope: str
    scope_name: str
    user_id: int | None
    internal_number_id: int | None
    is_automatic: bool = Field(description="It belongs to an automatic set.")
    shadowed: list[ShadowedKey]
    capability: str = Field(
        description="ok; unsupported: no key of this type; no_slot: no such slot; no_target: what it points at is gone."
    )
    reason: str


class DeviceKeys(Document):
    """Every slot of the phone and its modules in order, then the keys for which it has none."""

    profile: str
    model: str
    keys: list[PlacedKeyDocument]
    warnings: list[str]


class StripLabel(Document):
    slot: int
    text: str


class StripDocument(Document):
    """`module` 0 is the phone itself."""

    module: int
    labels: list[StripLabel]


class DeviceStrips(Document):
    """Labels to print, as data and as a page of its own; sizes in millimetres."""

    device: str
    model: str
    width: float
    height: float
    strips: list[StripDocument]
    html: str


class KeyTypeDocument(Document):
    """One neutral key type and whether the model can show it."""

    type: str
    label: str
    needs_target: bool
    refers: bool = Field(description="It may point at a user or an internal number.")
    is_supported: bool
    reason: str = Field(description="Why it is not supported.")


class KeyTypeList(Document):
    """All types in the order in which people are shown them."""

    profile: str
    model: str
    keys: int
    modules: int
    module_keys: int
    types: list[KeyTypeDocument]


async def get_placed_keys(call: ReadCall) -> DeviceKeys:
    """What the phone shows, where each key comes from, and what it cannot show."""
    placed = await placed_keys(call.context, call.actor, device_id=call.id("device_id"))
    return DeviceKeys(
        profile=placed.profile,
        model=placed.model,
        keys=[
            PlacedKeyDocument.model_validate({**_fields(key), "is_automatic": key.range_id is not None})
            for key in placed.keys
        ],
        warnings=list(placed.warnings),
    )


async def get_key_strips(call: ReadCall) -> DeviceStrips:
    """One strip for the phone and one for each module with keys; `html` is a page for A4 without scripts."""
    strips = await label_strips(call.context, call.actor, device_id=call.id("device_id"))
    fields = {name: getattr(strips, name) for name in ("device", "model", "width", "height", "strips")}
    return DeviceStrips.model_validate({**fields, "html": strip_page(strips)})


async def list_key_types(call: ReadCall) -> KeyTypeList:
    """What keys phones of this model can show with their newest firmware."""
    profile = call.context.profiles.all.get(call.path["profile"])
    model = profile.models.get(call.path["model"]) if profile else None
    if profile is None or model is None:
        raise NotFound("There is no such model.")
    support = key_support(profile, model.id)
    return KeyTypeList(
        profile=profile.id,
        model=model.id,
        keys=model.keys,
        modules=model.modules,
        module_keys=model.module_keys,
        types=[
            KeyTypeDocument(
                type=kind.name,
                label=kind.label,
                needs_target=kind.needs_target,
                refers=kind.refers,
                is_supported=support.get(kind.name) == "",
                reason=support.get(kind.name, "This phone knows no key of this type."),
            )
            for kind in KEY_KINDS.values()
        ],
    )


def _fields(key: object) -> dict[str, object]:
    return {name: getattr(key, name) for name in PlacedKeyDocument.model_fields if name != "is_automatic"}


ENDPOINTS = (
    Endpoint(
        method="GET", path="/devices/{device_id}/keys/placed", permission=Permission.SETTINGS_READ, handler=get_placed_keys,
        summary="The function keys that a device gets", tag="keys", response=DeviceKeys, errors=(Unavailable,),
    ),
    Endpoint(
        method="GET", path="/devices/{device_id}/keys/strip", permission=Permission.DEVICES_READ, handler=get_key_strips,
        summary="Key labels to print", tag="keys", response=DeviceStrips, errors=(Unavailable,),
    ),
    Endpoint(
        method="GET", path="/profiles/{profile}/{model}/key-types", permission=Permission.PROFILES_READ, handler=list_key_types,
        summary="Key types that a model can show", tag="keys", response=KeyTypeList, errors=(NotFound,),
    ),
)  # fmt: skip
