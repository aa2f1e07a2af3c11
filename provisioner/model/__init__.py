"""The nouns: tables with their own rules and value types. No HTTP."""

from provisioner.model.base import Base
from provisioner.model.device import Device, Fetch, FunctionKey, Line, SettingValue
from provisioner.model.extension import parse_extension
from provisioner.model.mac import Mac
from provisioner.model.people import ApiToken, AuditEntry, Login, LoginSession, PasswordReset, Revocation
from provisioner.model.registration import Binding, Registration, RegistrationState
from provisioner.model.server_state import Counter, ServerFact
from provisioner.model.tenant import Site, Tenant
from provisioner.model.user import InternalNumber, PublicNumber, User, UserKind

__all__ = [
    "ApiToken",
    "AuditEntry",
    "Base",
    "Binding",
    "Counter",
    "Device",
    "Fetch",
    "FunctionKey",
    "InternalNumber",
    "Line",
    "Login",
    "LoginSession",
    "Mac",
    "PasswordReset",
    "PublicNumber",
    "Registration",
    "RegistrationState",
    "Revocation",
    "ServerFact",
    "SettingValue",
    "Site",
    "Tenant",
    "User",
    "UserKind",
    "parse_extension",
]
