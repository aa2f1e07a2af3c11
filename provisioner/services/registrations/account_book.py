"""What is known of accounts while a storm of events lasts, so that each batch need not read again what the last one wrote.

It is right only while nobody else writes: every change of registrations takes the next number of their counter, every change
of devices and lines that of the configuration. A number that is not the one expected empties the book.
"""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from provisioner.model import Counter
from provisioner.model.store import CONFIGURATION, sequence
from provisioner.services.registrations.rows import load_accounts
from provisioner.services.registrations.words import Account

CAPACITY: Final = 20_000
"""Accounts; about a kilobyte each."""
_counters: Any = Counter.__table__
_CONFIGURED: Final = select(_counters.c.value).where(_counters.c.name == CONFIGURATION)


class AccountBook:
    """One process's; used inside one transaction at a time."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._next = 0
        self._configured = -1

    @property
    def held(self) -> int:
        """How many accounts are kept."""
        return len(self._accounts)

    async def open(self, session: AsyncSession, names: set[str]) -> dict[str, Account]:
        """The accounts with these names as they are now; unknown names are not in the answer."""
        configured = (await (await session.connection()).execute(_CONFIGURED)).scalar_one()
        if sequence(session) != self._next or configured != self._configured:
            self._accounts.clear()
        self._next, self._configured = 0, configured  # worth nothing until it is closed
        known = {name: account for name in names if (account := self._accounts.get(name)) is not None}
        missing = names.difference(known)
        return known | await load_accounts(session, missing) if missing else known

    def close(self, accounts: dict[str, Account], *, seq: int) -> None:
        """Keep what was saved under this number, once it is committed."""
        if len(self._accounts) + len(accounts) > CAPACITY:
            self._accounts.clear()
        self._keep(accounts.items())
        self._next = seq + 1

    def _keep(self, accounts: Iterable[tuple[str, Account]]) -> None:
        for name, account in accounts:
            if account.is_saved():
                self._accounts[name] = account
            else:
                self._accounts.pop(name, None)
