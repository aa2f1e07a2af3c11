"""What must be true of settings and objects that send calls on: schedules that are there, no circles (R7)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.calling.forwarding import find_loop
from provisioner.composition.catalogue import Catalogue
from provisioner.errors import ForwardingLoop, InvalidSetting
from provisioner.model import CallGroup, Menu, Schedule, User
from provisioner.model.quick import AnyRow, AnySelect
from provisioner.services.directory.forward_loops import FORWARDS, read_forwards

MOST_NAMED: Final = 10
"""Places of a circle that are named; it may be as long as the tenant is large."""
_TABLES: Final[Mapping[str, Any]] = {"user": User, "group": CallGroup, "menu": Menu}


class Within:
    """The statements of the directory inside a transaction, so that they see what it has changed."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def all(self, statement: AnySelect, **parameters: Any) -> Sequence[AnyRow]:
        return (await self._session.execute(statement, parameters)).all()


async def check_call_settings(
    session: AsyncSession,
    catalogue: Catalogue,
    *,
    tenant_id: int,
    scope: str,
    ref: str,
    values: Mapping[str, Any],
) -> None:
    """Look at values that are about to be stored and flushed; InvalidSetting, ForwardingLoop."""
    for name, value in values.items():
        if value and catalogue[name].type == "schedule":
            await _check_schedule(session, catalogue, tenant_id, name, value)
    if scope == "user" and not set(FORWARDS).isdisjoint(values):
        await refuse_loop(session, tenant_id, start=f"user {ref}", field=next(iter({*FORWARDS} & {*values})))


async def refuse_loop(session: AsyncSession, tenant_id: int, *, start: str, field: str) -> None:
    """Raise ForwardingLoop when calls to `start` ("user 5", "group 2", "menu 1") can come back to it; flush first."""
    forwards = await read_forwards(Within(session), tenant_id=tenant_id)
    loop = find_loop(forwards.edges, start)
    if not loop:
        return
    names = await _names(session, loop[:MOST_NAMED])
    others = f", or change {names[1]} first" if len(set(loop)) > 1 else ""
    raise ForwardingLoop(
        f"Calls would go round in a circle: {' → '.join(names)}. Choose another destination{others}.",
        field=field,
        loop=names,
    )


async def _check_schedule(
    session: AsyncSession, catalogue: Catalogue, tenant_id: int, name: str, value: str
) -> None:
    found = (
        (
            await session.execute(
                select(Schedule.name).where(Schedule.tenant_id == tenant_id).order_by(Schedule.name)
            )
        )
        .scalars()
        .all()
    )
    if value not in found:
        there = ", ".join(found[:20]) or "none yet"
        raise InvalidSetting(
            f"{catalogue[name].label} ({name}): there is no schedule “{value}”; there are: {there}.",
            field=name,
            setting=name,
        )


async def _names(session: AsyncSession, places: Iterable[str]) -> list[str]:
    names = []
    for place in places:
        kind, _, ref = place.partition(" ")
        row = await session.get(_TABLES[kind], int(ref))
        extension = row.extension.digits if isinstance(row, User) and row.extension else ""
        name = str(row.name) if row is not None else place
        names.append(f"{name} ({extension})" if extension else name)
    return names
