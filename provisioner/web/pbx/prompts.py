"""The prompts of the dialogues, for whoever records them."""

from aiohttp import web

from provisioner.services.context import Actor
from provisioner.services.hotdesk.prompts import prompt_texts


async def get_prompts(request: web.Request, actor: Actor) -> web.StreamResponse:  # noqa: ARG001 - the same for every tenant
    """`{"prompts": [{"name", "texts": {language: text}}]}`; `?lang=nl` leaves the others out."""
    texts = prompt_texts(request.query.get("lang", ""))
    return web.json_response(
        {"prompts": [{"name": name, "texts": dict(each)} for name, each in texts.items()]}
    )
