"""The admin listener's doors put together: pages, REST, PBX door, status. Loaded when phones are served already.

What it brings along (pydantic models of every endpoint, templates, translations) takes as long to load as all that
phones need, and a further worker, which serves phones alone, never loads it.
"""

from aiohttp import web

from provisioner.services.context import Context
from provisioner.services.directory.answers import PbxDirectory
from provisioner.services.operation.health import Health
from provisioner.services.people.api_tokens import TokenBook
from provisioner.services.people.logins import Doorkeeper
from provisioner.services.registrations.ticks import RegistrationQueue
from provisioner.web.api.routes import add_api
from provisioner.web.health import HEALTH
from provisioner.web.identity import CONTEXT, DIRECTORY, DOORKEEPER, QUEUE, TOKENS
from provisioner.web.pbx.fastagi import FastAgi
from provisioner.web.pbx.front import Front
from provisioner.web.pbx.routes import add_pbx
from provisioner.web.phone.parts import DoorParts
from provisioner.web.problems import problems
from provisioner.web.status import PARTS, add_status
from provisioner.web.ui.routes import add_ui, prepare_pages

__all__ = ["FastAgi", "Front", "admin_app", "prepare_pages"]

MAX_ADMIN_BODY = 64 * 1024 * 1024
"""The largest is a PBX's full state; doors set smaller limits of their own."""


def admin_app(
    context: Context,
    *,
    doorkeeper: Doorkeeper,
    queue: RegistrationQueue,
    health: Health,
    parts: DoorParts,
    directory: PbxDirectory,
) -> web.Application:
    """The application of the admin listener."""
    app = web.Application(middlewares=[problems], client_max_size=MAX_ADMIN_BODY)
    tokens = TokenBook(context)
    app[CONTEXT], app[DOORKEEPER], app[TOKENS] = context, doorkeeper, tokens
    app.on_cleanup.append(lambda _: tokens.close())
    app[QUEUE], app[HEALTH], app[PARTS], app[DIRECTORY] = queue, health, parts, directory
    add_status(app)
    add_pbx(app)
    add_api(app)
    add_ui(app)
    return app
