"""The places where settings and function keys are set, and whose they are."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from provisioner.access.permissions import Permission
from provisioner.services.devices.enrolment import get_device
from provisioner.services.people.tenants import get_site, get_tenant
from provisioner.services.people.users import get_user
from provisioner.web.api.endpoint import Call

Owner = Callable[[Call[Any, Any]], Awaitable[tuple[int, str]]]
"""Answers (tenant id, ref) of the scope a path names; NotFound when it is not there or not this actor's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One place: its name in the model, its path, how to call it, and who may write there."""

    name: str
    path: str
    article: str
    write: Permission
    owner: Owner


async def _tenant(call: Call[Any, Any]) -> tuple[int, str]:
    return (await get_tenant(call.context, call.actor, tenant_id=call.id("tenant_id"))).id, ""


async def _model(call: Call[Any, Any]) -> tuple[int, str]:
    return (await _tenant(call))[0], f"{call.path['profile']}/{call.path['model']}"


async def _site(call: Call[Any, Any]) -> tuple[int, str]:
    site = await get_site(call.context, call.actor, site_id=call.id("site_id"))
    return site.tenant_id, str(site.id)


async def _user(call: Call[Any, Any]) -> tuple[int, str]:
    user = await get_user(call.context, call.actor, user_id=call.id("user_id"))
    return user.tenant_id, str(user.id)


async def _device(call: Call[Any, Any]) -> tuple[int, str]:
    device = await get_device(call.context, call.actor, device_id=call.id("device_id"))
    return device.tenant_id, str(device.id)


SCOPES = (
    Scope(
        name="tenant",
        path="/tenants/{tenant_id}",
        article="a tenant",
        write=Permission.SETTINGS_WRITE,
        owner=_tenant,
    ),
    Scope(
        name="model",
        path="/tenants/{tenant_id}/models/{profile}/{model}",
        article="a phone model in a tenant",
        write=Permission.SETTINGS_WRITE,
        owner=_model,
    ),
    Scope(
        name="site", path="/sites/{site_id}", article="a site", write=Permission.SETTINGS_WRITE, owner=_site
    ),
    Scope(
        name="user", path="/users/{user_id}", article="a user", write=Permission.SETTINGS_WRITE, owner=_user
    ),
    Scope(
        name="device",
        path="/devices/{device_id}",
        article="a device",
        write=Permission.DEVICE_SETTINGS_WRITE,
        owner=_device,
    ),
)
