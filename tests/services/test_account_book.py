"""What one process keeps of accounts between batches is worth nothing once somebody else wrote."""

from datetime import timedelta
from typing import Any

import pytest

from provisioner.model import Tenant
from provisioner.services.context import SYSTEM, Context
from provisioner.services.devices.enrolment import remove_device, update_device
from provisioner.services.registrations import account_book
from provisioner.services.registrations import ticks as registrations
from provisioner.services.registrations.account_book import AccountBook
from provisioner.services.registrations.rows import load_accounts
from provisioner.services.registrations.ticks import RegistrationEvent, apply_events, expire_due
from tests.services.lines import Line, line
from tests.services.places import device_of

__all__ = ["line"]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """Which accounts were read from the database, batch by batch."""
    seen: list[set[str]] = []
    real = load_accounts

    async def load(session: Any, names: set[str]) -> Any:
        seen.append(set(names))
        return await real(session, names)

    monkeypatch.setattr(account_book, "load_accounts", load)
    return seen


@pytest.fixture
async def book(line: Line) -> AccountBook:
    """One that knows the registered account."""
    known = AccountBook()
    for cseq, kind in enumerate(
        ("register", "refresh"), 1
    ):  # the id of a new word is known to the database only
        await line.hear(line.event(kind, cseq, cseq=cseq), book=known)
    return known


async def test_a_renewal_is_applied_without_reading_what_the_last_batch_wrote(
    line: Line, book: AccountBook, reads: list[set[str]]
) -> None:
    for cseq in (3, 4, 5):
        await line.hear(line.event("refresh", cseq * 10, cseq=cseq), book=book)
        row = await line.row()
        assert row is not None
        assert row.until == line.start + timedelta(seconds=cseq * 10 + 300)
    await line.hear(line.event("unregister", 60, cseq=6), book=book)
    assert await line.state() == "unregistered"
    assert reads == []


async def test_what_another_process_wrote_is_read_again(
    line: Line, book: AccountBook, reads: list[set[str]]
) -> None:
    await line.hear(line.event("unregister", 20, cseq=4), book=AccountBook())
    await line.hear(
        line.event("refresh", 15, cseq=3), book=book
    )  # late: whoever trusts their own memory believes it
    assert await line.state() == "unregistered"
    assert reads == [{line.account}] * 2


async def test_what_ran_out_meanwhile_comes_back_with_the_next_renewal(line: Line, book: AccountBook) -> None:
    line.clock.advance(timedelta(seconds=400))
    assert await expire_due(line.context) == 1
    await line.hear(line.event("refresh", 400, cseq=3), book=book)
    assert await line.state() == "registered"


async def test_a_device_that_was_changed_or_removed_is_looked_up_again(
    line: Line, book: AccountBook, reads: list[set[str]]
) -> None:
    await update_device(line.context, SYSTEM, device_id=line.device_id, name="Other")
    assert await line.hear(line.event("refresh", 5, cseq=3), book=book) == 1
    assert len(reads) == 1
    await remove_device(line.context, SYSTEM, device_id=line.device_id)
    assert await line.hear(line.event("refresh", 6, cseq=4), book=book) == 0


async def test_a_batch_that_failed_is_forgotten_and_comes_again_whole(
    line: Line, book: AccountBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise OSError("no")

    signed_off = line.event("unregister", 5, cseq=3)
    with monkeypatch.context() as patch:
        patch.setattr(registrations, "save_accounts", fail)
        with pytest.raises(OSError, match="no"):
            await line.hear(signed_off, book=book)
    assert await line.state() == "registered"
    await line.hear(signed_off, book=book)
    assert await line.state() == "unregistered"


async def test_it_does_not_grow_without_end(
    context: Context, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 5."""
    monkeypatch.setattr(account_book, "CAPACITY", 2)
    accounts = [(await device_of(context, tenant, number)).lines[0].account for number in range(3)]
    book, now, sizes = AccountBook(), context.clock(), set()
    for cseq in (1, 2, 3):
        for account in accounts:
            event = RegistrationEvent(
                "refresh", account, now, "sip:x@192.0.2.1", now + timedelta(seconds=300), cseq=cseq
            )
            await apply_events(context, [event], book=book)
            sizes.add(book.held)
    assert sizes == {0, 1, 2}
