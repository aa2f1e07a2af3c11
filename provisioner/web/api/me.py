"""Who is asking: own details, own password, and the settings a person may change for themselves."""

from typing import Annotated, Any

from pydantic import Field

from provisioner.access.permissions import MATRIX, Permission
from provisioner.errors import (
    BadInput,
    Forbidden,
    InvalidSetting,
    NotFound,
    TooManyAttempts,
    Unauthenticated,
    Unavailable,
    WeakPassword,
)
from provisioner.services.devices.device_settings import get_settings, put_settings
from provisioner.services.people.logins import update_own
from provisioner.services.people.users import get_user
from provisioner.web.api.documents import Document, Line, Query, Request, Secret
from provisioner.web.api.endpoint import Call, Endpoint, ReadCall
from provisioner.web.api.logins import Language, LoginDocument
from provisioner.web.api.settings import ScopeSettings, SettingsChange, SettingValues, checked_types
from provisioner.web.identity import person

OWN_GROUPS = frozenset({"forwarding", "calls"})
"""Groups of the catalogue that people set for themselves (R8); the rest is for admins."""


class Me(Document):
    """The person or the token behind this request."""

    name: str
    role: str
    tenant_id: int | None
    user_id: int | None
    permissions: list[str]
    login: LoginDocument | None = Field(description="null for a token.")


class OwnDetails(Request):
    display_name: Annotated[Line, Field(description="At most 120 characters.")]
    language: Language


class OwnPassword(Request):
    old: Secret
    new: Annotated[Secret, Field(description="At least 12 characters.")]


async def get_me(call: ReadCall) -> Me:
    """Also the quickest way to try a token."""
    logged_in = await person(call.request) if call.actor.login_id is not None else None
    return Me(
        name=call.actor.name,
        role=call.actor.role.value,
        tenant_id=call.actor.tenant_id,
        user_id=call.actor.user_id,
        permissions=sorted(permission.value for permission in MATRIX[call.actor.role]),
        login=LoginDocument.model_validate(logged_in.login) if logged_in is not None else None,
    )


async def update_me(call: Call[Query, OwnDetails]) -> LoginDocument:
    """For people; a token has no details."""
    login = await update_own(
        call.context, call.actor, display_name=call.body.display_name, language=call.body.language
    )
    return LoginDocument.model_validate(login)


async def change_own_password(call: Call[Query, OwnPassword]) -> None:
    """Ends all sessions of this login: log in again with the new password."""
    await call.doorkeeper.change_own_password(call.actor, old=call.body.old, new=call.body.new)


async def get_own_settings(call: ReadCall) -> ScopeSettings:
    """What is set for the user that this login stands for."""
    tenant_id, ref = await _own_user(call)
    values = await get_settings(call.context, call.actor, tenant_id=tenant_id, scope="user", ref=ref)
    return ScopeSettings(scope="user", ref=ref, values=SettingValues(dict(values)))


async def update_own_settings(call: Call[Query, SettingsChange]) -> ScopeSettings:
    """Forwarding and calls only; the rest is for an admin."""
    tenant_id, ref = await _own_user(call)
    catalogue, values = call.context.catalogue, checked_types(call.context.catalogue, call.body.values.root)
    foreign = [name for name in (*values, *call.body.inherit) if catalogue[name].group not in OWN_GROUPS]
    if foreign:
        raise Forbidden(f"{foreign[0]} is set by an admin.", setting=foreign[0])
    stored = await put_settings(
        call.context,
        call.actor,
        tenant_id=tenant_id,
        scope="user",
        ref=ref,
        values=values,
        inherit=call.body.inherit,
    )
    return ScopeSettings(scope="user", ref=ref, values=SettingValues(dict(stored)))


async def _own_user(call: Call[Any, Any]) -> tuple[int, str]:
    """(tenant id, ref) of the user this login stands for; NotFound for one that stands for nobody."""
    if call.actor.user_id is None:
        raise NotFound("This login stands for no user.")
    user = await get_user(call.context, call.actor, user_id=call.actor.user_id)
    return user.tenant_id, str(user.id)


ENDPOINTS = (
    Endpoint(method="GET", path="/me", permission=Permission.OWN_LOGIN, handler=get_me, summary="Who am I", tag="me", response=Me),
    Endpoint(
        method="PATCH", path="/me", permission=Permission.OWN_LOGIN, handler=update_me, summary="Change own details", tag="me", request=OwnDetails,
        response=LoginDocument, errors=(BadInput, NotFound),
    ),
    Endpoint(
        method="POST", path="/me/password", permission=Permission.OWN_LOGIN, handler=change_own_password, summary="Change own password", tag="me",
        request=OwnPassword, errors=(Unauthenticated, WeakPassword, TooManyAttempts, Unavailable),
    ),
    Endpoint(
        method="GET", path="/me/settings", permission=Permission.OWN_SETTINGS, handler=get_own_settings, summary="Own settings", tag="me",
        response=ScopeSettings, errors=(NotFound,),
    ),
    Endpoint(
        method="PATCH", path="/me/settings", permission=Permission.OWN_SETTINGS, handler=update_own_settings, summary="Change own settings", tag="me",
        request=SettingsChange, response=ScopeSettings, errors=(NotFound, InvalidSetting, Forbidden),
    ),
)  # fmt: skip
