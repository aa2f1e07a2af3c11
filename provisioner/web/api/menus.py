"""IVR menus as data: the PBX plays them."""

from typing import Annotated

from pydantic import Field

from provisioner.access.permissions import Permission
from provisioner.errors import BadInput, Conflict, ForwardingLoop
from provisioner.services.calls import menus as use_cases
from provisioner.web.api.documents import Change, Document, Line, Page, PageQuery, Query, Request
from provisioner.web.api.endpoint import Call, Endpoint, ReadCall

Greeting = Annotated[Line, Field(description="Name of the announcement.")]
Options = Annotated[
    dict[Annotated[str, Field(pattern=r"^[0-9*#]$")], Line],
    Field(max_length=12, description="Key of the phone → extension or number.", examples=[{"1": "200", "2": "+31201234567"}]),
]  # fmt: skip
Timeout = Annotated[int, Field(ge=1, le=60, description="Seconds without a key before it is asked again.")]
Fallback = Annotated[
    Line, Field(description="Extension or number for no key or a wrong one, after all tries.")
]
Tries = Annotated[int, Field(ge=1, le=10)]


class MenuDocument(Document):
    id: int
    tenant_id: int
    name: str
    greeting: str
    options: dict[str, str]
    timeout: int
    fallback: str
    tries: int


class MenuPage(Page[MenuDocument]):
    """Menus by name."""


class NewMenu(Request):
    """A menu to make."""

    name: Annotated[Line, Field(examples=["Main"])]
    greeting: Greeting = ""
    options: Options = Field(default_factory=dict)
    timeout: Timeout = 10
    fallback: Fallback = ""
    tries: Tries = 3


class MenuChange(Change):
    """What to change of a menu; `options` replaces all of them."""

    name: Line = ""
    greeting: Greeting = ""
    options: Options = Field(default_factory=dict)
    timeout: Timeout = 10
    fallback: Fallback = ""
    tries: Tries = 3


async def list_menus(call: Call[PageQuery, None]) -> MenuPage:
    found = await use_cases.list_menus(call.context, call.actor, tenant_id=call.id("tenant_id"))
    return MenuPage.cut([MenuDocument.model_validate(menu) for menu in found], call.query)


async def get_menu(call: ReadCall) -> MenuDocument:
    return MenuDocument.model_validate(
        await use_cases.get_menu(call.context, call.actor, menu_id=call.id("menu_id"))
    )


async def create_menu(call: Call[Query, NewMenu]) -> MenuDocument:
    """An extension that leads to it is made with the internal numbers."""
    menu = await use_cases.create_menu(
        call.context, call.actor, tenant_id=call.id("tenant_id"), **call.body.given()
    )
    return MenuDocument.model_validate(menu)


async def update_menu(call: Call[Query, MenuChange]) -> MenuDocument:
    """The PBX is told at once."""
    return MenuDocument.model_validate(
        await use_cases.update_menu(call.context, call.actor, menu_id=call.id("menu_id"), **call.body.given())
    )


async def delete_menu(call: ReadCall) -> None:
    """Its extensions go with it; its public numbers stay and ring nobody."""
    await use_cases.delete_menu(call.context, call.actor, menu_id=call.id("menu_id"))


ENDPOINTS = (
    Endpoint(
        method="GET", path="/tenants/{tenant_id}/menus", permission=Permission.USERS_READ, handler=list_menus, summary="List menus", tag="menus",
        query=PageQuery, response=MenuPage,
    ),
    Endpoint(
        method="POST", path="/tenants/{tenant_id}/menus", permission=Permission.USERS_WRITE, handler=create_menu, summary="Make a menu", tag="menus",
        request=NewMenu, response=MenuDocument, status=201, location="/menus/{answer.id}", errors=(BadInput, Conflict, ForwardingLoop),
    ),
    Endpoint(method="GET", path="/menus/{menu_id}", permission=Permission.USERS_READ, handler=get_menu, summary="One menu", tag="menus", response=MenuDocument),
    Endpoint(
        method="PATCH", path="/menus/{menu_id}", permission=Permission.USERS_WRITE, handler=update_menu, summary="Change a menu", tag="menus",
        request=MenuChange, response=MenuDocument, errors=(BadInput, Conflict, ForwardingLoop),
    ),
    Endpoint(method="DELETE", path="/menus/{menu_id}", permission=Permission.USERS_WRITE, handler=delete_menu, summary="Remove a menu", tag="menus"),
)  # fmt: skip
