"""One request of a person's browser: who it is, for which tenant, in which language, and how pages go out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from aiohttp import web
from babel.dates import format_datetime, format_timedelta

from provisioner.access.permissions import Permission, allows
from provisioner.errors import BadInput, Conflict, NotFound, ProvisionerError, Unauthenticated
from provisioner.model import Tenant
from provisioner.services.context import Actor, Context
from provisioner.services.people.logins import LoggedIn
from provisioner.web.identity import CONTEXT
from provisioner.web.ui.fields import chosen_id
from provisioner.web.ui.templating import environment
from provisioner.web.ui.translations import Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page shows; its template gets exactly this, and the visit."""

    template: ClassVar[str]
    title: str


@dataclass(slots=True)
class Visit:
    """A request while it is answered. `logged_in` is None only on public pages, `tenant` only outside their addresses."""

    request: web.Request
    language: Language
    logged_in: LoggedIn | None = None
    tenant: Tenant | None = None
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))

    @property
    def context(self) -> Context:
        return self.request.config_dict[CONTEXT]

    @property
    def actor(self) -> Actor:
        """Who is asking; Unauthenticated on public pages when nobody is logged in."""
        if self.logged_in is None:
            raise Unauthenticated("Log in first.")
        return self.logged_in.actor

    @property
    def tenant_id(self) -> int:
        """The tenant of this address; NotFound outside a tenant's pages."""
        if self.tenant is None:
            raise NotFound("There is no such tenant.")
        return self.tenant.id

    @property
    def is_partial(self) -> bool:
        """True when htmx asks for a piece of a page."""
        return self.request.headers.get("HX-Request") == "true" and "HX-Boosted" not in self.request.headers

    @property
    def query(self) -> Mapping[str, str]:
        """The first value of every query parameter, without NUL characters (PostgreSQL takes none)."""
        return {name: value.replace("\0", "") for name, value in self.request.query.items()}

    def may(self, permission: Permission | str) -> bool:
        """Whether the person's role has this permission."""
        return self.logged_in is not None and allows(self.logged_in.actor.role, Permission(permission))

    def number(self, name: str) -> int:
        """A number of the address; NotFound when it is none that could ever name something."""
        number = chosen_id(self.request.match_info[name])
        if number is None:
            raise NotFound("There is no such thing here.")
        return number

    def path(self, *parts: object, **query: object) -> str:
        """Address of one of this tenant's pages, from its parts and query: ("devices", 5) is /t/acme/devices/5."""
        start = f"/t/{self.tenant.key}" if self.tenant else ""
        wanted = {name: value for name, value in query.items() if value not in ("", None)}
        tail = "".join(f"/{quote(str(part), safe='')}" for part in parts)
        return (start + tail or "/") + (f"?{urlencode(wanted)}" if wanted else "")

    async def posted(self) -> dict[str, str]:
        """The fields of a form, files left out; BadInput when it is none, or in no character set that there is."""
        try:
            form = await self.request.post()
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
            for name, value in fields.items():
                (name + value).encode()  # some character sets hold halves of characters
        except (ValueError, LookupError, RuntimeError):
            raise BadInput("The form cannot be read.") from None
        return fields

    def show(self, page: Page, *, status: int = 200) -> web.Response:
        """A page as HTML."""
        return self.piece(page.template, status=status, page=page)

    def piece(self, template: str, *, status: int = 200, **values: Any) -> web.Response:
        """A rendered template as HTML."""
        return web.Response(text=self.render(template, **values), status=status, content_type="text/html")

    def render(self, template: str, **values: Any) -> str:
        return environment(self.language.code).get_template(template).render(visit=self, **values)

    def go(self, *parts: object, **query: object) -> web.Response:
        """Send the browser on with a plain GET."""
        return redirect(self.path(*parts, **query))

    def say(self, error: ProvisionerError) -> str:
        """What an error says, in this person's language."""
        return self.language.error(error.detail)

    def faults(self, error: BadInput | Conflict) -> dict[str, str]:
        """The error as field → sentence; "" is the form as a whole."""
        missing = error.data.get("missing")
        sentences = " ".join(self.language.error(line) for line in missing) if missing else self.say(error)
        return {error.field or "": sentences}

    def time(self, moment: datetime | None) -> str:
        """A moment in the tenant's time zone: the hour for today, else with its date."""
        if moment is None:
            return ""
        today = self.context.clock().astimezone(self.zone).date()
        form = "HH:mm:ss" if moment.astimezone(self.zone).date() == today else "d MMM y HH:mm"
        return format_datetime(moment, form, tzinfo=self.zone, locale=self.language.code)

    def ago(self, moment: datetime | None) -> str:
        """How long ago, in words: "5 minutes"."""
        if moment is None:
            return ""
        passed = max(self.context.clock() - moment, type(self.context.clock() - moment)(0))
        return format_timedelta(passed, locale=self.language.code)


def redirect(location: str) -> web.Response:
    """303: the browser asks for `location` with GET."""
    return web.Response(status=303, headers={"Location": location})
