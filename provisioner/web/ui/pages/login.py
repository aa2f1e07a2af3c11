"""Logging in and out, and the page behind a reset link."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from aiohttp import web

from provisioner.errors import BadInput, NotFound, TooManyAttempts, Unauthenticated
from provisioner.services.people.logins import log_out
from provisioner.web.identity import DOORKEEPER, address_of, clear_session, session_cookie, set_session
from provisioner.web.ui.fields import Field, Form, refilled
from provisioner.web.ui.pages.password_fields import differing, login_password_twice
from provisioner.web.ui.visit import Page, Visit, redirect


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPage(Page):
    template: ClassVar[str] = "login.html"
    form: Form
    done: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetPage(Page):
    template: ClassVar[str] = "login.html"
    form: Form
    done: str = field(default="")


async def show_login(visit: Visit) -> web.StreamResponse:
    if visit.logged_in is not None:
        return redirect("/")
    return visit.show(_login_page(visit, visit.query))


async def log_in(visit: Visit) -> web.StreamResponse:
    """Open a session and go where the person wanted; the same page again with a sentence otherwise."""
    request, posted = visit.request, await visit.posted()
    doorkeeper = request.config_dict[DOORKEEPER]
    try:
        logged_in = await doorkeeper.log_in(
            posted.get("name", ""),
            posted.get("password", ""),
            address=address_of(request),
            agent=request.headers.get("User-Agent", ""),
            remember="remember" in posted,
        )
    except (Unauthenticated, TooManyAttempts) as error:
        response = visit.show(_login_page(visit, posted, faults={"": visit.say(error)}), status=error.status)
        if "retry_after" in error.data:
            response.headers["Retry-After"] = str(error.data["retry_after"])
        return response
    response = redirect(safe_target(posted.get("next", "")))
    set_session(request, response, logged_in)
    return response


async def leave(visit: Visit) -> web.StreamResponse:
    token = visit.request.cookies.get(session_cookie(visit.request), "")
    await log_out(visit.context, visit.actor, token)
    response = redirect("/login")
    clear_session(visit.request, response)
    return response


async def show_reset(visit: Visit) -> web.StreamResponse:
    return visit.show(_reset_page(visit))


async def reset(visit: Visit) -> web.StreamResponse:
    """Set the new password of a reset link."""
    posted = await visit.posted()
    if faults := differing(visit, posted):
        return visit.show(_reset_page(visit, faults), status=422)
    try:
        await visit.request.config_dict[DOORKEEPER].reset_password(
            visit.request.match_info["token"], posted.get("password", "")
        )
    except BadInput as error:
        return visit.show(_reset_page(visit, visit.faults(error)), status=error.status)
    except NotFound as error:
        return visit.show(_reset_page(visit, {"": visit.say(error)}), status=error.status)
    return redirect("/login?done=password")


def safe_target(path: str) -> str:
    """A path of this very server; "/" for anything else, so that a link to the login page leads nowhere foreign."""
    is_local = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if is_local and path.isprintable() and path.isascii() else "/"


def _login_page(
    visit: Visit, given: Mapping[str, str], *, faults: Mapping[str, str] | None = None
) -> LoginPage:
    _ = visit.language.translate
    form = Form(
        action="/login",
        submit=_("Log in"),
        fields=(
            Field(name="name", label=_("Name"), required=True, autocomplete="username", maxlength=254),
            Field(
                name="password",
                label=_("Password"),
                control="password",
                required=True,
                autocomplete="current-password",
            ),
            Field(
                name="remember", label=_("Stay logged in on this computer for 30 days"), control="checkbox"
            ),
            Field(name="next", label="", control="hidden"),
        ),
    )
    done = given.get("done", "")
    return LoginPage(title=_("Log in"), form=refilled(form, given, faults or {}), done=done)


def _reset_page(visit: Visit, faults: Mapping[str, str] | None = None) -> ResetPage:
    _ = visit.language.translate
    form = Form(action=visit.request.path, submit=_("Set password"), fields=login_password_twice(visit))
    return ResetPage(title=_("New password"), form=refilled(form, {}, faults or {}))
