"""The pages on a phone's screen: log in, log out, who is here. In no vendor's words; profiles write them.

Phones ask by GET and put what was typed into the query, the PIN too: nothing here keeps, logs or repeats a query.
"""

from typing import Final

from provisioner.errors import BadInput, Conflict, Forbidden, NotFound
from provisioner.profiles.rendering import Rendered
from provisioner.profiles.screens import MOST_LINES, Input, Item, Menu, Question, Screen, ScreenWriter, Text
from provisioner.services.context import Actor, Context
from provisioner.services.hotdesk.screens import ScreenVisit, is_ticket_good, ticket_for, visit
from provisioner.services.hotdesk.sessions import Outcome, Result, Seat, log_in_with_pin, log_out, seats
from provisioner.web.phone.requests import ScreenRequest
from provisioner.web.phone.screen_texts import Words, load_texts

ORIGIN: Final = "screen"
RESULT_SECONDS: Final = 4


class ScreenPages:
    """Makes the pages of every device of this server."""

    def __init__(self, context: Context) -> None:
        self._context = context
        load_texts()  # before phones ask: it reads a file

    async def page(self, asked: ScreenRequest, *, device_id: int, address: str) -> Rendered | None:
        """The page for a phone that has proved which device it is; None when its model shows no pages."""
        shown = await visit(self._context, device_id=device_id)
        writer = self._context.profiles.screens.get(shown.profile)
        if writer is None or not writer.is_shown_on(shown.model):
            return None
        page = _Page(self._context, writer, shown, asked, address)
        return writer.render(await page.screen())


class _Page:
    """One page for one device."""

    def __init__(
        self, context: Context, writer: ScreenWriter, shown: ScreenVisit, asked: ScreenRequest, address: str
    ) -> None:
        self._context, self._writer, self._shown, self._asked = context, writer, shown, asked
        self._actor: Actor = shown.actor(address)
        self._words = Words(shown.language)
        self._base = shown.screen_url.removesuffix("/hotdesk")

    async def screen(self) -> Screen:
        """What the request leads to; a rule that is in the way is said on the screen, not as a status that phones hide."""
        if not self._shown.is_hotdesk:
            return self._sorry("not-for-hotdesk")
        try:
            match self._asked.page:
                case "login":
                    return await self._log_in()
                case "logout":
                    return await self._log_out()
                case "here":
                    return await self._here()
        except (BadInput, Conflict, Forbidden, NotFound):
            return self._sorry("busy")
        return self._start()

    def _start(self) -> Screen:
        shown, words = self._shown, self._words
        here = () if shown.is_seating_hidden else (Item(words("here"), f"{self._base}/here"),)
        if not shown.is_logged_in:
            return Menu(words("nobody"), (Item(words("log-in"), f"{self._base}/login"), *here))
        log_out_now = f"{self._base}/logout/{ticket_for(self._context, shown, 'logout')}"
        return Menu(
            f"{shown.extension} {shown.user_name}".strip(),
            (
                Item(words("log-out"), log_out_now),
                Item(words("log-in-other"), f"{self._base}/login"),
                *here,
            ),
        )

    async def _log_in(self) -> Screen:
        given = self._asked.arguments
        ticket = given[0] if given else ticket_for(self._context, self._shown, "login")
        if given and not self._holds("login", ticket):
            return self._sorry("expired")
        extension = given[1] if len(given) > 1 else self._asked.answer("extension")
        pin = self._asked.answer("pin")
        if not extension or not pin:
            return self._ask(ticket, extension)
        outcome = await log_in_with_pin(
            self._context,
            self._actor,
            device_id=self._shown.device_id,
            extension=extension,
            pin=pin,
            origin=ORIGIN,
        )
        return await self._told(outcome)

    def _ask(self, ticket: str, extension: str) -> Input:
        """What is still to be typed, as much on one page as the vendor's phones take."""
        words = self._words
        missing = [] if extension else [Question("extension", words("extension"))]
        missing.append(Question("pin", words("pin"), is_secret=True))
        url = "/".join([f"{self._base}/login", ticket, *([extension] if extension else [])])
        return Input(words("log-in"), url, tuple(missing[: self._writer.rules.questions]))

    async def _log_out(self) -> Screen:
        given = self._asked.arguments
        if not given or not self._holds("logout", given[0]):
            return self._sorry("expired")
        return await self._told(
            await log_out(self._context, self._actor, device_id=self._shown.device_id, origin=ORIGIN)
        )

    async def _told(self, outcome: Outcome) -> Screen:
        words = self._words
        match outcome.result:
            case Result.LOGGED_IN | Result.SWITCHED:
                now = await visit(self._context, device_id=self._shown.device_id)
                words = Words(now.language)
                who = f"{now.extension} {now.user_name}".strip()
                return Text(words("logged-in"), (who, words("loading")), seconds=RESULT_SECONDS)
            case Result.LOGGED_OUT:
                return Text(words("logged-out"), (words("clearing"),), seconds=RESULT_SECONDS)
            case Result.LOCKED:
                minutes = max(1, -(-outcome.retry_after // 60))
                return Text(words("not-logged-in"), (words("locked", minutes=minutes),))
            case Result.DENIED_DEVICE | Result.UNKNOWN_DEVICE:
                return self._sorry("not-for-hotdesk")
            case Result.BUSY:
                return self._sorry("busy")
        again = Item(words("again"), f"{self._base}/login")
        return Text(words("not-logged-in"), (words("denied"),), next=again)

    async def _here(self) -> Screen:
        """Who is logged in at the site of this device, a few on each page."""
        words, shown = self._words, self._shown
        if shown.is_seating_hidden:
            return self._sorry("hidden")
        everybody = await seats(self._context, self._actor, tenant_id=shown.tenant_id)
        taken = [_line(seat) for seat in everybody if seat.user_id and seat.site_name == shown.site_name]
        number = int(self._asked.arguments[0]) if self._is_numbered() else 1
        start = (number - 1) * MOST_LINES
        lines = tuple(taken[start : start + MOST_LINES]) or (words("nobody-here"),)
        more = Item(words("more"), f"{self._base}/here/{number + 1}")
        return Text(words("here"), lines, next=more if len(taken) > start + MOST_LINES else None)

    def _is_numbered(self) -> bool:
        given = self._asked.arguments
        return bool(given) and given[0].isascii() and given[0].isdigit() and 0 < int(given[0]) < 1_000

    def _holds(self, action: str, ticket: str) -> bool:
        return is_ticket_good(self._context, self._shown, action, ticket)

    def _sorry(self, name: str) -> Text:
        leads_on = name in {"busy", "expired"}
        again = Item(self._words("again"), self._shown.screen_url) if leads_on else None
        return Text(self._words("hotdesk"), (self._words(name),), next=again)


def _line(seat: Seat) -> str:
    return f"{seat.extension} {seat.user_name} · {seat.device_name}".strip()
