"""The tables `bindings` and `registrations`, read and written for many accounts at once: a storm of events is a few statements."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from provisioner.model import Binding, Line, Registration
from provisioner.model.bulk import Rows, delete_rows, insert_rows, read_moment, update_rows
from provisioner.model.store import sequence
from provisioner.services.registrations.words import Account, Kept, State

_WORDS: Final = (
    "contact", "call_id", "cseq", "user_agent", "source", "instance", "expires_at", "updated_at", "is_live", "ending",
)  # fmt: skip
_NEWER: Final = ("cseq", "user_agent", "source", "instance", "expires_at", "updated_at", "is_live", "ending")
"""What a newer word of the same contact and call changes."""
_STATE: Final = ("state", "since", "until", "reason", "source")
_OWNER: Final = ("line_id", "tenant_id", "device_id", "seq")

_bindings: Final[Table] = Binding.__table__  # type: ignore[assignment]  # declared as FromClause
_registrations: Final[Table] = Registration.__table__  # type: ignore[assignment]
_lines: Final[Table] = Line.__table__  # type: ignore[assignment]


def _select(wanted: str) -> str:
    """One row for each account and word, accounts without words once; `wanted` are the names."""
    words = ", ".join(f"b.{name}" for name in (*_WORDS, "id"))
    state = ", ".join(f"r.{name}" for name in _STATE)
    return (
        f"SELECT l.account, l.id, l.tenant_id, l.device_id, {state}, {words} FROM {_lines.name} l "  # noqa: S608 - names only
        f"LEFT JOIN {_registrations.name} r ON r.line_id = l.id LEFT JOIN {_bindings.name} b ON b.line_id = l.id "
        f"WHERE l.account {wanted}"
    )


_ACCOUNTS_SQLITE: Final = _select("IN (SELECT value FROM json_each(?))")
_ACCOUNTS_POSTGRES: Final = _select("= ANY ($1::varchar[])")


async def load_accounts(session: AsyncSession, names: set[str]) -> dict[str, Account]:
    """The accounts with these names and all that is kept about them; unknown names are not in the answer."""
    accounts: dict[str, Account] = {}
    for row in await _rows_of(await session.connection(), sorted(names)):
        name, line_id, tenant_id, device_id, state, since, until, reason, source, *word, word_id = row
        account = accounts.get(name)
        if account is None:
            known = State(state, read_moment(since), read_moment(until), reason, source) if state else None
            account = accounts[name] = Account(line_id, tenant_id, device_id, known)
        if word_id is not None:
            contact, call_id, cseq, agent, told_by, instance, expires_at, updated_at, is_live, ending = word
            account.words[(contact, call_id)] = Kept(
                contact, call_id, cseq, agent, told_by, instance,
                read_moment(expires_at), read_moment(updated_at), bool(is_live), ending, word_id,
            )  # fmt: skip
    return accounts


async def _rows_of(connection: AsyncConnection, names: Sequence[str]) -> Sequence[Any]:
    """Raw, because converting every column by its type costs more than reading it."""
    if connection.dialect.name == "sqlite":
        found = await connection.exec_driver_sql(_ACCOUNTS_SQLITE, (json.dumps(names),))
    else:
        found = await connection.exec_driver_sql(_ACCOUNTS_POSTGRES, (list(names),))
    return found.all()


@dataclass(slots=True)
class _Rows:
    """What is to be written of all accounts, sorted by statement."""

    seq: int
    forgotten: Rows = field(default_factory=list)
    new_words: Rows = field(default_factory=list)
    changed_words: Rows = field(default_factory=list)
    new_states: Rows = field(default_factory=list)
    renewed_states: Rows = field(default_factory=list)
    """Those of which only the end is another: nearly all of a storm."""
    told_states: Rows = field(default_factory=list)

    def add(self, account: Account) -> None:
        self.forgotten += [[word_id] for word_id in account.forgotten]
        for word in account.words.values():
            if word.id is None:
                self.new_words.append([account.line_id, word.contact, word.call_id, *_newer(word)])
            elif word.is_changed:
                self.changed_words.append([*_newer(word), word.id])
        state = account.registration
        if state is None:
            return
        values = [state.state, state.since, state.until, state.reason, state.source]
        if state.is_new:
            self.new_states.append([account.line_id, account.tenant_id, account.device_id, self.seq, *values])
        elif state.is_told:
            self.told_states.append([*values, self.seq, account.line_id])
        elif state.is_changed:
            self.renewed_states.append([state.until, account.line_id])


def _newer(word: Kept) -> list[Any]:
    """The values of `_NEWER`."""
    return [
        word.cseq, word.user_agent, word.source, word.instance, word.expires_at, word.updated_at, word.is_live, word.ending,
    ]  # fmt: skip


async def save_accounts(session: AsyncSession, accounts: Iterable[Account]) -> None:
    """Write what is different now; changes that pages must learn of carry the transaction's number."""
    rows = _Rows(sequence(session))
    for account in accounts:
        rows.add(account)
    connection = await session.connection()
    if rows.forgotten:
        await delete_rows(connection, _bindings, "id", rows.forgotten)
    if rows.new_words:
        await insert_rows(connection, _bindings, ("line_id", "contact", "call_id", *_NEWER), rows.new_words)
    if rows.changed_words:
        await update_rows(connection, _bindings, (*_NEWER, "id"), rows.changed_words)
    if rows.new_states:
        await insert_rows(connection, _registrations, (*_OWNER, *_STATE), rows.new_states)
    if rows.renewed_states:
        await update_rows(connection, _registrations, ("until", "line_id"), rows.renewed_states)
    if rows.told_states:
        await update_rows(connection, _registrations, (*_STATE, "seq", "line_id"), rows.told_states)
