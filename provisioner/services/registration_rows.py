"""The tables `bindings` and `registrations`, read and written for many accounts at once: a storm of events is a few statements."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Integer, String, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.model import Binding, Line, Registration
from provisioner.model.among import among, packed
from provisioner.model.store import sequence
from provisioner.services.registration_words import Account, Kept, State

_WORDS: Final = (
    "contact", "call_id", "cseq", "user_agent", "source", "instance", "expires_at", "updated_at", "is_live", "ending",
)  # fmt: skip
_NEWER: Final = ("cseq", "user_agent", "source", "instance", "expires_at", "updated_at", "is_live", "ending")
"""What a newer word of the same contact and call changes."""

_bindings: Final[Any] = Binding.__table__
_registrations: Final[Any] = Registration.__table__

_ACCOUNTS: Final = select(
    Line.account,
    Line.id,
    Line.tenant_id,
    Line.device_id,
    Registration.state,
    Registration.since,
    Registration.until,
    Registration.reason,
    Registration.source,
).outerjoin(Registration, Registration.line_id == Line.id)
_KEPT: Final = select(Binding.line_id, *(getattr(Binding, name) for name in _WORDS), Binding.id)
_UPDATE_WORD: Final = (
    update(_bindings)
    .where(_bindings.c.id == bindparam("word_id"))
    .values({name: bindparam(f"new_{name}") for name in _NEWER})
)
_STATE: Final = ("state", "since", "until", "reason", "source")
_UPDATE_STATE: Final = (
    update(_registrations)
    .where(_registrations.c.line_id == bindparam("of_line"))
    .values({name: bindparam(f"new_{name}") for name in _STATE})
)
_UPDATE_TOLD: Final = _UPDATE_STATE.values(seq=bindparam("new_seq"))


@dataclass(frozen=True, slots=True)
class _Statements:
    """Those that ask for many rows."""

    is_sqlite: bool
    accounts: Any
    kept: Any
    forget: Any

    @classmethod
    def of(cls, *, is_sqlite: bool) -> "_Statements":
        return cls(
            is_sqlite,
            accounts=_ACCOUNTS.where(among(Line.account, String, is_sqlite=is_sqlite)),
            kept=_KEPT.where(among(Binding.line_id, Integer, is_sqlite=is_sqlite)),
            forget=delete(_bindings).where(among(_bindings.c.id, Integer, is_sqlite=is_sqlite)),
        )

    def pack(self, wanted: Sequence[Any]) -> dict[str, Any]:
        """The parameter of a list of names or ids."""
        return packed(wanted, is_sqlite=self.is_sqlite)


_STATEMENTS: Final = {
    "postgresql": _Statements.of(is_sqlite=False),
    "sqlite": _Statements.of(is_sqlite=True),
}


async def load_accounts(session: AsyncSession, names: set[str]) -> dict[str, Account]:
    """The accounts with these names and all that is kept about them; unknown names are not in the answer."""
    connection = await session.connection()  # rows of plain columns: the session would only add to their cost
    statements = _STATEMENTS[connection.dialect.name]
    accounts: dict[str, Account] = {}
    by_line: dict[int, Account] = {}
    for row in await connection.execute(statements.accounts, statements.pack(sorted(names))):
        known = State(row.state, row.since, row.until, row.reason, row.source) if row.state else None
        account = Account(row.id, row.tenant_id, row.device_id, known)
        by_line[row.id] = accounts[row.account] = account
    if by_line:
        found = await connection.execute(statements.kept, statements.pack(sorted(by_line)))
        for line_id, *word in found:
            kept = Kept(*word)
            by_line[line_id].words[(kept.contact, kept.call_id)] = kept
    return accounts


@dataclass(slots=True)
class _Rows:
    """What is to be written of all accounts, sorted by statement."""

    seq: int
    forgotten: list[int] = field(default_factory=list)
    new_words: list[dict[str, Any]] = field(default_factory=list)
    changed_words: list[dict[str, Any]] = field(default_factory=list)
    new_states: list[dict[str, Any]] = field(default_factory=list)
    changed_states: list[dict[str, Any]] = field(default_factory=list)
    told_states: list[dict[str, Any]] = field(default_factory=list)

    def add(self, account: Account) -> None:
        self.forgotten += account.forgotten
        for word in account.words.values():
            if word.id is None:
                values = {name: getattr(word, name) for name in _WORDS}
                self.new_words.append({"line_id": account.line_id, **values})
            elif word.is_changed:
                values = {f"new_{name}": getattr(word, name) for name in _NEWER}
                self.changed_words.append({"word_id": word.id, **values})
        state = account.registration
        if state is not None and state.is_new:
            owner = {
                "line_id": account.line_id,
                "tenant_id": account.tenant_id,
                "device_id": account.device_id,
            }
            values = {name: getattr(state, name) for name in _STATE}
            self.new_states.append({**owner, "seq": self.seq, **values})
        elif state is not None and state.is_told:
            self.told_states.append({**_changed(account, state), "new_seq": self.seq})
        elif state is not None and state.is_changed:
            self.changed_states.append(_changed(account, state))


async def save_accounts(session: AsyncSession, accounts: Iterable[Account]) -> None:
    """Write what is different now; changes that pages must learn of carry the transaction's number."""
    rows = _Rows(sequence(session))
    for account in accounts:
        rows.add(account)
    connection = await session.connection()
    if rows.forgotten:
        statements = _STATEMENTS[connection.dialect.name]
        await connection.execute(statements.forget, statements.pack(rows.forgotten))
    for statement, values in (
        (insert(_bindings), rows.new_words),
        (_UPDATE_WORD, rows.changed_words),
        (insert(_registrations), rows.new_states),
        (_UPDATE_STATE, rows.changed_states),
        (_UPDATE_TOLD, rows.told_states),
    ):
        if values:
            await connection.execute(statement, values)


def _changed(account: Account, state: State) -> dict[str, Any]:
    return {"of_line": account.line_id, **{f"new_{name}": getattr(state, name) for name in _STATE}}
