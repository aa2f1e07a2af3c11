import re

import pytest

from provisioner.access.reasons import RANK, SENTENCES, Reason, ordinal, sentence


def test_every_reason_has_a_sentence_and_a_rank() -> None:
    assert set(SENTENCES) == set(RANK) == set(Reason)


def test_the_sentences_ask_for_known_data_only() -> None:
    names = {name for text in SENTENCES.values() for name in re.findall(r"%\((\w+)\)s", text)}
    assert names == {"source", "count", "nth", "until", "shown", "model"}
    assert not any(re.search(r"%(?!\(\w+\)s)", text) for text in SENTENCES.values())


def test_counts_and_times_are_put_in_words() -> None:
    data = {"source": "192.0.2.1", "count": 3, "until": 1_800_000_000.0}
    assert sentence(Reason.WRONG_PASSWORD, data) == "wrong password, 3rd time, from 192.0.2.1"
    assert sentence(Reason.DEVICE_LOCKED, data) == (
        "locked until 2027-01-15 08:00:00 UTC after 3 wrong attempts for this device; asked from 192.0.2.1"
    )


@pytest.mark.parametrize("reason", Reason)
def test_missing_data_never_breaks_a_sentence(reason: Reason) -> None:
    assert sentence(reason, {})


def test_a_translation_gets_the_same_data() -> None:
    dutch = {SENTENCES[Reason.WRONG_PASSWORD]: "verkeerd wachtwoord, poging %(count)s, vanaf %(source)s"}
    told = sentence(Reason.WRONG_PASSWORD, {"count": 2, "source": "x"}, translate=dutch.__getitem__)
    assert told == "verkeerd wachtwoord, poging 2, vanaf x"


def test_ordinals() -> None:
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th",
    ]  # fmt: skip
