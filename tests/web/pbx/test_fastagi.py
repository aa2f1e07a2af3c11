"""Asterisk's bytes replayed against the FastAGI server."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from provisioner.services.hotdesk.prompts import load_prompts
from provisioner.settings import ServerSettings
from provisioner.web.pbx import agi, fastagi
from tests.services.hotdesks import ANNA_PIN, BEN_PIN, Office, make_office
from tests.support.asterisk import DIGITS, GONE, SILENCE, USAGE, VARIABLES, AsteriskCall
from tests.support.ports import free_port
from tests.support.server import running_server, server_settings

HERE = "127.0.0.1"


class House:
    """A server with an open FastAGI port and two hotdesk devices."""

    def __init__(self, office: Office, port: int) -> None:
        self.office, self.port = office, port
        self.account = office.left.lines[0].account
        self._calls = 0

    async def call(
        self, dialled: str, *data: str, account: str = "", language: str = "en", **replies: str
    ) -> list[str]:
        self._calls += 1
        named = {command.replace("_", " "): reply for command, reply in replies.items()}
        call = AsteriskCall(
            account or self.account, dialled, data, named, language, f"1795297900.{self._calls}"
        )
        return await call.run(HERE, self.port)

    async def sitting(self) -> int | None:
        return await self.office.sitting(self.office.left)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with running_server(tmp_path / "data", fastagi_port=free_port()) as server:
        office = await make_office(server.context, server.tenant)
        yield House(office, server.server.ports["fastagi"])


async def test_the_whole_dialogue_logs_in_and_the_code_alone_logs_out(house: House) -> None:
    said = await house.call("*35", DIGITS.format("101"), DIGITS.format(ANNA_PIN), language="nl")
    assert said == [
        "ANSWER",
        "SET VARIABLE CHANNEL(language) nl",
        "GET DATA hotdesk-enter-extension 8000 6",
        "GET DATA hotdesk-enter-pin 8000 10",
        'STREAM FILE hotdesk-logged-in ""',
        "HANGUP",
    ]
    assert await house.sitting() == house.office.anna.id
    said = await house.call("*35")
    assert said[2:] == ['STREAM FILE hotdesk-logged-out ""', "HANGUP"]
    assert await house.sitting() is None


@pytest.mark.parametrize("ending", ["", "#"])
async def test_a_code_dialled_at_once_asks_nothing(house: House, ending: str) -> None:
    said = await house.call(f"*35*101*{ANNA_PIN}{ending}")
    assert said[2:] == ['STREAM FILE hotdesk-logged-in ""', "HANGUP"]
    said = await house.call(f"*35*102*{BEN_PIN}{ending}")
    assert said[2:] == ['STREAM FILE hotdesk-switched ""', "HANGUP"]
    assert await house.sitting() == house.office.ben.id


async def test_digits_without_a_hash_count_when_time_is_over(house: House) -> None:
    said = await house.call("*35*101", f"200 result={ANNA_PIN} (timeout)\n")
    assert said[2:] == ["GET DATA hotdesk-enter-pin 8000 10", 'STREAM FILE hotdesk-logged-in ""', "HANGUP"]


@pytest.mark.parametrize("nothing", [SILENCE, "200 result=\n", "200 result=**\n", USAGE])
async def test_silence_and_nonsense_are_asked_again_and_then_given_up(house: House, nothing: str) -> None:
    said = await house.call("*35", *[nothing] * 20)
    assert said.count("GET DATA hotdesk-enter-extension 8000 6") == 3
    assert said[-2:] == ['STREAM FILE hotdesk-try-later ""', "HANGUP"]


async def test_a_wrong_pin_and_an_unknown_extension_sound_alike(house: House) -> None:
    pin = await house.call("*35", DIGITS.format("101"), DIGITS.format("5077"))
    extension = await house.call("*35", DIGITS.format("199"), DIGITS.format("5077"))
    assert pin == extension
    assert pin[-2] == 'STREAM FILE hotdesk-denied ""'


@pytest.mark.parametrize("data", [(GONE,), (DIGITS.format("101"), GONE)])
async def test_a_caller_who_hangs_up_is_left_alone(house: House, data: tuple[str, ...]) -> None:
    said = await house.call("*35", *data)
    assert said[-1].startswith("GET DATA")
    assert await house.sitting() is None


async def test_a_missing_recording_is_noted_and_harms_nothing(house: House) -> None:
    with capture_logs() as logs:
        said = await house.call(f"*35*101*{ANNA_PIN}", STREAM_FILE="200 result=-1 endpos=0\n")
    assert said[-1] == "HANGUP"
    assert await house.sitting() == house.office.anna.id
    assert [entry["prompt"] for entry in logs if "prompt" in entry] == ["hotdesk-logged-in"]


@pytest.mark.parametrize(
    ("account", "dialled"),
    [("devnobody", "*35"), ("", "*35"), (" \x00", "*35"), ("{account}", "*99"), ("{account}", "x" * 300), ("{account}", "")],
)  # fmt: skip
async def test_what_makes_no_sense_ends_with_an_apology(house: House, account: str, dialled: str) -> None:
    said = await house.call(dialled, account=account.format(account=house.account) or " ")
    assert re.fullmatch(r'STREAM FILE hotdesk-(try-later|not-allowed) ""', said[-2])
    assert said[-1] == "HANGUP"


async def test_no_log_line_holds_a_pin(house: House) -> None:
    with capture_logs() as logs:
        await house.call(f"*35*101*{ANNA_PIN}")
        await house.call(f"*99*101*{ANNA_PIN}")
        await house.call("*35", DIGITS.format("102"), DIGITS.format(BEN_PIN), STREAM_FILE="510 no\n")
        await house.call("*35", DIGITS.format("102"), f"{BEN_PIN}\n")
    assert logs
    assert ANNA_PIN not in str(logs)
    assert BEN_PIN not in str(logs)


async def closed(port: int, sent: bytes) -> bytes:
    """What comes back before the server closes."""
    reader, writer = await asyncio.open_connection(HERE, port)
    try:
        writer.write(sent)
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n", b"agi_x: " + b"x" * 5_000 + b"\n", b"agi_a: 1\n" * 500, b"\xff\xfe\n", b"x" * 100_000,
        b"agi_network: yes\n\nnonsense\n", b"agi_network: yes\n\n200-x\n" + b"200-x\n" * 500,
    ],
)  # fmt: skip
async def test_other_bytes_end_the_connection_and_nothing_else(house: House, sent: bytes) -> None:
    assert await closed(house.port, sent) in {b"", b"ANSWER\n"}
    assert (await house.call(f"*35*101*{ANNA_PIN}"))[-1] == "HANGUP"


async def test_a_peer_that_says_nothing_is_not_waited_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agi, "START_SECONDS", 0.05)
    assert await closed(house.port, b"agi_network: yes\n") == b""
    monkeypatch.setattr(agi, "START_SECONDS", 5.0)
    monkeypatch.setattr(agi, "REPLY_SECONDS", 0.05)
    start = VARIABLES.format(
        host=HERE, port=1, account=house.account, dialled="*35", language="en", uniqueid="1.1"
    )
    assert await closed(house.port, start.encode()) == b"ANSWER\n"


async def test_more_calls_than_there_may_be_are_turned_away(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fastagi, "MOST_CALLS", 1)
    _, writer = await asyncio.open_connection(HERE, house.port)
    try:
        writer.write(b"agi_network: yes\n")
        await writer.drain()
        await asyncio.sleep(0)
        assert await closed(house.port, b"agi_network: yes\n\n") == b""
    finally:
        writer.close()


async def test_an_address_that_is_not_listed_is_turned_away(tmp_path: Path) -> None:
    async with running_server(
        tmp_path / "data", fastagi_port=free_port(), fastagi_peers=["192.0.2.0/24"]
    ) as server:
        with capture_logs() as logs:
            assert await closed(server.server.ports["fastagi"], b"agi_network: yes\n\n") == b""
        assert any("fastagi_peers" in entry["event"] for entry in logs)


async def test_a_port_in_use_is_a_reason_not_to_start(tmp_path: Path) -> None:
    from provisioner.errors import CannotStart

    taken = await asyncio.start_server(lambda _reader, _writer: None, HERE, 0)
    port = taken.sockets[0].getsockname()[1]
    try:
        with pytest.raises(CannotStart, match=f"FastAGI cannot listen on 127.0.0.1 port {port}"):
            async with running_server(tmp_path / "data", fastagi_port=port):
                pass
    finally:
        taken.close()
        await taken.wait_closed()


def test_it_is_off_and_local_unless_somebody_says_otherwise(tmp_path: Path) -> None:
    settings: ServerSettings = server_settings(tmp_path)
    assert settings.fastagi_port == 0
    assert settings.fastagi_address == "127.0.0.1"
    assert [str(network) for network in settings.fastagi_peers] == ["127.0.0.0/8"]


def test_a_word_cannot_become_a_second_command() -> None:
    assert agi._word('x"\nHANGUP') == '"xHANGUP"'
    assert agi._word("") == '""'


def test_the_apology_is_a_prompt() -> None:
    assert fastagi.APOLOGY in load_prompts()
