"""What a pile of registrar's words about one account adds up to: the same in whatever order they arrived. Pure.

Of each contact and each call (Call-ID) the newest word is kept. A word about a whole address ("these contacts are left")
also ends, as of its moment, every contact it does not list; it is kept as a floor (contact ""). The truth about a contact is
the newest of all calls; when two calls speak at the same second, the living contact wins: a phone that signs off and
registers anew at once is registered.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from provisioner.model import RegistrationState

FLOOR = ""
"""Contact of the word that everything a call did not list is gone."""
REFUSED = "!refused"
"""Contact of the word that the registrar refused to register; no URI begins like this."""
FORGET_GONE_AFTER = timedelta(hours=1)
"""How long a contact that went is remembered, so that a late, older word cannot bring it back."""
CLOCK_SLACK = timedelta(seconds=60)
"""Within a call CSeq says what is newer, unless the registrar's clock says otherwise by more than this."""

ENDINGS = {
    "unregister": (RegistrationState.UNREGISTERED, "the phone signed off"),
    "expired": (RegistrationState.EXPIRED, "the registration was not renewed in time"),
    "unlisted": (RegistrationState.UNREGISTERED, "the registrar no longer lists it"),
    "auth-failed": (RegistrationState.FAILED, "the registrar refused the SIP password"),
    "too-many-contacts": (
        RegistrationState.FAILED,
        "the registrar has no room for another contact of this account",
    ),
}


class Word(Protocol):
    """One kept word; rows of the table `bindings` are such."""

    contact: str
    call_id: str
    cseq: int
    updated_at: datetime
    is_live: bool
    ending: str
    expires_at: datetime
    user_agent: str
    source: str


T = TypeVar("T", bound=Word)


@dataclass(frozen=True, slots=True)
class Truth:
    """What is so now. `at` is when it began to be so; `until` only while registered."""

    state: RegistrationState
    at: datetime
    reason: str
    until: datetime | None = None


def is_newer(one: Word, other: Word) -> bool:
    """Whether `one` outweighs `other`; both are of one contact and call."""
    return _is_later(one, other) or (not _is_later(other, one) and _weight(one) > _weight(other))


def truth_of(words: Iterable[Word], *, now: datetime, grace: timedelta) -> Truth | None:
    """The state of the account; None when nothing is known."""
    words = list(words)
    if len(words) == 1 and words[0].is_live and words[0].expires_at + grace > now:
        # nearly every account: one contact that renews itself
        return Truth(
            RegistrationState.REGISTERED, words[0].updated_at, words[0].user_agent, until=words[0].expires_at
        )
    floors, contacts, refusals = _sorted(words)
    decisive = [_decisive(rows, floors) for rows in contacts.values()]
    live = [word for word in decisive if word.is_live and word.expires_at + grace > now]
    if live:
        last = max(live, key=lambda word: (word.expires_at, word.contact))
        first = min(word.updated_at for word in live)
        return Truth(RegistrationState.REGISTERED, first, last.user_agent, until=last.expires_at)
    ended = [(word.expires_at, "expired", "") for word in decisive if word.is_live]
    ended += [
        (word.updated_at, word.ending, "") for word in (*decisive, *floors.values()) if not word.is_live
    ]
    ended += [(word.updated_at, word.ending, word.source) for word in refusals]
    if not ended:
        return None
    at, ending, source = max(ended)
    state, reason = ENDINGS[ending]
    return Truth(state, at, f"{reason} (asked from {source})" if source else reason)


def living(words: Sequence[T], *, now: datetime, grace: timedelta) -> list[T]:
    """The words of the contacts that make the account registered now, the newest first."""
    floors, contacts, _ = _sorted(words)
    decisive = [_decisive(rows, floors) for rows in contacts.values()]
    live = [word for word in decisive if word.is_live and word.expires_at + grace > now]
    return sorted(live, key=lambda word: (word.updated_at, word.expires_at, word.contact), reverse=True)


def superfluous(words: Sequence[T], *, now: datetime) -> list[T]:
    """Words that are too old to matter: leaving them out changes nothing that can still come."""
    if len(words) == 1 and words[0].is_live:
        return []
    limit = now - FORGET_GONE_AFTER
    floors, contacts, refusals = _sorted(words)
    old = [word for word in (*floors.values(), *refusals) if word.updated_at < limit]
    for rows in contacts.values():
        decisive = _decisive(rows, floors)
        if not decisive.is_live and decisive.updated_at < limit:
            old += rows
        else:
            old += [word for word in rows if word.updated_at < min(limit, decisive.updated_at)]
    return old


def _sorted(words: Iterable[T]) -> tuple[dict[str, T], dict[str, list[T]], list[T]]:
    floors: dict[str, T] = {}
    contacts: defaultdict[str, list[T]] = defaultdict(list)
    refusals: list[T] = []
    for word in words:
        if word.contact == FLOOR:
            floors[word.call_id] = word
        elif word.contact == REFUSED:
            refusals.append(word)
        else:
            contacts[word.contact].append(word)
    return floors, contacts, refusals


def _decisive(rows: Sequence[T], floors: dict[str, T]) -> T:
    by_call = {word.call_id: word for word in rows}
    for call_id, floor in floors.items():
        row = by_call.get(call_id)
        if row is None or _is_later(floor, row):
            by_call[call_id] = floor
    newest = max(word.updated_at for word in by_call.values())
    return max(
        (word for word in by_call.values() if word.updated_at == newest),
        key=lambda word: (word.is_live, _weight(word)),
    )


def _is_later(one: Word, other: Word) -> bool:
    apart = one.updated_at - other.updated_at
    if abs(apart) > CLOCK_SLACK:
        return apart > timedelta(0)
    return (one.cseq, one.updated_at) > (other.cseq, other.updated_at)


def _weight(word: Word) -> tuple[int, datetime, bool, datetime, str]:
    return word.cseq, word.updated_at, word.is_live, word.expires_at, word.ending
