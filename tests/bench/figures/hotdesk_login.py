"""A hotdesk login by dialled code, from the PBX's question to the commit."""

import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from provisioner import garbage
from provisioner.model.store import Store
from provisioner.services.context import SYSTEM, Context
from provisioner.services.devices.enrolment import enrol
from provisioner.services.hotdesk.dialog import single
from provisioner.services.hotdesk.sessions import set_device_hotdesk, set_hotdesk
from provisioner.services.operation.installation import open_context
from provisioner.services.people.tenants import list_tenants
from provisioner.services.people.users import create_user
from provisioner.settings import ServerSettings
from tests.bench.fleet import YEALINK
from tests.bench.machine import pinned, server_core
from tests.bench.place import Place
from tests.bench.rounds import BenchError, quietest
from tests.bench.scale import Scale
from tests.bench.table import Figure

TARGET_MS = 15.0


def measure_hotdesk_login(scale: Scale, folder: Path) -> Sequence[Figure]:
    """In this process, by its processor time; SQLite. The user moves to and fro between two devices."""
    place = Place.made(folder / "data")
    with pinned(server_core()):
        return uvloop.run(_measure(scale, place))


async def _measure(scale: Scale, place: Place) -> Sequence[Figure]:
    settings = ServerSettings(**place.settings)  # type: ignore[arg-type]  # checked by pydantic
    store = Store(settings.database_url)
    try:
        context = await open_context(settings, store=store)
        accounts, code = await _prepare(context)
        garbage.settle()  # as the server does when it has started
        costs: list[float] = []

        async def measure_round() -> Sequence[float]:
            found = [await _log_in(context, accounts[turn % 2], code) for turn in range(scale.fetches)]
            costs.extend(found)
            return found

        typical = await quietest(scale.quiet_rounds, measure_round) * 1e3
    finally:
        await store.close()
    return [
        Figure(
            name="hotdesk login to committed",
            ours=f"{typical:.1f} ms (fastest {min(costs) * 1e3:.1f})",
            reference="",
            ratio="",
            target=f"< {TARGET_MS:.0f} ms",
            is_met=typical < TARGET_MS,
            how=f"processor time of the process for one dialled code with PIN: the user is logged out on the device where the last login was, both devices get a new revision and are asked "
            f"to fetch; median of {scale.fetches}, in the quietest of {scale.quiet_rounds} rounds",
        )
    ]


async def _prepare(context: Context) -> tuple[Sequence[str], str]:
    """The accounts of two hotdesk devices, and the full code of a user."""
    tenant = (await list_tenants(context, SYSTEM))[0].tenant
    accounts = []
    for number in (0xFFFF01, 0xFFFF02):
        made = await enrol(
            context,
            SYSTEM,
            tenant_id=tenant.id,
            profile=YEALINK.profile,
            model=YEALINK.model,
            mac=YEALINK.mac(number),
        )
        await set_device_hotdesk(context, SYSTEM, device_id=made.device.id, enabled=True)
        accounts.append(made.device.lines[0].account)
    user = await create_user(context, SYSTEM, tenant_id=tenant.id, name="Wanderer", extension="4711")
    return accounts, (await set_hotdesk(context, SYSTEM, user_id=user.id, enabled=True)).code


async def _log_in(context: Context, account: str, code: str) -> float:
    """Seconds of processor time."""
    before = time.process_time()
    done = await single(context, SYSTEM, account=account, dialled=code)
    spent = time.process_time() - before
    if done.result != "logged_in":
        raise BenchError(f"the login was answered with {done.result}")
    return spent
