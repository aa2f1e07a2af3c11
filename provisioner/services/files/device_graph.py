"""Everything stored about one device, read in a few plain queries: the cold path of a phone's request."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from ipaddress import ip_network
from typing import Any

from sqlalchemy import bindparam, func, or_, select

from provisioner.access.addresses import Network
from provisioner.composition.assemble import Shape, StoredDevice, StoredLine, assemble
from provisioner.composition.compose import KeyLayer, Layer
from provisioner.composition.key_ranges import KeyRun
from provisioner.composition.line_keys import Mate, SharedFacts
from provisioner.composition.phone_config import LineKind, PhoneConfig, ServerFacts
from provisioner.composition.time_rule import TimeRule, time_rule
from provisioner.errors import Unavailable
from provisioner.model import (
    Device,
    InternalNumber,
    Line,
    SettingValue,
    SharedLine,
    Sighting,
    Site,
    Tenant,
    User,
)
from provisioner.model.quick import AnyRow, Quick
from provisioner.profiles.manifest import Model, Profile
from provisioner.services.context import Context
from provisioner.services.device_secrets import line_purpose, purpose
from provisioner.services.devices.device_settings import secret_purpose
from provisioner.services.files.key_rows import read_keys
from provisioner.services.seats.mates import read_mates

_DEVICE = (
    select(
        Device.id, Device.uid, Device.tenant_id, Device.site_id, Device.mac, Device.name, Device.profile, Device.model, Device.firmware,
        Device.username, Device.password, Device.previous_password, Device.previous_until, Device.policy, Device.token, Device.token_hash,
        Device.action_token, Device.admin_password, Device.admin_pin, Device.window_until, Device.window_address, Device.revision, Device.changed_seq,
        Device.locked_until, func.coalesce(Sighting.agent, "").label("agent"), Sighting.seen_from,
        Tenant.name.label("tenant_name"), Tenant.sip_domain, Tenant.policy.label("tenant_policy"), Tenant.networks.label("tenant_networks"),
        Tenant.is_clear_text_allowed, Tenant.number_plan,
        Site.name.label("site_name"), Site.policy.label("site_policy"), Site.networks.label("site_networks"),
    )
    .join(Tenant, Tenant.id == Device.tenant_id)
    .outerjoin(Site, Site.id == Device.site_id)
    .outerjoin(Sighting, Sighting.device_id == Device.id)
)  # fmt: skip


_BY_MAC = _DEVICE.where(Device.mac == bindparam("mac"))
_BY_ID = _DEVICE.where(Device.id == bindparam("device_id"))
_LINES = (
    select(
        Line.position,
        Line.kind,
        Line.account,
        Line.secret,
        Line.user_id,
        User.name,
        InternalNumber.digits,
        SharedLine.name.label("shared_name"),
        SharedLine.account.label("shared_account"),
        SharedLine.mode,
        SharedLine.appearances,
        SharedLine.is_barge_in,
        SharedLine.is_private_hold,
    )
    .outerjoin(User, User.id == Line.user_id)
    .outerjoin(SharedLine, SharedLine.id == Line.shared_line_id)
    # a user's own number, or the shared line's; a line stands for one of them at most
    .outerjoin(
        InternalNumber,
        or_(InternalNumber.user_id == Line.user_id, InternalNumber.shared_line_id == Line.shared_line_id),
    )
    .where(Line.device_id == bindparam("device_id"))
    .order_by(Line.position)
)
_VALUES = select(SettingValue.scope, SettingValue.ref, SettingValue.name, SettingValue.value).where(
    SettingValue.tenant_id == bindparam("tenant_id"), SettingValue.ref.in_(bindparam("refs", expanding=True))
)
_CLEAR_TENANTS = select(Tenant.networks).where(Tenant.is_clear_text_allowed)
_CLEAR_SITES = (
    select(Site.networks).join(Tenant, Tenant.id == Site.tenant_id).where(Tenant.is_clear_text_allowed)
)

DeviceFacts = AnyRow
"""The row of one device with its tenant and site: the columns above by name."""


async def read_device(quick: Quick, *, mac: str = "", device_id: int = 0) -> DeviceFacts | None:
    """The device with this address or id; None when there is none."""
    rows = await quick.all(_BY_MAC, mac=mac) if mac else await quick.all(_BY_ID, device_id=device_id)
    return rows[0] if rows else None


async def read_clear_text_networks(quick: Quick) -> tuple[Network, ...]:
    """Networks in which some tenant allows secrets over http: there strangers are asked for credentials too (T1)."""
    rows = [*await quick.all(_CLEAR_TENANTS), *await quick.all(_CLEAR_SITES)]
    return tuple(sorted({ip_network(text) for row in rows for text in row.networks}, key=str))


@dataclass(frozen=True, slots=True)
class Parts:
    """What composition needs of one device, all from one moment; secrets in clear."""

    stored: StoredDevice = field(repr=False)
    shape: Shape
    server: ServerFacts = field(repr=False)


async def compose_parts(context: Context, parts: Parts) -> PhoneConfig:
    """What the device should be now. The first look at a time zone reads files and counts through years: in a thread."""
    today = context.clock().date()
    zone = _zone(context, parts.stored.layers)
    rule = _RULES.get((zone, today))
    if rule is None:
        rule = await asyncio.to_thread(time_rule, zone, since=today)
        if len(_RULES) >= MOST_RULES:
            _RULES.clear()
        _RULES[zone, today] = rule
    return assemble(
        context.catalogue, parts.stored, shape=parts.shape, server=parts.server, today=today, rule=rule
    )


MOST_RULES = 2_000
_RULES: dict[tuple[str, date], TimeRule] = {}


def _zone(context: Context, layers: Sequence[Layer]) -> str:
    timezone = [layer.values["timezone"] for layer in layers if "timezone" in layer.values]
    chosen: str = (timezone[-1] if timezone else None) or context.catalogue["timezone"].default
    return chosen


async def read_parts(quick: Quick, context: Context, facts: DeviceFacts) -> Parts:
    """Everything that is composed; nothing here waits but for the database."""
    model = _model_of(context, facts)
    lines = await quick.all(_LINES, device_id=facts.id)
    is_watching = any(line.mode == "blf" for line in lines)
    mates = await read_mates(quick, device_id=facts.id) if is_watching else {}
    owner = next((line for line in lines if line.user_id is not None), None)
    layers, key_layers, key_runs = await _read_layers(
        quick,
        context,
        facts,
        owner=owner.user_id if owner else None,
        owner_name=owner.name if owner else None,
    )
    stored = StoredDevice(
        mac=facts.mac,
        name=facts.name,
        profile=facts.profile,
        model=facts.model,
        firmware=facts.firmware,
        username=facts.username,
        password=_open(context, facts, "password"),
        path=f"/p/t/{_open(context, facts, 'token')}" if is_token_policy(context, facts) else "/p",
        admin_password=_open(context, facts, "admin_password"),
        admin_pin=_open(context, facts, "admin_pin"),
        lines=[
            StoredLine(
                position=line.position,
                kind=LineKind(line.kind),
                account=line.account,
                password=context.keyring.open(line.secret, purpose=line_purpose(line.account)),
                user_name=line.name or "",
                extension=line.digits or "",
                shared=_shared(line, mates.get(line.position, ())),
            )
            for line in lines
        ],
        layers=layers,
        key_layers=key_layers,
        number_plan=facts.number_plan,
        key_runs=key_runs,
    )
    shape = Shape(
        lines=model.lines,
        keys=model.keys_accepted or model.keys,
        modules=model.modules,
        module_keys=model.module_keys,
        sure_keys=model.keys,
    )
    return Parts(stored, shape, server_facts(context, facts))


def _shared(line: AnyRow, mates: Sequence[Mate]) -> SharedFacts | None:
    if line.shared_account is None:
        return None
    return SharedFacts(
        name=line.shared_name,
        account=line.shared_account,
        mode=line.mode,
        appearances=line.appearances,
        is_barge_in=line.is_barge_in,
        is_private_hold=line.is_private_hold,
        mates=mates,
    )


def _model_of(context: Context, facts: DeviceFacts) -> Model:
    profile = context.profiles.all.get(facts.profile)
    if profile is None:
        raise Unavailable(f"The vendor profile {facts.profile} is switched off because its folder is broken.")
    model = profile.models.get(facts.model) or profile.models.get(profile.default_model or "")
    if model is None:
        raise Unavailable(f"The vendor profile {facts.profile} no longer knows the model {facts.model}.")
    return model


def policy_of(context: Context, facts: DeviceFacts) -> str:
    """The credential policy that counts: the device's, else its site's, else its tenant's, else the server's."""
    chosen: str = facts.policy or facts.site_policy or facts.tenant_policy or context.settings.policy
    return chosen


def is_token_policy(context: Context, facts: DeviceFacts) -> bool:
    """Whether the phone is told the path with its token."""
    return "token" in policy_of(context, facts)


def server_facts(context: Context, facts: DeviceFacts) -> ServerFacts:
    """The addresses that stand in this device's file."""
    settings = context.settings
    action = f"{settings.https_base}/a/{_open(context, facts, 'action_token')}"
    token = f"t/{_open(context, facts, 'token')}/" if is_token_policy(context, facts) else ""
    return ServerFacts(
        https_url=settings.https_base,
        http_url=settings.http_base,
        action_url=action,
        ca_url=f"{settings.http_base}/ca.pem" if settings.http_base else "",
        screen_url=f"{settings.https_base}/x/{token}{facts.mac}/hotdesk",
    )


def profile_of(context: Context, facts: DeviceFacts) -> Profile | None:
    """The vendor profile; None when that vendor is switched off because its folder is broken."""
    return context.profiles.all.get(facts.profile)


async def _read_layers(
    quick: Quick, context: Context, facts: DeviceFacts, *, owner: int | None, owner_name: str | None
) -> tuple[list[Layer], list[KeyLayer], list[KeyRun]]:
    scopes = {
        ("model", f"{facts.profile}/{facts.model}"): facts.model,
        ("tenant", ""): facts.tenant_name,
        ("site", str(facts.site_id)): facts.site_name or "",
        ("user", str(owner)): owner_name or "",
        ("device", str(facts.id)): facts.name,
    }
    refs = [ref for _, ref in scopes]
    values = await quick.all(_VALUES, tenant_id=facts.tenant_id, refs=refs)
    key_layers, key_runs = await read_keys(
        quick, context, tenant_id=facts.tenant_id, places=scopes, owner=owner
    )
    found: dict[tuple[str, str], dict[str, Any]] = {place: {} for place in scopes}
    for scope, ref, name, value in values:
        if (scope, ref) in found:
            found[(scope, ref)][name] = _clear(context, facts.tenant_id, name, value)
    # the SIP domain is a property of the tenant, not a row: so it cannot be set twice
    found[("tenant", "")]["sip_domain"] = facts.sip_domain
    layers = [Layer(scope, label, found[(scope, ref)]) for (scope, ref), label in scopes.items()]
    return layers, key_layers, key_runs


def _clear(context: Context, tenant_id: int, name: str, value: Any) -> Any:
    setting = context.catalogue.settings.get(name)
    if setting is None or not setting.is_secret or not value:
        return value
    return context.keyring.open(value, purpose=secret_purpose(tenant_id, name))


def _open(context: Context, facts: DeviceFacts, column: str) -> str:
    return context.keyring.open(getattr(facts, column), purpose=purpose(facts.uid, column))


def accepted_passwords(context: Context, facts: DeviceFacts) -> Sequence[str]:
    """The configuration password, and the replaced one that may still be accepted."""
    current = _open(context, facts, "password")
    return (current, _open(context, facts, "previous_password")) if facts.previous_password else (current,)
