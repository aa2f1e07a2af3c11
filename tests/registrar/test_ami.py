"""Asterisk's manager, byte for byte as the facts have it: banner, challenge, login, PJSIPNotify."""

import hashlib

import pytest

from provisioner.errors import BadInput, Unavailable
from provisioner.registrar.ami import MAX_LINES, ami_session
from provisioner.registrar.check_sync import CheckSyncResult, Reach
from provisioner.registrar.sip_digest import Credentials
from tests.support.scripted import Step, scripted

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
WHO = Credentials("provisioning", "s3cret")
KEY = hashlib.md5(b"840415273s3cret", usedforsecurity=False).hexdigest().encode()
CHALLENGE: Step = (
    b"Action: Challenge\r\nActionID: 1\r\nAuthType: MD5\r\n\r\n",
    b"Response: Success\r\nActionID: 1\r\nChallenge: 840415273\r\n\r\n",
)
LOGIN: Step = (
    b"Action: Login\r\nActionID: 2\r\nAuthType: MD5\r\nUsername: provisioning\r\nKey: "
    + KEY
    + b"\r\nEvents: off\r\n\r\n",
    (
        b"Response: Success\r\nActionID: 2\r\nMessage: Authentication accepted\r\n\r\n"
        b"Event: FullyBooted\r\nPrivilege: system,all\r\nStatus: Fully Booted\r\n\r\n"
    ),
)
NOTIFY = b"Action: PJSIPNotify\r\nActionID: 3\r\nEndpoint: d0123456789\r\nVariable: Event=check-sync;reboot=false\r\n\r\n"
LOGOFF: Step = (b"Action: Logoff\r\n\r\n", b"")


async def test_a_check_sync_goes_out_in_exactly_these_bytes() -> None:
    sent = b"Response: Success\r\nActionID: 3\r\nMessage: NOTIFY sent\r\n\r\n"
    async with (
        scripted(BANNER, CHALLENGE, LOGIN, (NOTIFY, sent), LOGOFF) as asterisk,
        ami_session("127.0.0.1", asterisk.port, credentials=WHO) as session,
    ):
        assert await session.check_sync("d0123456789") == CheckSyncResult(Reach.SENT)
    assert asterisk.unexpected == []
    assert asterisk.heard[-1] == LOGOFF[0]
    assert b"s3cret" not in b"".join(asterisk.heard)


async def test_events_and_answers_to_others_are_passed_over() -> None:
    noise = (
        b"Event: ContactStatus\r\nPrivilege: system,all\r\nURI: sip:alice@192.0.2.51:5070\r\nContactStatus: NonQualified\r\n"
        b"AOR: alice\r\nEndpointName: alice\r\nRoundtripUsec: 0\r\n\r\n"
        b"Response: Error\r\nActionID: 7\r\nMessage: not yours\r\n\r\n"
    )
    sent = noise + b"Response: Success\r\nActionID: 3\r\nMessage: NOTIFY sent\r\n\r\n"
    async with (
        scripted(BANNER, CHALLENGE, LOGIN, (NOTIFY, sent), LOGOFF) as asterisk,
        ami_session("127.0.0.1", asterisk.port, credentials=WHO) as session,
    ):
        assert (await session.check_sync("d0123456789")).reach is Reach.SENT


async def test_an_endpoint_that_asterisk_does_not_know_is_a_failure_with_its_words() -> None:
    unknown = b"Response: Error\r\nActionID: 3\r\nMessage: Unable to retrieve endpoint d0123456789\r\n\r\n"
    async with (
        scripted(BANNER, CHALLENGE, LOGIN, (NOTIFY, unknown), LOGOFF) as asterisk,
        ami_session("127.0.0.1", asterisk.port, credentials=WHO) as session,
    ):
        result = await session.check_sync("d0123456789")
    assert result.reach is Reach.FAILED
    assert result.detail == "The PBX refused: Unable to retrieve endpoint d0123456789"


@pytest.mark.parametrize(
    ("listed", "may"), [(b"PJSIPNotify: Send it. (Priv: system,all)\r\n", True), (b"", False)]
)
async def test_what_the_manager_user_may_do_is_asked_for(listed: bytes, may: bool) -> None:
    ask = b"Action: ListCommands\r\nActionID: 3\r\n\r\n"
    answer = (
        b"Response: Success\r\nActionID: 3\r\nPing: Keepalive command. (Priv: <none>)\r\n" + listed + b"\r\n"
    )
    async with (
        scripted(BANNER, CHALLENGE, LOGIN, (ask, answer), LOGOFF) as asterisk,
        ami_session("127.0.0.1", asterisk.port, credentials=WHO) as session,
    ):
        assert await session.may_notify() is may


async def test_a_wrong_password_is_told_and_does_not_show() -> None:
    refused = (LOGIN[0], b"Response: Error\r\nActionID: 2\r\nMessage: Authentication failed\r\n\r\n")
    async with scripted(BANNER, CHALLENGE, refused) as asterisk:
        with pytest.raises(Unavailable, match="refuses the user name or the password") as caught:
            async with ami_session("127.0.0.1", asterisk.port, credentials=WHO):
                pass
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("banner", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no Asterisk manager"),
        (b"", "closed the connection"),
        (b"x" * 20_000, "without end"),
    ],
)
async def test_something_else_at_that_port_is_named(banner: bytes, words: str) -> None:
    async with scripted(banner) as other:
        with pytest.raises(Unavailable, match=words):
            async with ami_session("127.0.0.1", other.port, credentials=WHO):
                pass
    assert other.heard == []  # nothing is said to a stranger


async def test_an_answer_without_end_is_cut_off() -> None:
    endless = b"Response: Success\r\n" + b"X: y\r\n" * (MAX_LINES + 1)
    async with scripted(BANNER, (CHALLENGE[0], endless)) as asterisk:
        with pytest.raises(Unavailable, match="without end"):
            async with ami_session("127.0.0.1", asterisk.port, credentials=WHO):
                pass


async def test_a_silent_or_absent_pbx_costs_no_more_than_patience() -> None:
    async with scripted(b"", stays_silent=True) as asterisk:
        with pytest.raises(Unavailable, match="did not answer in time"):
            async with ami_session("127.0.0.1", asterisk.port, credentials=WHO, patience=0.05):
                pass
        port = asterisk.port
    with pytest.raises(Unavailable, match="There is no connection"):
        async with ami_session("127.0.0.1", port, credentials=WHO):
            pass


async def test_a_line_break_in_a_field_never_leaves_the_house() -> None:
    async with scripted(BANNER, CHALLENGE, LOGIN, stays_silent=True) as asterisk:
        with pytest.raises(BadInput):
            async with ami_session("127.0.0.1", asterisk.port, credentials=WHO) as session:
                await session.check_sync("d1\r\nAction: Originate")
    assert len(asterisk.heard) == 2
