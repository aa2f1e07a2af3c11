"""Registrars' events, kept word by word, and what they add up to. In memory: rows.py reads and writes them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from provisioner.services.registrations.truth import (
    ENDINGS,
    FLOOR,
    REFUSED,
    Truth,
    is_newer,
    superfluous,
    truth_of,
)

UNKNOWN_LIFETIME = timedelta(hours=1)
"""How long a registration is believed when the registrar does not say until when."""


@dataclass(frozen=True, slots=True)
class Contact:
    """One binding as the registrar lists it; `call_id` and `cseq` when it says them."""

    uri: str
    expires_at: datetime
    user_agent: str = ""
    instance: str = ""
    call_id: str = ""
    cseq: int = 0


@dataclass(slots=True)  # not frozen: that would triple the cost of making one, and thousands come a second
class RegistrationEvent:
    """One thing a registrar saw. `kind`: register, refresh, unregister, expired, auth-failed, too-many-contacts.

    `contacts` is the whole state of the address after the event, None when the registrar does not say;
    then `contact` alone is applied. `tenant_id` None: from a registrar of all tenants.
    """

    kind: str
    account: str
    at: datetime
    contact: str = ""
    expires_at: datetime | None = None
    user_agent: str = ""
    source: str = ""
    call_id: str = ""
    cseq: int = 0
    contacts: tuple[Contact, ...] | None = None
    tenant_id: int | None = None


_GONE = frozenset({"unregister", "expired"})
_REFUSALS = frozenset({"auth-failed", "too-many-contacts"})


@dataclass(slots=True)
class Kept:
    """One word as it is kept: a row of `bindings`. `id` None: not in the table yet."""

    contact: str
    call_id: str
    cseq: int
    user_agent: str
    source: str
    instance: str
    expires_at: datetime
    updated_at: datetime
    is_live: bool
    ending: str
    id: int | None = None
    is_changed: bool = False


@dataclass(slots=True)
class State:
    """What was concluded of an account: a row of `registrations`.

    `is_told`: open pages must learn of the change; without it nothing but `until` has changed.
    """

    state: str
    since: datetime
    until: datetime | None
    reason: str
    source: str
    is_new: bool = False
    is_changed: bool = False
    is_told: bool = False


@dataclass(slots=True)
class Account:
    """One account while a batch is applied."""

    line_id: int
    tenant_id: int
    device_id: int
    registration: State | None = None
    words: dict[tuple[str, str], Kept] = field(default_factory=dict)
    """The newest word of each contact and call."""
    forgotten: list[int] = field(default_factory=list)
    """Ids of words that cannot matter any more."""

    def is_saved(self) -> bool:
        """Take it that all is stored now; False when a new word's id is known to the database only."""
        self.forgotten.clear()
        if self.registration is not None:
            self.registration.is_new = self.registration.is_changed = self.registration.is_told = False
        for word in self.words.values():
            if word.id is None:
                return False
            word.is_changed = False
        return True


def hear(account: Account, event: RegistrationEvent) -> None:
    """Keep what an event says, word by word, where it is newer than what is kept."""
    if event.kind in _REFUSALS:
        _keep(account, _word(event, contact=REFUSED, call_id="", cseq=0, ending=event.kind))
        return
    ending = event.kind if event.kind in ENDINGS else "unregister"
    contacts, uri = event.contacts, _bare(event.contact)
    if contacts is None and event.kind in _GONE and uri == "*":
        contacts = ()
    if contacts is not None:
        _keep(account, _word(event, contact=FLOOR, ending=ending))
        for contact in contacts:
            if _bare(contact.uri) != FLOOR:  # one without a URI would stand in the place of the floor
                _keep(account, _listed(event, contact))
    elif uri and event.kind in _GONE:
        _keep(account, _word(event, contact=uri, ending=ending))
    elif uri:
        expires = event.expires_at or event.at + UNKNOWN_LIFETIME
        _keep(account, _word(event, contact=uri, expires_at=expires, user_agent=event.user_agent))


def conclude(account: Account, *, now: datetime, grace: timedelta) -> None:
    """Note what all kept words add up to, and forget those that cannot matter any more."""
    words = list(account.words.values())
    truth = truth_of(words, now=now, grace=grace)
    for word in superfluous(words, now=now):
        del account.words[(word.contact, word.call_id)]
        if word.id is not None:
            account.forgotten.append(word.id)
    if truth is not None:
        _note_state(account, truth, now=now)


def _listed(event: RegistrationEvent, contact: Contact) -> Kept:
    word = _word(
        event,
        contact=_bare(contact.uri),
        expires_at=contact.expires_at,
        user_agent=contact.user_agent,
    )
    word.instance = contact.instance[:120]
    if contact.call_id:
        word.call_id, word.cseq = contact.call_id[:200], contact.cseq
    return word


def _word(
    event: RegistrationEvent,
    *,
    contact: str,
    call_id: str | None = None,
    cseq: int | None = None,
    ending: str = "",
    expires_at: datetime | None = None,
    user_agent: str = "",
) -> Kept:
    return Kept(
        contact=contact,
        call_id=event.call_id[:200] if call_id is None else call_id,
        cseq=event.cseq if cseq is None else cseq,
        user_agent=user_agent[:200],
        source=event.source[:80],
        instance="",
        expires_at=expires_at or event.at,
        updated_at=event.at,
        is_live=not ending,
        ending=ending,
    )


def _keep(account: Account, word: Kept) -> None:
    place = (word.contact, word.call_id)
    kept = account.words.get(place)
    if kept is None:
        account.words[place] = word
    elif is_newer(word, kept):
        word.id = kept.id
        word.is_changed = True
        account.words[place] = word


def _note_state(account: Account, truth: Truth, *, now: datetime) -> None:
    reason, known = truth.reason[:200], account.registration
    if known is None:
        account.registration = State(
            truth.state, min(truth.at, now), truth.until, reason, "registrar", is_new=True, is_told=True
        )
        return
    if (known.state, known.reason, known.source) != (truth.state, reason, "registrar"):
        if known.state != truth.state:
            known.since = min(truth.at, now)
        known.state, known.reason, known.source = truth.state, reason, "registrar"
        known.is_changed = known.is_told = True
    if known.until != truth.until:
        known.until, known.is_changed = truth.until, True


def _bare(contact: str) -> str:
    """A contact without display name and angle brackets; its own parameters inside the brackets stay."""
    start, end = contact.find("<"), contact.rfind(">")
    bare = contact[start + 1 : end] if 0 <= start < end else contact.split(";", 1)[0]
    return bare.strip()[:255].lstrip("!")
