"""Function keys at every scope; composition merges them slot by slot, the narrowest scope wins."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from pydantic import Field

from provisioner.access.permissions import Permission
from provisioner.composition.key_types import KEY_TYPES, RANGE_TYPES
from provisioner.composition.phone_config import KeyConfig
from provisioner.errors import BadInput, KeyBeyondModel, KeyNotSupported, UnknownModel
from provisioner.services.keys.function_keys import Range, fit_warnings, get_keys, get_ranges, put_keys
from provisioner.web.api.documents import Document, Id, Query, Request
from provisioner.web.api.endpoint import Call, Endpoint, Handler
from provisioner.web.api.scopes import SCOPES, Scope


class KeyDocument(Document):
    """One function key. `module` 0 is the phone itself. A key that points at something has its id and no target."""

    slot: int
    module: int
    type: str
    target: str
    label: str = Field(
        description="As it is stored; empty shows the name of what the key points at, or its target."
    )
    line: int
    user_id: int | None
    internal_number_id: int | None
    is_gone: bool = Field(description="What it pointed at is no longer there; phones show nothing.")


class RangeDocument(Document):
    """An automatic set: a key of `type` for each of the people, sorted by name, in the free slots from one on."""

    people: str
    type: str
    slot: int
    module: int
    count: int
    line: int


class ScopeKeys(Document):
    """The keys and automatic sets defined at this scope itself, in the order of their places."""

    scope: str
    ref: str
    keys: list[KeyDocument]
    ranges: list[RangeDocument]
    warnings: list[str] = Field(description="Phones in this scope that cannot show some of the keys.")


class KeyRequest(Request):
    """One function key; `target` is what the type needs: a number, an extension, an address. Or it points at something."""

    slot: Annotated[int, Field(ge=1, le=300)]
    module: Annotated[int, Field(ge=0, le=6, description="Expansion module; 0 is the phone itself.")] = 0
    type: Annotated[str, Field(max_length=20, json_schema_extra={"enum": list(KEY_TYPES)}, examples=["blf"])]
    target: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f]*$", examples=["1002"])] = ""
    label: Annotated[str, Field(max_length=99, pattern=r"^[^\x00-\x1f]*$", examples=["Front desk"])] = ""
    line: Annotated[int, Field(ge=1, le=16)] = 1
    user_id: Annotated[
        Id | None, Field(description="In place of a target: extension and name follow this user.")
    ] = None
    internal_number_id: Annotated[
        Id | None,
        Field(description="In place of a target: a group, a menu, a shared line, any internal number."),
    ] = None

    def key(self) -> KeyConfig:
        fields = self.model_dump(exclude={"internal_number_id"})
        return KeyConfig(**fields, number_id=self.internal_number_id)


class RangeRequest(Request):
    """An automatic set. Whoever the phone belongs to is left out; slots with a key of their own are passed over."""

    people: Annotated[
        Literal["department", "everyone"],
        Field(description="department: of the user whose phone it is. Everybody has an extension."),
    ]
    type: Annotated[
        str, Field(max_length=20, json_schema_extra={"enum": list(RANGE_TYPES)}, examples=["blf"])
    ]
    slot: Annotated[int, Field(ge=1, le=300, description="The first slot.")]
    module: Annotated[int, Field(ge=0, le=6)] = 0
    count: Annotated[
        int, Field(ge=0, le=900, description="At most so many; 0: as many as there is room for.")
    ] = 0
    line: Annotated[int, Field(ge=1, le=16)] = 1


class KeysReplacement(Request):
    """All keys of this scope; what is left out shows what a wider scope has there. Without `ranges` those stay."""

    keys: Annotated[list[KeyRequest], Field(max_length=900)]
    ranges: Annotated[list[RangeRequest], Field(max_length=20)] | None = None


def _get(scope: Scope) -> Handler:
    async def get(call: Call[Query, None]) -> ScopeKeys:
        tenant_id, ref = await scope.owner(call)
        return await _document(call, scope, tenant_id, ref=ref)

    return get


def _put(scope: Scope) -> Handler:
    async def put(call: Call[Query, KeysReplacement]) -> ScopeKeys:
        tenant_id, ref = await scope.owner(call)
        ranges = call.body.ranges
        await put_keys(
            call.context,
            call.actor,
            tenant_id=tenant_id,
            scope=scope.name,
            ref=ref,
            keys=[key.key() for key in call.body.keys],
            ranges=None if ranges is None else [Range(**entry.model_dump()) for entry in ranges],
        )
        return await _document(call, scope, tenant_id, ref=ref)

    return put


async def _document(call: Call[Any, Any], scope: Scope, tenant_id: int, *, ref: str) -> ScopeKeys:
    place: dict[str, Any] = {"tenant_id": tenant_id, "scope": scope.name, "ref": ref}
    keys = await get_keys(call.context, call.actor, **place)
    ranges = await get_ranges(call.context, call.actor, **place)
    return ScopeKeys(
        scope=scope.name,
        ref=ref,
        keys=[_key(key) for key in keys],
        ranges=[RangeDocument.model_validate(entry) for entry in ranges],
        warnings=list(await fit_warnings(call.context, call.actor, **place)),
    )


def _key(key: KeyConfig) -> KeyDocument:
    return KeyDocument(
        slot=key.slot,
        module=key.module,
        type=key.type,
        target=key.target,
        label=key.label,
        line=key.line,
        user_id=key.user_id,
        internal_number_id=key.number_id,
        is_gone=key.is_gone,
    )


def _named(make: Callable[[Scope], Handler], scope: Scope, verb: str, *, doc: str) -> Handler:
    handler: Callable[[Call[Any, Any]], Awaitable[Any]] = make(scope)
    handler.__name__, handler.__doc__ = f"{verb}_{scope.name}_keys", doc
    return handler


def _endpoints(scope: Scope) -> tuple[Endpoint, ...]:
    lookup = (UnknownModel,) if scope.name == "model" else ()
    fitting = (KeyBeyondModel, KeyNotSupported) if scope.name == "device" else ()
    common: dict[str, Any] = {"path": f"{scope.path}/keys", "tag": "keys", "response": ScopeKeys}
    return (
        Endpoint(
            method="GET", permission=Permission.SETTINGS_READ, handler=_named(_get, scope, "get", doc="The keys defined here, not those of wider scopes."),
            summary=f"Function keys of {scope.article}", errors=lookup, **common,
        ),
        Endpoint(
            method="PUT", permission=scope.write, handler=_named(_put, scope, "put", doc="Replaces all keys defined here; the first wrong one is named and nothing is stored."),
            summary=f"Replace the function keys of {scope.article}", request=KeysReplacement, errors=(BadInput, *fitting, *lookup), **common,
        ),
    )  # fmt: skip


ENDPOINTS = tuple(endpoint for scope in SCOPES for endpoint in _endpoints(scope))
