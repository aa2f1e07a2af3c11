"""Settings stored at a scope, and whom a scope reaches."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.composition.catalogue import Setting
from provisioner.errors import InvalidSetting, NotFound
from provisioner.model import Device, Line, SettingValue, Site, User
from provisioner.model.store import touch_where
from provisioner.services.context import Actor, Context, audit
from provisioner.services.devices.device_names import name_of
from provisioner.services.devices.enrolment import find_device, find_model
from provisioner.services.directory.call_checks import check_call_settings
from provisioner.services.number_rules import CHECKED_SETTINGS, check_codes
from provisioner.services.people.tenants import find_site, find_tenant
from provisioner.services.people.users import find_user

SECRET_SHOWN = "•••"  # noqa: S105 - what stands for one


async def get_settings(
    context: Context, actor: Actor, *, tenant_id: int, scope: str, ref: str = ""
) -> Mapping[str, Any]:
    """What is set at one scope itself: name → value, None for "unset here"; secrets as dots."""
    async with context.store.read() as session:
        ref = await check_owner(session, context, actor, tenant_id=tenant_id, scope=scope, ref=ref)
        rows = await session.execute(
            select(SettingValue).where(
                SettingValue.tenant_id == tenant_id, SettingValue.scope == scope, SettingValue.ref == ref
            )
        )
        return {row.name: _shown(context, row) for row in rows.scalars()}


async def put_settings(
    context: Context,
    actor: Actor,
    *,
    tenant_id: int,
    scope: str,
    values: Mapping[str, Any],
    ref: str = "",
    inherit: Sequence[str] = (),
) -> Mapping[str, Any]:
    """Set some settings at a scope, and let those in `inherit` come from below again; all or nothing.

    A value of None stores "unset here". Exactly the devices the scope reaches get a new revision. Raises
    InvalidSetting for the first wrong value, NotFound for a scope that is not there or not this actor's.
    """
    clean = {
        name: context.catalogue.check(name, scope, value)
        for name, value in values.items()
        if not _is_unseen(context, name, value)
    }
    for name in inherit:
        _ = context.catalogue[name]
    async with context.store.change() as session:
        ref = await check_owner(session, context, actor, tenant_id=tenant_id, scope=scope, ref=ref)
        await session.execute(
            delete(SettingValue).where(
                SettingValue.tenant_id == tenant_id,
                SettingValue.scope == scope,
                SettingValue.ref == ref,
                SettingValue.name.in_([*clean, *inherit]),
            )
        )
        for name, value in clean.items():
            stored = _sealed(context, tenant_id, context.catalogue[name], value)
            session.add(SettingValue(tenant_id=tenant_id, scope=scope, ref=ref, name=name, value=stored))
        if scope in {"tenant", "site"} and not CHECKED_SETTINGS.isdisjoint([*clean, *inherit]):
            await session.flush()
            await check_codes(session, tenant_id)
        await session.flush()
        await check_call_settings(
            session, context.catalogue, tenant_id=tenant_id, scope=scope, ref=ref, values=clean
        )
        touched = 0
        if any(context.catalogue[name].reach == "phone" for name in (*clean, *inherit)):
            touched = await touch_where(session, reached_by(tenant_id, scope, ref))
        audit(
            session, context, actor, action="settings.update", tenant_id=tenant_id, object=await place_in_words(session, scope, ref),
            set=sorted(clean), inherited=sorted(inherit), devices=touched,
        )  # fmt: skip
    return await get_settings(context, actor, tenant_id=tenant_id, scope=scope, ref=ref)


async def place_in_words(session: AsyncSession, scope: str, ref: str) -> str:
    """A scope as people read it in the audit log: "device Reception (00:04:13:AA:00:01)", "site Berlin", "tenant"."""
    if scope == "device":
        found = (await session.execute(select(Device.name, Device.mac).where(Device.id == int(ref)))).first()
        return f"device {name_of(*found)}" if found else f"device {ref}"
    table: Any = {"user": User, "site": Site}.get(scope)
    name = None
    if table is not None:
        name = (await session.execute(select(table.name).where(table.id == int(ref)))).scalar_one_or_none()
    return f"{scope} {name or ref}".strip()


def reached_by(tenant_id: int, scope: str, ref: str) -> Any:
    """The SQL condition for the devices whose files a scope's values reach."""
    own = Device.tenant_id == tenant_id
    if scope == "tenant":
        return own
    if scope == "model":
        profile, _, model = ref.partition("/")
        return own & (Device.profile == profile) & (Device.model == model)
    if scope == "site":
        return own & (Device.site_id == int(ref))
    if scope == "user":
        return own & Device.id.in_(select(Line.device_id).where(Line.user_id == int(ref)))
    return own & (Device.id == int(ref))


def secret_purpose(tenant_id: int, name: str) -> str:
    """What a secret setting is sealed for."""
    return f"setting.{name}:{tenant_id}"


async def check_owner(
    session: AsyncSession, context: Context, actor: Actor, *, tenant_id: int, scope: str, ref: str
) -> str:
    """`ref` in its canonical form, when it names something that is there and that this actor may see."""
    actor.tenant(tenant_id)
    if scope in {"user", "device"} and ref.isascii() and ref.isdecimal() and len(ref) < 10:
        if await _owner_tenant(session, actor, scope, int(ref)) != tenant_id:
            raise NotFound(f"There is no such {scope}.")
        return str(int(ref))
    actor.everything(tenant_id)
    if scope == "tenant" and not ref:
        await find_tenant(session, tenant_id)
        return ref
    if scope == "model":
        profile, _, model = ref.partition("/")
        find_model(context, profile, model)
        return ref
    if scope == "site" and ref.isascii() and ref.isdecimal() and len(ref) < 10:
        if await _owner_tenant(session, actor, scope, int(ref)) != tenant_id:
            raise NotFound("There is no such site.")
        return str(int(ref))
    raise InvalidSetting("Settings are set for a model, the tenant, a site, a user or a device.")


def _is_unseen(context: Context, name: str, value: Any) -> bool:
    """Whether a form sent back the dots that stood for a secret: it was not changed."""
    return value == SECRET_SHOWN and context.catalogue[name].is_secret


async def _owner_tenant(session: AsyncSession, actor: Actor, scope: str, owner_id: int) -> int:
    if scope == "site":
        return (await find_site(session, actor, owner_id)).tenant_id
    if scope == "user":
        return (await find_user(session, actor, owner_id)).tenant_id
    return (await find_device(session, actor, owner_id)).tenant_id


def _shown(context: Context, row: SettingValue) -> Any:
    setting = context.catalogue.settings.get(row.name)
    return SECRET_SHOWN if setting is not None and setting.is_secret and row.value else row.value


def _sealed(context: Context, tenant_id: int, setting: Setting, value: Any) -> Any:
    if not setting.is_secret or not value:
        return value
    return context.keyring.seal(value, purpose=secret_purpose(tenant_id, setting.name))
