"""The catalogue of settings, settings at every scope, and what a device gets of them with the origin of each value."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

from pydantic import Field, RootModel

from provisioner.access.permissions import Permission
from provisioner.composition.catalogue import Catalogue
from provisioner.errors import InvalidSetting, Unavailable, UnknownModel
from provisioner.services.devices.device_settings import SECRET_SHOWN, get_settings, put_settings
from provisioner.services.files.phone_files import compose_device
from provisioner.services.files.previews import masked_setting
from provisioner.web.api.documents import Document, Page, PageQuery, Query, Request
from provisioner.web.api.endpoint import Call, Endpoint, Handler
from provisioner.web.api.scopes import SCOPES, Scope

Word = Annotated[str, Field(max_length=1_000)]
Whole = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
Value = bool | Whole | Word | Annotated[list[Word], Field(max_length=200)] | None
_KINDS: Mapping[str, tuple[type, str]] = {
    "bool": (bool, "true or false"),
    "int": (int, "a JSON number"),
    "list": (list, "a JSON array of strings"),
}
_WORD = (str, "a JSON string")


class SettingValues(RootModel[dict[Annotated[str, Field(max_length=60)], Value]]):
    """Setting name → value. null is "unset here": back to the default, whatever is set at a wider scope."""


class SettingDocument(Document):
    """One entry of the catalogue. `scopes`: where it may be set, weakest first."""

    name: str
    group: str
    group_label: str
    type: str
    default: Any
    scopes: list[str]
    label: str
    help: str
    choices: list[str]
    unit: str
    minimum: int | None
    maximum: int | None
    merge: str
    is_secret: bool


class SettingPage(Page[SettingDocument]):
    """The catalogue in its own order."""


class ScopeSettings(Document):
    """What is set at this scope itself; secrets as dots."""

    scope: str
    ref: str = Field(description="Site, user or device id, profile/model, or empty for the tenant.")
    values: SettingValues


class SettingsReplacement(Request):
    """Everything that is to be set at this scope; dots for a secret leave it as it is."""

    values: SettingValues


class SettingsChange(Request):
    """What to set, and what to take from wider scopes again; dots for a secret leave it as it is."""

    values: SettingValues = Field(default_factory=lambda: SettingValues({}))
    inherit: Annotated[list[Annotated[str, Field(max_length=60)]], Field(max_length=200)] = Field(
        default_factory=list
    )


class OriginDocument(Document):
    scope: str
    label: str
    value: Any


class ExplainedSetting(Document):
    """A value, where it came from, and what it shadowed (strongest first)."""

    name: str
    label: str
    value: Any
    origin: OriginDocument
    shadowed: list[OriginDocument]


class ExplainedPage(Page[ExplainedSetting]):
    """The settings a device gets; `warnings` says what its model cannot do of them."""

    warnings: list[str]


class ExplainQuery(PageQuery):
    setting: Annotated[str, Field(max_length=60, description="Only this one.")] = ""


async def list_settings(call: Call[PageQuery, None]) -> SettingPage:
    """Every setting there is: type, default, where it may be set, and what it is good for."""
    catalogue = call.context.catalogue
    items = [
        SettingDocument.model_validate({**_entry(setting), "group_label": catalogue.groups[setting.group]})
        for setting in catalogue.settings.values()
    ]
    return SettingPage.cut(items, call.query)


async def explain_device(call: Call[ExplainQuery, None]) -> ExplainedPage:
    """Every setting of a device with its value, its origin and what it shadowed."""
    context, query = call.context, call.query
    config = await compose_device(context, call.actor, device_id=call.id("device_id"))
    wanted = [context.catalogue[query.setting].name] if query.setting else list(config.settings)
    items = []
    for name in wanted[query.offset : query.offset + query.limit]:
        composed = masked_setting(context, config.settings[name])
        shadowed = [OriginDocument.model_validate(origin) for origin in composed.shadowed]
        items.append(
            ExplainedSetting(
                name=name, label=context.catalogue[name].label, value=composed.value, origin=OriginDocument.model_validate(composed.origin), shadowed=shadowed
            )
        )  # fmt: skip
    warnings = [*config.warnings, *context.profiles.renderers[config.profile].limits(config)]
    return ExplainedPage(
        items=items, total=len(wanted), offset=query.offset, limit=query.limit, warnings=warnings
    )


def checked_types(catalogue: Catalogue, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values when each has its setting's own JSON type; InvalidSetting otherwise. Forms may send words, programs may not."""
    for name, value in values.items():
        setting = catalogue[name]
        kind, words = _KINDS.get(setting.type, _WORD)
        if value is not None and type(value) is not kind:
            raise setting.refuse(f"is {words}")
        if setting.type == "choice" and value is not None and value not in setting.choices:
            raise setting.refuse(f"is one of {', '.join(setting.choices)}")
        if isinstance(value, list) and any(
            word != word.strip() or not word or "," in word for word in value or ()
        ):
            raise setting.refuse("has an empty entry, blanks or a comma in one")
    return values


def _entry(setting: Any) -> dict[str, Any]:
    return {name: getattr(setting, name) for name in SettingDocument.model_fields if hasattr(setting, name)}


def _without_dots(catalogue: Catalogue, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in values.items()
        if not (catalogue[name].is_secret and value == SECRET_SHOWN)
    }


def _get(scope: Scope) -> Handler:
    async def get(call: Call[Query, None]) -> ScopeSettings:
        tenant_id, ref = await scope.owner(call)
        values = await get_settings(call.context, call.actor, tenant_id=tenant_id, scope=scope.name, ref=ref)
        return ScopeSettings(scope=scope.name, ref=ref, values=SettingValues(dict(values)))

    return get


def _put(scope: Scope) -> Handler:
    async def put(call: Call[Query, SettingsReplacement]) -> ScopeSettings:
        tenant_id, ref = await scope.owner(call)
        values = checked_types(call.context.catalogue, call.body.values.root)
        present = await get_settings(call.context, call.actor, tenant_id=tenant_id, scope=scope.name, ref=ref)
        gone = [name for name in present if name not in values and name in call.context.catalogue.settings]
        return await _store(call, scope, tenant_id, ref=ref, values=values, inherit=gone)

    return put


def _patch(scope: Scope) -> Handler:
    async def patch(call: Call[Query, SettingsChange]) -> ScopeSettings:
        tenant_id, ref = await scope.owner(call)
        values = checked_types(call.context.catalogue, call.body.values.root)
        both = sorted(set(values) & set(call.body.inherit))
        if both:
            raise InvalidSetting(f"{both[0]} is both set and inherited; choose one.", field=both[0])
        return await _store(call, scope, tenant_id, ref=ref, values=values, inherit=call.body.inherit)

    return patch


async def _store(
    call: Call[Any, Any],
    scope: Scope,
    tenant_id: int,
    *,
    ref: str,
    values: Mapping[str, Any],
    inherit: list[str],
) -> ScopeSettings:
    clean = _without_dots(call.context.catalogue, values)
    stored = await put_settings(
        call.context,
        call.actor,
        tenant_id=tenant_id,
        scope=scope.name,
        ref=ref,
        values=clean,
        inherit=inherit,
    )
    return ScopeSettings(scope=scope.name, ref=ref, values=SettingValues(dict(stored)))


def _named(make: Callable[[Scope], Handler], scope: Scope, verb: str, *, doc: str) -> Handler:
    handler: Callable[[Call[Any, Any]], Awaitable[Any]] = make(scope)
    handler.__name__, handler.__doc__ = f"{verb}_{scope.name}_settings", doc
    return handler


def _endpoints(scope: Scope) -> tuple[Endpoint, ...]:
    errors = (InvalidSetting, UnknownModel) if scope.name == "model" else (InvalidSetting,)
    common: dict[str, Any] = {"path": f"{scope.path}/settings", "tag": "settings", "response": ScopeSettings}
    return (
        Endpoint(
            method="GET", permission=Permission.SETTINGS_READ, handler=_named(_get, scope, "get", doc="What is set at this scope itself, not what devices get in the end."),
            summary=f"Settings of {scope.article}", errors=errors[1:], **common,
        ),
        Endpoint(
            method="PUT", permission=scope.write, handler=_named(_put, scope, "put", doc="Sets these and nothing else here: what is left out comes from wider scopes again. All or nothing."),
            summary=f"Replace the settings of {scope.article}", request=SettingsReplacement, errors=errors, **common,
        ),
        Endpoint(
            method="PATCH", permission=scope.write, handler=_named(_patch, scope, "patch", doc="Sets some, lets others come from wider scopes again, leaves the rest. All or nothing."),
            summary=f"Change settings of {scope.article}", request=SettingsChange, errors=errors, **common,
        ),
    )  # fmt: skip


ENDPOINTS = (
    Endpoint(
        method="GET", path="/settings", permission=Permission.SETTINGS_READ, handler=list_settings, summary="The settings catalogue", tag="settings",
        query=PageQuery, response=SettingPage,
    ),
    Endpoint(
        method="GET", path="/devices/{device_id}/explain", permission=Permission.SETTINGS_READ, handler=explain_device,
        summary="What a device gets, and why", tag="settings", query=ExplainQuery, response=ExplainedPage, errors=(InvalidSetting, Unavailable),
    ),
    *(endpoint for scope in SCOPES for endpoint in _endpoints(scope)),
)  # fmt: skip
