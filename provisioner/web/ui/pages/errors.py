"""Every error as a page that says what happened and where to go on."""

from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from provisioner.errors import ProvisionerError
from provisioner.web.ui.translations import message
from provisioner.web.ui.visit import Page, Visit

_TITLES = {
    400: message("The request cannot be read"),
    401: message("Log in first"),
    403: message("Your role does not allow this"),
    404: message("There is no such page"),
    405: message("This address does not take this method"),
    409: message("This cannot be combined with what is stored"),
    413: message("The request is too large"),
    422: message("A value is not acceptable"),
    429: message("Too many attempts; wait a moment"),
    503: message("The server is busy; try again in a moment"),
    507: message("The server has no room to store this; nothing was changed"),
}
_ADVICE = {
    403: message("Ask somebody who may do this: an admin, or the operator of this server."),
    404: message("It may have been removed, or the address has a typing error."),
}
_FALLBACK = message("Something went wrong on the server")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPage(Page):
    """`sentence` is empty when there is nothing to add to the title."""

    template: ClassVar[str] = "error.html"
    status: int
    sentence: str
    advice: str


def error_page(visit: Visit, error: ProvisionerError | web.HTTPException) -> web.Response:
    """The page of an error; nothing internal is shown."""
    status = error.status
    sentence = ""
    if isinstance(error, ProvisionerError) and (status < 500 or status in {503, 507}):
        sentence = visit.say(error)
    title = visit.language.translate(_TITLES.get(status, _FALLBACK))
    response = visit.show(
        ErrorPage(
            title=title,
            status=status,
            sentence="" if sentence.removesuffix(".") == title else sentence,
            advice=visit.language.translate(_ADVICE[status]) if status in _ADVICE else "",
        ),
        status=status,
    )
    if isinstance(error, ProvisionerError) and "retry_after" in error.data:
        response.headers["Retry-After"] = str(error.data["retry_after"])
    if isinstance(error, web.HTTPException) and "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response


async def no_such_page(visit: Visit) -> web.StreamResponse:
    """Any other address below /, for people; programs have their own doors."""
    return error_page(visit, web.HTTPNotFound())
