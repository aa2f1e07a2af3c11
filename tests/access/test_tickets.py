import pytest

from provisioner.access.tickets import LONGEST, issue_ticket, ticket_holds

KEY, FACTS = b"k" * 32, ("device", "login", "7 open")
NOW = 1_800_000_000.0


def test_a_ticket_is_good_for_its_facts_until_it_is_over() -> None:
    ticket = issue_ticket(KEY, FACTS, until=NOW + 300)
    assert len(ticket) <= LONGEST
    assert ticket_holds(KEY, ticket, FACTS, now=NOW)
    assert not ticket_holds(KEY, ticket, FACTS, now=NOW + 300)


@pytest.mark.parametrize(
    "facts", [("device", "logout", "7 open"), ("other", "login", "7 open"), ("device", "login", "8 open"), ("devicelogin", "", "7 open")]
)  # fmt: skip
def test_a_ticket_is_good_for_nothing_else(facts: tuple[str, ...]) -> None:
    ticket = issue_ticket(KEY, FACTS, until=NOW + 300)
    assert not ticket_holds(KEY, ticket, facts, now=NOW)
    assert not ticket_holds(b"j" * 32, ticket, FACTS, now=NOW)


def test_no_part_of_a_ticket_can_be_changed() -> None:
    ticket = issue_ticket(KEY, FACTS, until=NOW + 300)
    for place, old in enumerate(ticket[:-1]):  # the last character has bits that mean nothing
        altered = ticket[:place] + ("A" if old != "A" else "B") + ticket[place + 1 :]
        assert not ticket_holds(KEY, altered, FACTS, now=NOW)


@pytest.mark.parametrize("text", ["", "x", "====", "\u00e9" * 8, "!" * 23, "A" * 5_000, "AAAA"])
def test_what_is_no_ticket_is_refused_without_an_error(text: str) -> None:
    assert not ticket_holds(KEY, text, FACTS, now=NOW)
