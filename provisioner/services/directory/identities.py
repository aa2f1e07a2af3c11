"""Who a device account is right now: whose calls it makes, what they show, what it may call, where it stands (R3–R5, R7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, or_, select

from provisioner.calling.permissions import Owner, caller_id, internal_caller_id, may_call
from provisioner.errors import NotFound
from provisioner.model import Device, InternalNumber, Line, PublicNumber, SharedLine, Site, Tenant, User
from provisioner.model.quick import AnyRow, Quick
from provisioner.model.text import is_plain
from provisioner.services.context import Actor, Context
from provisioner.services.directory.facts import Values, read_values

_ACCOUNT: Final = (
    select(
        Line.tenant_id, Line.account, Line.position, Line.kind, Line.user_id, Line.shared_line_id,
        Device.id.label("device_id"), Device.name.label("device_name"), Device.place,
        Device.emergency_caller_id.label("own_caller_id"), Device.site_id,
        Site.name.label("site_name"), Site.address, Site.emergency_caller_id.label("site_caller_id"),
        Tenant.name.label("tenant_name"), Tenant.sip_domain, Tenant.main_number,
        User.name.label("user_name"), SharedLine.name.label("shared_name"), InternalNumber.digits,
    )
    .join(Device, Device.id == Line.device_id)
    .join(Tenant, Tenant.id == Line.tenant_id)
    .outerjoin(Site, Site.id == Device.site_id)
    .outerjoin(User, User.id == Line.user_id)
    .outerjoin(SharedLine, SharedLine.id == Line.shared_line_id)
    .outerjoin(
        InternalNumber,
        or_(InternalNumber.user_id == Line.user_id, InternalNumber.shared_line_id == Line.shared_line_id),
    )
    .where(Line.account == bindparam("account"))
)  # fmt: skip
_NUMBERS: Final = (
    select(PublicNumber.number).where(PublicNumber.user_id == bindparam("user_id")).order_by(PublicNumber.id)
)


@dataclass(frozen=True, slots=True)
class Identity:
    """What the PBX is told of a device account."""

    document: Mapping[str, Any]
    tenant_id: int
    device_id: int


async def identity_of(context: Context, actor: Actor, *, account: str) -> Identity:
    """The identity of a device account now; NotFound for one that is not there or not this actor's."""
    async with context.store.quick() as quick:
        rows = await quick.all(_ACCOUNT, account=account) if is_plain(account) else ()
        if not rows or actor.tenant_id not in {None, rows[0].tenant_id}:
            raise NotFound("There is no such account.")
        row = rows[0]
        places = [("site", str(row.site_id)), ("user", str(row.user_id)), ("device", str(row.device_id))]
        values = await read_values(quick, context, tenant_id=row.tenant_id, places=places)
        owner = await _owner(quick, row)
        return Identity(_document(row, owner, values), row.tenant_id, row.device_id)


async def _owner(quick: Quick, row: AnyRow) -> Owner | None:
    if row.user_id is not None:
        numbers = await quick.all(_NUMBERS, user_id=row.user_id)
        return Owner(row.user_name, row.digits or "", tuple(number for (number,) in numbers))
    if row.shared_line_id is not None:
        return Owner(row.shared_name, row.digits or "")
    return None


def _document(row: AnyRow, owner: Owner | None, values: Values) -> Mapping[str, Any]:
    user = None
    if row.user_id is not None:
        user = {"id": row.user_id, "name": row.user_name, "extension": row.digits or ""}
    return {
        "account": row.account,
        "domain": row.sip_domain,
        "device": {"id": row.device_id, "name": row.device_name},
        "line": {"position": row.position, "kind": row.kind},
        "user": user,
        "caller_id": caller_id(
            owner,
            source=values["outgoing_number"],
            main_number=row.main_number,
            company_name=values["company_name"] or row.tenant_name,
            is_hidden=values["anonymous_calls"],
        ),
        "internal_caller_id": internal_caller_id(owner),
        # of the place where the device stands, never of who sits there
        "emergency": {
            "caller_id": row.own_caller_id or row.site_caller_id or row.main_number,
            "site": row.site_name or "",
            "address": row.address or "",
            "place": row.place,
            "numbers": list(values["emergency_numbers"]),
        },
        "may_call": may_call(owner, main_number=row.main_number),
        "blocked_classes": list(values["block_outgoing"]),
        "dial_plan": dial_plan(values),
    }


CODES: Final[Sequence[str]] = (
    "hotdesk_code", "pickup_code", "group_pickup_code", "blind_transfer_code", "attended_transfer_code",
    "park_code", "retrieve_code",
)  # fmt: skip


def dial_plan(values: Values) -> Sequence[Mapping[str, str]]:
    """What is no plain number: emergency numbers and the tenant's codes, as {"kind", "digits"}."""
    emergency = [{"kind": "emergency", "digits": number} for number in values["emergency_numbers"]]
    codes = [
        {"kind": name.removesuffix("_code"), "digits": values[name]} for name in CODES if values.get(name)
    ]
    return [*emergency, *codes]
