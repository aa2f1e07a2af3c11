"""How much is measured: the whole run, the quick one, and the one that only proves the harness."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """`rounds` interleaved rounds of `seconds` (whole, as wrk wants them) for each case."""

    name: str
    rounds: int
    seconds: int
    quiet_rounds: int
    """Rounds of what is judged by the quietest of them."""
    handshake_seconds: float
    fleet: int
    """Devices in the large database."""
    cached: int
    """Of these, how many have their file in memory."""
    few: int
    """Devices in the small database."""
    fetches: int
    """First fetches after a change in each round, for each model; and hotdesk logins."""
    reached: int
    """Devices that one tenant setting reaches."""


FULL = Scale(
    "full",
    rounds=5,
    seconds=2,
    quiet_rounds=12,
    handshake_seconds=2.0,
    fleet=100_000,
    cached=10_000,
    few=10,
    fetches=50,
    reached=10_000,
)
QUICK = Scale(
    "quick",
    rounds=2,
    seconds=1,
    quiet_rounds=2,
    handshake_seconds=0.8,
    fleet=100_000,
    cached=1_000,
    few=10,
    fetches=20,
    reached=10_000,
)
TINY = Scale(
    "tiny",
    rounds=1,
    seconds=1,
    quiet_rounds=1,
    handshake_seconds=0.2,
    fleet=60,
    cached=12,
    few=6,
    fetches=3,
    reached=60,
)
