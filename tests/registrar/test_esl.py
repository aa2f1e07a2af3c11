"""FreeSWITCH's event socket, byte for byte as the facts have it: auth, and NOTIFY as an event."""

import pytest

from provisioner.errors import BadInput, Unavailable
from provisioner.registrar.check_sync import CheckSyncResult, Reach
from provisioner.registrar.esl import esl_session
from tests.support.scripted import Step, scripted

BANNER = b"Content-Type: auth/request\n\n"
AUTH: Step = (b"auth ClueCon\n\n", b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n")
NOTIFY = (
    b"sendevent NOTIFY\nprofile: internal\nuser: d0123456789\nhost: acme.test\n"
    b"event-string: check-sync;reboot=false\ncontent-type: application/simple-message-summary\n\n"
)
OK = b"Content-Type: command/reply\nReply-Text: +OK 7f4db0c8-2848-43b6-8d4e-0b9ecd0f9d5b\n\n"


async def test_a_check_sync_goes_out_in_exactly_these_bytes() -> None:
    async with (
        scripted(BANNER, AUTH, (NOTIFY, OK)) as switch,
        esl_session("127.0.0.1", switch.port, password="ClueCon") as session,
    ):
        assert await session.check_sync("d0123456789", "acme.test") == CheckSyncResult(Reach.SENT)
    assert switch.unexpected == []


async def test_another_profile_is_named() -> None:
    other = NOTIFY.replace(b"internal", b"phones")
    async with (
        scripted(BANNER, AUTH, (other, OK)) as switch,
        esl_session("127.0.0.1", switch.port, password="ClueCon") as session,
    ):
        await session.check_sync("d0123456789", "acme.test", profile="phones")
    assert switch.unexpected == []


async def test_the_command_that_deletes_registrations_is_never_sent() -> None:
    async with (
        scripted(BANNER, AUTH, (NOTIFY, OK)) as switch,
        esl_session("127.0.0.1", switch.port, password="ClueCon") as session,
    ):
        await session.check_sync("d0123456789", "acme.test")
    assert b"sofia" not in b"".join(switch.heard)


async def test_events_with_bodies_are_passed_over() -> None:
    event = b"Content-Length: 13\nContent-Type: text/event-plain\n\nA: b\n\nC: d\n\n."
    async with (
        scripted(BANNER, AUTH, (NOTIFY, event + OK)) as switch,
        esl_session("127.0.0.1", switch.port, password="ClueCon") as session,
    ):
        assert (await session.check_sync("d0123456789", "acme.test")).reach is Reach.SENT


async def test_an_error_is_a_failure_with_its_words() -> None:
    refused = b"Content-Type: command/reply\nReply-Text: -ERR invalid event\n\n"
    async with (
        scripted(BANNER, AUTH, (NOTIFY, refused)) as switch,
        esl_session("127.0.0.1", switch.port, password="ClueCon") as session,
    ):
        result = await session.check_sync("d0123456789", "acme.test")
    assert result == CheckSyncResult(Reach.FAILED, detail="The PBX refused: -ERR invalid event")


@pytest.mark.parametrize(
    ("banner", "steps", "words"),
    [
        (BANNER, ((AUTH[0], b"Content-Type: command/reply\nReply-Text: -ERR invalid\n\n"),), "password"),
        (
            b"Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n",
            (),
            "access list",
        ),
        (b"HTTP/1.1 400 Bad Request\n\n", (), "no FreeSWITCH"),
        (BANNER, ((AUTH[0], b"Content-Type: text/disconnect-notice\nContent-Length: 0\n\n"),), "closed"),
        (b"Content-Type: auth/request\nContent-Length: 99999999\n\n", (), "more than"),
        (b"Content-Type: auth/request\nContent-Length: -1\n\n", (), "without end"),
        (b"X: y\n" * 300, (), "without end"),
    ],
)
async def test_what_goes_wrong_is_told_in_words(banner: bytes, steps: tuple[Step, ...], words: str) -> None:
    async with scripted(banner, *steps) as switch:
        with pytest.raises(Unavailable, match=words) as caught:
            async with esl_session("127.0.0.1", switch.port, password="ClueCon"):
                pass
    assert "ClueCon" not in str(caught.value)


async def test_a_silent_pbx_costs_no_more_than_patience() -> None:
    async with scripted(b"", stays_silent=True) as switch:
        with pytest.raises(Unavailable, match="did not answer in time"):
            async with esl_session("127.0.0.1", switch.port, password="ClueCon", patience=0.05):
                pass


async def test_a_line_break_in_a_field_never_leaves_the_house() -> None:
    async with scripted(BANNER, AUTH, stays_silent=True) as switch:
        with pytest.raises(BadInput):
            async with esl_session("127.0.0.1", switch.port, password="ClueCon") as session:
                await session.check_sync("d1\n\napi shutdown", "acme.test")
    assert len(switch.heard) == 1
