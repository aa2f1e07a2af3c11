"""Lamps of a shared line: the Call-Info header of shared call appearances (BroadSoft style, as Kamailio's sca speaks it). Pure."""

from collections.abc import Iterable
from enum import StrEnum

from provisioner.registrar.sip import SipParseError, parse_name_addr


class Lamp(StrEnum):
    """State of an appearance, in the words of the header."""

    IDLE = "idle"
    SEIZED = "seized"  # somebody lifted the handset
    PROGRESSING = "progressing"  # an outgoing call rings
    ALERTING = "alerting"  # an incoming call rings
    ACTIVE_PENDING = "active-pending"
    ACTIVE = "active"
    HELD = "held"
    HELD_PRIVATE = "held-private"


def lamps(values: Iterable[str], count: int) -> tuple[Lamp, ...]:
    """The states of the appearances 1…`count` that the Call-Info values of one NOTIFY tell; each NOTIFY tells all of them.

    What is not mentioned, and a state nobody knows, is idle; `appearance-index=*` speaks of all others.
    """
    told: dict[int, Lamp] = {}
    others = Lamp.IDLE
    for value in values:
        index, state = _read(value)
        if index == "*":
            others = state
        elif index.isascii() and index.isdigit() and 0 < int(index[:4]) <= count:
            told[int(index[:4])] = state
    return tuple(told.get(number, others) for number in range(1, count + 1))


def granted(values: Iterable[str]) -> int:
    """The appearance that the NOTIFY of a seizure grants; 0 when it names none."""
    for value in values:
        index, _ = _read(value)
        if index.isascii() and index.isdigit():
            return int(index[:4])
    return 0


def call_info(domain: str, index: int, state: Lamp | None = None) -> str:
    """The header's value for a request of appearance `index`."""
    told = f";appearance-state={state}" if state else ""
    return f"<sip:{domain}>;appearance-index={index}{told}"


def _read(value: str) -> tuple[str, Lamp]:
    try:
        params = parse_name_addr(value).params
    except SipParseError:
        return "", Lamp.IDLE
    state = params.get("appearance-state", "")
    return params.get("appearance-index", ""), Lamp(state) if state in set(Lamp) else Lamp.IDLE
