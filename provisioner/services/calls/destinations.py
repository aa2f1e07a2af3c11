"""What groups and menus have in common: numbers they send calls on to, users they name, phones that show them."""

import re
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.errors import BadInput
from provisioner.model import InternalNumber, User
from provisioner.model.store import touch_where
from provisioner.services.directory.call_checks import Within
from provisioner.services.directory.facts import find_number
from provisioner.services.key_targets import showing

_NUMBER = re.compile(r"\+?[0-9]{2,31}")


async def checked_destination(session: AsyncSession, tenant_id: int, value: Any, *, field: str) -> str:
    """An internal number that is there, a public or an outside number, or nothing; BadInput."""
    number = re.sub(r"[ ()/.-]", "", str(value)) if isinstance(value, str) else ""
    if not number and isinstance(value, str):
        return ""
    if not _NUMBER.fullmatch(number):
        raise BadInput(
            f"“{str(value)[:40]}” cannot be dialled; give an extension or a number like +31201234567.",
            field=field,
        )
    if len(number) <= 4 and await find_number(Within(session), tenant_id=tenant_id, number=number) is None:
        raise BadInput(f"Nobody has the extension {number}.", field=field)
    return number


async def checked_users(session: AsyncSession, tenant_id: int, value: Any, *, most: int) -> list[int]:
    """Ids of users of the tenant in the order given, each once; BadInput names the first that is wrong."""
    if not isinstance(value, list | tuple) or len(value) > most:
        raise BadInput(f"Members are a list of at most {most} users.", field="members")
    ids: list[int] = []
    for entry in value:
        known = isinstance(entry, int) and not isinstance(entry, bool) and 0 < entry < 2**31
        user = await session.get(User, entry) if known else None
        if user is None or user.tenant_id != tenant_id:
            raise BadInput(f"There is no user {str(entry)[:20]} in this tenant.", field="members")
        if user.id in ids:
            raise BadInput(f"{user.name} is a member twice.", field="members")
        ids.append(user.id)
    return ids


async def touch_shown(
    session: AsyncSession, tenant_id: int, numbers: ColumnElement[bool], *, is_name_only: bool
) -> None:
    """Touch the phones whose keys follow these internal numbers; `is_name_only`: the digits stay, only labels change."""
    ids = (
        (
            await session.execute(
                select(InternalNumber.id).where(InternalNumber.tenant_id == tenant_id, numbers)
            )
        )
        .scalars()
        .all()
    )
    if ids:
        await touch_where(session, showing(tenant_id, number_ids=ids, is_name_only=is_name_only))
