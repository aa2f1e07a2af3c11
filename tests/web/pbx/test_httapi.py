"""The contract with FreeSWITCH's mod_httapi: forms in, documents out."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import ClientSession
from lxml import etree
from structlog.testing import capture_logs

from provisioner.services.hotdesk.prompts import load_prompts
from provisioner.web.pbx import httapi
from tests.services.hotdesks import ANNA_PIN, Office, make_office
from tests.support.server import running_server

PATH = "/pbx/v1/httapi/hotdesk"


class Switch:
    """FreeSWITCH, as far as this door sees it: one session, following the addresses it is given."""

    def __init__(self, office: Office, base: str, token: str, http: ClientSession) -> None:
        self.office, self.base, self.token, self.http = office, base, token, http
        self.url = f"{base}{PATH}"
        self.account = office.left.lines[0].account
        self.document = etree.Element("none")

    def fields(self, dialled: str, **more: str) -> dict[str, str]:
        return {
            "session_id": "8a1f0c5e-3f1e-4b1a-9a35-1d2f2f6f0a01",
            "hostname": "switch1",
            "url": self.url,
            "Caller-Username": self.account,
            "Caller-Destination-Number": dialled,
            "Caller-Network-Addr": "192.0.2.51",
            "Caller-Unique-ID": "8a1f0c5e-3f1e-4b1a-9a35-1d2f2f6f0a01",
            **more,
        }

    async def post(self, fields: dict[str, str], *, url: str = "", status: int = 200) -> str:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.http.post(url or self.url, data=fields, headers=headers) as answer:
            text = await answer.text()
            assert answer.status == status, text
            if status == 200 and text:
                assert answer.content_type == "text/xml"
                self.document = etree.fromstring(text.encode())
        return text

    async def type(self, dialled: str, **typed: str) -> None:
        """Send what the caller typed to the address of the last question."""
        (url,) = self.document.xpath("//playback/@action")
        await self.post(self.fields(dialled, **typed), url=str(url))

    @property
    def work(self) -> list[tuple[str, str]]:
        """Each work tag with its file or cause."""
        return [
            (str(tag.tag), tag.get("file") or tag.get("cause") or "")
            for tag in self.document.iterfind("work/*")
        ]


@pytest.fixture
async def switch(tmp_path: Path) -> AsyncIterator[Switch]:
    async with running_server(tmp_path / "data") as server, ClientSession() as http:
        office = await make_office(server.context, server.tenant)
        yield Switch(office, server.admin_url, await server.token("pbx"), http)


async def test_the_whole_dialogue_asks_in_documents_and_logs_in(switch: Switch) -> None:
    await switch.post(switch.fields("*35"), url=f"{switch.url}?lang=nl")
    assert switch.document.tag == "document"
    assert switch.document.get("type") == "xml/freeswitch-httapi"
    assert [tag.tag for tag in switch.document] == ["params", "work"]
    assert switch.work == [("answer", ""), ("pause", ""), ("playback", "nl/hotdesk-enter-extension.wav")]
    (question,) = switch.document.iter("playback")
    (bind,) = question
    assert (question.get("name"), question.get("loops")) == ("extension", "1")
    assert (question.get("digit-timeout"), question.get("input-timeout")) == ("3000", "8000")
    assert (bind.text, bind.get("strip")) == (r"~\d{2,6}#", "#")

    await switch.type("*35", extension="101", input_type="dtmf")
    assert switch.work == [("playback", "nl/hotdesk-enter-pin.wav")]
    assert switch.document.xpath("//bind/text()") == [r"~\d{4,10}#"]
    await switch.type("*35", pin=ANNA_PIN, input_type="dtmf")
    assert switch.work == [("playback", "nl/hotdesk-logged-in.wav"), ("hangup", "NORMAL_CLEARING")]
    assert await switch.office.sitting(switch.office.left) == switch.office.anna.id
    assert await switch.post({"session_id": "x", "exiting": "true"}) == ""


async def test_a_code_dialled_at_once_asks_nothing(switch: Switch) -> None:
    await switch.post(switch.fields(f"*35*101*{ANNA_PIN}"))
    assert switch.work[2:] == [("playback", "en/hotdesk-logged-in.wav"), ("hangup", "NORMAL_CLEARING")]
    first = switch.work
    await switch.post(switch.fields(f"*35*101*{ANNA_PIN}"))
    assert switch.work == first, "a request that is repeated gets the same answer"


async def test_silence_and_nonsense_are_asked_again_and_then_given_up(switch: Switch) -> None:
    await switch.post(switch.fields("*35*101"))
    for typed in ({}, {"pin": "12", "input_type": "invalid"}):
        await switch.type("*35*101", **typed)
        assert switch.work == [("playback", "en/hotdesk-enter-pin.wav")]
    await switch.type("*35*101")
    assert switch.work == [("playback", "en/hotdesk-try-later.wav"), ("hangup", "NORMAL_CLEARING")]


async def test_a_dialogue_that_is_over_ends_with_an_apology(switch: Switch) -> None:
    await switch.post(switch.fields("*35", pin="1"), url=f"{switch.url}?dialog=h_gone&step=1&ask=pin")
    assert switch.work == [("playback", "en/hotdesk-try-later.wav"), ("hangup", "NORMAL_CLEARING")]


async def test_with_get_nothing_is_asked(switch: Switch) -> None:
    headers = {"Authorization": f"Bearer {switch.token}"}
    async with switch.http.get(switch.url, params=switch.fields("*35"), headers=headers) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
        assert "method" in (await answer.json())["detail"]


async def test_credentials_may_come_as_freeswitch_sends_them(switch: Switch) -> None:
    pair = base64.b64encode(f"pbx:{switch.token}".encode()).decode()
    for authorization, status in ((f"Basic {pair}", 200), ("Basic cGJ4OnBieA==", 401), ("Basic =", 401)):
        headers = {"Authorization": authorization}
        async with switch.http.post(switch.url, data=switch.fields("*35"), headers=headers) as answer:
            assert answer.status == status


async def test_the_next_address_is_the_one_freeswitch_knows(switch: Switch) -> None:
    known = f"https://prov.example.net{PATH}"
    await switch.post(switch.fields("*35", url=f"{known}?lang=nl"))
    (action,) = switch.document.xpath("//playback/@action")
    assert str(action).startswith(f"{known}?dialog=h_")
    query = parse_qs(urlsplit(str(action)).query)
    assert (query["step"], query["ask"]) == (["1"], ["extension"])


@pytest.mark.parametrize("url", ["javascript:x", "https://[", f"ftp://x{PATH}", "https://evil.example/x", ""])
async def test_another_address_is_never_given_out(switch: Switch, url: str) -> None:
    await switch.post(switch.fields("*35", url=url))
    (action,) = switch.document.xpath("//playback/@action")
    assert str(action).startswith(f"{switch.url}?dialog=")


@pytest.mark.parametrize("missing", ["session_id", "Caller-Username", "Caller-Destination-Number"])
async def test_a_field_that_is_missing_is_named(switch: Switch, missing: str) -> None:
    fields = switch.fields("*35")
    del fields[missing]
    assert missing in await switch.post(fields, status=422)


@pytest.mark.parametrize(
    "fields",
    [
        {"Caller-Destination-Number": "*99"}, {"session_id": "x" * 300}, {"session_id": "\x00"}, {"Caller-Destination-Number": "\ud7ff" * 99},
    ],
)  # fmt: skip
async def test_bad_fields_are_problems(switch: Switch, fields: dict[str, str]) -> None:
    await switch.post({**switch.fields("*35"), **fields}, status=422)


@pytest.mark.parametrize(
    "query", ["dialog=x&step=-1", "dialog=x", "dialog=x&step=9999&ask=pin", "dialog=x&step=²"]
)
async def test_bad_steps_are_problems(switch: Switch, query: str) -> None:
    await switch.post(switch.fields("*35"), url=f"{switch.url}?{query}", status=422)


async def test_other_bodies_are_refused(switch: Switch) -> None:
    headers = {"Authorization": f"Bearer {switch.token}"}
    async with switch.http.post(switch.url, json={"session_id": "x"}, headers=headers) as answer:
        assert answer.status == 415
    async with switch.http.post(switch.url, data={"session_id": "x" * 100_000}, headers=headers) as answer:
        assert answer.status == 413


async def test_an_account_nobody_has_is_told_so_in_a_voice(switch: Switch) -> None:
    await switch.post(switch.fields("*35", **{"Caller-Username": "devnobody"}))
    assert ("playback", "en/hotdesk-not-allowed.wav") in switch.work


async def test_no_log_line_holds_a_pin(switch: Switch) -> None:
    with capture_logs() as logs:
        await switch.post(switch.fields(f"*35*101*{ANNA_PIN}"))
        await switch.post(switch.fields("*35", pin=ANNA_PIN), url=f"{switch.url}?dialog=h_x&step=1&ask=pin")
    assert logs
    assert ANNA_PIN not in str(logs)


def test_the_apology_is_a_prompt() -> None:
    assert httapi.APOLOGY in load_prompts()


@pytest.mark.parametrize("host", ["a:b", "a:99999999"])
async def test_a_host_that_is_no_address_is_refused(switch: Switch, host: str) -> None:
    fields = switch.fields("*35", url="nowhere")
    headers = {"Authorization": f"Bearer {switch.token}", "Host": host}
    async with switch.http.post(switch.url, data=fields, headers=headers) as answer:
        assert answer.status == 422
