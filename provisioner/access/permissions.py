"""Who may do what: one table, default deny."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from provisioner.errors import Forbidden


class Role(StrEnum):
    """What a person or a token is (REQUIREMENTS R8)."""

    OPERATOR = "operator"
    """Runs the server and manages tenants."""
    ADMIN = "admin"
    """Everything in one tenant."""
    INSTALLER = "installer"
    """Devices of one tenant: register, replace, test; no settings of users."""
    USER = "user"
    """Own forwarding, PIN and keys."""
    PBX = "pbx"
    """A machine: directory and events."""


class Permission(StrEnum):
    """What an endpoint asks for; a name ending in `-read` changes nothing."""

    TENANTS_READ = "tenants-read"
    TENANTS_WRITE = "tenants-write"
    TENANT_READ = "tenant-read"
    """The own tenant's name, premium and policies."""
    TENANT_WRITE = "tenant-write"
    SITES_READ = "sites-read"
    SITES_WRITE = "sites-write"
    USERS_READ = "users-read"
    USERS_WRITE = "users-write"
    DEVICES_READ = "devices-read"
    DEVICES_WRITE = "devices-write"
    DEVICES_TEST = "devices-test"
    """Ask a phone to fetch or restart; open its claim window; unlock it."""
    SETTINGS_READ = "settings-read"
    SETTINGS_WRITE = "settings-write"
    """Of any scope; a device's own settings need only DEVICE_SETTINGS_WRITE."""
    DEVICE_SETTINGS_WRITE = "device-settings-write"
    REGISTRATIONS_READ = "registrations-read"
    FETCHES_READ = "fetches-read"
    PROFILES_READ = "profiles-read"
    """Installed vendor profiles and their models."""
    TOKENS_READ = "tokens-read"
    TOKENS_WRITE = "tokens-write"
    LOGINS_READ = "logins-read"
    LOGINS_WRITE = "logins-write"
    AUDIT_READ = "audit-read"
    HEALTH_READ = "health-read"
    """The server's own state: broken profiles, certificates, storage."""
    PBX_DIRECTORY = "pbx-directory"
    PBX_EVENTS = "pbx-events"
    PBX_HOTDESK = "pbx-hotdesk"
    """What is dialled on phones: log in and out with a PIN."""
    SEATS_READ = "seats-read"
    """Who sits where."""
    SEATS_WRITE = "seats-write"
    """Log somebody in on a hotdesk device, or out; unlock PINs."""
    OWN_LOGIN = "own-login"
    """The own password, language and details."""
    OWN_SETTINGS = "own-settings"
    """The settings, PIN and keys of the user that the login stands for."""


_PEOPLE: Final = frozenset({Permission.OWN_LOGIN, Permission.OWN_SETTINGS})
_MACHINE: Final = frozenset({Permission.PBX_DIRECTORY, Permission.PBX_EVENTS, Permission.PBX_HOTDESK})
_SERVER: Final = frozenset({Permission.TENANTS_READ, Permission.TENANTS_WRITE, Permission.HEALTH_READ})
_DEVICES: Final = frozenset(
    {
        Permission.TENANT_READ,
        Permission.SITES_READ,
        Permission.USERS_READ,
        Permission.DEVICES_READ,
        Permission.DEVICES_WRITE,
        Permission.DEVICES_TEST,
        Permission.SETTINGS_READ,
        Permission.DEVICE_SETTINGS_WRITE,
        Permission.REGISTRATIONS_READ,
        Permission.FETCHES_READ,
        Permission.PROFILES_READ,
    }
)

MATRIX: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.OPERATOR: frozenset(Permission) - _MACHINE,
    Role.ADMIN: frozenset(Permission) - _MACHINE - _SERVER,
    Role.INSTALLER: _DEVICES | _PEOPLE,
    Role.USER: _PEOPLE,
    Role.PBX: _MACHINE,
}


def allows(role: Role | None, permission: Permission) -> bool:
    """Tell whether the role has the permission; nobody (None) has none."""
    return role is not None and permission in MATRIX.get(role, frozenset())


def require(role: Role | None, permission: Permission) -> None:
    """Raise Forbidden, with `permission` in its data, unless the role has it."""
    if not allows(role, permission):
        raise Forbidden("Your role does not allow this.", permission=permission.value)
