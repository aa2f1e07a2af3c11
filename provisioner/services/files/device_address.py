"""The folder that one device fetches from: with its secret token when its policy asks for one."""

from provisioner.errors import NotFound
from provisioner.services.context import Actor, Context
from provisioner.services.devices.enrolment import find_device, reveal
from provisioner.services.files.device_graph import is_token_policy, read_device


async def device_path(context: Context, actor: Actor, *, device_id: int) -> str:
    """Either "/p" or "/p/t/<token>": what follows the server's address. NotFound."""
    async with context.store.read() as session:
        device = await find_device(session, actor, device_id)
    async with context.store.quick() as quick:
        facts = await read_device(quick, device_id=device_id)
    if facts is None:
        raise NotFound("There is no such device.")
    return f"/p/t/{reveal(context, device, 'token')}" if is_token_policy(context, facts) else "/p"
