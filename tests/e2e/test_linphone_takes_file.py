"""A real Linphone fetches the rendered file, registers what is in it, and forgets what is written as off."""

import asyncio
import configparser
import contextlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest
from aiohttp import web

from provisioner.composition.phone_config import PhoneConfig
from tests.support.generic_phone import MAC, account, body, phone
from tests.support.linphone import Linphone, provisioned
from tests.support.ports import loopback
from tests.support.program import is_installed, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not is_installed("linphone-daemon"), reason="linphone-daemon is not installed"),
]


class FileServer:
    """Serves one rendered file, without credentials, and remembers each fetch."""

    def __init__(self) -> None:
        self.body = b""
        self.fetches: list[str] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/p/{MAC}/linphone.xml"

    async def answer(self, request: web.Request) -> web.Response:
        self.fetches.append(request.path)
        return web.Response(body=self.body, content_type="application/xml", charset="utf-8")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["FileServer"]:
        app = web.Application()
        app.router.add_get("/{tail:.*}", self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.port = runner.addresses[0][1]
            yield self
        finally:
            await runner.cleanup()


class Ear(asyncio.DatagramProtocol):
    """Hears SIP on UDP and answers nothing: who tries to register is all that is asked."""

    def __init__(self) -> None:
        self.addresses: set[str] = set()
        self.names: set[str] = set()

    def datagram_received(self, data: bytes, addr: object) -> None:
        found = re.search(r"^From: (.*)<(sip:[^>]*)>", data.decode(errors="replace"), re.MULTILINE)
        if data.startswith(b"REGISTER ") and found:
            self.names.add(found[1].strip())
            self.addresses.add(found[2])


class KeepingLinphone(Linphone):
    """Keeps what it learnt over a restart, as an installed app does; the first start writes its start file."""

    def prepare(self) -> Sequence[str]:
        start_file = self.folder / "rc"
        kept = start_file.read_bytes() if start_file.exists() else b""
        command = super().prepare()
        if kept:
            start_file.write_bytes(kept)
        return command

    def stored(self) -> Mapping[str, Mapping[str, str]]:
        """Its configuration file; written when it ends."""
        parser = configparser.RawConfigParser(delimiters=("=",), comment_prefixes=("#",), strict=False)
        parser.optionxform = str  # type: ignore[assignment, method-assign]
        parser.read(self.folder / "rc", encoding="utf-8")
        return {name: dict(parser[name]) for name in parser.sections()}


@pytest.fixture
async def server() -> AsyncIterator[FileServer]:
    async with FileServer().running() as server:
        yield server


@pytest.fixture
async def registrar() -> AsyncIterator[tuple[Ear, int]]:
    loop = asyncio.get_running_loop()
    transport, ear = await loop.create_datagram_endpoint(Ear, local_addr=("127.0.0.1", 0))
    yield ear, transport.get_extra_info("sockname")[1]
    transport.close()


@pytest.fixture
def linphone(server: FileServer, tmp_path: Path) -> KeepingLinphone:
    address = loopback()
    return KeepingLinphone(tmp_path / "linphone", provisioned(server.url, address=address), address=address)


def at(port: int, *positions: int, name: str = "Dave D.") -> PhoneConfig:
    """A softphone with these lines in use, whose registrar is on the loopback."""
    settings = {"registrar_host": "127.0.0.1", "registrar_port": port, "codecs": ["pcma", "ilbc", "g722"]}
    return phone(lines=[account(position, name=name) for position in positions], settings=settings)


async def run_once(
    linphone: KeepingLinphone, server: FileServer, config: PhoneConfig, *commands: str
) -> list[str]:
    """One start with this configuration: wait until its last entry was read, ask, quit. The answers."""
    server.body = body("linphone", config)
    linphone.log_file.unlink(missing_ok=True)
    async with linphone:
        await until(lambda: "Set audio_codec_7|enabled" in linphone.log(), what="the last entry to be read")
        return [await asyncio.to_thread(linphone.command, command) for command in commands]


async def test_linphone_registers_every_account_of_the_file_and_forgets_those_that_are_off(
    server: FileServer, registrar: tuple[Ear, int], linphone: KeepingLinphone
) -> None:
    ear, port = registrar

    server.body = body("linphone", at(port, 1, 2, name='D "q" \\ é;#'))
    async with linphone:
        await until(lambda: len(ear.addresses) == 2, what="two accounts to register")
    assert ear.addresses == {"sip:dev-1@pbx.example.net", "sip:dev-2@pbx.example.net"}
    assert ear.names == {'"D \\"q\\" \\\\ é;#"'}
    assert server.fetches == [f"/p/{MAC}/linphone.xml"]
    stored = linphone.stored()
    assert stored["proxy_1"]["reg_sendregister"] == "1"
    assert stored["auth_info_1"]["passwd"] == "Sip-Secret-2"

    ear.addresses.clear()
    server.body = body("linphone", at(port, 2))
    async with linphone:
        await until(lambda: ear.addresses, what="the account that is left to register")
    assert ear.addresses == {"sip:dev-2@pbx.example.net"}, "the account that is off has registered"

    ear.addresses.clear()
    await run_once(linphone, server, at(port), "register-status ALL")
    assert not ear.addresses, "somebody registered after everybody logged out"
    left = {
        f"{section}.{key}": value
        for section, entries in linphone.stored().items()
        for key, value in entries.items()
    }
    assert not [name for name, value in left.items() if "dev-" in value or "Sip-Secret" in value]
    assert not [name for name, value in left.items() if name.endswith("reg_sendregister") and value != "0"]


async def test_linphone_takes_over_codecs_encryption_and_a_stun_server_and_drops_them_again(
    server: FileServer, registrar: tuple[Ear, int], linphone: KeepingLinphone
) -> None:
    _, port = registrar
    asked = ("audio-codec-get", "media-encryption", "firewall-policy")

    config = at(port, 1)
    chosen = phone(
        settings={
            "registrar_host": "127.0.0.1",
            "registrar_port": port,
            "codecs": ["pcma", "ilbc", "g722"],
            "srtp": "mandatory",
            "stun_server": "stun.invalid",
        }
    )
    codecs, encryption, firewall = await run_once(linphone, server, chosen, *asked)
    assert re.findall(r"Mime: (\S+)", codecs) in (["PCMA", "G722"], ["PCMA", "iLBC", "G722"])
    assert "Encryption: srtp" in encryption
    assert "Address: stun.invalid" in firewall

    codecs, encryption, firewall = await run_once(linphone, server, config, *asked)
    assert "Encryption: none" in encryption
    assert "Type: none" in firewall


async def test_an_old_hash_in_the_app_does_not_survive_a_new_password(
    server: FileServer, registrar: tuple[Ear, int], linphone: KeepingLinphone
) -> None:
    ear, port = registrar
    old = {"username": "dev-1", "realm": "old", "ha1": "0" * 32, "algorithm": "MD5"}
    linphone.sections = {**linphone.sections, "auth_info_0": old}
    server.body = body("linphone", at(port, 1))
    async with linphone:
        await until(lambda: ear.addresses, what="the account to register")
    stored = linphone.stored()["auth_info_0"]
    assert stored["passwd"] == "Sip-Secret-1"
    assert stored["realm"] == "pbx.example.net"
    assert not stored.get("ha1")


async def test_an_account_that_a_file_merely_leaves_out_stays_so_every_slot_must_be_written(
    server: FileServer, registrar: tuple[Ear, int], linphone: KeepingLinphone
) -> None:
    ear, port = registrar
    server.body = body("linphone", at(port, 1))
    async with linphone:
        await until(lambda: ear.addresses, what="the account to register")
    ear.addresses.clear()
    off = body("linphone", at(port))
    server.body = re.sub(rb'<section name="(?:proxy|auth_info)_\d">.*?</section>', b"", off, flags=re.DOTALL)
    assert b"reg_sendregister" not in server.body
    async with linphone:
        await until(lambda: ear.addresses, what="the forgotten account to register")
    assert ear.addresses == {"sip:dev-1@pbx.example.net"}
