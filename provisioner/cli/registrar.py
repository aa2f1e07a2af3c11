"""`provisioner registrar`: the simulator's registrar, for labs."""

from pathlib import Path

import aiohttp
import click

from provisioner.cli.output import show_thing
from provisioner.cli.pbx_door import PbxDoor
from provisioner.cli.phone import trusting
from provisioner.cli.work import Verb, Work, stop_event, with_work
from provisioner.simulator.registrar import SimulatedRegistrar


@click.command(cls=Verb)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on (UDP).")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=5070,
    show_default=True,
    help="UDP port; 0 takes any free one.",
)
@click.option(
    "--door", default="http://127.0.0.1:8088/pbx/v1", show_default=True, help="The server's PBX door."
)
@click.option(
    "--token",
    required=True,
    envvar="PROVISIONER_PBX_TOKEN",
    show_envvar=True,
    help="PBX token (`provisioner token create`); best in the environment.",
)
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CA of the door's certificate, when it speaks TLS.",
)
@with_work
async def registrar(work: Work, /, *, host: str, port: int, door: str, token: str, ca: Path | None) -> None:
    """Run the SIMULATED registrar, for labs and demonstrations: it registers phones, but connects no calls.

    It asks the PBX door for the accounts and tells it what happens, as a real registrar does. Ctrl+C stops it.
    """
    stop = stop_event()
    async with aiohttp.ClientSession() as session:
        pbx = PbxDoor(session, door, token=token, tls=trusting(ca) if ca else None)
        running = SimulatedRegistrar(pbx.ha1, pbx.tell, owns=pbx.owns)
        await running.start(host, port)
        try:
            show_thing(work, {"simulated_registrar": f"{host}:{running.port}/udp", "door": door})
            await stop.wait()
        finally:
            await running.stop()
