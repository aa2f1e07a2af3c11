import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from provisioner.model import Binding, Registration, RegistrationState
from provisioner.services.registrations.ticks import (
    Contact,
    RegistrationEvent,
)
from tests.services.lines import PHONE, Line, line

__all__ = ["line"]

MOMENTS = st.integers(0, 40)
CONTACTS = st.sampled_from([PHONE, "sip:d1@192.0.2.8", "sip:d1@192.0.2.9"])


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """What a registrar may report about one account: within a call the count rises and time does not fall."""
    said: list[dict[str, Any]] = []
    for call in ("call-a", "call-b"):
        second = draw(MOMENTS)
        for cseq in range(1, draw(st.integers(1, 4)) + 1):
            second += draw(st.integers(0, 20))
            kind = draw(st.sampled_from(["register", "refresh", "unregister", "expired"]))
            one: dict[str, Any] = {
                "kind": kind,
                "second": second,
                "cseq": cseq,
                "call_id": call,
                "contact": draw(CONTACTS),
            }
            if draw(st.booleans()):
                one["contacts"] = draw(
                    st.lists(
                        st.tuples(CONTACTS, st.integers(30, 400)), max_size=3, unique_by=lambda pair: pair[0]
                    )
                )
            said.append(one)
    refused = draw(st.lists(MOMENTS, max_size=2))
    return said + [{"kind": "auth-failed", "second": second, "cseq": 0, "call_id": ""} for second in refused]


def _events(line: Line, said: Sequence[dict[str, Any]]) -> list[RegistrationEvent]:
    events = []
    for one in said:
        fields = dict(one)
        kind, second = fields.pop("kind"), fields.pop("second")
        if "contacts" in fields:
            fields["contacts"] = tuple(
                Contact(uri, line.start + timedelta(seconds=left)) for uri, left in fields["contacts"]
            )
        events.append(line.event(kind, second, **fields))
    return events


async def _outcome(line: Line, batches: Sequence[Sequence[RegistrationEvent]]) -> tuple[object, ...]:
    async with line.context.store.write() as session:
        await session.execute(delete(Binding))
        await session.execute(delete(Registration))
    for batch in batches:
        await line.hear(*batch)
    row = await line.row()
    return (row.state, row.until, row.reason) if row else ("never",)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_any_order_any_batching_and_duplicates_end_in_the_same_state(line: Line) -> None:
    line.clock.advance(timedelta(seconds=120))
    loop = asyncio.get_running_loop()
    tried: list[object] = []

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(said=histories(), data=st.data())
    def check(said: list[dict[str, Any]], data: st.DataObject) -> None:
        events = _events(line, said)
        shuffled = data.draw(
            st.permutations([*events, *data.draw(st.lists(st.sampled_from(events), max_size=3))])
        )
        cut = data.draw(st.integers(0, len(shuffled)))
        one = asyncio.run_coroutine_threadsafe(
            _outcome(line, [sorted(events, key=lambda event: event.at)]), loop
        ).result(30)
        other = asyncio.run_coroutine_threadsafe(
            _outcome(line, [shuffled[:cut], shuffled[cut:]]), loop
        ).result(30)
        assert one == other
        tried.append(one)

    await asyncio.to_thread(check)
    assert len(set(map(str, tried))) > 3
    assert {RegistrationState.REGISTERED} <= {state[0] for state in tried}  # type: ignore[index]
