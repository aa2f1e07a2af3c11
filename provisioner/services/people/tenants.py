"""Tenants and their sites."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.access.permissions import Role
from provisioner.access.policies.named import policy as read_policy
from provisioner.errors import BadInput, Conflict, Forbidden, InUse, NotFound
from provisioner.model import (
    ApiToken,
    Device,
    FunctionKey,
    KeyRange,
    Revocation,
    SettingValue,
    Site,
    Tenant,
    User,
)
from provisioner.model.store import announce, sequence, touch_where
from provisioner.model.text import is_plain
from provisioner.services.context import Actor, Context, audit
from provisioner.services.registrations.watching import registrar_address
from provisioner.services.revocations import remember_revoked
from provisioner.services.seats.lines import refuse_several_devices

MOST_NETWORKS = 100
_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,38}[a-z0-9]|[a-z0-9]")
_DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class TenantSummary:
    tenant: Tenant
    users: int
    devices: int


async def list_tenants(context: Context, actor: Actor) -> Sequence[TenantSummary]:
    """The tenants this actor may see, by name, with how much each has."""
    users = select(func.count()).select_from(User).where(User.tenant_id == Tenant.id).scalar_subquery()
    devices = select(func.count()).select_from(Device).where(Device.tenant_id == Tenant.id).scalar_subquery()
    statement = select(Tenant, users, devices).order_by(Tenant.name)
    if actor.tenant_id is not None:
        statement = statement.where(Tenant.id == actor.tenant_id)
    async with context.store.read() as session:
        return [TenantSummary(*row) for row in await session.execute(statement)]


async def get_tenant(context: Context, actor: Actor, *, tenant_id: int) -> Tenant:
    """One tenant; NotFound when it is not there or not this actor's."""
    async with context.store.read() as session:
        return await find_tenant(session, actor.tenant(tenant_id))


async def create_tenant(
    context: Context, actor: Actor, *, key: str, name: str, sip_domain: str, **fields: Any
) -> Tenant:
    """Make a tenant; only a server operator may. Raises BadInput or Conflict."""
    if actor.role is not Role.OPERATOR:
        raise Forbidden("Only a server operator makes tenants.")
    if not _KEY.fullmatch(key):
        raise BadInput("The key has small letters, digits and dashes, 1 to 40 of them.", field="key")
    tenant = Tenant(key=key, created_at=context.clock(), name="", sip_domain="", networks=[])
    _apply(tenant, {"name": name, "sip_domain": sip_domain, **fields})
    try:
        async with context.store.change() as session:
            session.add(tenant)
            await session.flush()
            audit(session, context, actor, action="tenant.create", tenant_id=tenant.id, object=key)
    except IntegrityError:
        raise Conflict(f"There is a tenant with the key “{key}” already.", field="key") from None
    return tenant


async def update_tenant(context: Context, actor: Actor, *, tenant_id: int, **fields: Any) -> Tenant:
    """Change fields of a tenant; every one of its phones gets a new file when that matters to phones."""
    async with context.store.change() as session:
        tenant = await find_tenant(session, actor.tenant(tenant_id))
        changed = _apply(tenant, fields)
        if changed.get("is_premium") is False:
            await refuse_several_devices(session, tenant)
        if "watch_registrar" in changed and actor.role is not Role.OPERATOR:
            raise Forbidden("Only a server operator chooses which registrar this server speaks to.")
        if "sip_domain" in changed and actor.role is not Role.OPERATOR:
            await _refuse_others_domain(session, tenant)
        if changed:
            await session.flush()
            await _tell_phones(session, Device.tenant_id == tenant.id, changed)
            audit(
                session,
                context,
                actor,
                action="tenant.update",
                tenant_id=tenant.id,
                object=tenant.key,
                **changed,
            )
    return tenant


async def delete_tenant(context: Context, actor: Actor, *, tenant_id: int) -> None:
    """Remove an empty tenant; InUse while it has devices, which must be revoked one by one first."""
    if actor.role is not Role.OPERATOR:
        raise Forbidden("Only a server operator removes tenants.")
    async with context.store.change() as session:
        tenant = await find_tenant(session, tenant_id)
        devices = (
            await session.execute(
                select(func.count()).select_from(Device).where(Device.tenant_id == tenant_id)
            )
        ).scalar_one()
        if devices:
            raise InUse(f"{tenant.name} still has {devices} devices; remove them first.", devices=devices)
        tokens = (
            (await session.execute(select(ApiToken.public_id).where(ApiToken.tenant_id == tenant_id)))
            .scalars()
            .all()
        )
        for ref in [f"token:{public}" for public in tokens]:
            session.add(
                Revocation(
                    ref=ref, seq=sequence(session), at=context.clock(), reason="the tenant was removed"
                )
            )
            await remember_revoked(context, ref)
        audit(session, context, actor, action="tenant.delete", tenant_id=tenant_id, object=tenant.key)
        await session.delete(tenant)


async def list_sites(context: Context, actor: Actor, *, tenant_id: int) -> Sequence[Site]:
    async with context.store.read() as session:
        rows = await session.execute(
            select(Site).where(Site.tenant_id == actor.tenant(tenant_id)).order_by(Site.name)
        )
        return rows.scalars().all()


async def get_site(context: Context, actor: Actor, *, site_id: int) -> Site:
    async with context.store.read() as session:
        return await find_site(session, actor, site_id)


async def create_site(context: Context, actor: Actor, *, tenant_id: int, name: str, **fields: Any) -> Site:
    site = Site(tenant_id=actor.tenant(tenant_id), name="", networks=[])
    _apply(site, {"name": name, **fields})
    try:
        async with context.store.change() as session:
            await find_tenant(session, tenant_id)
            session.add(site)
            await session.flush()
            audit(session, context, actor, action="site.create", tenant_id=tenant_id, object=site.name)
    except IntegrityError:
        raise Conflict(f"There is a site “{site.name}” already.", field="name") from None
    return site


async def update_site(context: Context, actor: Actor, *, site_id: int, **fields: Any) -> Site:
    try:
        async with context.store.change() as session:
            site = await find_site(session, actor, site_id)
            changed = _apply(site, fields)
            if changed:
                await session.flush()
                await _tell_phones(session, Device.site_id == site.id, changed)
                audit(
                    session,
                    context,
                    actor,
                    action="site.update",
                    tenant_id=site.tenant_id,
                    object=site.name,
                    **changed,
                )
    except IntegrityError:
        raise Conflict("There is a site with this name already.", field="name") from None
    return site


async def delete_site(context: Context, actor: Actor, *, site_id: int) -> None:
    """Remove a site; its devices and users stay, without a site."""
    async with context.store.change() as session:
        site = await find_site(session, actor, site_id)
        await touch_where(session, Device.site_id == site.id)
        for table in (SettingValue, FunctionKey, KeyRange):
            await session.execute(
                delete(table).where(
                    table.tenant_id == site.tenant_id, table.scope == "site", table.ref == str(site_id)
                )
            )
        audit(session, context, actor, action="site.delete", tenant_id=site.tenant_id, object=site.name)
        await session.delete(site)


async def _tell_phones(session: AsyncSession, reached: Any, changed: dict[str, Any]) -> None:
    """A new file where the change stands in files; only a fresh look where it decides who gets them."""
    if not _IN_FILES.isdisjoint(changed):
        await touch_where(session, reached)
    elif not _AT_THE_DOOR.isdisjoint(changed):
        await announce(session, reached)


async def find_tenant(session: AsyncSession, tenant_id: int) -> Tenant:
    """The row of a tenant; NotFound."""
    tenant = await session.get(Tenant, tenant_id)
    if tenant is None:
        raise NotFound("There is no such tenant.")
    return tenant


async def find_site(session: AsyncSession, actor: Actor, site_id: int) -> Site:
    """The row of a site this actor may see; NotFound."""
    site = await session.get(Site, site_id)
    if site is None or actor.tenant_id not in {None, site.tenant_id}:
        raise NotFound("There is no such site.")
    return site


async def _refuse_others_domain(session: AsyncSession, tenant: Tenant) -> None:
    """Under a domain a registrar finds a tenant's numbers: who takes another's takes its calls, or stops them."""
    with session.no_autoflush:
        taken = await session.execute(
            select(Tenant.id).where(Tenant.sip_domain == tenant.sip_domain, Tenant.id != tenant.id).limit(1)
        )
    if taken.first() is not None:
        raise Conflict(
            "This SIP domain is another tenant's: choose one of your own. Only a server operator gives one to several tenants.",
            field="sip_domain",
        )


def _apply(row: Tenant | Site, fields: dict[str, Any]) -> dict[str, Any]:
    """Check and set the fields; gives back those that really changed (no secrets among them)."""
    changed = {}
    for name, value in fields.items():
        check = _CHECKS.get(name)
        if check is None or not hasattr(row, name):
            raise BadInput(f"There is no field “{name}” here.", field=name)
        clean = check(name, value)
        if getattr(row, name) != clean:
            setattr(row, name, clean)
            changed[name] = clean
    return changed


def _name(field: str, value: Any) -> str:
    text = str(value).strip()
    if not 1 <= len(text) <= 120 or not is_plain(text):
        raise BadInput("A name has 1 to 120 characters and no line breaks.", field=field)
    return text


def _line(field: str, value: Any) -> str:
    text = str(value).strip()
    if len(text) > 250 or not is_plain(text):
        raise BadInput("At most 250 characters and no line breaks.", field=field)
    return text


def _dialled(field: str, value: Any) -> str:
    text = str(value).replace(" ", "")
    if not re.fullmatch(r"\+?[0-9]{0,31}", text):
        raise BadInput("A number has digits only, with a + in front for the country.", field=field)
    return text


def _domain(field: str, value: Any) -> str:
    text = str(value).strip().lower()
    if not _DOMAIN.fullmatch(text):
        raise BadInput("The SIP domain is a name such as pbx.example.net.", field=field)
    return text


def _registrar(field: str, value: Any) -> str:
    text = str(value).strip()
    try:
        if text:
            registrar_address(text)
    except BadInput as error:
        raise BadInput(error.detail, field=field) from None
    return text


def _policy(_field: str, value: Any) -> str:
    text = str(value).strip()
    if text:
        read_policy(text)
    return text


def _networks(field: str, value: Any) -> list[str]:
    parts = value if isinstance(value, list | tuple) else str(value).replace(",", " ").split()
    if len(parts) > MOST_NETWORKS:
        raise BadInput(f"At most {MOST_NETWORKS} networks.", field=field)
    return [_network(field, str(part)) for part in parts]


def _network(field: str, text: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        raise BadInput(
            f"A network is written like 192.0.2.0/24; “{text[:60]}” is not one.", field=field
        ) from None


def _flag(field: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadInput("Either true or false.", field=field)
    return value


def _minimum(field: str, value: Any) -> int:
    if not isinstance(value, int) or not 6 <= value <= 40:
        raise BadInput(
            "The length is 6 to 40; it can be made stricter than the rule, never weaker.", field=field
        )
    return value


def _grace(field: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 600:
        raise BadInput("The grace is 0 to 600 seconds.", field=field)
    return value


_IN_FILES = frozenset({"sip_domain", "policy"})
"""Fields that stand in phones' files: the domain itself, and the policy by the path it leads to."""
_AT_THE_DOOR = frozenset({"networks", "is_clear_text_allowed"})

_CHECKS = {
    "name": _name,
    "address": _line,
    "sip_domain": _domain,
    "main_number": _dialled,
    "emergency_caller_id": _dialled,
    "policy": _policy,
    "networks": _networks,
    "is_premium": _flag,
    "is_clear_text_allowed": _flag,
    "is_seating_hidden": _flag,
    "primary_grace": _grace,
    "password_minimum": _minimum,
    "watch_registrar": _registrar,
}
