"""What a device's fields must be like, and whose they may be (R1.3, R4.1)."""

import re
import secrets
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.access.policies.named import policy as read_policy
from provisioner.errors import BadInput, Conflict, MacTaken
from provisioner.model import Device, Mac, Site, Tenant, User
from provisioner.model.text import is_plain
from provisioner.profiles.manifest import Profile
from provisioner.services.context import Actor
from provisioner.services.seats.lines import check_room_for_device


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
    """The user who gets the device; TooManyDevices when the premium rule (R4.1) leaves no room."""
    if user_id is None:
        return None
    user = await session.get(User, user_id)
    if user is None or user.tenant_id != tenant.id:
        raise BadInput("There is no such user in this tenant.", field="user_id")
    await check_room_for_device(session, tenant=tenant, user=user, moving=moving)
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


def device_place(value: Any) -> str:
    text = str(value).strip()
    if len(text) > 120 or not is_plain(text):
        raise BadInput("A place (floor, room) has at most 120 characters and no line breaks.", field="place")
    return text


def emergency_caller_id(value: Any) -> str:
    text = str(value).replace(" ", "")
    if not re.fullmatch(r"(\+?[0-9]{1,31})?", text, re.ASCII):
        raise BadInput(
            "A number has digits only, with a + in front for the country.", field="emergency_caller_id"
        )
    return text


TEXTS = {
    "name": device_name,
    "note": device_note,
    "policy": device_policy,
    "place": device_place,
    "emergency_caller_id": emergency_caller_id,
}
"""Columns of a device that are text, and what makes sure of them."""
