"""Ticks and changes pushed to open pages as server-sent events; a page that was away gets the present first."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Hashable, Iterable, Sequence
from typing import Any, Final

from aiohttp import web

from provisioner.access.permissions import Permission
from provisioner.errors import Unavailable
from provisioner.services.devices.device_list import DeviceRow, list_devices
from provisioner.services.live import Change, Subscription
from provisioner.services.people.logins import resume
from provisioner.services.people.users import MAX_PAGE
from provisioner.web.identity import address_of, session_cookie
from provisioner.web.ui.fields import chosen_id
from provisioner.web.ui.guard import secure
from provisioner.web.ui.visit import Visit

COALESCE_SECONDS: Final = 0.2
"""Changes within this time go out together: a boot storm is a few messages, not thousands."""
HEARTBEAT_SECONDS: Final = 20.0
"""How often something is sent at least, so that a vanished browser and an ended session are noticed."""
MAX_DEVICES: Final = MAX_PAGE
"""How many ticks one page may follow."""
MAX_VIEWS: Final = 500
"""How many different views of one moment are kept."""


class Streams(set[asyncio.Task[Any]]):
    """The open streams, so that they can be ended when the server stops."""


STREAMS: Final = web.AppKey("streams", Streams)


class SharedTicks:
    """The ticks of one moment, read and rendered once for all pages that show the same devices to the same eyes."""

    def __init__(self) -> None:
        self._moment = -1
        self._made: dict[Hashable, asyncio.Task[bytes]] = {}

    async def get(self, moment: int, view: Hashable, make: Callable[[], Coroutine[Any, Any, bytes]]) -> bytes:
        """What `make` gives for this view at this moment."""
        if moment != self._moment or len(self._made) >= MAX_VIEWS:
            self._moment, self._made = moment, {}
        task = self._made.get(view)
        if task is None or (task.done() and task.exception() is not None):
            task = self._made[view] = asyncio.create_task(make())
        return await asyncio.shield(task)


SHARED: Final = web.AppKey("shared_ticks", SharedTicks)


async def stream(visit: Visit) -> web.StreamResponse:
    """`?devices=1,2,3` are the ticks on the page. Events: `tick` {id, html}, `changed` {topics, devices}, `reload`, `over`."""
    hub = visit.context.hub
    if hub.is_full:
        raise Unavailable("Too many open pages; this one does not refresh by itself now.", retry_after=30)
    shown = _ids(visit.query.get("devices", ""))
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    secure(response)
    task: asyncio.Task[Any] | None = asyncio.current_task()
    assert task is not None  # a handler always runs in a task
    streams = visit.request.config_dict[STREAMS]
    with hub.subscribe(visit.actor.tenant_id if visit.tenant is None else visit.tenant_id) as subscription:
        await response.prepare(visit.request)
        streams.add(task)
        try:
            await response.write(b"retry: 2000\n\n")
            await _send_ticks(visit, response, shown)
            while await _step(visit, response, subscription, shown):
                pass
        except ConnectionError:
            pass  # the browser is gone
        finally:
            streams.discard(task)
    return response


async def end_streams(app: web.Application) -> None:
    """Let open pages go when the server stops, instead of waiting for them."""
    streams = app[STREAMS]
    for task in tuple(streams):
        task.cancel()


async def _step(
    visit: Visit, response: web.StreamResponse, subscription: Subscription, shown: frozenset[int]
) -> bool:
    """Send what changed next; False when the person's session is over."""
    try:
        async with asyncio.timeout(HEARTBEAT_SECONDS):
            changes = await subscription.next()
    except TimeoutError:
        token = visit.request.cookies.get(session_cookie(visit.request), "")
        if await resume(visit.context, token, address=address_of(visit.request)) is None:
            await _send(response, "over", {})
            return False
        await response.write(b": still here\n\n")
        return True
    await asyncio.sleep(COALESCE_SECONDS)
    if subscription.waiting:
        changes += await subscription.next()
    await _tell(visit, response, changes, shown)
    return True


async def _tell(
    visit: Visit, response: web.StreamResponse, changes: Sequence[Change], shown: frozenset[int]
) -> None:
    if any(change.topic == "reload" for change in changes):
        await _send_ticks(visit, response, shown)
        await _send(response, "reload", {})
        return
    concerned = {change.device_id for change in changes}
    await _send_ticks(visit, response, concerned & shown)
    if visit.may(Permission.DEVICES_READ):
        topics = sorted({change.topic for change in changes})
        await _send(response, "changed", {"topics": topics, "devices": sorted(concerned)[:MAX_DEVICES]})


async def _send_ticks(visit: Visit, response: web.StreamResponse, ids: Iterable[int]) -> None:
    wanted = sorted(ids)
    if not wanted:
        return
    tenant_id = visit.tenant_id if visit.tenant is not None else None
    actor = visit.actor
    view = (
        tenant_id, actor.tenant_id, actor.user_id, visit.language.code, str(visit.zone), tuple(wanted)
    )  # fmt: skip

    async def make() -> bytes:
        page = await list_devices(
            visit.context, actor, tenant_id=tenant_id, device_ids=wanted, limit=MAX_DEVICES
        )
        return b"".join(
            _event("tick", {"id": row.device.id, "state": row.state.value, "html": tick(visit, row)})
            for row in page.items
        )

    shared = visit.request.config_dict[SHARED]
    if found := await shared.get(visit.context.hub.moment, view, make):
        await response.write(found)


def tick(visit: Visit, row: DeviceRow) -> str:
    """The tick as it stands in a page."""
    return visit.render("pieces/tick.html", row=row).strip()


async def _send(response: web.StreamResponse, event: str, values: dict[str, Any]) -> None:
    await response.write(_event(event, values))


def _event(event: str, values: dict[str, Any]) -> bytes:
    return f"event: {event}\ndata: {json.dumps(values)}\n\n".encode()


def _ids(text: str) -> frozenset[int]:
    parts = text.split(",")[:MAX_DEVICES]
    return frozenset(number for part in parts if (number := chosen_id(part)) is not None)
