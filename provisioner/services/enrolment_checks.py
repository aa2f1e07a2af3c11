"""What a device's fields must be like, and whose they may be (R1.3, R4.1)."""

import secrets
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.access.policies.named import policy as read_policy
from provisioner.errors import BadInput, Conflict, MacTaken
from provisioner.model import Device, Line, Mac, Site, Tenant, User, UserKind
from provisioner.model.text import is_plain
from provisioner.profiles.manifest import Profile
from provisioner.services.context import Actor

MAX_DEVICES_PER_USER = 9


async def refuse_taken(session: AsyncSession, actor: Actor, mac: Mac) -> None:
    row = (
        await session.execute(
            select(Device.name, Device.tenant_id, Tenant.name)
            .join(Tenant, Tenant.id == Device.tenant_id)
            .where(Device.mac == mac.digits)
        )
    ).first()
    if row is None:
        return
    name, tenant_id, tenant_name = row
    if actor.tenant_id not in {None, tenant_id}:
        raise MacTaken(f"{mac.pretty} is already registered on this server.", field="mac")
    raise MacTaken(
        f"{mac.pretty} is already registered: it is “{name}” of {tenant_name}.",
        field="mac",
        device=name,
        tenant=tenant_name,
    )


async def user_for(
    session: AsyncSession, tenant: Tenant, user_id: int | None, *, moving: Device | None = None
) -> User | None:
    """The user who gets the device; Conflict when the premium rule (R4.1) leaves no room."""
    if user_id is None:
        return None
    user = await session.get(User, user_id)
    if user is None or user.tenant_id != tenant.id:
        raise BadInput("There is no such user in this tenant.", field="user_id")
    rows = await session.execute(
        select(Device.id, Device.name)
        .distinct()
        .join(Line, Line.device_id == Device.id)
        .where(Line.user_id == user_id)
        .order_by(Device.name)
    )
    others = [name for device_id, name in rows.all() if moving is None or device_id != moving.id]
    limit = MAX_DEVICES_PER_USER if tenant.is_premium or user.kind != UserKind.PERSON else 1
    if len(others) >= limit:
        way_out = (
            "remove one of them first"
            if limit > 1
            else "remove it first, or make the tenant premium to have up to nine"
        )
        raise Conflict(
            f"{user.name} already has {', '.join(others)}: {way_out}.", field="user_id", devices=others
        )
    return user


async def site_for(session: AsyncSession, tenant: Tenant, site_id: int | None) -> int | None:
    if site_id is None:
        return None
    site = await session.get(Site, site_id)
    if site is None or site.tenant_id != tenant.id:
        raise BadInput("There is no such site in this tenant.", field="site_id")
    return site.id


async def username_for(session: AsyncSession, wanted: str | None, profile: Profile) -> str:
    if wanted is None:
        return f"{profile.id[:6]}-{secrets.token_hex(4)}"
    name = wanted.strip()
    if not 3 <= len(name) <= min(40, profile.username_max) or not all(
        character.isascii() and (character.isalnum() or character in "-_.") for character in name
    ):
        raise BadInput(
            f"The user name has 3 to {min(40, profile.username_max)} letters, digits, dashes, dots or underscores.",
            field="username",
        )
    if (await session.execute(select(Device.id).where(Device.username == name))).first():
        raise Conflict(f"The user name “{name}” is taken; leave it empty to get one.", field="username")
    return name


def device_name(value: Any) -> str:
    text = str(value).strip()
    if not 1 <= len(text) <= 80 or not is_plain(text):
        raise BadInput("A device name has 1 to 80 characters and no line breaks.", field="name")
    return text


def device_note(value: Any) -> str:
    text = str(value).strip()
    if len(text) > 500 or not is_plain(text.replace("\n", " ").replace("\r", " ").replace("\t", " ")):
        raise BadInput("A note has at most 500 characters and no control characters.", field="note")
    return text


def device_policy(value: Any) -> str:
    text = str(value).strip()
    if text:
        read_policy(text)
    return text


TEXTS = {"name": device_name, "note": device_note, "policy": device_policy}
