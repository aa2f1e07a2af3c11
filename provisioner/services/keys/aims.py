"""What function keys of a tenant can point at: its people and its other internal numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from provisioner.model import InternalNumber
from provisioner.services.context import Actor, Context
from provisioner.services.files.key_rows import all_users, read_aims

MOST = 5_000
"""The largest tenant whose people a page offers one by one; in a larger one the digits are typed."""


@dataclass(frozen=True, slots=True)
class Aim:
    """A user (`user_id`) or an internal number that is no user's (`number_id`). Digits are empty for a user without extension."""

    user_id: int | None
    number_id: int | None
    name: str
    digits: str

    @property
    def text(self) -> str:
        """How it is written in a form: Anna de Vries (201)."""
        return f"{self.name} ({self.digits or '–'})"


async def list_aims(context: Context, actor: Actor, *, tenant_id: int) -> Sequence[Aim]:
    """Users and then the other numbers of a tenant, each by name; at most MOST of each."""
    actor.everything(tenant_id)
    async with context.store.quick() as quick:
        numbers = await quick.all(
            select(InternalNumber.id)
            .where(InternalNumber.tenant_id == tenant_id, InternalNumber.user_id.is_(None))
            .limit(MOST)
        )
        users = await all_users(quick, tenant_id=tenant_id, limit=MOST)
        aims = await read_aims(
            quick, tenant_id=tenant_id, user_ids=(), number_ids=[row.id for row in numbers]
        )
    people = [Aim(row.id, None, row.name, row.digits or "") for row in users]
    others = [Aim(None, number_id, name, digits) for number_id, (digits, name) in aims.numbers.items()]
    return [
        *sorted(people, key=lambda aim: aim.name.casefold()),
        *sorted(others, key=lambda aim: aim.name.casefold()),
    ]
