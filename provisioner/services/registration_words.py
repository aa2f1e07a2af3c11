"""Registrars' events, word by word into the table `bindings`, and what they add up to into `registrations`."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.model import Binding, Line, Registration
from provisioner.model.store import sequence
from provisioner.services.context import Context
from provisioner.services.registration_truth import (
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


@dataclass(frozen=True, slots=True)
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
class Account:
    """One account while a batch is applied."""

    line_id: int
    tenant_id: int
    device_id: int
    registration: Registration | None
    words: dict[tuple[str, str], Binding] = field(default_factory=dict)
    """The newest word of each contact and call."""


async def load_accounts(session: AsyncSession, names: set[str]) -> dict[str, Account]:
    accounts: dict[str, Account] = {}
    by_line: dict[int, Account] = {}
    wanted = sorted(names)
    for start in range(0, len(wanted), 500):
        chunk = wanted[start : start + 500]
        rows = await session.execute(
            select(Line.account, Line.id, Line.tenant_id, Line.device_id).where(Line.account.in_(chunk))
        )
        for name, line_id, tenant_id, device_id in rows:
            by_line[line_id] = accounts[name] = Account(line_id, tenant_id, device_id, None)
    ids = sorted(by_line)
    for start in range(0, len(ids), 500):
        chunk_ids = ids[start : start + 500]
        for registration in (
            await session.execute(select(Registration).where(Registration.line_id.in_(chunk_ids)))
        ).scalars():
            by_line[registration.line_id].registration = registration
        for binding in (
            await session.execute(select(Binding).where(Binding.line_id.in_(chunk_ids)))
        ).scalars():
            by_line[binding.line_id].words[(binding.contact, binding.call_id)] = binding
    return accounts


def hear(session: AsyncSession, account: Account, event: RegistrationEvent) -> None:
    """Keep what an event says, word by word, where it is newer than what is kept."""
    if event.kind in _REFUSALS:
        _keep(session, account, _word(account, event, contact=REFUSED, call_id="", cseq=0, ending=event.kind))
        return
    ending = event.kind if event.kind in ENDINGS else "unregister"
    contacts, uri = event.contacts, _bare(event.contact)
    if contacts is None and event.kind in _GONE and uri == "*":
        contacts = ()
    if contacts is not None:
        _keep(session, account, _word(account, event, contact=FLOOR, ending=ending))
        for contact in contacts:
            if _bare(contact.uri) != FLOOR:  # one without a URI would stand in the place of the floor
                _keep(session, account, _listed(account, event, contact))
    elif uri and event.kind in _GONE:
        _keep(session, account, _word(account, event, contact=uri, ending=ending))
    elif uri:
        expires = event.expires_at or event.at + UNKNOWN_LIFETIME
        _keep(
            session,
            account,
            _word(account, event, contact=uri, expires_at=expires, user_agent=event.user_agent),
        )


def _listed(account: Account, event: RegistrationEvent, contact: Contact) -> Binding:
    word = _word(
        account,
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
    account: Account,
    event: RegistrationEvent,
    *,
    contact: str,
    call_id: str | None = None,
    cseq: int | None = None,
    ending: str = "",
    expires_at: datetime | None = None,
    user_agent: str = "",
) -> Binding:
    return Binding(
        line_id=account.line_id,
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


def _keep(session: AsyncSession, account: Account, word: Binding) -> None:
    place = (word.contact, word.call_id)
    kept = account.words.get(place)
    if kept is None:
        account.words[place] = word
        session.add(word)
    elif is_newer(word, kept):
        for column in (
            "cseq",
            "user_agent",
            "source",
            "instance",
            "expires_at",
            "updated_at",
            "is_live",
            "ending",
        ):
            setattr(kept, column, getattr(word, column))


async def conclude(session: AsyncSession, context: Context, account: Account) -> None:
    """Write down what all kept words add up to, and forget those that cannot matter any more."""
    now = context.clock()
    words = list(account.words.values())
    truth = truth_of(words, now=now, grace=timedelta(seconds=context.settings.registration_grace))
    for word in superfluous(words, now=now):
        del account.words[(word.contact, word.call_id)]
        if word in session.new:
            session.expunge(word)
        else:
            await session.delete(word)
    if truth is not None:
        _write_state(session, account, truth, now=now)


def _write_state(session: AsyncSession, account: Account, truth: Truth, *, now: datetime) -> None:
    row = account.registration
    if row is None:
        row = account.registration = Registration(
            line_id=account.line_id, tenant_id=account.tenant_id, device_id=account.device_id
        )
        session.add(row)
    reason = truth.reason[:200]
    if (row.state, row.reason, row.source) != (truth.state, reason, "registrar"):
        if row.state != truth.state:
            row.since = min(truth.at, now)
        row.state, row.reason, row.source = truth.state, reason, "registrar"
        row.seq = sequence(session)
    row.until = truth.until


def _bare(contact: str) -> str:
    """A contact without display name and angle brackets; its own parameters inside the brackets stay."""
    start, end = contact.find("<"), contact.rfind(">")
    bare = contact[start + 1 : end] if 0 <= start < end else contact.split(";", 1)[0]
    return bare.strip()[:255].lstrip("!")
