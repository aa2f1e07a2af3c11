"""A PBX reports that calls begin and end on devices: no logout by itself and no resync in between."""

from typing import Annotated, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from provisioner.services.context import Actor
from provisioner.services.hotdesk.running_calls import MOST_CALL_ID, note_call
from provisioner.web.identity import CONTEXT
from provisioner.web.pbx.bodies import read_document


class CallReport(BaseModel):
    """One call of one device account."""

    model_config = ConfigDict(extra="forbid", strict=True)

    account: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f]*$")]
    call_id: Annotated[str, Field(min_length=1, max_length=MOST_CALL_ID, pattern=r"^[^\x00-\x1f]*$")]
    state: Literal["started", "ended"]
    is_emergency: bool = False


async def post_call(request: web.Request, actor: Actor) -> web.StreamResponse:
    """Note the call; an account nobody has is no error, for a PBX has accounts of its own."""
    report = await read_document(request, CallReport)
    is_known = await note_call(
        request.config_dict[CONTEXT],
        actor,
        account=report.account.removeprefix("sip:").partition("@")[0],
        call_id=report.call_id,
        state=report.state,
        is_emergency=report.is_emergency,
    )
    return web.json_response({"known": is_known})
