"""Function keys at every scope; composition merges them slot by slot, the narrowest scope wins."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from pydantic import Field

from provisioner.access.permissions import Permission
from provisioner.composition.phone_config import KeyConfig
from provisioner.errors import BadInput, UnknownModel
from provisioner.services.device_settings import KEY_TYPES, get_keys, put_keys
from provisioner.web.api.documents import Document, Query, Request
from provisioner.web.api.endpoint import Call, Endpoint, Handler
from provisioner.web.api.scopes import SCOPES, Scope


class KeyDocument(Document):
    """One function key. `module` 0 is the phone itself."""

    slot: int
    module: int
    type: str
    target: str
    label: str
    line: int


class ScopeKeys(Document):
    """The keys defined at this scope itself, in the order of their places."""

    scope: str
    ref: str
    keys: list[KeyDocument]


class KeyRequest(Request):
    """One function key; `target` is what the type needs: a number, an extension, an address."""

    slot: Annotated[int, Field(ge=1, le=300)]
    module: Annotated[int, Field(ge=0, le=6, description="Expansion module; 0 is the phone itself.")] = 0
    type: Annotated[str, Field(max_length=20, json_schema_extra={"enum": list(KEY_TYPES)}, examples=["blf"])]
    target: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f]*$", examples=["1002"])] = ""
    label: Annotated[str, Field(max_length=99, pattern=r"^[^\x00-\x1f]*$", examples=["Front desk"])] = ""
    line: Annotated[int, Field(ge=1, le=16)] = 1


class KeysReplacement(Request):
    """All keys of this scope; what is left out shows what a wider scope has there."""

    keys: Annotated[list[KeyRequest], Field(max_length=900)]


def _get(scope: Scope) -> Handler:
    async def get(call: Call[Query, None]) -> ScopeKeys:
        tenant_id, ref = await scope.owner(call)
        return await _document(call, scope, tenant_id, ref=ref)

    return get


def _put(scope: Scope) -> Handler:
    async def put(call: Call[Query, KeysReplacement]) -> ScopeKeys:
        tenant_id, ref = await scope.owner(call)
        keys = [KeyConfig(**key.model_dump()) for key in call.body.keys]
        await put_keys(call.context, call.actor, tenant_id=tenant_id, scope=scope.name, ref=ref, keys=keys)
        return await _document(call, scope, tenant_id, ref=ref)

    return put


async def _document(call: Call[Any, Any], scope: Scope, tenant_id: int, *, ref: str) -> ScopeKeys:
    keys = await get_keys(call.context, call.actor, tenant_id=tenant_id, scope=scope.name, ref=ref)
    return ScopeKeys(scope=scope.name, ref=ref, keys=[KeyDocument.model_validate(key) for key in keys])


def _named(make: Callable[[Scope], Handler], scope: Scope, verb: str, *, doc: str) -> Handler:
    handler: Callable[[Call[Any, Any]], Awaitable[Any]] = make(scope)
    handler.__name__, handler.__doc__ = f"{verb}_{scope.name}_keys", doc
    return handler


def _endpoints(scope: Scope) -> tuple[Endpoint, ...]:
    lookup = (UnknownModel,) if scope.name == "model" else ()
    common: dict[str, Any] = {"path": f"{scope.path}/keys", "tag": "keys", "response": ScopeKeys}
    return (
        Endpoint(
            method="GET", permission=Permission.SETTINGS_READ, handler=_named(_get, scope, "get", doc="The keys defined here, not those of wider scopes."),
            summary=f"Function keys of {scope.article}", errors=lookup, **common,
        ),
        Endpoint(
            method="PUT", permission=scope.write, handler=_named(_put, scope, "put", doc="Replaces all keys defined here; the first wrong one is named and nothing is stored."),
            summary=f"Replace the function keys of {scope.article}", request=KeysReplacement, errors=(BadInput, *lookup), **common,
        ),
    )  # fmt: skip


ENDPOINTS = tuple(endpoint for scope in SCOPES for endpoint in _endpoints(scope))
