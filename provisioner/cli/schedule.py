"""`provisioner schedule`."""

import re
from collections.abc import Sequence
from typing import Any

import click

from provisioner.cli.named import by_name
from provisioner.cli.output import show_done, show_rows, show_thing
from provisioner.cli.tenant import given
from provisioner.cli.work import Verb, Work, tenant_option, with_work
from provisioner.errors import BadInput
from provisioner.model import Schedule
from provisioner.services.calls.schedules import (
    create_schedule,
    delete_schedule,
    list_schedules,
    update_schedule,
)

_HOURS = re.compile(
    r"(?P<days>[1-7](?:-[1-7])?(?:,[1-7](?:-[1-7])?)*) (?P<begin>[0-9]{2}:[0-9]{2})-(?P<end>[0-9]{2}:[0-9]{2})"
)
_DAYS = re.compile(r"(?P<first>\d{4}-\d{2}-\d{2})(?:/(?P<last>\d{4}-\d{2}-\d{2}))?(?P<yearly> yearly)?")


@click.group()
def schedule() -> None:
    """Schedules: hours and days that settings refer to by name."""


def _fields(command: Any) -> Any:
    for option in (
        click.option(
            "--weekly", multiple=True, metavar="DAYS FROM-TO", help="“1-5 09:00-17:30”, 1 is Monday; repeat it."
        ),
        click.option(
            "--date", "dates", multiple=True, metavar="DAY[/DAY] [yearly]", help="“2026-12-25/2026-12-26 yearly”; repeat it."
        ),
    ):  # fmt: skip
        command = option(command)
    return command


@schedule.command("list", cls=Verb)
@tenant_option
@with_work
async def list_(work: Work, /, *, tenant_key: str | None) -> None:
    """List the schedules of a tenant."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        found = await list_schedules(context, work.actor, tenant_id=tenant.id)
    show_rows(work, [_as_thing(row) for row in found], empty="This tenant has no schedules.")


@schedule.command(cls=Verb)
@click.argument("name")
@tenant_option
@_fields
@with_work
async def add(
    work: Work, /, *, name: str, tenant_key: str | None, weekly: Sequence[str], dates: Sequence[str]
) -> None:
    """Make a schedule."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        values = _entries(weekly, dates)
        show_thing(
            work,
            _as_thing(await create_schedule(context, work.actor, tenant_id=tenant.id, name=name, **values)),
        )


@schedule.command(cls=Verb)
@click.argument("name")
@tenant_option
@click.option("--rename", "new_name", help="New name.")
@_fields
@with_work
async def update(
    work: Work,
    /,
    *,
    name: str,
    tenant_key: str | None,
    new_name: str | None,
    weekly: Sequence[str],
    dates: Sequence[str],
) -> None:
    """Change a schedule; what is given replaces all entries of its kind."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        rows = await list_schedules(context, work.actor, tenant_id=tenant.id)
        found = by_name(rows, name, noun="schedule")
        values = given({"name": new_name, **_entries(weekly, dates)})
        show_thing(
            work, _as_thing(await update_schedule(context, work.actor, schedule_id=found.id, **values))
        )


@schedule.command(cls=Verb)
@click.argument("name")
@tenant_option
@with_work
async def remove(work: Work, /, *, name: str, tenant_key: str | None) -> None:
    """Remove a schedule that no setting names."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        rows = await list_schedules(context, work.actor, tenant_id=tenant.id)
        await delete_schedule(context, work.actor, schedule_id=by_name(rows, name, noun="schedule").id)
    show_done(work, f"The schedule {name} is removed.", name=name)


def _entries(weekly: Sequence[str], dates: Sequence[str]) -> dict[str, Any]:
    chosen = {"weekly": [_hours(text) for text in weekly], "dates": [_days(text) for text in dates]}
    return {name: entries for name, entries in chosen.items() if entries}


def _hours(text: str) -> dict[str, Any]:
    found = _HOURS.fullmatch(text.strip())
    if found is None:
        raise BadInput(f"Hours are written “1-5 09:00-17:30”, not “{text[:40]}”.", field="weekly")
    days: set[int] = set()
    for part in found["days"].split(","):
        first, _, last = part.partition("-")
        days |= {*range(int(first), int(last or first) + 1)}
    return {"days": sorted(days), "from": found["begin"], "to": found["end"]}


def _days(text: str) -> dict[str, Any]:
    found = _DAYS.fullmatch(text.strip())
    if found is None:
        raise BadInput(f"Days are written “2026-12-25/2026-12-26 yearly”, not “{text[:40]}”.", field="dates")
    return {"from": found["first"], "to": found["last"] or found["first"], "is_yearly": bool(found["yearly"])}


def _as_thing(row: Schedule) -> dict[str, Any]:
    weekly = [f"{','.join(map(str, entry['days']))} {entry['from']}-{entry['to']}" for entry in row.weekly]
    dates = [f"{entry['from']}/{entry['to']}{' yearly' if entry['is_yearly'] else ''}" for entry in row.dates]
    return {"name": row.name, "weekly": weekly, "dates": dates}
