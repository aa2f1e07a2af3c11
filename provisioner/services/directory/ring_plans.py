"""The ring plan of a number: which devices a call rings now, in what order, and where it goes then (R4, R5, R7)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from provisioner.calling.ring_plan import (
    Caller,
    Company,
    Person,
    Plan,
    Target,
    no_forwarding,
    plan_for_group,
    plan_for_menu,
    plan_for_phones,
    plan_for_user,
    rings_in,
)
from provisioner.errors import NotFound
from provisioner.model.quick import AnyRow, Quick
from provisioner.services.context import Actor, Context
from provisioner.services.directory.facts import (
    Destination,
    Values,
    find_number,
    find_tenant,
    known_zone,
    load_zone,
    read_company,
    read_device_phones,
    read_group,
    read_menu,
    read_people,
    read_shared_line,
    read_values,
    read_wishes,
)
from provisioner.services.directory.forward_loops import Forwards, read_forwards

NO_VOICEMAIL: Mapping[str, Any] = {"is_on": False}


@dataclass(frozen=True, slots=True)
class RingPlan:
    """What the PBX is told (`document`), and how long and for whom that stays true."""

    document: Mapping[str, Any]
    tenant_id: int
    device_ids: frozenset[int]
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class _Reading:
    """One look at the database for one call."""

    quick: Quick
    context: Context
    tenant: AnyRow
    values: Values
    company: Company
    caller: Caller

    async def forwards(self, *numbers: str) -> Forwards:
        wanted = [number for number in numbers if number]
        if not wanted:
            return Forwards({})
        return await read_forwards(self.quick, tenant_id=self.tenant.id, numbers=wanted)


async def ring_plan(
    context: Context,
    actor: Actor,
    *,
    number: str,
    domain: str = "",
    caller: str | None = None,
    at: datetime | None = None,
) -> RingPlan:
    """The plan of a call to `number`, internal, public or a device account, in the tenant of the token or the domain.

    `caller` is the number of who calls, empty or "anonymous" when it is withheld; None leaves it open, and then only what
    blocks everybody blocks. NotFound for a number nobody has.
    """
    moment = Caller(at or context.clock(), caller, is_internal=is_internal(caller))
    while True:
        async with context.store.quick() as quick:
            tenant = await find_tenant(quick, actor, domain=domain)
            values = await read_values(quick, context, tenant_id=tenant.id, places=[])
            zone = known_zone(values["timezone"])
            if zone is not None:
                company = await read_company(quick, tenant, values, zone)
                return await _plan(_Reading(quick, context, tenant, values, company, moment), number)
        await load_zone(values["timezone"])


async def _plan(reading: _Reading, number: str) -> RingPlan:
    found = await find_number(reading.quick, tenant_id=reading.tenant.id, number=number)
    if found is None:
        raise NotFound("Nobody has this number.")
    return await _PLANS.get(found.kind, _plan_of_none)(reading, number, found)


def is_internal(caller: str | None) -> bool:
    """Whether a call comes from an internal number."""
    return caller is not None and caller.isdecimal() and 2 <= len(caller) <= 4


async def _plan_of_user(reading: _Reading, number: str, found: Destination) -> RingPlan:
    tenant_id = reading.tenant.id
    people = await read_people(reading.quick, tenant_id=tenant_id, user_ids=[found.ref])
    if not people:
        raise NotFound("Nobody has this number.")
    values = await read_values(
        reading.quick, reading.context, tenant_id=tenant_id, places=[("user", str(found.ref))]
    )
    wishes = await read_wishes(reading.quick, tenant_id=tenant_id, values=values, company=reading.values)
    forwards = await reading.forwards(
        wishes.always, wishes.busy, wishes.no_answer, wishes.not_registered, wishes.night_target,
        reading.company.night_target,
    )  # fmt: skip
    plan = plan_for_user(
        people[0], wishes, reading.company, reading.caller, comes_back=_comes_back(forwards, found)
    )
    rings = values["voicemail_rings"] if values["voicemail_on"] else rings_in(wishes.no_answer_after)
    blocking = {"mode": wishes.block, "numbers": list(wishes.blocked_numbers)}
    return _answer(
        reading, number, found, plan, name=people[0].name, user=_user(people[0]), rings=rings,
        voicemail=wishes.voicemail, blocking=blocking, people=people,
    )  # fmt: skip


async def _plan_of_group(reading: _Reading, number: str, found: Destination) -> RingPlan:
    group, people = await read_group(reading.quick, tenant_id=reading.tenant.id, group_id=found.ref)
    if group is None:
        raise NotFound("Nobody has this number.")
    forwards = await reading.forwards(reading.company.night_target, group.overflow)
    plan = plan_for_group(
        people, reading.company, reading.caller, policy=group.policy, is_queue=group.is_queue,
        comes_back=_comes_back(forwards, found),
    )  # fmt: skip
    overflow = group.overflow if not forwards.comes_back(found.place, group.overflow) else ""
    return _answer(
        reading, number, found, plan, kind="queue" if group.is_queue else "group", name=group.name,
        rings=group.rings, wait=group.wait, overflow=overflow, people=people,
    )  # fmt: skip


async def _plan_of_menu(reading: _Reading, number: str, found: Destination) -> RingPlan:
    menu = await read_menu(reading.quick, tenant_id=reading.tenant.id, menu_id=found.ref)
    if menu is None:
        raise NotFound("Nobody has this number.")
    forwards = await reading.forwards(reading.company.night_target)
    plan = plan_for_menu(reading.company, reading.caller, comes_back=_comes_back(forwards, found))
    document = {
        "name": menu.name, "greeting": menu.greeting, "options": menu.options, "timeout": menu.timeout,
        "fallback": menu.fallback, "tries": menu.tries,
    }  # fmt: skip
    return _answer(reading, number, found, plan, name=menu.name, menu=document)


async def _plan_of_device(reading: _Reading, number: str, found: Destination) -> RingPlan:
    phones = await read_device_phones(reading.quick, tenant_id=reading.tenant.id, device_id=found.ref)
    plan = plan_for_phones(phones, reading.caller, reading.company)
    devices = [phone.device_id for phone in phones]
    return _answer(reading, number, found, plan, name=found.label, devices=devices)


async def _plan_of_shared_line(reading: _Reading, number: str, found: Destination) -> RingPlan:
    line, phones = await read_shared_line(
        reading.quick, tenant_id=reading.tenant.id, shared_line_id=found.ref
    )
    if line is None:
        raise NotFound("Nobody has this number.")
    plan = plan_for_phones(phones, reading.caller, reading.company)
    shared = {
        "account": line.account, "aor": _aor(reading, line.account), "mode": line.mode, "appearances": line.appearances,
        "is_barge_in": line.is_barge_in, "is_barge_tone": line.is_barge_tone, "barge_tone_repeat": line.barge_tone_repeat,
        "is_private_hold": line.is_private_hold,
    }  # fmt: skip
    devices = [phone.device_id for phone in phones]
    return _answer(reading, number, found, plan, name=line.name, shared_line=shared, devices=devices)


async def _plan_of_none(reading: _Reading, number: str, found: Destination) -> RingPlan:
    """An outside number to dial, a public number of the tenant that rings nobody, or nothing at all."""
    return _answer(reading, number, found, Plan(), name=found.label)


_Planner = Callable[[_Reading, str, Destination], Awaitable[RingPlan]]
_PLANS: Mapping[str, _Planner] = {
    "user": _plan_of_user,
    "group": _plan_of_group,
    "menu": _plan_of_menu,
    "device": _plan_of_device,
    "shared_line": _plan_of_shared_line,
}


def _comes_back(forwards: Forwards, found: Destination) -> Callable[[str], bool]:
    return lambda number: forwards.comes_back(found.place, number)


def _user(person: Person) -> Mapping[str, Any]:
    return {"id": person.user_id, "name": person.name, "extension": person.extension}


def _aor(reading: _Reading, account: str) -> str:
    return f"{account}@{reading.company.domain}"


def _answer(
    reading: _Reading,
    number: str,
    found: Destination,
    plan: Plan,
    *,
    people: Sequence[Person] = (),
    devices: Sequence[int] = (),
    **members: Any,
) -> RingPlan:
    ends = plan.valid_until
    document = {
        "number": number,
        "domain": reading.company.domain,
        "kind": found.kind,
        "name": "",
        "strategy": plan.strategy,
        "targets": [_target(reading, target) for target in plan.targets],
        "rings": 0,
        "wait": 0,
        "overflow": "",
        "forward": dict(plan.forward) or no_forwarding(),
        "is_registered": plan.is_registered,
        "voicemail": NO_VOICEMAIL,
        "is_blocked": plan.is_blocked,
        "is_night": plan.is_night,
        "dial": found.dial,
        "user": None,
        "menu": None,
        "shared_line": None,
        "blocking": {"mode": "none", "numbers": []},
        **members,
        "valid_until": ends.timestamp() if ends is not None else None,
    }
    shown = {phone.device_id for person in people for phone in person.phones}
    return RingPlan(document, reading.tenant.id, frozenset(shown | set(devices)), ends)


def _target(reading: _Reading, target: Target) -> Mapping[str, Any]:
    phone = target.phone
    return {
        "account": phone.account,
        "aor": _aor(reading, phone.account),
        "device_id": phone.device_id,
        "is_primary": target.is_primary,
        "user_id": target.user_id,
        "is_registered": phone.is_registered,
        "step": target.step,
    }
