"""Whom a call rings, in what order, and where it goes then: facts in, a plan out. Pure (R4, R7)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from provisioner.calling.schedules import Timetable, holds, next_change

SECONDS_PER_RING = 5
ANONYMOUS = frozenset({"", "anonymous", "unknown", "restricted", "unavailable", "private"})


@dataclass(frozen=True, slots=True)
class Phone:
    """A line of a device that stands for somebody now. `since`: since when it is (not) registered; None: it never was."""

    device_id: int
    account: str
    is_hotdesk: bool = False
    is_silent: bool = False
    """Do not disturb."""
    is_registered: bool = False
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A user and the phones that stand for them, in the order of the devices."""

    user_id: int
    name: str
    extension: str = ""
    primary_device_id: int | None = None
    phones: tuple[Phone, ...] = ()


@dataclass(frozen=True, slots=True)
class Company:
    """What holds for the whole tenant."""

    domain: str
    zone: ZoneInfo
    is_premium: bool = False
    grace: timedelta = timedelta(seconds=60)
    night_mode: str = "schedule"
    night_target: str = ""
    working_hours: Timetable | None = None
    holidays: Timetable | None = None


@dataclass(frozen=True, slots=True)
class Wishes:
    """A user's settings about calls to them; numbers as they are dialled, empty is off."""

    always: str = ""
    busy: str = ""
    no_answer: str = ""
    no_answer_after: int = 20
    not_registered: str = ""
    night_switch: str = "follow"
    night_target: str = ""
    block: str = "none"
    blocked_numbers: tuple[str, ...] = ()
    blocked_schedule: Timetable | None = None
    is_schedule_missing: bool = False
    voicemail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Caller:
    """The moment of a call, and who calls; `number` None: not known, as for a plan that is kept."""

    at: datetime
    number: str | None = None
    is_internal: bool = False

    @property
    def is_anonymous(self) -> bool:
        return self.number is not None and self.number.strip().lower() in ANONYMOUS


@dataclass(frozen=True, slots=True)
class Target:
    phone: Phone
    user_id: int | None
    is_primary: bool
    step: int = 0
    """Targets of one step ring together; the next step follows."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`valid_until`: when the passing of time alone makes it another plan; None: never, as far as can be seen."""

    targets: tuple[Target, ...] = ()
    strategy: str = "simultaneous"
    is_registered: bool = False
    is_blocked: bool = False
    is_night: bool = False
    forward: Mapping[str, Any] = field(default_factory=dict)
    valid_until: datetime | None = None


def ringing(person: Person, *, is_premium: bool) -> tuple[Phone, ...]:
    """The phones that stand for the user now, the primary first, those on do-not-disturb included.

    Without premium a user who is logged in on a hotdesk device rings only there.
    """
    hotdesk = tuple(phone for phone in person.phones if phone.is_hotdesk)
    phones = hotdesk if hotdesk and not is_premium else person.phones
    primary = primary_of(person, is_premium=is_premium)
    return tuple(sorted(phones, key=lambda phone: (phone is not primary, phone.device_id, phone.account)))


def primary_of(person: Person, *, is_premium: bool) -> Phone | None:
    """The one phone that queues ring: the starred one, or the hotdesk device of somebody who has no other that rings."""
    hotdesk = [phone for phone in person.phones if phone.is_hotdesk]
    own = [phone for phone in person.phones if not phone.is_hotdesk]
    if hotdesk and not is_premium:
        return hotdesk[0]
    starred = [phone for phone in person.phones if phone.device_id == person.primary_device_id]
    return next(iter((*starred, *own, *hotdesk)), None)


def counts_as_registered(
    phone: Phone | None, *, at: datetime, grace: timedelta
) -> tuple[bool, datetime | None]:
    """Whether a phone that went a moment ago still counts, and until when it does."""
    if phone is None:
        return False, None
    if phone.is_registered:
        return True, None
    if phone.since is not None and at < phone.since + grace:
        return True, phone.since + grace
    return False, None


def plan_for_user(
    person: Person,
    wishes: Wishes,
    company: Company,
    caller: Caller,
    *,
    comes_back: Callable[[str], bool] = lambda _number: False,
) -> Plan:
    """The plan of a call to a user. `comes_back` says of a number whether a call sent there would return."""
    phones = ringing(person, is_premium=company.is_premium)
    primary = primary_of(person, is_premium=company.is_premium)
    is_registered, grace_ends = counts_as_registered(primary, at=caller.at, grace=company.grace)
    is_night, night_ends = _night(wishes.night_switch, company, caller.at)
    is_blocked, blocking_changes = _blocked(wishes, company, caller)
    target = wishes.night_target or company.night_target
    always = wishes.always or (target if is_night and not caller.is_internal else "")
    forward = {
        "always": always,
        "busy": wishes.busy,
        "no_answer": wishes.no_answer,
        "not_registered": wishes.not_registered,
    }
    kept: dict[str, Any] = {
        kind: "" if number and comes_back(number) else number for kind, number in forward.items()
    }
    return Plan(
        targets=tuple(
            Target(phone, person.user_id, phone is primary) for phone in phones if not phone.is_silent
        ),
        is_registered=is_registered,
        is_blocked=is_blocked,
        is_night=is_night,
        forward={**kept, "no_answer_after": wishes.no_answer_after},
        valid_until=_soonest(grace_ends, night_ends, blocking_changes),
    )


def plan_for_group(
    people: Sequence[Person],
    company: Company,
    caller: Caller,
    *,
    policy: str,
    is_queue: bool,
    comes_back: Callable[[str], bool] = lambda _number: False,
) -> Plan:
    """The plan of a call to a group, or to a queue, which rings only primary devices.

    `simultaneous` rings everybody in one step; with the other policies each member is a step of its own, in the order of
    the group. Where a circular or uniform group begins is the PBX's to know: it has seen who had the last call.
    """
    is_night, night_ends = _night("follow", company, caller.at)
    targets: list[Target] = []
    reachable, ends = False, [night_ends]
    for step, person in enumerate(people):
        primary = primary_of(person, is_premium=company.is_premium)
        counts, grace_ends = counts_as_registered(primary, at=caller.at, grace=company.grace)
        reachable, ends = reachable or counts, [*ends, grace_ends]
        phones = ringing(person, is_premium=company.is_premium)
        targets += [
            Target(phone, person.user_id, phone is primary, 0 if policy == "simultaneous" else step)
            for phone in phones
            if not phone.is_silent and (phone is primary or not is_queue)
        ]
    night = company.night_target if is_night and not caller.is_internal else ""
    return Plan(
        targets=tuple(_without_gaps(targets)),
        strategy=policy,
        is_registered=reachable,
        is_night=is_night,
        forward=no_forwarding("" if night and comes_back(night) else night),
        valid_until=_soonest(*ends),
    )


def plan_for_phones(phones: Sequence[Phone], caller: Caller, company: Company) -> Plan:
    """The plan of a call to a device itself, or to a shared line: every phone that is not on do-not-disturb."""
    counts = [counts_as_registered(phone, at=caller.at, grace=company.grace) for phone in phones]
    return Plan(
        targets=tuple(
            Target(phone, None, index == 0) for index, phone in enumerate(phones) if not phone.is_silent
        ),
        is_registered=any(is_registered for is_registered, _ in counts),
        forward=no_forwarding(),
        valid_until=_soonest(*(ends for _, ends in counts)),
    )


def plan_for_menu(
    company: Company, caller: Caller, *, comes_back: Callable[[str], bool] = lambda _number: False
) -> Plan:
    """A menu rings nobody; at night its calls go where the company's go."""
    is_night, night_ends = _night("follow", company, caller.at)
    night = company.night_target if is_night and not caller.is_internal else ""
    return Plan(
        is_registered=True,
        is_night=is_night,
        forward=no_forwarding("" if night and comes_back(night) else night),
        valid_until=night_ends,
    )


def no_forwarding(always: str = "") -> dict[str, Any]:
    return {"always": always, "busy": "", "no_answer": "", "not_registered": "", "no_answer_after": 0}


def rings_in(seconds: int) -> int:
    """How many rings fit into so many seconds, at least one."""
    return max(1, round(seconds / SECONDS_PER_RING))


def is_same_number(one: str, other: str) -> bool:
    """Whether two spellings are of one subscriber: +31612345678, 0031612345678 and 0612345678 are."""
    short, long = sorted((_significant(one), _significant(other)), key=len)
    return short == long or (len(short) >= 8 and long.endswith(short))


def _significant(number: str) -> str:
    return "".join(character for character in number if character.isdigit() or character in "*#").lstrip("0")


def _night(switch: str, company: Company, at: datetime) -> tuple[bool, datetime | None]:
    """Whether it is night for somebody whose switch stands so, and when that changes by itself."""
    if switch != "follow":
        return switch == "on", None
    if company.night_mode != "schedule":
        return company.night_mode == "on", None
    open_hours, holidays = company.working_hours, company.holidays
    is_night = (open_hours is not None and not holds(open_hours, at, company.zone)) or (
        holidays is not None and holds(holidays, at, company.zone)
    )
    changes = [
        next_change(timetable, at, company.zone)
        for timetable in (open_hours, holidays)
        if timetable is not None
    ]
    return is_night, _soonest(*changes)


def _blocked(wishes: Wishes, company: Company, caller: Caller) -> tuple[bool, datetime | None]:
    if wishes.block == "none" or wishes.is_schedule_missing:
        return False, None
    changes, applies = None, True
    if wishes.blocked_schedule is not None:
        applies = holds(wishes.blocked_schedule, caller.at, company.zone)
        changes = next_change(wishes.blocked_schedule, caller.at, company.zone)
    return applies and _is_unwanted(wishes, caller), changes


def _is_unwanted(wishes: Wishes, caller: Caller) -> bool:
    if wishes.block == "all":
        return True
    if wishes.block == "anonymous":
        return caller.is_anonymous
    number = caller.number
    return (
        number is not None
        and bool(_significant(number))
        and any(is_same_number(number, listed) for listed in wishes.blocked_numbers)
    )


def _without_gaps(targets: Iterable[Target]) -> Iterable[Target]:
    """Steps 0, 1, 2 … though some member has nothing that rings."""
    places: dict[int, int] = {}
    for target in targets:
        step = places.setdefault(target.step, len(places))
        yield replace(target, step=step)


def _soonest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)
