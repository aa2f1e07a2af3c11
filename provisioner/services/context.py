"""What every use case works with, and who asks for it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.access.permissions import Role
from provisioner.clock import Clock
from provisioner.composition.catalogue import Catalogue
from provisioner.errors import NotFound
from provisioner.model.calling import DirectoryEvent
from provisioner.model.people import AuditEntry
from provisioner.model.store import Store
from provisioner.profiles.loader import Profiles
from provisioner.secrets import KeyRing
from provisioner.services.live import Hub
from provisioner.settings import ServerSettings


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of one running server."""

    store: Store
    keyring: KeyRing
    catalogue: Catalogue
    profiles: Profiles
    settings: ServerSettings
    clock: Clock
    hub: Hub
    realm: str
    """Realm of the phone door's challenges; stored once, never taken from a request."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: a person, a machine token, the command line or the server itself."""

    name: str
    role: Role
    tenant_id: int | None = None
    """None: all tenants."""
    login_id: int | None = None
    user_id: int | None = None
    """Set for the role user only: the one user this actor may see."""
    address: str = ""

    def tenant(self, tenant_id: int) -> int:
        """Give `tenant_id` back when this actor may see that tenant; NotFound otherwise, as if it did not exist."""
        if self.tenant_id is not None and self.tenant_id != tenant_id:
            raise NotFound("There is no such tenant.")
        return tenant_id

    def everything(self, tenant_id: int) -> int:
        """The same for what is not one user's own: NotFound for the role user too."""
        if self.user_id is not None:
            raise NotFound("There is no such thing here.")
        return self.tenant(tenant_id)


SYSTEM = Actor(name="server", role=Role.OPERATOR)

_NOT_IN_THE_DIRECTORY = ("token.", "login", "logout", "secret.", "device.password", "device.unlock", "device.window", "tenant.delete", "hotdesk.")  # fmt: skip
"""Beginnings of actions that change nothing a PBX can see, or leave events of their own."""


def audit(
    session: AsyncSession,
    context: Context,
    actor: Actor,
    *,
    action: str,
    tenant_id: int | None,
    object: str = "",  # noqa: A002 - the audit log's own word
    **detail: Any,
) -> None:
    """Add an audit entry to the transaction; `detail` must hold no secret.

    In a change of the configuration it also tells the PBX directory that something of the tenant is different now.
    """
    who = f"{actor.name} ({actor.role.value}{', ' + actor.address if actor.address else ''})"
    session.add(
        AuditEntry(
            tenant_id=tenant_id,
            at=context.clock(),
            actor=who[:160],
            action=action,
            object=object[:200],
            detail=detail,
        )
    )
    if tenant_id is not None and "seq" in session.info and not action.startswith(_NOT_IN_THE_DIRECTORY):
        session.add(
            DirectoryEvent(
                tenant_id=tenant_id,
                at=context.clock(),
                kind="changed",
                object=f"{action} {object}".strip()[:120],
                detail={},
            )
        )
