"""The nouns: tables with their own rules and value types. No HTTP."""

from provisioner.model.base import Base
from provisioner.model.calling import (
    CallGroup,
    CallGroupMember,
    DirectoryEvent,
    Menu,
    PbxConnection,
    Resync,
    Schedule,
    SharedLine,
    SharedLineMember,
)
from provisioner.model.device import Device, Fetch, FunctionKey, KeyRange, Line, SettingValue, Sighting
from provisioner.model.extension import parse_extension, parse_outside_number, parse_public_number
from provisioner.model.mac import Mac
from provisioner.model.people import ApiToken, AuditEntry, Login, LoginSession, PasswordReset, Revocation
from provisioner.model.registration import Binding, Registration, RegistrationState
from provisioner.model.seating import HotdeskDialog, HotdeskSession, PinFailure, RunningCall
from provisioner.model.server_state import Counter, ServerFact
from provisioner.model.tenant import Site, Tenant
from provisioner.model.user import InternalNumber, PublicNumber, User, UserKind

__all__ = [
    "ApiToken",
    "AuditEntry",
    "Base",
    "Binding",
    "CallGroup",
    "CallGroupMember",
    "Counter",
    "Device",
    "DirectoryEvent",
    "Fetch",
    "FunctionKey",
    "HotdeskDialog",
    "HotdeskSession",
    "InternalNumber",
    "KeyRange",
    "Line",
    "Login",
    "LoginSession",
    "Mac",
    "Menu",
    "PasswordReset",
    "PbxConnection",
    "PinFailure",
    "PublicNumber",
    "Registration",
    "RegistrationState",
    "Resync",
    "Revocation",
    "RunningCall",
    "Schedule",
    "ServerFact",
    "SettingValue",
    "SharedLine",
    "SharedLineMember",
    "Sighting",
    "Site",
    "Tenant",
    "User",
    "UserKind",
    "parse_extension",
    "parse_outside_number",
    "parse_public_number",
]
