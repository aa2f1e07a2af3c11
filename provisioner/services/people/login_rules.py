"""Who may be let in as what, and what a login may be called."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.access.permissions import Role
from provisioner.errors import BadInput, Forbidden
from provisioner.model import User
from provisioner.model.text import is_plain
from provisioner.services.context import Actor
from provisioner.services.people.tenants import find_tenant

_ROLES_OF_TENANTS = frozenset({Role.ADMIN, Role.INSTALLER, Role.USER})


async def check_user(
    session: AsyncSession, role: Role, *, tenant_id: int | None, user_id: int | None
) -> None:
    if tenant_id is not None:
        await find_tenant(session, tenant_id)
    if role is Role.USER and user_id is None:
        raise BadInput("A login with the role user belongs to a user.", field="user_id")
    if user_id is not None:
        user = await session.get(User, user_id)
        if user is None or user.tenant_id != tenant_id:
            raise BadInput("There is no such user in this tenant.", field="user_id")


def chosen_role(actor: Actor, role: Any, *, tenant_id: int | None) -> Role:
    try:
        chosen = Role(role)
    except ValueError:
        chosen = Role.PBX
    if chosen is Role.PBX:
        raise BadInput("People are operator, admin, installer or user; a PBX gets a token.", field="role")
    if chosen is Role.OPERATOR and (actor.role is not Role.OPERATOR or tenant_id is not None):
        raise Forbidden("Only an operator makes operators, and those belong to no tenant.")
    if chosen in _ROLES_OF_TENANTS and tenant_id is None:
        raise BadInput("This role belongs to a tenant; say which.", field="tenant_id")
    if tenant_id is not None:
        actor.tenant(tenant_id)
    return chosen


def login_name(name: str) -> str:
    clean = name.strip().lower()
    if not 2 <= len(clean) <= 254 or any(character.isspace() for character in clean) or not is_plain(clean):
        raise BadInput(
            "A login name has 2 to 254 characters without blanks; an e-mail address is usual.", field="name"
        )
    return clean
