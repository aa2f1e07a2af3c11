"""`provisioner phone`: virtual phones against a running server."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import click

from provisioner.cli.output import progress, show_thing
from provisioner.cli.work import NounVerb, Verb, Work, stop_event, tenant_option, with_work
from provisioner.errors import BadInput, CannotStart, ProvisionerError
from provisioner.model import Mac
from provisioner.registrar.sip_digest import Credentials
from provisioner.services.context import Context
from provisioner.services.devices.device_list import list_devices
from provisioner.services.devices.enrolment import reveal
from provisioner.services.files.device_address import device_path
from provisioner.services.operation.installation import CERTIFICATES, PROFILES
from provisioner.services.people.users import MAX_PAGE
from provisioner.simulator.dialect import Dialect, load_dialects
from provisioner.simulator.fleet import Fleet, FleetProgress
from provisioner.simulator.phone import VirtualPhone
from provisioner.simulator.status import Phase, PhoneStatus

_ca_option = click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CA to trust; the installation's own when left out.",
)


@click.group(cls=NounVerb, invoke_without_command=True)
@click.option("--mac", help="Its address, in any spelling.")
@click.option("--url", help="What an installer types into it: its provisioning URL.")
@click.option("--username", help="Device configuration user name.")
@click.option(
    "--password",
    envvar="PROVISIONER_PHONE_PASSWORD",
    show_envvar=True,
    help="Device configuration password; best in the environment.",
)
@click.option("--dialect", help="Whose phones it behaves like: a vendor profile's id.")
@click.option("--model", default="", help="Model; the dialect's own when left out.")
@click.option("--firmware", default="", help="Firmware; the dialect's own when left out.")
@click.option("--once", is_flag=True, help="Stop as soon as it is registered (0) or has failed (1).")
@_ca_option
@click.pass_context
def phone(ctx: click.Context, /, **options: Any) -> None:
    """A SIMULATED phone: fetches its files as its vendor's phones do, and registers with what it read.

    Without a verb it runs one phone until Ctrl+C.
    """
    if ctx.invoked_subcommand is None:
        missing = [name for name in ("mac", "url", "dialect") if not options[name]]
        if missing:
            raise click.UsageError(f"Missing option --{missing[0]}.", ctx)
        _one(**options)


@with_work
async def _one(
    work: Work,
    *,
    mac: str,
    url: str,
    username: str | None,
    password: str | None,
    dialect: str,
    model: str,
    firmware: str,
    once: bool,
    ca: Path | None,
) -> None:
    address, chosen = Mac.parse(mac), _dialect(work, dialect)
    credentials = Credentials(username, password or "") if username else None
    stop, outcome = stop_event(), ""

    def tell(status: PhoneStatus) -> None:
        nonlocal outcome
        show_thing(
            work,
            {
                "phone": address.pretty,
                "phase": status.phase.value,
                "line": status.line,
                "detail": status.detail,
            },
        )
        if once and (
            status.phase in {Phase.FETCH_FAILED, Phase.REFUSED}
            or (status.phase is Phase.REGISTERED and running.is_registered)
        ):
            outcome = outcome or (
                "" if status.phase is Phase.REGISTERED else status.detail or status.phase.value
            )
            stop.set()

    async with aiohttp.ClientSession(
        connector=connector(work, ca), cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        running = VirtualPhone(
            chosen,
            session,
            mac=address.digits,
            url=url,
            credentials=credentials,
            model=model,
            firmware=firmware,
        )
        running.listen(tell)
        await running.start()
        await stop.wait()
        await running.stop()
    if outcome:
        raise ProvisionerError(f"The phone did not register: {outcome}")


@phone.command(cls=Verb)
@click.option("--count", type=click.IntRange(1, 100_000), required=True, help="How many.")
@tenant_option
@click.option("--rate", type=float, default=50.0, show_default=True, help="Phones started in a second.")
@click.option("--patience", type=float, default=60.0, show_default=True, help="Seconds after the last start.")
@click.option("--stay", is_flag=True, help="Stay registered until Ctrl+C.")
@_ca_option
@with_work
async def fleet(
    work: Work,
    /,
    *,
    count: int,
    tenant_key: str | None,
    rate: float,
    patience: float,
    stay: bool,
    ca: Path | None,
) -> None:
    """Boot SIMULATED phones for the first COUNT devices of a tenant of this installation, with their own credentials."""
    stop = stop_event()
    async with (
        work.context() as context,
        aiohttp.ClientSession(connector=connector(work, ca), cookie_jar=aiohttp.DummyCookieJar()) as session,
    ):
        tenant = await work.tenant(context, tenant_key)
        phones = await virtual_phones(work, context, session, tenant_id=tenant.id, count=count)
        with progress(work, "Registering") as tell:

            def told(state: FleetProgress) -> None:
                tell(state.registered + state.failed, state.total)

            running = Fleet(phones, on_progress=told)
            summary = await running.run(rate=rate, patience=patience)
        thing = {
            "phones": summary.total,
            "registered": summary.registered,
            "failed": summary.failed,
            "seconds": round(summary.seconds, 2),
        }
        show_thing(
            work, thing | {"reasons": [f"{reason}: {number}" for reason, number in summary.reasons.items()]}
        )
        if stay:
            await stop.wait()
        await running.stop()
    if summary.failed:
        click.get_current_context().exit(1)


async def virtual_phones(
    work: Work,
    context: Context,
    session: aiohttp.ClientSession,
    *,
    tenant_id: int,
    count: int,
    macs: frozenset[str] = frozenset(),
    retry: float = 30.0,
) -> list[VirtualPhone]:
    """Virtual phones for the first `count` devices of a tenant (of those in `macs` when not empty) that a dialect exists for."""
    folder = context.settings.profiles or PROFILES
    dialects = await asyncio.to_thread(load_dialects, folder)
    phones: list[VirtualPhone] = []
    offset, total = 0, 1
    while offset < total and len(phones) < count:
        page = await list_devices(context, work.actor, tenant_id=tenant_id, offset=offset, limit=MAX_PAGE)
        offset, total = offset + MAX_PAGE, page.total
        for item in page.items:
            device = item.device
            if (
                device.profile not in dialects
                or device.profile not in context.profiles.all
                or (macs and device.mac not in macs)
            ):
                continue
            path = await device_path(context, work.actor, device_id=device.id)
            url = context.profiles.all[device.profile].url(context.settings.https_base + path, device.mac)
            credentials = Credentials(device.username, reveal(context, device, "password"))
            phones.append(
                VirtualPhone(
                    dialects[device.profile],
                    session,
                    mac=device.mac,
                    url=url,
                    credentials=credentials,
                    model=device.model,
                    retry=retry,
                )
            )
    if not phones:
        raise BadInput("There is no device that a phone can be simulated for.")
    return phones[:count]


def connector(work: Work, ca: Path | None) -> aiohttp.TCPConnector:
    """Connections that trust one CA: the given one, else the installation's own."""
    return aiohttp.TCPConnector(ssl=trusting(ca or work.settings().data / CERTIFICATES / "ca.pem"), limit=0)


def trusting(ca: Path) -> ssl.SSLContext:
    """A client's TLS context with this CA and no other; CannotStart when it cannot be read."""
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError):
        raise CannotStart(
            f"{ca} holds no certificate to trust: name the CA with --ca.", path=str(ca)
        ) from None


def _dialect(work: Work, name: str) -> Dialect:
    dialects = load_dialects(work.settings().profiles or PROFILES)
    if name not in dialects:
        raise BadInput(f"There is no dialect “{name}”; there are {', '.join(dialects)}.", field="dialect")
    return dialects[name]
