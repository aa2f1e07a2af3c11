import asyncio
import json
from typing import Any

from aiohttp import ClientResponse

from provisioner.services.live import Change, Hub
from provisioner.services.registrations.ticks import apply_events
from tests.ui.conftest import Site
from tests.ui.office import registered


async def next_event(response: ClientResponse) -> tuple[str, Any]:
    """The next event of a stream, comments left out."""
    event = ""
    while True:
        line = (await asyncio.wait_for(response.content.readline(), 10)).decode()
        assert line, "the stream ended"
        if line.startswith("event: "):
            event = line[7:].strip()
        elif line.startswith("data: "):
            return event, json.loads(line[6:])


async def test_an_open_page_gets_the_present_and_then_every_change(site: Site) -> None:
    spare = site.office.devices["Spare phone"]
    async with site.browser("installer").get(f"/t/acme/live?devices={spare}") as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        event, tick = await next_event(response)
        assert (event, tick["id"], tick["state"]) == ("tick", spare, "never")
        await apply_events(site.context, [registered(site.office.accounts["Spare phone"])])
        event, tick = await next_event(response)
        assert (event, tick["id"], tick["state"]) == ("tick", spare, "registered")
        assert "Registered" in tick["html"]
        assert "#i-circle-check" in tick["html"]
        event, change = await next_event(response)
        assert (event, change) == ("changed", {"topics": ["registration"], "devices": [spare]})
        await apply_events(
            site.context, [registered(site.office.accounts["Spare phone"], cseq=2, kind="unregister")]
        )
        event, tick = await next_event(response)
        assert tick["state"] == "unregistered"
        assert "the phone signed off" in tick["html"]


async def test_a_page_hears_nothing_of_devices_of_another_tenant(site: Site) -> None:
    foreign, own = site.office.other_device, site.office.devices["Spare phone"]
    async with site.browser("installer").get(f"/t/acme/live?devices={foreign},{own}") as response:
        event, tick = await next_event(response)
        assert (event, tick["id"]) == ("tick", own)
        site.context.hub.publish(Change("registration", site.office.other_id, foreign))
        site.context.hub.publish(Change("fetch", site.office.tenant_id, own))
        while True:
            event, values = await next_event(response)
            if event == "changed":
                break
            assert values["id"] == own
        assert values["devices"] == [own]


async def test_the_role_user_follows_the_own_phones_only(site: Site) -> None:
    mine, other = site.office.devices["Anna's desk"], site.office.devices["Bram's desk"]
    async with site.browser("user").get(f"/me/live?devices={mine},{other}") as response:
        event, tick = await next_event(response)
        assert (event, tick["id"]) == ("tick", mine)
        site.context.hub.publish(Change("registration", site.office.tenant_id, other))
        site.context.hub.publish(Change("registration", site.office.tenant_id, mine))
        event, tick = await next_event(response)
        assert (event, tick["id"]) == ("tick", mine)


async def test_a_burst_comes_as_one_message(site: Site) -> None:
    ids = list(site.office.devices.values())
    async with site.browser("installer").get("/t/acme/live") as response:
        await asyncio.wait_for(response.content.readline(), 10)
        for device_id in ids:
            site.context.hub.publish(Change("fetch", site.office.tenant_id, device_id))
        event, change = await next_event(response)
        assert event == "changed"
        assert change["devices"] == sorted(ids)


async def test_a_full_hub_is_said_with_503(site: Site) -> None:
    site.context.hub._max = 0
    assert isinstance(site.context.hub, Hub)
    async with site.browser("installer").get("/t/acme/live") as response:
        assert response.status == 503
        assert response.headers["Retry-After"] == "30"


async def test_a_stream_ends_when_the_server_stops(site: Site) -> None:
    async with site.browser("installer").get("/t/acme/live") as response:
        await asyncio.wait_for(response.content.readline(), 10)
        await asyncio.wait_for(site.server.close(), 10)
