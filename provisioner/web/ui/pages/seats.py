"""Who sits where: the hotdesk devices of a tenant by site."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar

from aiohttp import web

from provisioner.services.hotdesk.sessions import Seat, seats
from provisioner.web.ui.visit import Page, Visit


@dataclass(frozen=True, slots=True)
class SiteSeats:
    """The seats of one site; `name` is empty for devices without one."""

    name: str
    seats: Sequence[Seat]

    @property
    def taken(self) -> int:
        return sum(seat.user_id is not None for seat in self.seats)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatsPage(Page):
    template: ClassVar[str] = "seats.html"
    sites: Sequence[SiteSeats]
    is_hidden: bool


async def show_seats(visit: Visit) -> web.StreamResponse:
    found = sorted(
        await seats(visit.context, visit.actor, tenant_id=visit.tenant_id),
        key=lambda seat: (seat.site_name == "", seat.site_name.casefold(), seat.device_name.casefold()),
    )
    return visit.show(
        SeatsPage(
            title=visit.language.translate("Who sits where"),
            sites=[
                SiteSeats(name, list(group))
                for name, group in groupby(found, key=lambda seat: seat.site_name)
            ],
            is_hidden=visit.tenant is not None and visit.tenant.is_seating_hidden,
        )
    )
