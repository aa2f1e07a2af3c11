"""A user as people write one: "Anna de Vries (201)"; and which user somebody means who typed that."""

import re
from collections.abc import Sequence

from sqlalchemy import func, select

from provisioner.errors import BadInput
from provisioner.model import InternalNumber, User
from provisioner.model.text import is_plain
from provisioner.services.context import Actor, Context

MOST_NAMES = 1_000
"""How many names a form offers; more can be typed all the same."""
_WITH_EXTENSION = re.compile(r"(?:.*\()?\s*([0-9]{2,4})\s*\)?", re.ASCII | re.DOTALL)


def name_of(user: User) -> str:
    """The name with the extension, which nobody else has."""
    return f"{user.name} ({user.extension.digits})" if user.extension else user.name


async def list_names(
    context: Context, actor: Actor, *, tenant_id: int, hotdesk_only: bool = False
) -> Sequence[str]:
    """The tenant's users by name, as `find_by_name` understands them; `hotdesk_only`: those who may log in elsewhere."""
    where = [User.tenant_id == actor.everything(tenant_id)]
    if hotdesk_only:
        where.append(User.is_hotdesk.is_(True))
    async with context.store.read() as session:
        rows = await session.execute(
            select(User.name, InternalNumber.digits)
            .outerjoin(InternalNumber, InternalNumber.user_id == User.id)
            .where(*where)
            .order_by(func.lower(User.name), User.id)
            .limit(MOST_NAMES)
        )
        return [f"{name} ({digits})" if digits else name for name, digits in rows]


async def find_by_name(context: Context, actor: Actor, *, tenant_id: int, typed: str) -> User | None:
    """The user somebody means: by extension, alone or in brackets behind the name, else by the whole name.

    None for nothing typed; BadInput when there is nobody, or more than one.
    """
    typed = typed.strip()[:200]
    if not typed:
        return None
    if not is_plain(typed):  # PostgreSQL takes no NUL in a text
        raise BadInput("A name has no control characters.", field="user")
    owner = User.tenant_id == actor.everything(tenant_id)
    found = _WITH_EXTENSION.fullmatch(typed)
    by_number = select(User).join(InternalNumber, InternalNumber.user_id == User.id)
    async with context.store.read() as session:
        if found is not None:
            exact = by_number.where(owner, InternalNumber.digits == found[1])
            user = (await session.execute(exact)).unique().scalar_one_or_none()
            if user is not None:
                return user
        named = select(User).where(owner, func.lower(User.name) == typed.lower()).limit(2)
        users = (await session.execute(named)).unique().scalars().all()
    if len(users) > 1:
        raise BadInput(
            f"Several users are called “{typed}”; type the extension of the one you mean.", field="user"
        )
    if not users:
        raise BadInput(f"There is no user “{typed}” here; type a name or an extension.", field="user")
    return users[0]
