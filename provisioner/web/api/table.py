"""The one table of all endpoints: routes, the OpenAPI document and the permission tests are made from it."""

from collections.abc import Mapping
from typing import Final

from provisioner.web.api import (
    audit,
    devices,
    fetches,
    imports,
    keys,
    logins,
    me,
    profiles,
    registrations,
    settings,
    sites,
    tenants,
    tokens,
    users,
)
from provisioner.web.api.endpoint import Endpoint

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *me.ENDPOINTS,
    *tenants.ENDPOINTS,
    *sites.ENDPOINTS,
    *users.ENDPOINTS,
    *devices.ENDPOINTS,
    *imports.ENDPOINTS,
    *settings.ENDPOINTS,
    *keys.ENDPOINTS,
    *registrations.ENDPOINTS,
    *fetches.ENDPOINTS,
    *profiles.ENDPOINTS,
    *tokens.ENDPOINTS,
    *logins.ENDPOINTS,
    *audit.ENDPOINTS,
)

TAGS: Final[Mapping[str, str]] = {
    "me": "The person or token behind the request.",
    "tenants": "The companies that own users and devices.",
    "sites": "The places of a tenant.",
    "users": "Destinations that can be called, with extension and public numbers.",
    "devices": "Phones: enrol, look at, change, remove.",
    "imports": "Devices from a table, all or nothing, and back.",
    "settings": "The catalogue, values at every scope, and what a device gets of them with the origin of each value.",
    "keys": "Function keys at every scope.",
    "registrations": "The green ticks.",
    "fetches": "The provisioning log: what phones asked for, and what they got or why not.",
    "profiles": "Installed vendor profiles and their models.",
    "tokens": "API tokens of programs.",
    "logins": "People who may log in.",
    "audit": "Who did what.",
}
