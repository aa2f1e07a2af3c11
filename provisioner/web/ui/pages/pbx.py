"""The connection to a tenant's PBX: set, tried, removed."""

from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from provisioner.errors import BadInput, NotFound
from provisioner.model import PbxConnection
from provisioner.services.pbx.connections import (
    LONGEST_ADDRESS,
    LONGEST_NAME,
    LONGEST_SECRET,
    delete_connection,
    get_connection,
    probe_connection,
    put_connection,
)
from provisioner.web.ui import words
from provisioner.web.ui.fields import Field, Form, options, refilled
from provisioner.web.ui.visit import Page, Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class PbxPage(Page):
    """`problem`: what the test said; `is_working`: the test went well."""

    template: ClassVar[str] = "pbx.html"
    form: Form
    is_stored: bool
    problem: str = ""
    is_working: bool = False


async def show_pbx(visit: Visit) -> web.StreamResponse:
    return visit.show(_page(visit, await _stored(visit)))


async def change_pbx(visit: Visit) -> web.StreamResponse:
    """Save the connection; an empty password keeps the stored one."""
    posted = await visit.posted()
    given = {name: posted.get(name, "") for name in ("kind", "address", "username")}
    try:
        await put_connection(
            visit.context,
            visit.actor,
            tenant_id=visit.tenant_id,
            secret=posted.get("secret") or None,
            **given,
        )
    except BadInput as error:
        stored = await _stored(visit)
        form = refilled(_form(visit, stored), posted, visit.faults(error))
        page = PbxPage(title=_title(visit), form=form, is_stored=stored is not None)
        return visit.show(page, status=error.status)
    return visit.go("pbx", done="saved")


async def test_pbx(visit: Visit) -> web.StreamResponse:
    stored = await get_connection(visit.context, visit.actor, tenant_id=visit.tenant_id)
    problem = await probe_connection(visit.context, visit.actor, tenant_id=visit.tenant_id)
    return visit.show(
        _page(visit, stored, problem=visit.language.translate(problem) if problem else "", is_tested=True)
    )


async def remove_pbx(visit: Visit) -> web.StreamResponse:
    await delete_connection(visit.context, visit.actor, tenant_id=visit.tenant_id)
    return visit.go("pbx", done="removed")


async def _stored(visit: Visit) -> PbxConnection | None:
    try:
        return await get_connection(visit.context, visit.actor, tenant_id=visit.tenant_id)
    except NotFound:
        return None


def _title(visit: Visit) -> str:
    return visit.language.translate("Connection to the PBX")


def _page(
    visit: Visit, stored: PbxConnection | None, *, problem: str = "", is_tested: bool = False
) -> PbxPage:
    return PbxPage(
        title=_title(visit),
        form=_form(visit, stored),
        is_stored=stored is not None,
        problem=problem,
        is_working=is_tested and not problem,
    )


def _form(visit: Visit, stored: PbxConnection | None) -> Form:
    _ = visit.language.translate
    kinds = [(kind, _(label)) for kind, label in words.PBX_KINDS.items()]
    return Form(
        action=visit.path("pbx"),
        submit=_("Save"),
        cancel=visit.path("edit"),
        fields=(
            Field(
                name="kind",
                label=_("Kind"),
                control="select",
                value=stored.kind if stored else "",
                choices=options(kinds),
            ),
            Field(
                name="address",
                label=_("Address"),
                value=stored.address if stored else "",
                is_code=True,
                maxlength=LONGEST_ADDRESS,
                placeholder="http://192.0.2.10:5080/RPC",
                help=_(
                    "Kamailio: the URL of its JSON-RPC. Asterisk, FreeSWITCH: a host name or address, with :port when it is not "
                    "the usual one. Straight to the phones: empty."
                ),
            ),
            Field(
                name="username",
                label=_("User name"),
                value=stored.username if stored else "",
                is_code=True,
                maxlength=LONGEST_NAME,
                help=_(
                    "Asterisk: the manager user, which needs write = system. FreeSWITCH: the Sofia profile when it is not internal."
                ),
            ),
            Field(
                name="secret",
                label=_("Password"),
                control="password",
                autocomplete="new-password",
                maxlength=LONGEST_SECRET,
                help=_("Leave it empty to keep the stored one.") if stored and stored.secret else "",
            ),
        ),
    )
