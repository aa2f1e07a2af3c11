"""`provisioner init`: a new installation."""

import click

from provisioner.cli.output import show_thing
from provisioner.cli.work import Verb, Work, with_work
from provisioner.services.operation.installation import Installed, install
from provisioner.settings import ServerSettings


@click.command(cls=Verb)
@with_work
async def init(work: Work) -> None:
    """Make an installation in the data folder: database, key ring, own CA, certificates, first login.

    The password of the first login is shown once. Run again, it makes only what is missing.
    """
    settings = work.settings()
    installed = await install(settings)
    thing = {
        "data": str(settings.data),
        "url": admin_url(settings),
        "login": installed.login,
        "password": installed.password,
    }
    show_thing(
        work, {name: value for name, value in thing.items() if value is not None}, note=_note(installed)
    )


def admin_url(settings: ServerSettings, port: int = 0) -> str:
    """Where people find the user interface; `port` when it is not the configured one."""
    host = settings.admin_address
    host = "localhost" if host in {"0.0.0.0", "::", "127.0.0.1"} else f"[{host}]" if ":" in host else host  # noqa: S104 - compared, not bound
    return f"{'https' if settings.admin_tls else 'http'}://{host}:{port or settings.admin_port}/"


def _note(installed: Installed) -> str:
    if installed.password is None:
        return "The installation is complete; its logins are unchanged. Start it with `provisioner serve`."
    return "The password is shown this once: write it down. Start the server with `provisioner serve`."
