"""Two tenants with everything in them, tokens of every role, and a client that speaks JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient

from provisioner.access.permissions import Role
from provisioner.model import Login, SharedLine
from provisioner.services.calls.call_groups import create_group
from provisioner.services.calls.internal_numbers import create_number
from provisioner.services.calls.menus import create_menu
from provisioner.services.calls.public_numbers import create_public_number
from provisioner.services.calls.schedules import create_schedule
from provisioner.services.context import SYSTEM, Context
from provisioner.services.devices.enrolment import enrol
from provisioner.services.pbx.connections import put_connection
from provisioner.services.people.api_tokens import TokenBook, create_token
from provisioner.services.people.logins import Doorkeeper
from provisioner.services.people.tenants import create_site, create_tenant
from provisioner.services.people.users import create_user
from provisioner.services.registrations.ticks import RegistrationQueue
from provisioner.web.api.routes import add_api
from provisioner.web.identity import CONTEXT, DOORKEEPER, QUEUE, TOKENS
from provisioner.web.problems import problems

BASE = "/api/v1"
PASSWORD = "Correct-Horse-9-Staple"
DEVICE_PASSWORD = "Kk7-Walnut.tree"


@dataclass(frozen=True)
class Home:
    """The ids of one tenant and what it has."""

    tenant: int
    site: int
    user: int
    device: int
    mac: str
    token: int = 0
    login: int = 0
    group: int = 0
    menu: int = 0
    schedule: int = 0
    shared_line: int = 0
    number: int = 0
    public_number: int = 0

    def ids(self) -> dict[str, str]:
        """Values for path parameters."""
        names = {
            "tenant_id": self.tenant,
            "site_id": self.site,
            "user_id": self.user,
            "device_id": self.device,
            "token_id": self.token,
            "login_id": self.login,
            "number_id": self.number,
            "public_number_id": self.public_number,
            "group_id": self.group,
            "menu_id": self.menu,
            "schedule_id": self.schedule,
            "shared_line_id": self.shared_line,
        }
        return {
            **{name: str(value) for name, value in names.items()},
            "profile": "generic",
            "model": "Generic",
        }


@dataclass(frozen=True)
class World:
    """`own` is the tenant of the tokens, `foreign` another; `tokens` by role, and "foreign" for the other's admin."""

    context: Context
    own: Home
    foreign: Home
    tokens: Mapping[str, str]
    cookies: Mapping[str, str] = field(default_factory=dict)


class ApiClient:
    """Asks as a role: `await api.get("/me", by="admin")`."""

    def __init__(self, client: TestClient[web.Request, web.Application], world: World) -> None:
        self.http = client
        self.world = world

    async def ask(
        self,
        method: str,
        path: str,
        *,
        by: str | None = "admin",
        json: Any = None,
        expect: int | None = None,
        **options: Any,
    ) -> tuple[int, Any]:
        """The status and the JSON document of an answer (None for an empty one)."""
        response = await self.response(method, path, by=by, json=json, **options)
        document = await response.json(content_type=None) if response.status != 204 else None
        if expect is not None:
            assert response.status == expect, (response.status, document)
        return response.status, document

    async def response(
        self, method: str, path: str, *, by: str | None = "admin", json: Any = None, **options: Any
    ) -> ClientResponse:
        headers = dict(options.pop("headers", {}))
        if by is not None and by in self.world.tokens:
            headers["Authorization"] = f"Bearer {self.world.tokens[by]}"
        elif by is not None:
            headers["Cookie"] = f"session={self.world.cookies[by]}"
        if json is not None:
            options["json"] = json
        return await self.http.request(method, BASE + path, headers=headers, **options)

    async def get(self, path: str, *, by: str | None = "admin", expect: int = 200) -> Any:
        return (await self.ask("GET", path, by=by, expect=expect))[1]

    async def post(self, path: str, body: Any = None, *, by: str | None = "admin", expect: int = 200) -> Any:
        return (await self.ask("POST", path, by=by, json={} if body is None else body, expect=expect))[1]

    async def patch(self, path: str, body: Any, *, by: str | None = "admin", expect: int = 200) -> Any:
        return (await self.ask("PATCH", path, by=by, json=body, expect=expect))[1]

    async def put(self, path: str, body: Any, *, by: str | None = "admin", expect: int = 200) -> Any:
        return (await self.ask("PUT", path, by=by, json=body, expect=expect))[1]

    async def delete(self, path: str, *, by: str | None = "admin", expect: int = 204) -> Any:
        return (await self.ask("DELETE", path, by=by, expect=expect))[1]


def make_app(context: Context) -> web.Application:
    """The admin listener's application with the REST door alone."""
    app = web.Application(middlewares=[problems])
    app[CONTEXT] = context
    tokens = app[TOKENS] = TokenBook(context)
    app.on_cleanup.append(lambda _: tokens.close())
    app[QUEUE] = RegistrationQueue(context, lambda: None)
    doorkeeper = app[DOORKEEPER] = Doorkeeper(context)
    add_api(app)

    async def close(_: web.Application) -> None:
        doorkeeper.close()

    app.on_cleanup.append(close)
    return app


async def populate(context: Context) -> World:
    """Fill an empty database."""
    own, foreign = [
        await _home(context, key, mac=mac)
        for key, mac in (("bakery", "020000001001"), ("florist", "020000002001"))
    ]
    tokens = {}
    for role, home in ((Role.OPERATOR, None), (Role.ADMIN, own), (Role.INSTALLER, own), (Role.PBX, own)):
        made = await create_token(
            context, SYSTEM, name=role.value, role=role.value, tenant_id=home.tenant if home else None
        )
        tokens[role.value] = made.text
    made = await create_token(context, SYSTEM, name="foreign", role="admin", tenant_id=foreign.tenant)
    tokens["foreign"] = made.text
    cookies = await _people(context, own)
    return World(context, own, foreign, tokens, cookies)


async def _home(context: Context, key: str, *, mac: str) -> Home:
    tenant = await create_tenant(context, SYSTEM, key=key, name=key.title(), sip_domain=f"{key}.example.net")
    site = await create_site(context, SYSTEM, tenant_id=tenant.id, name=f"{key} office")
    await put_connection(context, SYSTEM, tenant_id=tenant.id, kind="direct")
    user = await create_user(context, SYSTEM, tenant_id=tenant.id, name=f"Anna {key}", extension="1001")
    enrolled = await enrol(
        context,
        SYSTEM,
        tenant_id=tenant.id,
        profile="generic",
        model="Generic",
        mac=mac,
        user_id=user.id,
        name=f"{key} phone",
        password=DEVICE_PASSWORD,
    )
    token = await create_token(context, SYSTEM, name=f"{key} spare", role="installer", tenant_id=tenant.id)
    login_id = await _login(context, name=f"spare@{key}.example", role="installer", tenant_id=tenant.id)
    group = await create_group(context, SYSTEM, tenant_id=tenant.id, name=f"{key} group", members=[user.id])
    menu = await create_menu(context, SYSTEM, tenant_id=tenant.id, name=f"{key} menu", options={"1": "1001"})
    schedule = await create_schedule(context, SYSTEM, tenant_id=tenant.id, name=f"{key} hours")
    async with context.store.change() as session:  # without members, for which the phone has no line left
        shared = SharedLine(
            tenant_id=tenant.id, name=f"{key} line", account=f"s{key}", created_at=context.clock()
        )
        session.add(shared)
    number = await create_number(
        context, SYSTEM, tenant_id=tenant.id, digits="1900", kind="outside", number="+49301234567"
    )
    public = await create_public_number(
        context, SYSTEM, tenant_id=tenant.id, number=f"+3120{tenant.id:07}", kind="user", target_id=user.id
    )
    return Home(
        tenant.id, site.id, user.id, enrolled.device.id, mac, token.row.id, login_id, group.id, menu.id, schedule.id,
        shared.id, number.id, public.id,
    )  # fmt: skip


async def _people(context: Context, home: Home) -> dict[str, str]:
    """Session tokens of a person of every role; hashing passwords would take a tenth of a second each."""
    cookies = {}
    for role, tenant_id, user_id in (
        ("operator", None, None),
        ("admin", home.tenant, None),
        ("installer", home.tenant, None),
        ("user", home.tenant, home.user),
    ):
        login_id = await _login(
            context, name=f"{role}-person", role=role, tenant_id=tenant_id, user_id=user_id
        )
        cookies["user" if role == "user" else f"{role}-person"] = await session_of(context, login_id)
    return cookies


async def _login(
    context: Context, *, name: str, role: str, tenant_id: int | None, user_id: int | None = None
) -> int:
    async with context.store.write() as session:
        login = Login(
            tenant_id=tenant_id, user_id=user_id, name=name, display_name=name, role=role, password_hash="!", language="en", is_blocked=False,
            created_at=context.clock(),
        )  # fmt: skip
        session.add(login)
        await session.flush()
        return login.id


async def session_of(context: Context, login_id: int) -> str:
    """A session token of this login, as a browser has it in its cookie."""
    doorkeeper = Doorkeeper(context)
    try:
        async with context.store.read() as session:
            login = await session.get(Login, login_id)
        assert login is not None
        opened = await doorkeeper._open(login, address="127.0.0.1", agent="test", remember=False)
    finally:
        doorkeeper.close()
    assert opened.token is not None
    return opened.token
