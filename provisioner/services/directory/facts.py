"""What the PBX directory reads of the database: a few plain queries over indexed columns, all of one moment."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, func, select

from provisioner.calling.ring_plan import Company, Person, Phone, Wishes
from provisioner.calling.schedules import Timetable, read_timetable
from provisioner.composition.compose import Layer, compose
from provisioner.errors import BadInput, NotFound
from provisioner.model import (
    CallGroup,
    CallGroupMember,
    InternalNumber,
    Line,
    Menu,
    PublicNumber,
    Registration,
    RegistrationState,
    Schedule,
    SettingValue,
    SharedLine,
    SharedLineMember,
    Tenant,
    User,
)
from provisioner.model.quick import AnyRow, Quick
from provisioner.model.text import is_plain
from provisioner.services.context import Actor, Context

Values = Mapping[str, Any]
"""Settings by name: what holds after all scopes are laid over each other."""

_TENANTS: Final = select(
    Tenant.id, Tenant.name, Tenant.sip_domain, Tenant.main_number, Tenant.is_premium, Tenant.primary_grace
)
_TENANT_BY_ID: Final = _TENANTS.where(Tenant.id == bindparam("tenant_id"))
_TENANTS_BY_DOMAIN: Final = _TENANTS.where(func.lower(Tenant.sip_domain) == bindparam("domain")).limit(2)
_VALUES: Final = select(SettingValue.scope, SettingValue.ref, SettingValue.name, SettingValue.value).where(
    SettingValue.tenant_id == bindparam("tenant_id"), SettingValue.ref.in_(bindparam("refs", expanding=True))
)
_SCHEDULES: Final = select(Schedule.name, Schedule.weekly, Schedule.dates).where(
    Schedule.tenant_id == bindparam("tenant_id"), Schedule.name.in_(bindparam("names", expanding=True))
)
_INTERNAL: Final = select(
    InternalNumber.digits,
    InternalNumber.label,
    InternalNumber.user_id,
    InternalNumber.device_id,
    InternalNumber.public_number_id,
    InternalNumber.outside,
    InternalNumber.shared_line_id,
    InternalNumber.group_id,
    InternalNumber.menu_id,
).where(InternalNumber.tenant_id == bindparam("tenant_id"), InternalNumber.digits == bindparam("digits"))
_PUBLIC_COLUMNS: Final = select(
    PublicNumber.number, PublicNumber.user_id, PublicNumber.group_id, PublicNumber.menu_id
).where(PublicNumber.tenant_id == bindparam("tenant_id"))
_PUBLIC_BY_NUMBER: Final = _PUBLIC_COLUMNS.where(
    PublicNumber.number.in_(bindparam("numbers", expanding=True))
)
_PUBLIC_BY_ID: Final = _PUBLIC_COLUMNS.where(PublicNumber.id == bindparam("number_id"))
_USERS: Final = (
    select(User.id, User.name, User.primary_device_id, InternalNumber.digits)
    .outerjoin(InternalNumber, InternalNumber.user_id == User.id)
    .where(User.tenant_id == bindparam("tenant_id"), User.id.in_(bindparam("user_ids", expanding=True)))
)
_LINES: Final = (
    select(
        Line.user_id,
        Line.account,
        Line.kind,
        Line.device_id,
        Line.position,
        Registration.state,
        Registration.since,
    )
    .outerjoin(Registration, Registration.line_id == Line.id)
    .where(Line.tenant_id == bindparam("tenant_id"))
    .order_by(Line.device_id, Line.position)
)
_LINES_OF_USERS: Final = _LINES.where(
    Line.user_id.in_(bindparam("user_ids", expanding=True)), Line.kind.in_(("user", "hotdesk"))
)
_LINES_OF_DEVICE: Final = _LINES.where(Line.device_id == bindparam("device_id"), Line.position == 1)
_LINE_OF_ACCOUNT: Final = _LINES.where(Line.account == bindparam("account"))
_LINES_OF_SHARED: Final = (
    select(
        SharedLineMember.position,
        Line.account,
        Line.kind,
        Line.device_id,
        Registration.state,
        Registration.since,
    )
    .join(Line, Line.id == SharedLineMember.line_id)
    .outerjoin(Registration, Registration.line_id == Line.id)
    .where(
        SharedLineMember.tenant_id == bindparam("tenant_id"),
        SharedLineMember.shared_line_id == bindparam("shared_line_id"),
    )
    .order_by(SharedLineMember.position)
)
_SHARED: Final = select(
    SharedLine.name,
    SharedLine.account,
    SharedLine.mode,
    SharedLine.appearances,
    SharedLine.is_barge_in,
    SharedLine.is_barge_tone,
    SharedLine.barge_tone_repeat,
    SharedLine.is_private_hold,
).where(SharedLine.tenant_id == bindparam("tenant_id"), SharedLine.id == bindparam("shared_line_id"))
_SILENT: Final = select(SettingValue.ref, SettingValue.value).where(
    SettingValue.tenant_id == bindparam("tenant_id"),
    SettingValue.scope == "device",
    SettingValue.name == "dnd",
    SettingValue.ref.in_(bindparam("refs", expanding=True)),
)
_GROUP: Final = select(
    CallGroup.name, CallGroup.policy, CallGroup.is_queue, CallGroup.rings, CallGroup.wait, CallGroup.overflow
).where(CallGroup.tenant_id == bindparam("tenant_id"), CallGroup.id == bindparam("group_id"))
_MEMBERS: Final = (
    select(CallGroupMember.user_id)
    .where(
        CallGroupMember.tenant_id == bindparam("tenant_id"), CallGroupMember.group_id == bindparam("group_id")
    )
    .order_by(CallGroupMember.position)
)
_MENU: Final = select(Menu.name, Menu.greeting, Menu.options, Menu.timeout, Menu.fallback, Menu.tries).where(
    Menu.tenant_id == bindparam("tenant_id"), Menu.id == bindparam("menu_id")
)


@dataclass(frozen=True, slots=True)
class Destination:
    """What a number stands for: `kind` and the id of that; `dial` is what is dialled for an outside or public number."""

    kind: str
    ref: int = 0
    label: str = ""
    dial: str = ""

    @property
    def place(self) -> str:
        """The destination as one word, for finding loops; the same whatever number leads there."""
        return f"{self.kind} {self.ref or self.dial}"


async def find_tenant(quick: Quick, actor: Actor, *, domain: str) -> AnyRow:
    """The tenant that is asked about: the token's own, or for a token of the whole server the one of the SIP domain.

    NotFound for a domain that is not there or not this token's; BadInput when it does not say which tenant is meant.
    """
    if actor.tenant_id is not None:
        rows = await quick.all(_TENANT_BY_ID, tenant_id=actor.tenant_id)
        if rows and domain.lower() in {"", rows[0].sip_domain.lower()}:
            return rows[0]
        raise NotFound("There is no such domain.")
    if not domain:
        raise BadInput("Say which SIP domain: ?domain=…", field="domain")
    rows = await quick.all(_TENANTS_BY_DOMAIN, domain=domain.lower()) if is_plain(domain) else ()
    if not rows:
        raise NotFound("There is no such domain.")
    if len(rows) > 1:
        raise BadInput("Several tenants have this domain; ask with the token of one of them.", field="domain")
    return rows[0]


async def find_number(quick: Quick, *, tenant_id: int, number: str) -> Destination | None:
    """What an internal number, a public number or a device account stands for; None when nobody has it."""
    if not is_plain(number) or len(number) > 64:
        return None
    if number.isdecimal() and len(number) <= 4:
        rows = await quick.all(_INTERNAL, tenant_id=tenant_id, digits=number)
        if rows:
            return await _stands_for(quick, tenant_id, rows[0])
    rows = await quick.all(_PUBLIC_BY_NUMBER, tenant_id=tenant_id, numbers=spellings(number))
    if rows:
        return _public(rows[0])
    rows = await quick.all(_LINE_OF_ACCOUNT, tenant_id=tenant_id, account=number)
    return Destination("device", rows[0].device_id) if rows else None


def spellings(number: str) -> Sequence[str]:
    """How a public number may be stored: with +, with 00 or without either."""
    bare = number.removeprefix("+").removeprefix("00") if number.startswith(("+", "00")) else number
    return sorted({number, bare, f"+{bare}", f"00{bare}"})


async def _stands_for(quick: Quick, tenant_id: int, row: AnyRow) -> Destination:
    if row.public_number_id is not None:
        rows = await quick.all(_PUBLIC_BY_ID, tenant_id=tenant_id, number_id=row.public_number_id)
        found = _public(rows[0]) if rows else Destination("none")
        return (
            found
            if found.kind != "none"
            else Destination("public", 0, row.label, rows[0].number if rows else "")
        )
    if row.outside:
        return Destination("outside", 0, row.label, row.outside)
    for kind, ref in (
        ("user", row.user_id),
        ("device", row.device_id),
        ("shared_line", row.shared_line_id),
        ("group", row.group_id),
        ("menu", row.menu_id),
    ):
        if ref is not None:
            return Destination(kind, ref, row.label)
    return Destination("none", 0, row.label)


def _public(row: AnyRow) -> Destination:
    for kind, ref in (("user", row.user_id), ("group", row.group_id), ("menu", row.menu_id)):
        if ref is not None:
            return Destination(kind, ref)
    return Destination("none")


async def read_values(
    quick: Quick, context: Context, *, tenant_id: int, places: Sequence[tuple[str, str]]
) -> Values:
    """Settings laid over each other; `places` are (scope, ref), weakest first, without the tenant's own, which is below all."""
    ladder = [("tenant", ""), *places]
    rows = await quick.all(_VALUES, tenant_id=tenant_id, refs=sorted({ref for _, ref in ladder}))
    found: dict[tuple[str, str], dict[str, Any]] = {place: {} for place in ladder}
    for scope, ref, name, value in rows:
        if (scope, ref) in found:
            found[(scope, ref)][name] = value
    layers = [Layer(scope, "", found[(scope, ref)]) for scope, ref in ladder]
    return {name: composed.value for name, composed in compose(context.catalogue, layers).items()}


async def read_company(quick: Quick, tenant: AnyRow, values: Values, zone: ZoneInfo) -> Company:
    """What holds for the whole tenant; a schedule that is named but not there says nothing."""
    names = [values["working_hours"], values["holidays"]]
    timetables = await read_timetables(quick, tenant_id=tenant.id, names=names)
    return Company(
        domain=tenant.sip_domain,
        zone=zone,
        is_premium=tenant.is_premium,
        grace=timedelta(seconds=tenant.primary_grace),
        night_mode=values["night_mode"],
        night_target=values["night_target"],
        working_hours=timetables.get(values["working_hours"]),
        holidays=timetables.get(values["holidays"]),
    )


async def read_timetables(quick: Quick, *, tenant_id: int, names: Iterable[str]) -> Mapping[str, Timetable]:
    """Schedules by name; those that are not there are not in the answer."""
    wanted = sorted({name for name in names if name})
    if not wanted:
        return {}
    rows = await quick.all(_SCHEDULES, tenant_id=tenant_id, names=wanted)
    return {row.name: read_timetable(row) for row in rows}


async def read_wishes(quick: Quick, *, tenant_id: int, values: Values, company: Values) -> Wishes:
    """A user's settings about calls to them; `company` are the tenant's, to tell a user's own night target from it."""
    schedule = values["blocked_schedule"]
    timetables = await read_timetables(quick, tenant_id=tenant_id, names=[schedule])
    own_target = values["night_target"] if values["night_target"] != company["night_target"] else ""
    return Wishes(
        always=values["forward_always"],
        busy=values["forward_busy"],
        no_answer=values["forward_no_answer"],
        no_answer_after=values["forward_no_answer_time"],
        not_registered=values["forward_unreachable"],
        night_switch=values["night_switch"],
        night_target=own_target,
        block=values["block_incoming"],
        blocked_numbers=tuple(values["blocked_numbers"]),
        blocked_schedule=timetables.get(schedule),
        is_schedule_missing=bool(schedule) and schedule not in timetables,
        voicemail={
            "is_on": values["voicemail_on"],
            "when": values["voicemail_when"],
            "rings": values["voicemail_rings"],
            "email": values["voicemail_email"],
            "is_copied": values["voicemail_copy"],
            "number": values["voicemail_number"],
        },
    )


async def read_people(quick: Quick, *, tenant_id: int, user_ids: Sequence[int]) -> Sequence[Person]:
    """Users with the phones that stand for them, in the order of `user_ids`; those that are not there are left out."""
    users = {row.id: row for row in await quick.all(_USERS, tenant_id=tenant_id, user_ids=list(user_ids))}
    lines = await quick.all(_LINES_OF_USERS, tenant_id=tenant_id, user_ids=list(user_ids))
    silent = await _silent_ones(quick, tenant_id, lines)
    phones: defaultdict[int, dict[int, Phone]] = defaultdict(dict)
    for line in lines:  # a device with several lines of one user rings once
        phones[line.user_id].setdefault(line.device_id, _phone(line, silent))
    return [
        Person(
            user_id=row.id,
            name=row.name,
            extension=row.digits or "",
            primary_device_id=row.primary_device_id,
            phones=tuple(phones[row.id].values()),
        )
        for row in (users[user_id] for user_id in user_ids if user_id in users)
    ]


async def read_device_phones(quick: Quick, *, tenant_id: int, device_id: int) -> Sequence[Phone]:
    """The device account of a device."""
    lines = await quick.all(_LINES_OF_DEVICE, tenant_id=tenant_id, device_id=device_id)
    silent = await _silent_ones(quick, tenant_id, lines)
    return [_phone(line, silent) for line in lines]


async def read_shared_line(
    quick: Quick, *, tenant_id: int, shared_line_id: int
) -> tuple[AnyRow | None, Sequence[Phone]]:
    """A shared line, and its members' phones in their order."""
    rows = await quick.all(_SHARED, tenant_id=tenant_id, shared_line_id=shared_line_id)
    lines = await quick.all(_LINES_OF_SHARED, tenant_id=tenant_id, shared_line_id=shared_line_id)
    silent = await _silent_ones(quick, tenant_id, lines)
    return (rows[0] if rows else None), [_phone(line, silent) for line in lines]


async def read_group(
    quick: Quick, *, tenant_id: int, group_id: int
) -> tuple[AnyRow | None, Sequence[Person]]:
    """A call group and its members in their order."""
    rows = await quick.all(_GROUP, tenant_id=tenant_id, group_id=group_id)
    members = await quick.all(_MEMBERS, tenant_id=tenant_id, group_id=group_id)
    people = await read_people(quick, tenant_id=tenant_id, user_ids=[row.user_id for row in members])
    return (rows[0] if rows else None), people


async def read_menu(quick: Quick, *, tenant_id: int, menu_id: int) -> AnyRow | None:
    rows = await quick.all(_MENU, tenant_id=tenant_id, menu_id=menu_id)
    return rows[0] if rows else None


def known_zone(name: str) -> ZoneInfo | None:
    """A time zone that was loaded before. Reading waits for nothing else, so that all of it is of one moment."""
    return _ZONES.get(name)


async def load_zone(name: str) -> None:
    """The first look at a time zone reads a file, in a thread."""
    _ZONES[name] = await asyncio.to_thread(ZoneInfo, name)


_ZONES: dict[str, ZoneInfo] = {}
"""At most as many as the catalogue accepts names."""


_WENT: Final = frozenset({RegistrationState.UNREGISTERED, RegistrationState.EXPIRED})
"""States of an account that was registered before."""


async def _silent_ones(quick: Quick, tenant_id: int, lines: Sequence[AnyRow]) -> frozenset[str]:
    if not lines:
        return frozenset()
    refs = sorted({str(line.device_id) for line in lines})
    rows = await quick.all(_SILENT, tenant_id=tenant_id, refs=refs)
    return frozenset(row.ref for row in rows if row.value is True)


def _phone(line: AnyRow, silent: frozenset[str]) -> Phone:
    return Phone(
        device_id=line.device_id,
        account=line.account,
        is_hotdesk=line.kind == "hotdesk",
        is_silent=str(line.device_id) in silent,
        is_registered=line.state == RegistrationState.REGISTERED,
        # for one that is registered nobody asks, and a refused password is no absence for a moment
        since=line.since if line.state in _WENT else None,
    )
