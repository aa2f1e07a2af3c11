"""`provisioner device resync`."""

from typing import Any

import click

from provisioner.cli.output import show_thing
from provisioner.cli.work import Verb, Work, with_work
from provisioner.model import Mac
from provisioner.services.devices.enrolment import find_by_mac
from provisioner.services.pbx.resync_state import ResyncState, resync_now, resync_state


@click.command(cls=Verb)
@click.argument("mac")
@click.option("--show", "only_show", is_flag=True, help="Only show whether the phone is up to date.")
@with_work
async def resync(work: Work, /, *, mac: str, only_show: bool) -> None:
    """Tell a phone to fetch its configuration now; the running server sends the message through the PBX."""
    async with work.context() as context:
        found = await find_by_mac(context, work.actor, mac=mac)
        if not only_show:
            await resync_now(context, work.actor, device_id=found.id)
        state = await resync_state(context, work.actor, device_id=found.id)
    show_thing(work, {"mac": Mac(found.mac).pretty, "name": found.name} | _as_thing(state))


def _as_thing(state: ResyncState) -> dict[str, Any]:
    return {
        "state": state.freshness.value,
        "served_at": state.served_at,
        "asked_at": state.asked_at,
        "attempts": state.attempts,
        "next_at": state.next_at,
        "detail": state.detail,
    }
