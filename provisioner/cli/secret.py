"""`provisioner secret`: the key ring."""

import click

from provisioner.cli.output import progress, show_rows, show_thing
from provisioner.cli.work import Verb, Work, with_work
from provisioner.errors import ProvisionerError
from provisioner.services.operation.installation import KEY_RING
from provisioner.services.operation.secret_rotation import ring_status, rotate


@click.group()
def secret() -> None:
    """The keys that stored secrets are sealed with."""


@secret.command("rotate", cls=Verb)
@with_work
async def rotate_(work: Work) -> None:
    """Make a new key, seal every stored secret with it, and forget the old keys.

    The server runs on meanwhile. When this is interrupted, nothing is lost: run it again. Older backups of the
    database need the older key ring: keep it with them.
    """
    async with work.context() as context:
        with progress(work, "Sealing") as tell:
            done = await rotate(context, work.actor, on_progress=tell)
    thing = {
        "key": done.current,
        "sealed": done.sealed,
        "retired": list(done.retired),
        "resumed": done.was_resumed,
    }
    if done.unreadable:
        raise ProvisionerError(
            f"{len(done.unreadable)} stored secrets cannot be opened, so their keys are kept: {'; '.join(done.unreadable[:3])}",
            unreadable=list(done.unreadable),
            **thing,
        )
    show_thing(work, thing, note=f"Back up {work.settings().data / KEY_RING} now, apart from the database.")


@secret.command(cls=Verb)
@with_work
async def status(work: Work) -> None:
    """Show the keys and how many stored secrets each seals."""
    async with work.context() as context:
        ring = await ring_status(context)
    rows = [
        {"key": key, "secrets": count, "current": key == ring.current} for key, count in ring.uses.items()
    ]
    show_rows(work, rows)
    if ring.is_unfinished and not work.is_json:
        click.echo("A rotation was interrupted: run `provisioner secret rotate` to end it.")
