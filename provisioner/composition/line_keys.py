"""The keys that a phone has because of its lines, before anybody defines one: the weakest layer. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from provisioner.composition.compose import KeyLayer
from provisioner.composition.phone_config import Composed, KeyConfig, LineConfig

PRIVATE = "private"
"""Target of a hold key that holds so that only this phone can take the call back."""

_WORDS: Mapping[str, Mapping[str, str]] = {
    "private hold": {
        "en": "Private hold",
        "nl": "Privé in de wacht",
        "de": "Privat halten",
        "pl": "Zawieś prywatnie",
    },
    "park": {"en": "Park", "nl": "Parkeren", "de": "Parken", "pl": "Zaparkuj"},
    "retrieve": {"en": "Retrieve", "nl": "Terughalen", "de": "Zurückholen", "pl": "Odbierz zaparkowane"},
}


@dataclass(frozen=True, slots=True)
class Mate:
    """Another member of a shared line: the name of its device and the account of its line."""

    name: str
    account: str


@dataclass(frozen=True, slots=True)
class SharedFacts:
    """The shared line that a line stands for. `mates`: the other members in order, needed in the mode blf only."""

    name: str
    account: str
    mode: str
    appearances: int
    is_barge_in: bool
    is_private_hold: bool
    mates: Sequence[Mate] = ()

    @property
    def is_sca(self) -> bool:
        """Whether the registrar knows the line as shared; otherwise lamps, pick-up and parking stand in for it."""
        return self.mode == "sca"


def line_keys(
    lines: Iterable[LineConfig],
    shared: Mapping[int, SharedFacts],
    *,
    count: int,
    settings: Mapping[str, Composed],
) -> tuple[KeyLayer, tuple[str, ...]]:
    """One key for each line in use, one for each appearance of a shared line, then what stands in for shared appearances.

    `shared`: position → facts. `count`: keys of the phone itself. Gives back the layer, and sentences on what has no room.
    A phone without any key of its own can so still take calls, and its first keys are its lines.
    """
    found: list[KeyConfig] = []
    warnings: list[str] = []
    active = [line for line in lines if line.is_active]
    following = 1
    for line in active:
        following = max(following, line.position)
        facts = shared.get(line.position)
        wanted = list(_of_line(line, facts, settings))
        placed = _put(wanted, following, count)
        found += placed
        following += len(wanted)
        if facts is not None and facts.is_sca and len(placed) < len(wanted):
            room = sum(key.type == "shared_line" for key in placed)
            warnings.append(
                f"The shared line {facts.name} has {facts.appearances} appearances; this model has keys for {room}."
            )
    for line in active:
        facts = shared.get(line.position)
        if facts is not None and not facts.is_sca:
            wanted = list(_instead(line, facts, settings))
            placed = _put(wanted, following, count)
            found += placed
            following += len(wanted)
            if len(placed) < len(wanted):
                warnings.append(
                    f"The shared line {facts.name} would have {len(wanted)} keys beside its own; "
                    f"this model has room for {len(placed)}."
                )
    return KeyLayer("default", found), tuple(warnings)


@dataclass(frozen=True, slots=True)
class _Wish:
    """A key without a place."""

    type: str
    label: str
    line: int
    target: str = ""


def _put(wishes: Sequence[_Wish], first: int, count: int) -> list[KeyConfig]:
    room = max(0, count - first + 1)
    return [
        KeyConfig(slot=slot, type=wish.type, target=wish.target, label=wish.label, line=wish.line)
        for slot, wish in enumerate(wishes[:room], start=first)
    ]


def _of_line(
    line: LineConfig, facts: SharedFacts | None, settings: Mapping[str, Composed]
) -> Iterator[_Wish]:
    if facts is None or not facts.is_sca:
        yield _Wish("line", line.label, line.position)
        return
    for number in range(line.appearances):
        letter = f" {chr(ord('a') + number)}" if line.appearances > 1 else ""
        yield _Wish("shared_line", f"{facts.name}{letter}", line.position)
    if line.is_private_hold:
        yield _Wish("hold", _word("private hold", settings), line.position, PRIVATE)


def _instead(line: LineConfig, facts: SharedFacts, settings: Mapping[str, Composed]) -> Iterator[_Wish]:
    """Lamps of the number and of the other members, pick-up, parking: for a registrar that knows no shared lines."""
    number = line.extension
    if number:
        yield _Wish("blf", facts.name, line.position, number)
        if code := settings["pickup_code"].value:
            yield _Wish("pickup", f"{code} {facts.name}", line.position, number)
        for kind in ("park", "retrieve"):
            if code := settings[f"{kind}_code"].value:
                yield _Wish(kind, f"{_word(kind, settings)} {facts.name}", line.position, f"{code}{number}")
    for mate in facts.mates:
        yield _Wish("blf", mate.name, line.position, mate.account)


def _word(word: str, settings: Mapping[str, Composed]) -> str:
    words = _WORDS[word]
    return words.get(settings["language"].value, words["en"])
