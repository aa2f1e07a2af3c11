"""Cases measured in turn, round after round, so that a noisy minute hurts all of them alike."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.bench.machine import cpu_seconds

_IDLE = 0.02
_PAUSE = 0.5
_LONGEST_SETTLING = 30.0


class BenchError(AssertionError):
    """A measurement that would not mean anything: wrong answers, or a program that failed."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a load generator saw: right answers in `seconds`, and how many were wrong."""

    requests: int
    seconds: float
    wrong: int


@dataclass(frozen=True, slots=True)
class Case:
    """`sessions` are the pids of the programs whose processor time counts."""

    name: str
    sessions: Sequence[int]
    load: Callable[[], Load]


@dataclass(slots=True)
class Measured:
    """One case over all rounds: requests per second and processor time per request in µs."""

    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)

    @property
    def share(self) -> float:
        """How many cores the programs used."""
        return median(self.busy)

    @property
    def rate(self) -> float:
        return median(self.rates)

    @property
    def cost(self) -> float:
        return median(self.costs)

    def __str__(self) -> str:
        return f"{self.rate:,.0f}/s, {self.cost:.0f} µs"


def measure(cases: Sequence[Case], rounds: int) -> dict[str, Measured]:
    """Run every case once per round; BenchError when a server answers wrongly."""
    found = {case.name: Measured() for case in cases}
    for _ in range(rounds):
        for case in cases:
            _once(case, found[case.name])
    return found


async def quietest(rounds: int, measure_round: Callable[[], Awaitable[Sequence[float]]]) -> float:
    """The median of the round that was disturbed least: for figures that have nothing beside them to compare with.

    What else runs on a machine only ever adds to the processor time of a piece of work, for seconds at a time.
    """
    medians = []
    for number in range(rounds):
        if number:
            await asyncio.sleep(_PAUSE)
        medians.append(median(await measure_round()))
    return min(medians)


def _once(case: Case, into: Measured) -> None:
    before = _spent(case.sessions)
    load = case.load()
    settled = _settle(case.sessions)
    spent = _spent(case.sessions) - before
    if load.wrong or not load.requests:
        raise BenchError(f"{case.name}: {load.requests} right and {load.wrong} wrong answers")
    # work put off (a log written in batches) belongs to the requests that caused it
    into.rates.append(load.requests / (load.seconds + settled))
    into.costs.append(max(spent, 0.01) / load.requests * 1e6)
    into.busy.append(spent / (load.seconds + settled))


def _spent(sessions: Sequence[int]) -> float:
    return sum(map(cpu_seconds, sessions))


def _settle(sessions: Sequence[int]) -> float:
    """Wait until the program is idle; gives back how much it still worked, in seconds of processor time."""
    first = last = _spent(sessions)
    end = time.monotonic() + _LONGEST_SETTLING
    quiet = 0
    while quiet < 4 and time.monotonic() < end:
        time.sleep(0.1)
        now = _spent(sessions)
        quiet = quiet + 1 if now - last < _IDLE else 0
        last = now
    return last - first


def by_rate(ours: Measured, reference: Measured) -> float:
    """Ours ÷ reference in requests per second: the median over the rounds."""
    return median(a / b for a, b in zip(ours.rates, reference.rates, strict=True))


def by_cost(ours: Measured, reference: Measured) -> float:
    """Reference ÷ ours in processor time per request: the rate's ratio when both have the core for themselves."""
    return median(b / a for a, b in zip(ours.costs, reference.costs, strict=True))
