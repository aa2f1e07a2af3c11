"""Schedules: hours and days that settings refer to by name (R7)."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.calling.schedules import is_endless, read_timetable
from provisioner.errors import BadInput, Conflict, InUse, NotFound
from provisioner.model import Schedule, SettingValue
from provisioner.model.text import is_plain
from provisioner.services.context import Actor, Context, audit
from provisioner.services.people.tenants import find_tenant

MOST_SCHEDULES, MOST_ENTRIES = 200, 400
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")


async def list_schedules(context: Context, actor: Actor, *, tenant_id: int) -> Sequence[Schedule]:
    statement = (
        select(Schedule).where(Schedule.tenant_id == actor.everything(tenant_id)).order_by(Schedule.name)
    )
    async with context.store.read() as session:
        return (await session.execute(statement)).scalars().all()


async def get_schedule(context: Context, actor: Actor, *, schedule_id: int) -> Schedule:
    async with context.store.read() as session:
        return await _find(session, actor, schedule_id)


async def create_schedule(
    context: Context, actor: Actor, *, tenant_id: int, name: str, **fields: Any
) -> Schedule:
    """Make a schedule of `weekly` hours and `dates` (see model/calling.py); BadInput, Conflict."""
    row = Schedule(tenant_id=actor.everything(tenant_id), name="", weekly=[], dates=[])
    _apply(row, {"name": name, **fields})
    try:
        async with context.store.change() as session:
            await find_tenant(session, tenant_id)
            there = await session.execute(select(Schedule.id).where(Schedule.tenant_id == tenant_id))
            if len(there.all()) >= MOST_SCHEDULES:
                raise Conflict(f"A tenant has at most {MOST_SCHEDULES} schedules; remove one first.")
            session.add(row)
            await session.flush()
            audit(session, context, actor, action="schedule.create", tenant_id=tenant_id, object=row.name)
    except IntegrityError:
        raise Conflict(f"There is a schedule “{row.name}” already.", field="name") from None
    return row


async def update_schedule(context: Context, actor: Actor, *, schedule_id: int, **fields: Any) -> Schedule:
    """Change a schedule; settings that name it follow a new name."""
    try:
        async with context.store.change() as session:
            row = await _find(session, actor, schedule_id)
            before = row.name
            _apply(row, fields)
            await session.flush()
            if row.name != before:
                await session.execute(
                    update(SettingValue)
                    .where(SettingValue.id.in_(await _uses(session, context, row.tenant_id, before)))
                    .values(value=row.name)
                )
            audit(
                session, context, actor, action="schedule.update", tenant_id=row.tenant_id, object=row.name,
                changed=sorted(fields),
            )  # fmt: skip
    except IntegrityError:
        raise Conflict("There is a schedule with this name already.", field="name") from None
    return row


async def delete_schedule(context: Context, actor: Actor, *, schedule_id: int) -> None:
    """Remove a schedule; InUse while a setting names it."""
    async with context.store.change() as session:
        row = await _find(session, actor, schedule_id)
        uses = await _uses(session, context, row.tenant_id, row.name)
        if uses:
            raise InUse(
                f"{len(uses)} settings name the schedule {row.name} (working hours, holidays or blocking); change them first.",
                settings=len(uses),
            )
        audit(session, context, actor, action="schedule.delete", tenant_id=row.tenant_id, object=row.name)
        await session.delete(row)


async def _find(session: AsyncSession, actor: Actor, schedule_id: int) -> Schedule:
    row = await session.get(Schedule, schedule_id)
    if row is None or actor.tenant_id not in {None, row.tenant_id} or actor.user_id is not None:
        raise NotFound("There is no such schedule.")
    return row


async def _uses(session: AsyncSession, context: Context, tenant_id: int, name: str) -> Sequence[int]:
    """Ids of the setting values that name a schedule."""
    names = [setting.name for setting in context.catalogue.settings.values() if setting.type == "schedule"]
    rows = await session.execute(
        select(SettingValue).where(SettingValue.tenant_id == tenant_id, SettingValue.name.in_(names))
    )
    return [row.id for row in rows.scalars() if row.value == name]


def _apply(row: Schedule, fields: dict[str, Any]) -> None:
    for field, value in fields.items():
        if field == "name":
            row.name = _name(value)
        elif field == "weekly":
            row.weekly = [_hours(entry, number) for number, entry in enumerate(_entries(field, value), 1)]
        elif field == "dates":
            row.dates = [_days(entry, number) for number, entry in enumerate(_entries(field, value), 1)]
        else:
            raise BadInput(f"A schedule has no field “{field[:40]}”.", field=field[:40])
    if is_endless(read_timetable(row)):
        raise BadInput(
            "These hours never end: they cover every minute of the week. Leave out when it does not hold.",
            field="weekly",
        )


def _name(value: Any) -> str:
    name = str(value).strip()
    if not 1 <= len(name) <= 80 or not is_plain(name):
        raise BadInput("A schedule has a name of 1 to 80 characters.", field="name")
    return name


def _entries(field: str, value: Any) -> Sequence[Any]:
    if not isinstance(value, list | tuple) or len(value) > MOST_ENTRIES:
        raise BadInput(f"{field}: a list of at most {MOST_ENTRIES} entries.", field=field)
    return value


def _hours(entry: Any, number: int) -> dict[str, Any]:
    where = f"weekly entry {number}"
    entry = _members(entry, {"days", "from", "to"}, where, "weekly")
    days = entry["days"]
    if not isinstance(days, list | tuple) or not days or not {*days} <= {*range(1, 8)}:
        raise BadInput(f"{where}: days are numbers from 1 (Monday) to 7, at least one.", field="weekly")
    begin, end = str(entry["from"]), str(entry["to"])
    if not _TIME.fullmatch(begin) or not (_TIME.fullmatch(end) or end == "24:00"):
        raise BadInput(f"{where}: times are written 09:00; the last is 24:00.", field="weekly")
    if begin == end:
        raise BadInput(
            f"{where}: it begins and ends at {begin}; write 00:00 to 24:00 for a whole day.", field="weekly"
        )
    return {"days": sorted({int(day) for day in days}), "from": begin, "to": end}


def _days(entry: Any, number: int) -> dict[str, Any]:
    where = f"date entry {number}"
    given = dict(entry) if isinstance(entry, dict) else entry
    if isinstance(given, dict):
        given.setdefault("to", given.get("from"))
        given.setdefault("is_yearly", False)
        given.setdefault("name", "")
    entry = _members(given, {"from", "to", "is_yearly", "name"}, where, "dates")
    first, last = _day(entry["from"], where), _day(entry["to"], where)
    if last < first:
        raise BadInput(f"{where}: it ends on {last}, before it begins on {first}.", field="dates")
    if (last - first).days >= 366:
        raise BadInput(f"{where}: it lasts more than a year; say when it ends.", field="dates")
    if not isinstance(entry["is_yearly"], bool):
        raise BadInput(f"{where}: is_yearly is true or false.", field="dates")
    name = str(entry["name"]).strip()
    if len(name) > 80 or not is_plain(name):
        raise BadInput(f"{where}: its name has at most 80 characters.", field="dates")
    return {"from": first.isoformat(), "to": last.isoformat(), "is_yearly": entry["is_yearly"], "name": name}


def _members(entry: Any, names: set[str], where: str, field: str) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise BadInput(f"{where} is an object with {', '.join(sorted(names))}.", field=field)
    missing, unknown = sorted(names - set(entry)), sorted(str(key)[:40] for key in set(entry) - names)
    if "to" in missing:
        raise BadInput(f"{where} has no end: give “to”.", field=field)
    if missing or unknown:
        words = f"{', '.join(missing)} is missing" if missing else f"{unknown[0]} is not known"
        raise BadInput(f"{where}: {words}.", field=field)
    return entry


def _day(value: Any, where: str) -> date:
    try:
        day = date.fromisoformat(str(value))
    except ValueError:
        raise BadInput(f"{where}: days are written 2026-12-25.", field="dates") from None
    if not 2000 <= day.year <= 2100:
        raise BadInput(f"{where}: the year is 2000 to 2100.", field="dates")
    return day
