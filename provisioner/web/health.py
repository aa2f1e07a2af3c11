"""Where the doors find what is wrong with the server itself; the composition root puts it there."""

from aiohttp import web

from provisioner.services.operation.health import Health

HEALTH = web.AppKey("health", Health)
