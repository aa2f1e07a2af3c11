"""GET /pbx/v1/owner: whether a device account may use a SIP address."""

from aiohttp import web

from provisioner.errors import BadInput, NotFound
from provisioner.services.context import Actor
from provisioner.services.directory.address_owners import may_use_address
from provisioner.web.identity import CONTEXT


async def get_owner(request: web.Request, actor: Actor) -> web.StreamResponse:
    """204 when it may: the account's own address, or that of a shared line it is a member of; else 404."""
    account, address = request.query.get("account", ""), request.query.get("address", "")
    if not account or not address:
        raise BadInput("Say which account and address: ?account=…&address=user@domain", field="account")
    context = request.config_dict[CONTEXT]
    if not await may_use_address(context, actor, account=account, address=address):
        raise NotFound("This account may not use this address.")
    return web.Response(status=204, headers={"Cache-Control": "no-store"})
